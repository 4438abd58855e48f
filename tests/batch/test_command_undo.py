"""Undo and reapply of what commands did to records: whole records or nothing of them."""

from __future__ import annotations

import datetime as dt
import re
import zipfile

import pytest

from batchbook.batch.history import diff_run, find_run, list_runs, show_run
from batchbook.errors import CannotSave, UsageError
from batchbook.storage.pruning import pruned_run
from tests.batch.shelf import NOW, Bench, Shelf, change, take, take_next
from tests.batch.warehouse import THINGS, Hall, store


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "w")


def test_a_changed_record_gets_back_what_it_held_and_the_log_says_so(bench):
    before = bench.items()
    run = bench.do(take("0001", "new")).run
    undone = bench.undo(run)
    assert list(undone.kept) == []
    assert undone.restored == 2
    assert bench.items() == before
    assert [row[1:] for row in bench.rows("Log")] == [["00-01", "take", "me"], ["00-01", f"undo of {run}", "me"]]


def test_a_new_record_is_taken_out_and_its_number_is_free_again(bench):
    run = bench.do(take_next("third")).run
    bench.undo(run)
    assert set(bench.items()) == {"00-01", "00-02"}
    assert bench.do(take_next("other")).value == "0003"


def test_a_run_that_was_undone_says_by_which_run_until_that_is_undone_itself(bench):
    run = bench.do(take_next("third")).run
    first = bench.undo(run)
    second = bench.undo(run)
    assert (first.already, second.already, second.undo_run) == (None, first.undo_run, None)
    with bench.ledger() as ledger:
        assert show_run(ledger, run)["note"].endswith(f"undone by run {first.undo_run}")
    bench.undo(first.undo_run)
    with bench.ledger() as ledger:
        assert "undone by" not in show_run(ledger, run)["note"]


def test_a_run_that_was_put_back_since_is_not_said_to_be_undone(bench):
    run = bench.do(take_next("third")).run
    first = bench.undo(run)
    again = bench.reapply(run)
    with bench.ledger() as ledger:
        assert show_run(ledger, run)["note"].endswith(f"; put back by run {again.reapply_run}")
    third = bench.undo(run)
    assert third.already is None
    assert first.undo_run != third.undo_run
    assert "00-03" not in bench.items()


def test_an_undo_names_each_record_and_what_it_went_back_to(bench):
    def both(workspace, actor):
        take("0001", "new")(workspace, actor)
        take("0003", "third")(workspace, actor)

    run = bench.do(both).run
    undone = bench.undo(run)
    assert list(undone.records) == [
        {"sheet": "Items", "key": "00-01", "label": "one", "did": "changed", "columns": [
            {"column": "State", "before": "taken", "after": "free"},
            {"column": "Title", "before": "new", "after": "one"},
        ]},
        {"sheet": "Items", "key": "00-03", "label": "third", "did": "taken out", "columns": [
            {"column": "Code", "before": "00-03", "after": None},
            {"column": "State", "before": "taken", "after": None},
            {"column": "Title", "before": "third", "after": None},
        ]},
    ]  # fmt: skip
    with bench.ledger() as ledger:
        (undo, command) = list_runs(ledger)
    assert (undo.kind, undo.changed) == ("undo", {"changed": 1, "taken out": 1})
    assert (command.kind, command.changed) == ("command", {"new": 1, "changed": 1})
    again = bench.reapply(run)
    assert [(one["key"], one["did"]) for one in again.records] == [("00-01", "changed"), ("00-03", "put in")]


def test_undone_a_second_time_only_what_changed_in_between_is_listed(bench):
    def both(workspace, actor):
        for code in ("0001", "0003", "0004", "0005"):
            take(code, "mine")(workspace, actor)

    run = bench.do(both).run
    bench.edit(lambda sheet: sheet.delete_rows(6))  # 00-05 is gone before the undo: it did not take it out
    first = bench.undo(run)
    gone = "00-05 (mine) in Items: the row is no longer there"
    assert list(first.kept) == [gone]
    take_again = bench.do(take("0003", "theirs"))
    second = bench.undo(run)
    assert (second.already, second.undo_run, second.records_unchanged) == (first.undo_run, None, 2)
    kept = list(second.kept)
    assert take_again.run is not None
    assert len(kept) == 2
    assert gone in kept
    assert any("00-03 (mine) in Items is left as it is" in text for text in kept)


def test_an_undo_of_an_undo_puts_a_new_record_into_the_row_that_it_had(bench):
    run = bench.do(take_next("third")).run
    bench.do(take_next("fourth"))
    rows = bench.rows()
    undone = bench.undo(run)
    again = bench.undo(undone.undo_run)
    assert list(again.kept) == []
    assert bench.rows() == rows
    assert [row[2] for row in bench.rows("Log")] == ["take", "take", f"undo of {run}", f"undo of {undone.undo_run}"]


def test_where_the_row_is_no_gap_any_more_the_record_comes_behind_the_last_one(bench):
    undone = bench.undo(bench.do(take_next("third")).run)
    bench.edit(lambda sheet: [sheet.cell(4, column, value) for column, value in ((1, "77-77"), (2, "free"))])
    again = bench.undo(undone.undo_run)
    assert list(again.kept) == []
    assert [row[0] for row in bench.rows()] == ["00-01", "00-02", "77-77", "00-03"]


def test_a_record_of_which_a_person_changed_a_column_is_left_as_a_whole_and_listed(bench):
    run = bench.do(take("0001", "new")).run
    bench.cell("C2", "mine")
    undone = bench.undo(run)
    assert undone.undo_run is None
    (kept,) = undone.kept
    assert "00-01 (one) in Items is left as it is: C2 (Title) holds 'mine', not 'new'" in kept
    assert bench.items()["00-01"] == ["taken", "mine"]
    assert len(bench.rows("Log")) == 1


def test_a_formula_that_a_person_put_into_a_cell_emptied_by_the_run_stays_though_it_shows_nothing(bench):
    run = bench.do(change("0001", title=None)).run
    bench.edit(lambda sheet: sheet.__setitem__("C2", '=IF(D2>9,"many","")'))
    # openpyxl writes no cached value: give it the empty one, as Excel would.
    with zipfile.ZipFile(bench.book) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    shown = re.sub(rb'<c r="C2"([^>]*)>(<f>.*?</f>)<v ?/>', rb'<c r="C2"\1 t="str">\2<v></v>', sheet)
    assert shown != sheet
    parts["xl/worksheets/sheet1.xml"] = shown
    with zipfile.ZipFile(bench.book, "w") as book:
        for name, part in parts.items():
            book.writestr(name, part)
    (kept,) = bench.undo(run).kept
    assert "C2 (Title)" in kept
    assert bench.rows()[0][2] == '=IF(D2>9,"many","")'


def test_a_column_that_the_run_did_not_change_may_be_another_one(bench):
    run = bench.do(take("0001")).run
    bench.cell("C2", "mine")
    assert list(bench.undo(run).kept) == []
    assert bench.items()["00-01"] == ["free", "mine"]


@pytest.mark.parametrize("place", ["D4", "E4"])
def test_a_new_record_to_which_a_person_added_something_stays(bench, place):
    run = bench.do(take_next("third")).run
    bench.cell(place, 7)
    undone = bench.undo(run)
    assert undone.undo_run is None
    assert f"{place} (" in next(iter(undone.kept))
    assert "00-03" in bench.items()


def test_a_persons_own_column_is_left_alone_by_undo_and_redo(bench):
    run = bench.do(take_next("third")).run
    bench.cell("F4", "my note")
    undone = bench.undo(run)
    assert bench.rows()[2] == [None, None, None, None, None, "my note"]
    bench.undo(undone.undo_run)
    assert bench.rows()[2] == ["00-03", "taken", "third", None, None, "my note"]


def test_a_record_that_a_later_command_changed_is_left_as_it_is(bench):
    first = bench.do(take("0001", "new")).run
    bench.do(change("0001", title="newer"), "change")
    assert len(bench.undo(first).kept) == 1
    assert bench.items()["00-01"] == ["taken", "newer"]


def test_rows_are_found_wherever_they_stand_by_then_and_however_their_key_is_written(bench):
    run = bench.do(take("0001", "new")).run

    def change_sheet(sheet):
        sheet.insert_rows(2, 3)
        sheet["A5"] = "0001"

    bench.edit(change_sheet)
    assert list(bench.undo(run).kept) == []
    assert bench.items()["0001"] == ["free", "one"]


def test_a_deleted_row_is_listed(bench):
    run = bench.do(take("0001", "new")).run
    bench.edit(lambda sheet: sheet.delete_rows(2))
    undone = bench.undo(run)
    assert (undone.undo_run, list(undone.kept)) == (None, ["00-01 (one) in Items: the row is no longer there"])


def test_a_record_that_the_system_refuses_is_listed_with_its_reason_and_no_log_says_otherwise(bench):
    class Strict(Shelf):
        refuses = frozenset({"0001"})

    def both(workspace, actor):
        take("0001")(workspace, actor)
        take("0002")(workspace, actor)

    run = bench.do(both).run
    undone = bench.undo(run, systems=lambda _: Strict())
    assert list(undone.kept) == ["00-01 (one) in Items is left as it is: the shelf refuses"]
    assert {code: row[0] for code, row in bench.items().items()} == {"00-01": "taken", "00-02": "free"}
    assert [row[1] for row in bench.rows("Log")] == ["00-01", "00-02", "00-02"]


def test_a_record_that_would_break_its_sheets_rules_is_left_as_it_is(bench):
    run = bench.do(take("0001", "new")).run
    with bench.ledger() as ledger:  # what it held before is none of the allowed states any more
        ledger.execute("UPDATE changes SET before = replace(before, '\"free\"', '\"lent\"')")
        save = ledger.one("SELECT max(id) FROM saves")[0]
        from batchbook.storage.seals import NO_OUTCOMES, put_seal

        with ledger.transaction():
            put_seal(ledger, save, NO_OUTCOMES)
    undone = bench.undo(run)
    assert undone.undo_run is None
    assert "is none of free, taken, gone" in next(iter(undone.kept))


def test_without_its_system_nothing_is_done_by_halves(bench):
    run = bench.do(take("0001", "new")).run
    state = bench.book.read_bytes()
    for systems in (None, lambda _: None):
        with pytest.raises(UsageError, match="system 'shelf', which is not known here"):
            bench.undo(run, systems=systems)
    assert bench.book.read_bytes() == state
    assert len(bench.runs()) == 1


def test_where_a_header_is_gone_nothing_is_changed(bench):
    run = bench.do(take("0001", "new")).run
    bench.cell("B1", "Something")
    with pytest.raises(CannotSave, match="no longer has what run") as caught:
        bench.undo(run)
    assert "'State'" in str(caught.value.findings[0])
    assert len(bench.runs()) == 1


def test_a_header_may_be_another_one_of_its_column_by_then(bench):
    run = bench.do(take("0001", "new")).run
    bench.cell("C1", "Name")
    assert list(bench.undo(run).kept) == []
    assert bench.items()["00-01"] == ["free", "one"]


def test_after_an_older_copy_was_saved_over_it_reapply_puts_everything_back_the_log_too(bench):
    old = bench.book.read_bytes()
    runs = [bench.do(take("0001", "new")).run, bench.do(take_next("third")).run]
    rows, log = bench.rows(), bench.rows("Log")
    bench.book.write_bytes(old)
    for run in runs:
        assert list(bench.reapply(run).kept) == []
    assert bench.rows() == rows
    told = [f"reapply of {run}" for run in runs]
    found = bench.rows("Log")
    assert [row for row in found if row[2] not in told] == log
    assert sorted(row[2] for row in found if row[2] in told) == sorted(told)


def test_a_reapply_changes_nothing_where_everything_is_there(bench):
    run = bench.do(take("0001", "new")).run
    done = bench.reapply(run)
    assert (done.reapply_run, done.restored, list(done.kept)) == (None, 0, [])


def test_a_reapply_leaves_a_record_that_a_person_entered_since(bench):
    old = bench.book.read_bytes()
    run = bench.do(take_next("third")).run
    bench.book.write_bytes(old)
    bench.edit(lambda sheet: sheet.append(["0003", "free", "theirs"]))
    done = bench.reapply(run)
    assert any("0003" in text or "00-03" in text for text in done.kept)
    assert bench.items()["0003"] == ["free", "theirs"]


def test_what_a_command_did_is_shown_cell_by_cell_and_it_is_the_last_run(bench):
    run = bench.do(take("0001", "new"), note="a note").run
    with bench.ledger() as ledger:
        found = {(one.sheet, one.key, one.column): (one.before, one.after) for one in diff_run(ledger, "last")}
        assert found["Items", "00-01", "Title"] == ("one", "new")
        assert found["Log", f"{run}.1", "What"] == (None, "take")
        shown = show_run(ledger, run)
        assert (shown["status"], shown["note"], shown["counted"]["saves"]) == ("completed", "00-01 (new); a note", 1)
        assert find_run(ledger, "last").id == run
        assert find_run(ledger, run).summary["records"] == {
            "Items": {"changed": 1, "new": 0}, "Log": {"changed": 0, "new": 1}
        }  # fmt: skip


def test_an_undo_whose_process_died_after_the_replace_is_settled_as_done(bench, monkeypatch):
    from batchbook.storage.savelog import SaveLog

    run = bench.do(take("0001", "new")).run
    with monkeypatch.context() as patch:
        patch.setattr(SaveLog, "saved", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            bench.undo(run)
    bench.do(take("0002"))
    assert bench.items()["00-01"] == ["free", "one"]
    assert bench.runs() == [("shelf take", "completed"), (f"undo of {run}", "completed"), ("shelf take", "completed")]


def test_the_details_of_an_old_command_go_with_a_later_one_and_its_number_stays_taken(bench):
    old = bench.do(take_next("third"), clock=lambda: NOW).run
    bench.edit(lambda sheet: sheet.delete_rows(4))
    later = NOW + dt.timedelta(days=100)
    assert bench.do(take("0001"), clock=lambda: later).warnings == ()
    with bench.ledger() as ledger:
        assert pruned_run(ledger, old) is not None
    with pytest.raises(UsageError, match="can no longer be undone"):
        bench.undo(old)
    assert bench.do(take_next("other"), clock=lambda: later).value == "0004"


# --- records that refer to others ------------------------------------------------------------------------------------


def test_records_that_refer_to_each_other_go_and_come_together(tmp_path):
    hall = Hall(tmp_path / "w")
    run = hall.do(store("lamp", "chair", box="blue")).run
    assert list(hall.undo(run).kept) == []
    assert hall.sheets == ([], [])
    assert list(hall.reapply(run).kept) == []
    assert hall.sheets == (["lamp", "chair"], ["blue"])


def test_a_record_to_which_others_refer_by_now_is_left(tmp_path):
    hall = Hall(tmp_path / "w")
    run = hall.do(store("lamp", box="blue")).run
    hall.do(store("chair", box="blue"))
    (said,) = hall.undo(run).kept
    assert "blue in Boxes is left as it is" in said and "row 3 of the sheet A Things (column Box)" in said
    assert hall.sheets == (["chair"], ["blue"])


def test_a_record_stays_where_what_the_system_keeps_refers_to_it(tmp_path):
    hall = Hall(tmp_path / "w")
    run = hall.do(store("lamp", "chair", box="blue")).run
    kept = list(hall.undo(run, keeps=("lamp",)).kept)
    assert [text.split(" is left")[0] for text in kept] == ["lamp in A Things", "blue in Boxes"]
    assert hall.sheets == (["lamp"], ["blue"])


def test_a_record_is_found_by_a_number_that_shows_zeros_in_front(tmp_path):
    hall = Hall(tmp_path / "w", things=[(7, None, "as it was")])
    hall.edit(lambda sheet: setattr(sheet["A2"], "number_format", "0000"), "A Things")
    run = hall.do(lambda workspace, actor: workspace.table(THINGS).update("0007", note="new")).run
    assert list(hall.undo(run).kept) == []
    assert hall.rows("A Things") == [[7, None, "as it was"]]
