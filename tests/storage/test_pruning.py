"""Details of old runs go, their summaries stay; nothing that anything still needs goes with them."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbook.errors import LedgerError
from batchbook.storage import pruning
from batchbook.storage.lastwritten import last_written
from batchbook.storage.ledger import UNFINISHED, Ledger
from batchbook.storage.pruning import Pruning, prune, pruned_run
from batchbook.storage.savelog import Change, ConflictRecord, SaveLog
from tests.storage.ledgers import AT, begin, commit

OLD = "2026-01-01T00:00:00.000+02:00"
YOUNG = "2026-06-01T00:00:00.000+02:00"
LIMIT = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
DETAILS = ("outcomes", "commits", "conflicts", "saves", "selection", "checkpoints")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "ledger.db") as opened:
        yield opened


def make(
    ledger: Ledger, name: str, ended: str | None, *, status: str = "completed", rows: int = 9, value: str = "x"
) -> None:
    """A run that wrote all its rows in one save, with a conflict."""
    log = begin(ledger, name, rows)
    for first in range(1, rows + 1, 3):
        commit(log, *range(first, min(first + 3, rows + 1)))
    saves = SaveLog(ledger, name, "/w/book.xlsx", lambda: AT)
    saves.clear_plan()
    after = json.dumps({"Result": value})
    saves.plan(Change("Data", f'["K{n}"]', n + 1, '{"Result":null}', after) for n in range(1, rows + 1))
    saves.plan_conflicts([ConflictRecord("Data", '["K1"]', 2, "Result", "null", '"theirs"', '"x"', "ours")])
    saves.plan_outcomes(log.seq)
    saves.saved(saves.intend("old", "new", "t"), None)
    log.checkpoint(AT, "new")
    with ledger.transaction():
        ledger.update_run(name, status=status, ended=ended, active=ended or OLD)


def count(ledger: Ledger, table: str, run: str) -> int:
    row = ledger.one(f"SELECT count(*) FROM {table} WHERE run = ?", [run])
    assert row is not None
    return int(row[0])


def changes(ledger: Ledger) -> int:
    row = ledger.one("SELECT count(*) FROM changes")
    assert row is not None
    return int(row[0])


def pruned(ledger: Ledger, **more: object) -> Pruning:
    return prune(ledger, LIMIT, **{"seconds": 60.0, "now": YOUNG, **more})  # type: ignore[arg-type]


def test_details_of_an_old_run_go_and_its_summary_and_what_it_wrote_last_stay(ledger: Ledger) -> None:
    make(ledger, "old", OLD)
    make(ledger, "young", YOUNG)
    done = pruned(ledger)
    assert (done.runs, done.complete) == (1, True)
    assert [count(ledger, table, "old") for table in DETAILS] == [0] * len(DETAILS)
    assert all(count(ledger, table, "young") for table in DETAILS)
    assert changes(ledger) == 9
    assert {run.id for run in ledger.runs()} == {"old", "young"}
    left = pruned_run(ledger, "old")
    assert left is not None
    assert (left.counts, left.batches, left.saves, left.conflicts) == ({"done": 9}, 3, 1, 1)
    assert pruned_run(ledger, "young") is None
    assert len(last_written(ledger, "/w/book.xlsx", "Data", [f'["K{n}"]' for n in range(1, 10)])) == 9


@pytest.mark.parametrize("status", UNFINISHED)
def test_an_unfinished_run_is_never_pruned_however_old_it_is(ledger: Ledger, status: str) -> None:
    make(ledger, "old", OLD, status=status)
    assert pruned(ledger) == Pruning(0, 0, True)
    assert count(ledger, "outcomes", "old") == 9
    assert count(ledger, "selection", "old") == 9


@pytest.mark.parametrize("status", ["completed", "completed_with_failures", "cleared", "superseded"])
def test_every_run_that_cannot_be_taken_up_again_is_pruned(ledger: Ledger, status: str) -> None:
    make(ledger, "old", OLD, status=status)
    assert pruned(ledger).runs == 1


def test_a_run_with_a_save_of_which_nobody_knows_how_it_ended_is_left_alone(ledger: Ledger) -> None:
    make(ledger, "old", OLD)
    with ledger.transaction():
        ledger.execute("UPDATE saves SET state = 'intent'")
    assert not pruned(ledger).complete
    assert pruned_run(ledger, "old") is None
    assert count(ledger, "outcomes", "old") == 9


def test_a_moment_is_compared_in_time_and_not_as_text(ledger: Ledger) -> None:
    make(ledger, "before", "2026-04-01T01:30:00.000+02:00")
    make(ledger, "after", "2026-03-31T23:30:00.000-02:00")
    pruned(ledger)
    assert pruned_run(ledger, "before") is not None
    assert pruned_run(ledger, "after") is None


def test_what_the_time_allowed_leaves_over_goes_with_the_next_pruning(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_SLICE", 2)
    make(ledger, "old", OLD)
    calls = iter([False] * 4)
    first = pruned(ledger, stopping=lambda: next(calls, True))
    assert (first.runs, first.complete) == (0, False)
    assert 0 < count(ledger, "outcomes", "old") < 9
    left = pruned_run(ledger, "old")
    assert left is not None
    assert left.counts == {"done": 9}
    second = pruned(ledger)
    assert (second.runs, second.complete) == (1, True)
    assert count(ledger, "outcomes", "old") == 0
    assert pruned_run(ledger, "old") == left
    assert pruned(ledger) == Pruning(0, 0, True)


def test_no_time_at_all_deletes_nothing(ledger: Ledger) -> None:
    make(ledger, "old", OLD)
    assert pruned(ledger, seconds=0.0) == Pruning(0, 0, False)
    assert pruned_run(ledger, "old") is None


def test_wherever_a_commit_fails_the_run_is_whole_or_marked_and_the_next_pruning_ends_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_SLICE", 4)
    make(ledger, "young", YOUNG, value="young")
    real, failures = ledger._connection, 0
    for k in range(1, 100):
        name = f"old{k}"
        make(ledger, name, OLD)
        ledger._connection = Failing(real, k)  # type: ignore[assignment]
        try:
            pruned(ledger)
        except LedgerError:
            failures += 1
        finally:
            ended = ledger._connection.left > 0  # type: ignore[attr-defined]
            ledger._connection = real
        whole = count(ledger, "outcomes", name) == 9 and count(ledger, "saves", name) == 1
        assert whole or pruned_run(ledger, name) is not None
        assert pruned(ledger).complete
        assert count(ledger, "outcomes", name) == 0
        assert count(ledger, "saves", name) == 0
        assert count(ledger, "outcomes", "young") == 9
        assert ledger.check() == []
        assert list(ledger.query("PRAGMA foreign_key_check")) == []
        if ended:
            break
    assert failures > 8
    assert ended


def test_the_number_of_a_pruned_save_is_not_given_again(ledger: Ledger) -> None:
    make(ledger, "old", OLD)
    numbers = [row[0] for row in ledger.query("SELECT id FROM saves")]
    assert pruned(ledger).complete
    make(ledger, "young", AT)
    assert min(row[0] for row in ledger.query("SELECT id FROM saves")) > max(numbers)


class Failing:
    """A connection whose k-th commit fails for want of room."""

    def __init__(self, real: sqlite3.Connection, k: int) -> None:
        self._real = real
        self.left = k

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self.left -= 1
            if self.left == 0:
                raise sqlite3.OperationalError("database or disk is full")
        return self._real.execute(sql, *values)  # type: ignore[arg-type]


def test_a_ledger_that_another_process_writes_to_is_not_waited_for_long(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BUSY_SECONDS", 0.01)
    make(ledger, "old", OLD)
    with Ledger.open(tmp_path / "ledger.db") as other, other.transaction():
        with pytest.raises(LedgerError, match="locked"):
            pruned(ledger)
        assert ledger.one("PRAGMA busy_timeout")[0] == 30_000  # type: ignore[index]
    assert pruned(ledger).complete


def test_the_file_gives_back_room_but_for_what_the_next_run_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_SPARE", 16)
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        make(ledger, "young", YOUNG, rows=300, value="young")
        make(ledger, "old", OLD, rows=3000)
    before = path.stat().st_size
    with Ledger.open(path) as ledger:
        assert pruned(ledger).complete
        free = ledger.one("PRAGMA freelist_count")[0]  # type: ignore[index]
        pages = ledger.one("PRAGMA page_count")[0]  # type: ignore[index]
        assert free <= max(16, pages // 3)
        assert ledger.check() == []
        assert count(ledger, "outcomes", "young") == 300
    assert path.stat().st_size < 0.7 * before


def test_a_ledger_made_before_pages_could_be_given_back_keeps_them_for_later_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_SPARE", 1)
    path = tmp_path / "ledger.db"
    sqlite3.connect(path).execute("CREATE TABLE earlier (x)")
    with Ledger.open(path) as ledger:
        assert ledger.one("PRAGMA auto_vacuum")[0] == 0  # type: ignore[index]
        make(ledger, "old", OLD, rows=300)
        assert pruned(ledger).complete
