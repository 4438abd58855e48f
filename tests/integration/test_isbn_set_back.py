"""Numbers whose row an older copy of the workbook, or a person, set back to available: they are not given again."""

from __future__ import annotations

from pathlib import Path

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
    assert "a command had put it in another state" in called.err and "runs reapply" in called.err
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
    assert said[1] == "what was put back: 1"
    assert said[2].startswith(
        f"  {FIRST} in ISBN Assignments: Status 'available' -> 'scheduled', Title nothing -> 'The"
    )
    assert len(said) == 3
    again = press.called("runs", "reapply", run).out
    assert again == f"run {run}: nothing was changed; all its records are there already\n"
    newest, scheduled = press.called("runs", "list", "--json").json["runs"][:2]
    assert (newest["kind"], newest["changed"]) == ("reapply", {"changed": 1})
    assert scheduled["note"] == f"{FIRST} (The River); put back by run {newest['run_id']}"
