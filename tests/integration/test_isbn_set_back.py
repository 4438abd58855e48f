"""Numbers whose row an older copy of the workbook, or a person, set back to available: they are not given again."""

from __future__ import annotations

import re
from pathlib import Path

import openpyxl
import pytest

from tests.integration.press import FIRST, SECOND, THIRD, Press, new_press


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A folder in which the first number was scheduled and released, so that it has a row and is free."""
    one = new_press(tmp_path / "press")
    assert one.schedule("Early", "E1").code == 0
    assert one.isbn("release", FIRST).code == 0
    return one


def older_copy_comes_back(press: Press) -> None:
    """The first number is scheduled again; then somebody saves over it what they had opened before that."""
    older = press.isbns.read_bytes()
    assert FIRST in press.schedule("The River", "R1").out
    press.isbns.write_bytes(older)
    press.typed("ISBN Assignments", 2, "Notes", "mine")
    assert press.statuses() == {FIRST: "available"}


def test_a_number_that_an_older_copy_set_back_is_not_given_to_another_book(press: Press) -> None:
    older_copy_comes_back(press)
    called = press.schedule("Another", "A1")
    assert called.code == 0 and SECOND in called.out
    assert press.by_book() == {(None, None): FIRST, ("A1", "paperback"): SECOND}


def test_nor_is_it_by_its_isbn_or_by_a_file_and_check_names_it(press: Press) -> None:
    older_copy_comes_back(press)
    called = press.schedule("Another", "A1", "2027-03-01", "paperback", "--isbn", FIRST)
    assert called.code == 1
    assert (
        "a command had put it in another state" in called.err
        and "runs reapply" in called.err
        and "runs list" in called.err
    )
    press.put("rows.csv", "title,book_id,scheduled_date,format\nX,X1,2027-01-01,ebook\n")
    assert press.isbn("bulk", "rows.csv", "--quiet").code == 0
    assert press.by_book()["X1", "ebook"] == SECOND
    checked = press.isbn("check")
    assert checked.code == 3
    assert "ISBN Assignments    2  Status" in checked.out and "older copy" in checked.out


def test_it_is_given_once_somebody_has_reserved_and_released_it(press: Press) -> None:
    older_copy_comes_back(press)
    assert press.isbn("reserve", FIRST, "--reason", "looked into it: it is free").code == 0
    assert press.isbn("release", FIRST).code == 0
    called = press.schedule("Another", "A1")
    assert called.code == 0 and FIRST in called.out


def test_what_a_person_types_does_not_free_a_number(press: Press) -> None:
    assert FIRST in press.schedule("The River", "R1").out
    press.typed("ISBN Assignments", 2, "Status", "available")
    called = press.schedule("Another", "A1")
    assert called.code == 0 and SECOND in called.out
    press.typed("ISBN Assignments", 2, "Status", "scheduled")
    again = press.schedule("Third", "T1")
    assert again.code == 0 and THIRD in again.out
    assert press.isbn("check").code == 0


def test_a_number_that_was_released_by_a_command_is_free(press: Press) -> None:
    press.typed("ISBN Assignments", 2, "Notes", "a person saves the workbook")
    assert FIRST in press.schedule("The River", "R1").out


def test_a_reapply_names_the_numbers_that_it_puts_back(press: Press) -> None:
    older = press.isbns.read_bytes()
    run = press.schedule("The River", "R1", "2027-03-01", "paperback", "--json").json["run_id"]
    press.isbns.write_bytes(older)
    said = press.called("runs", "reapply", run).out.splitlines()
    assert said[0].startswith(f"run {run} reapplied: 1 record was put back (recorded as run ")
    assert said[1] == "records that were put back: 1"
    assert said[2].startswith(
        f"  {FIRST} (The River) in ISBN Assignments: Status 'available' -> 'scheduled', Title nothing -> 'The"
    )
    assert len(said) == 3
    again = press.called("runs", "reapply", run).out
    assert again == f"run {run}: nothing was changed; all its records are there already\n"
    newest, scheduled = press.called("runs", "list", "--json").json["runs"][:2]
    assert (newest["kind"], newest["changed"]) == ("reapply", {"changed": 1})
    assert scheduled["note"] == f"{FIRST} (The River); put back by run {newest['run_id']}"


def run_of(press: Press, *words: str) -> str:
    return str(press.isbn(*words, "--json").json["run_id"])


def test_old_commands_are_not_done_again_where_the_number_is_another_books_by_now(press: Press) -> None:
    press.schedule("V", "V1")
    noted = run_of(press, "update", FIRST, "--notes", "contract of V")
    assigned = run_of(press, "assign", FIRST)
    assert press.called("runs", "undo", assigned).code == 0
    assert press.isbn("release", FIRST).code == 0
    assert FIRST in press.schedule("Thief", "T1").out
    before = press.sheet()
    for run in (noted, assigned):
        called = press.called("runs", "reapply", run)
        assert called.code == 3 and "booked for something else" in called.out
    assert press.sheet() == before


def test_a_published_number_is_not_free_after_undos_and_a_release(press: Press) -> None:
    scheduled = press.schedule("V", "V1", "2027-03-01", "paperback", "--json").json["run_id"]
    assigned, published = run_of(press, "assign", FIRST), run_of(press, "publish", FIRST)
    assert [press.called("runs", "undo", run).code for run in (published, assigned)] == [0, 0]
    released = press.isbn("release", FIRST)
    assert released.code == 1 and "it was published once" in released.err
    undone = press.called("runs", "undo", scheduled)
    assert undone.code == 3 and "was published in another run" in undone.out
    assert press.statuses() == {FIRST: "scheduled"}


def test_the_runs_that_check_names_bring_a_deleted_row_back(tmp_path: Path) -> None:
    press = new_press(tmp_path / "other")
    press.schedule("V", "V1")
    press.isbn("assign", FIRST)
    book = openpyxl.load_workbook(press.isbns)
    book["ISBN Assignments"].delete_rows(2)
    book.save(press.isbns)
    runs = re.findall(r"runs reapply (\S+?)`", " ".join(press.isbn("check", "--json").out.split()))
    assert len(runs) == 2
    for run in runs:
        assert press.called("runs", "reapply", run).code == 0
    assert press.statuses() == {FIRST: "assigned"}
    assert press.isbn("check").code == 0


def test_an_assigned_number_typed_back_is_put_right_by_typing_as_check_says(press: Press) -> None:
    press.schedule("V", "V1")
    press.isbn("assign", FIRST)
    press.typed("ISBN Assignments", 2, "Status", "available")
    assert "type assigned back" in " ".join(press.isbn("check", "--json").out.split())
    press.typed("ISBN Assignments", 2, "Status", "assigned")
    assert press.isbn("check").code == 0


def test_a_status_typed_back_is_no_reason_to_leave_the_rest_of_a_record(press: Press) -> None:
    scheduled = press.schedule("V", "V1", "2027-03-01", "paperback", "--json").json["run_id"]
    press.typed("ISBN Assignments", 2, "Status", "available")
    assert press.called("runs", "reapply", scheduled).code == 0
    assert press.statuses() == {FIRST: "scheduled"}


def test_an_undo_in_part_ends_with_3_and_the_list_says_so(tmp_path: Path) -> None:
    press = new_press(tmp_path / "other")
    press.put("rows.csv", "title,book_id,scheduled_date,format\nX,X1,2027-01-01,ebook\nY,Y1,2027-01-02,ebook\n")
    run = press.isbn("bulk", "rows.csv", "--json").json["run_id"]
    press.typed("ISBN Assignments", 3, "Title", "mine")
    assert press.called("runs", "undo", run).code == 3
    notes = {one["run_id"]: one["note"] for one in press.called("runs", "list", "--json").json["runs"]}
    assert "undone in part by run " in notes[run]
