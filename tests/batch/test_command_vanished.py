"""An older copy that is saved over the work of many commands: each changed a row or two."""

from __future__ import annotations

import pytest

from batchbook.batch.recovery import backup_store, restore_backup
from batchbook.batch.vanished import look_for_vanished
from tests.batch.shelf import Bench, change, take, take_next


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "w", [(f"10-{n:02}", "free", f"title {n}", n, None) for n in range(1, 41)])


def gone(bench):
    with bench.ledger() as ledger:
        return [one.run for one in look_for_vanished(ledger, bench.book).vanished]


def test_changed_and_added_rows_of_the_newest_commands_are_told_together(bench):
    kept = bench.do(take("1001")).run
    old = bench.book.read_bytes()
    runs = [bench.do(take("1002")).run, bench.do(take_next("new")).run, bench.do(change("1003", title="x")).run]
    assert gone(bench) == []
    bench.book.write_bytes(old)
    bench.cell("F2", "a note")
    assert gone(bench) == runs
    assert kept not in gone(bench)
    with bench.ledger() as ledger:
        lines = look_for_vanished(ledger, bench.book).lines
    assert "the row" in lines[1]
    assert "is no longer in" in lines[1]


def test_more_than_ten_commands_that_vanished_are_all_told(bench):
    old = bench.book.read_bytes()
    runs = [bench.do(take(f"10{n:02}")).run for n in range(1, 16)]
    bench.book.write_bytes(old)
    assert sorted(gone(bench)) == sorted(runs)


def test_they_are_told_before_the_next_command_saves_on_top_of_that(bench):
    old = bench.book.read_bytes()
    runs = [bench.do(take("1001")).run, bench.do(take("1002")).run]
    bench.book.write_bytes(old)
    done = bench.do(take("1003"))
    assert [run for run in runs if any(run in text for text in done.warnings)] == runs
    for run in runs:
        assert list(bench.reapply(run).kept) == []
    assert [row[1] for row in bench.rows()][:4] == ["taken", "taken", "taken", "free"]


def test_a_person_who_sets_back_a_record_or_deletes_a_row_took_nothing_back(bench):
    bench.do(take("1001"))
    bench.do(take("1002"))
    bench.do(take_next("new"))
    bench.edit(lambda sheet: sheet.delete_rows(42))
    assert gone(bench) == []
    bench.cell("B3", "free")
    assert gone(bench) == []


def test_what_was_reapplied_has_not_vanished(bench):
    old = bench.book.read_bytes()
    runs = [bench.do(take(f"10{n:02}")).run for n in range(1, 5)]
    bench.book.write_bytes(old)
    for run in runs[:2]:
        bench.reapply(run)
    assert sorted(gone(bench)) == sorted(runs[2:])
    for run in runs[2:]:
        bench.reapply(run)
    assert gone(bench) == []


def test_what_an_undo_took_out_has_not_vanished(bench):
    for n in range(4):
        bench.undo(bench.do(take_next(f"new {n}")).run)
    bench.cell("F2", "a note")
    assert gone(bench) == []


def test_what_a_restore_took_back_is_not_given_again_unless_it_is_undone(bench):
    bench.do(take("1001"))
    run = bench.do(take_next("mine")).run
    number = bench.rows()[-1][0]
    store = backup_store(bench.base, bench.book)
    newest = store.list()[0]
    assert newest.run == run
    restore_backup(bench.base, store, newest, print)
    assert number not in bench.items()
    other = bench.do(take_next("other"))
    assert other.value != number.replace("-", "")
    assert list(bench.reapply(run).kept) == []
    bench.undo(run)
    assert number not in bench.items()
    assert bench.do(take_next("third")).value == number.replace("-", "")
