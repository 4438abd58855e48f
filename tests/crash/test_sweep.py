"""Every file-system call of a run, an undo and a restore is killed, or fails, in turn; nothing is lost by any of it.

The same for the commands on ISBNs: a single one, an import, an undo of a single one.

After each fault the workbook opens and holds a committed state, the next start ends as if nothing had been, does no
committed row again and leaves no stray file, and the start after that changes nothing. A sample runs with the other
tests; all of it with `make crash`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.catalogue import SCENARIOS
from tests.crash.scenarios import Scenario
from tests.crash.sweep import KINDS, Sweep, Tally, kinds_for
from tests.crash.tracing import STRACE, Call, Runner

pytestmark = [
    pytest.mark.skipif(STRACE is None, reason="needs strace"),
    pytest.mark.skipif(sys.platform != "linux", reason="needs strace"),
]
READS = "reads"
SAMPLE = {"run": 26, "undo": 8, "restore": 6, "isbn schedule": 12, "isbn bulk": 16, "isbn undo": 8}


def sample(scenario: Scenario, count: int) -> list[tuple[Call, str]]:
    """Cases from all over a scenario: each kind of call on each kind of file once, the kinds of fault in turn."""
    last = {(call.name, call.paths): call for call in scenario.calls if call.changing}
    cases = [(call, KINDS[place % len(KINDS)]) for place, call in enumerate(last.values())]
    kills = [(call, "kill") for call in last.values() if call.name.startswith(("rename", "link")) and call.number > 1]
    return kills + cases[:: max(1, len(cases) // max(1, count - len(kills)))]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_sample_of_faults_loses_nothing(
    scenario: Callable[[str], Scenario], runner: Runner, scratch: Path, case: Path, name: str
) -> None:
    one = scenario(name)
    sweep = Sweep(runner, one, scratch, case, "sample")
    for call, kind in sample(one, SAMPLE[name]):
        sweep.one(call, kind)
    assert sweep.tally.faults >= SAMPLE[name]
    check(sweep.tally)


@pytest.mark.crash
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", [*KINDS, READS])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_call_fails_in_turn_and_nothing_is_lost(
    scenario: Callable[[str], Scenario],
    runner: Runner,
    scratch: Path,
    case: Path,
    counted: Callable[[Tally], None],
    name: str,
    kind: str,
) -> None:
    one = scenario(name)
    sweep = Sweep(runner, one, scratch, case, kind)
    for call in one.calls:
        for fault in kinds_for(call):
            if (fault == kind) if call.changing else (kind == READS):
                sweep.one(call, fault)
    counted(sweep.tally)
    check(sweep.tally)


def check(tally: Tally) -> None:
    assert not tally.problems, f"{len(tally.problems)} problems:\n" + "\n".join(tally.problems[:20])
    assert (tally.lost_rows, tally.wrong_cells, tally.rows_done_twice, tally.stray_files) == (0, 0, 0, 0)
    # The faults are put where the recording was; a few land elsewhere if the system itself interrupts a call.
    assert tally.elsewhere <= tally.faults // 50, tally.missed
