"""Every operation of the file-operations module fails in turn over a whole run, and then again during its recovery.

A table of faults in this process: a system's error, half a write, a crash after which no operation has any effect; and
for each crash of the run a second one at each operation of the resume. All pairs with `make crash`, a sample else.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchbook.batch.saving import RunSaver
from batchbook.errors import BatchbookError
from batchbook.storage import files
from tests.batch.helpers import Site
from tests.crash.scenarios import cells
from tests.crash.sweep import Tally, committed_keys, strays
from tests.storage.helpers import Crash, FaultyOperations

ROWS, BATCH = 6, 2
ERRNOS = (errno.ENOSPC, errno.EIO, errno.EACCES)
PAIRS = 157
"""Of the pairs of faults, the sample takes one in so many."""


class ShortWrites(files.Operations):
    """Writes that take only a part, as a system may do at any time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self.count += 1
        return super().write(fd, data[: self.most])

    def copy_range(self, source: int, target: int, count: int, offset: int) -> int:
        return super().copy_range(source, target, min(count, self.most), offset)


class Bench:
    """A folder that is set back for each case, and a processor that says what it does."""

    def __init__(self, root: Path) -> None:
        rows = [[f"K{n}", f"name {n}", None, f"note {n}"] for n in range(1, ROWS + 1)]
        settings: dict[str, Any] = {"select": "blank", "batch": {"strategy": "fixed", "size": BATCH, "concurrency": 1}}
        settings["batch"] |= {"checkpoint_frequency": 1, "max_retry_attempts": 1}
        self.root = root
        self.template = root / "template"
        self.case = root / "case"
        self.seen: list[str] = []
        Site(self.template, rows, self._work, **settings)
        self.states = [self._filled(rows) for rows in range(0, ROWS + 1, BATCH)]
        self.tally = Tally("operations", "")

    def _work(self, row: Any) -> dict[str, str]:
        self.seen.append(row.key[0])
        return {"Result": f"{row['Name']}!"}

    def _filled(self, done: int) -> tuple[tuple[Any, ...], ...]:
        rows = ((f"K{n}", f"name {n}", f"name {n}!" if n <= done else None, f"note {n}") for n in range(1, ROWS + 1))
        return (("Key", "Name", "Result", "Note"), *rows)

    def place(self, source: Path | None = None) -> None:
        shutil.rmtree(self.case, ignore_errors=True)
        _copied(source or self.template, self.case)

    def keep(self, name: str) -> Path:
        """A copy of the case as it is now."""
        kept = self.root / name
        shutil.rmtree(kept, ignore_errors=True)
        _copied(self.case, kept)
        return kept

    def run(self, ops: Any) -> str:
        """Run, or resume, with these operations; gives the run's status, the error's code or "crashed"."""
        self.seen.clear()
        site = Site.__new__(Site)
        site.path = self.case
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "ops", ops)
            patch.setattr(RunSaver, "affordable", lambda _self: True)
            try:
                result = site.run("auto")
            except Crash:
                return "crashed"
            except BatchbookError as error:
                assert error.advice, error
                return error.code
        if result.error is not None:
            assert result.error.advice, result.error
            return result.error.code
        return str(result.status)

    def state(self) -> None:
        """What the workbook holds after a fault is one of the states of the undisturbed run."""
        assert cells(self.case / "book.xlsx") in self.states

    def finish(self) -> None:
        """The clean start after the last fault ends the run and does no committed row again."""
        committed = committed_keys(self.case, self.root)
        assert self.run(files.Operations()) == "completed"
        assert not committed & set(self.seen), "a committed row was done again"
        assert cells(self.case / "book.xlsx") == self.states[-1]
        assert strays(self.case, self.template) == []

    def count(self) -> int:
        ops = FaultyOperations(0, 0)
        assert self.run(ops) == "completed"
        return ops.count


def _copied(source: Path, target: Path) -> None:
    """A copy in which what is one file under two names stays one file: a backup may be the workbook itself."""
    twins: dict[int, Path] = {}
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        twin = twins.setdefault(path.stat().st_ino, place)
        if twin is place:
            shutil.copy2(path, place)
        else:
            place.hardlink_to(twin)


@pytest.fixture
def bench(scratch: Path) -> Bench:
    root = scratch / "operations"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    return Bench(root)


@pytest.mark.parametrize("most", [1, 7, 100])
def test_writes_that_take_only_a_part_change_nothing(bench: Bench, most: int) -> None:
    bench.place()
    ops = ShortWrites(most)
    assert bench.run(ops) == "completed"
    assert ops.count > 100
    assert cells(bench.case / "book.xlsx") == bench.states[-1]


@pytest.mark.parametrize("fault", [*ERRNOS, Crash], ids=["ENOSPC", "EIO", "EACCES", "crash"])
def test_whatever_operation_of_a_run_fails_the_next_start_ends_it(
    bench: Bench, fault: int | type[BaseException]
) -> None:
    bench.place()
    for k in range(1, bench.count() + 1):
        bench.place()
        ended = bench.run(FaultyOperations(k, fault))
        assert (ended == "crashed") == (fault is Crash)
        assert ended != "unexpected"
        bench.state()
        bench.finish()


def test_a_sample_of_second_faults_during_the_recovery_loses_nothing(bench: Bench) -> None:
    assert _pairs(bench, every=PAIRS) > 10


@pytest.mark.crash
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("second", [Crash, *ERRNOS], ids=["crash", "ENOSPC", "EIO", "EACCES"])
def test_every_second_fault_during_the_recovery_loses_nothing(
    bench: Bench, counted: Callable[[Tally], None], second: int | type[BaseException]
) -> None:
    name = "crash" if second is Crash else errno.errorcode[second]  # type: ignore[index]
    bench.tally.kind = f"crash, then {name}"
    assert _pairs(bench, every=1, second=second) > 500
    counted(bench.tally)


def _pairs(bench: Bench, every: int, second: int | type[BaseException] = Crash) -> int:
    """Crash at k in the run, a second fault at j in the resume, then a clean one; gives how many pairs there were."""
    bench.place()
    tally, number = bench.tally, 0
    tally.calls = bench.count()
    for k in range(1, tally.calls + 1):
        bench.place()
        assert bench.run(FaultyOperations(k, Crash)) == "crashed"
        crashed = bench.keep("crashed")
        wanted = bench.count()
        for j in range(1, wanted + 1):
            number += 1
            if number % every:
                continue
            bench.place(crashed)
            ended = bench.run(FaultyOperations(j, second))
            tally.faults += 2
            tally.ended[ended] += 1
            bench.state()
            bench.finish()
    return tally.faults // 2
