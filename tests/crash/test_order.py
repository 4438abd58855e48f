"""The order of what is on the disk, and a replace that is slow while another process saves the workbook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import pytest

from tests.crash.order import BOOK, WAL, order_problems, without_ledger
from tests.crash.scenarios import Scenario
from tests.crash.tracing import STRACE, Call

pytestmark = [
    pytest.mark.skipif(STRACE is None, reason="needs strace"),
    pytest.mark.skipif(sys.platform != "linux", reason="needs strace"),
]


def test_each_save_has_everything_on_the_disk_before_the_next_step(scenario: Callable[[str], Scenario]) -> None:
    assert order_problems(scenario("run").calls) == []
    assert sum(call.name.startswith("rename") and call.paths[-1] == BOOK for call in scenario("run").calls) == 4
    assert order_problems(scenario("undo").calls) == []
    for name in ("isbn schedule", "isbn bulk", "isbn undo"):
        assert order_problems(scenario(name).calls) == [], name
    assert without_ledger(order_problems(scenario("restore").calls)) == []


def without(calls: Sequence[Call], *names: str, path: str) -> list[Call]:
    return [call for call in calls if call.name not in names or not any(path in one for one in call.paths)]


@pytest.mark.parametrize(
    ("names", "path", "says"),
    [
        (["fsync"], "batchbook-tmp", "temporary file was not on the disk"),
        (["fsync"], "data/backups", "backup's folder"),
        (["link"], "data/backups", "no backup"),
        (["fdatasync", "fsync"], WAL, "intent in the ledger was not on the disk"),
        (["pwrite64"], WAL, "no intent"),
    ],
)
def test_a_step_that_is_missing_is_noticed(
    scenario: Callable[[str], Scenario], names: list[str], path: str, says: str
) -> None:
    found = order_problems(without(scenario("run").calls, *names, path=path))
    assert any(says in text for text in found), found


def test_a_folder_that_is_on_the_disk_too_late_is_noticed(scenario: Callable[[str], Scenario]) -> None:
    calls = [call for call in scenario("run").calls if call.name != "fsync" or call.paths != (".",)]
    assert any("not on the disk afterwards" in text for text in order_problems(calls))
