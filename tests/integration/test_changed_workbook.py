"""People at the same workbook: between an interruption and the resume, and while a run is going."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest

from tests.integration.helpers import Called, Folder

ROWS = 40


def edit(folder: Folder, change: Callable[[Any], None]) -> None:
    """Change the workbook as a person would: open, edit, save."""
    book = openpyxl.load_workbook(folder.book)
    change(book["Data"])
    book.save(folder.book)


def row_of(sheet: Any, key: str) -> int:
    return next(cell.row for cell in sheet["A"] if cell.value == key)


def interrupted(folder: Folder, after: int) -> None:
    """A run that was killed when so many rows were done; the last saves may be missing in the workbook."""
    folder.make_book(range(100, 100 + ROWS))
    folder.make_job(batch={"strategy": "fixed", "size": 5, "checkpoint_frequency": 2, "concurrency": 1})
    process = folder.start("run", "job.yaml", "--start-fresh", TEST_SLEEP="0.02")
    deadline = time.monotonic() + 60
    while len(folder.processed()) < after and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def results(folder: Folder) -> dict[str, Any]:
    return {row[0]: row[3] for row in folder.cells()}


def resumed(folder: Folder, *options: str) -> Called:
    return folder.run("run", "job.yaml", "--resume-auto", "--json", *options)


def test_sorted_inserted_and_deleted_rows_are_followed_by_key(folder: Folder) -> None:
    interrupted(folder, 23)

    def change(sheet: Any) -> None:
        rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        sheet.delete_rows(2, sheet.max_row)
        gone = {"K003", "K039"}
        for row in [["NEW", "new", 1, None, None, "mine"], *reversed([row for row in rows if row[0] not in gone])]:
            sheet.append(row)

    edit(folder, change)
    called = resumed(folder)
    assert called.code == 3, called.err
    assert called.json["rows"]["gone"] == 2
    assert called.json["rows"]["done"] == ROWS - 2
    found = results(folder)
    assert found.pop("NEW") is None, "a new row waits for the next run"
    assert len(found) == ROWS - 2
    assert all(value == f"name {int(key[1:])} has {99 + int(key[1:])}" for key, value in found.items())
    notes = {row[0]: row[5] for row in folder.cells()}
    assert all(notes[key] == f"note {int(key[1:])}" for key in found)


def test_moved_columns_are_followed_by_header(folder: Folder) -> None:
    interrupted(folder, 23)
    edit(folder, lambda sheet: sheet.insert_cols(2))
    called = resumed(folder)
    assert called.code == 0, called.err
    assert all(row[4] == f"name {i} has {99 + i}" for i, row in enumerate(folder.cells(), 1))


def test_a_persons_edit_of_a_result_stays_and_is_listed_as_a_conflict(folder: Folder) -> None:
    interrupted(folder, 23)
    edit(folder, lambda sheet: sheet.__setitem__(f"D{row_of(sheet, 'K012')}", "mine"))
    called = resumed(folder)
    assert called.code == 0, called.err
    assert results(folder)["K012"] == "mine"
    # A result that had been saved needs no second write, so there is nothing to differ in; an unsaved one is listed.
    edit(folder, lambda sheet: None)
    again = folder.run("run", "job.yaml", "--start-fresh", "--json")
    assert (again.json["conflicts"], again.json["overwritten"]) == (1, 0)
    assert results(folder)["K012"] == "mine"
    shown = folder.run("runs", "show", again.json["run_id"], "--json").json
    (conflict,) = shown["conflicts"] if "conflicts" in shown else shown["run"]["conflicts"]
    assert (conflict["key"], conflict["theirs"]) == ("K012", "mine")
    assert (
        "a person has 'mine', the run 'name 12 has 111'; the person's was kept"
        in folder.run("runs", "show", "last").out
    )
    called = folder.run("run", "job.yaml", "--start-fresh")
    assert "conflicts: 1 cells that people changed: 1 kept as people left them; see the report" in called.out


def test_an_input_edited_after_its_result_makes_the_row_done_again(folder: Folder) -> None:
    interrupted(folder, 23)
    edit(folder, lambda sheet: sheet.__setitem__(f"C{row_of(sheet, 'K002')}", 5000))
    called = resumed(folder)
    assert called.code == 0, called.err
    assert results(folder)["K002"] == "name 2 has 5000"
    assert called.json["rows"]["done"] == ROWS
    assert folder.processed().count("K002") == 2


def test_an_input_edited_between_a_result_and_its_save_is_never_overtaken(folder: Folder) -> None:
    folder.make_book(range(100, 100 + ROWS))
    folder.make_job(batch={"strategy": "fixed", "size": 5, "checkpoint_frequency": 100, "concurrency": 1})
    process = folder.start("run", "job.yaml", "--start-fresh", "--json", TEST_SLEEP="0.05")
    while len(folder.processed()) < 12:
        time.sleep(0.01)
    edit(folder, lambda sheet: sheet.__setitem__("C3", 7777))
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert results(folder)["K002"] == "name 2 has 7777"
    assert len([value for value in results(folder).values() if value]) == ROWS


def test_theirs_drops_results_that_are_not_in_the_workbook_and_does_their_rows_again(folder: Folder) -> None:
    interrupted(folder, 23)
    before = results(folder)
    edit(folder, lambda sheet: sheet.__setitem__("F2", "a new note"))
    called = resumed(folder, "--on-change", "theirs")
    assert called.code == 0, called.err
    assert called.json["resumed"]["rows_kept"] == sum(value is not None for value in before.values())
    assert folder.cells()[0][5] == "a new note"
    assert all(results(folder).values())


def test_checkpoint_puts_the_runs_own_state_back_and_keeps_the_persons_file_as_a_backup(folder: Folder) -> None:
    interrupted(folder, 23)
    edit(folder, lambda sheet: sheet.__setitem__("F2", "a new note"))
    called = resumed(folder, "--on-change", "checkpoint")
    assert called.code == 0, called.err
    assert folder.cells()[0][5] == "note 1"
    assert all(results(folder).values())
    kept = [openpyxl.load_workbook(path)["Data"]["F2"].value for path in folder.path.glob("data/backups/*/*.xlsx")]
    assert "a new note" in kept


def test_at_a_terminal_a_person_chooses_what_counts(folder: Folder) -> None:
    interrupted(folder, 23)
    edit(folder, lambda sheet: sheet.__setitem__("F2", "a new note"))
    called = folder.at_terminal("run", "job.yaml", answers={"Choice": "resume\n", "Choice [": "merge\n"})
    assert called.code == 0, called.out
    assert folder.cells()[0][5] == "a new note"
    assert all(results(folder).values())


HEADERS = {
    "written and renamed": ("D1", "Outcome", "Result"),
    "written and emptied": ("D1", None, "Result"),
    "written and doubled": ("G1", "Result", None),
    "key and renamed": ("A1", "Id", "Key"),
    "key and doubled": ("G1", "Key", None),
    "read and renamed": ("C1", "Sum", "Amount"),
    "read and doubled": ("G1", "amount ", None),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_resume_without_its_header_is_exit_code_6_and_goes_on_once_that_is_mended(folder: Folder, case: str) -> None:
    place, spoilt, right = HEADERS[case]
    interrupted(folder, 23)
    edit(folder, lambda sheet: sheet.__setitem__(place, spoilt))
    state = folder.book.read_bytes()
    (run,) = folder.run("runs", "list", "--json").json["runs"]
    for options in (["--resume-auto"], ["--resume-from-row", "5"], ["--resume-from-batch", "2"]):
        called = folder.run("run", "job.yaml", *options, "--json")
        assert called.code == 6, called.err
        error = called.json["error"]
        assert error["code"] == "cannot-resume"
        assert run["run_id"] in error["what"]
        assert "book.xlsx, sheet Data, row 1" in error["what"]
        (finding,) = error["findings"]
        assert repr(right or spoilt)[1:-1].strip().casefold() in finding.casefold()
        assert "--resume-auto" in error["advice"]
        assert called.json["status"] == "failed"
    said = folder.run("run", "job.yaml", "--resume-auto")
    assert said.code == 6
    assert "row 1, column" in said.err
    assert folder.run("run", "job.yaml", "--start-fresh", "--json").json["error"]["code"] == "header"
    assert folder.book.read_bytes() == state
    assert folder.run("runs", "list", "--json").json["runs"] == [run]
    edit(folder, lambda sheet: sheet.__setitem__(place, right))
    done = set(folder.processed())
    called = resumed(folder)
    assert called.code == 0, called.err
    assert called.json["resumed"]["run_id"] == run["run_id"]
    assert called.json["resumed"]["rows_kept"] >= 20
    assert len(set(folder.processed()) - done) == ROWS - len(done)
    assert all(results(folder).values())


def test_a_resume_without_its_sheet_is_exit_code_6_too(folder: Folder) -> None:
    interrupted(folder, 23)
    edit(folder, lambda sheet: setattr(sheet, "title", "Other"))
    called = resumed(folder)
    assert (called.code, called.json["error"]["code"]) == (6, "cannot-resume")
    assert "There is no sheet 'Data'" in called.json["error"]["what"]
    book = openpyxl.load_workbook(folder.book)
    book["Other"].title = "Data"
    book.save(folder.book)
    assert resumed(folder).code == 0
    assert all(results(folder).values())


@pytest.mark.parametrize("why", ["nothing unfinished", "another definition", "too old", "other rows"])
def test_where_a_fresh_run_would_begin_a_missing_header_stays_exit_code_2(folder: Folder, why: str) -> None:
    if why == "nothing unfinished":
        assert folder.run("run", "job.yaml").code == 0
    else:
        interrupted(folder, 23)
    if why == "another definition":
        folder.make_job(reads=["Key", "Name", "Amount", "Note"])
    if why == "too old":
        folder.make_job(resume_max_age="0.001s")
    edit(folder, lambda sheet: sheet.__setitem__("D1", "Outcome"))
    called = resumed(folder, *(["--keys", "K001"] if why == "other rows" else []))
    assert (called.code, called.json["error"]["code"]) == (2, "header"), called.err


def test_a_header_renamed_while_the_run_is_going_is_exit_code_6_and_loses_nothing(folder: Folder) -> None:
    folder.make_book(range(100, 100 + ROWS))
    folder.make_job(batch={"strategy": "fixed", "size": 5, "checkpoint_frequency": 100, "concurrency": 1})
    process = folder.start("run", "job.yaml", "--start-fresh", "--json", TEST_SLEEP="0.05")
    while len(folder.processed()) < 12:
        time.sleep(0.01)
    edit(folder, lambda sheet: sheet.__setitem__("D1", "Outcome"))
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 6, err
    assert resumed(folder).code == 6
    edit(folder, lambda sheet: sheet.__setitem__("D1", "Result"))
    called = resumed(folder)
    assert called.code == 0, called.err
    assert called.json["resumed"]["rows_kept"] == ROWS
    assert len(folder.processed()) == ROWS
    assert all(results(folder).values())


def test_a_checkpoint_of_another_job_definition_is_not_resumed_and_that_is_said(folder: Folder) -> None:
    interrupted(folder, 23)
    folder.make_job(reads=["Key", "Name", "Amount", "Note"])
    called = resumed(folder)
    assert called.code == 0, called.err
    assert called.json["resumed"] is None
    assert "job definition is another one" in called.err
    assert called.json["rows"]["done"] + called.json["rows"]["unchanged"] == ROWS


def test_a_row_or_batch_in_a_workbook_that_is_not_as_expected_is_exit_code_6_unless_forced(folder: Folder) -> None:
    interrupted(folder, 23)
    edit(folder, lambda sheet: sheet.__setitem__("F2", "a new note"))
    for point in (("--resume-from-row", "11"), ("--resume-from-batch", "3")):
        called = folder.run("run", "job.yaml", *point, "--json")
        assert called.code == 6, called.err
        assert "xpected" in called.err
        assert "ound" in called.err
    called = folder.run("run", "job.yaml", "--resume-from-row", "11", "--force-continue", "--json")
    assert called.code == 0, called.err
    assert called.json["rows"]["selected"] == ROWS - 10
    assert all(results(folder).values())


@pytest.mark.parametrize(
    "point", [("--resume-from-row", "11"), ("--resume-from-package", "11"), ("--resume-from-batch", "3")]
)
def test_a_run_can_go_on_from_a_row_or_a_batch(folder: Folder, point: tuple[str, str]) -> None:
    interrupted(folder, 23)
    called = folder.run("run", "job.yaml", *point, "--json")
    assert called.code == 0, called.err
    assert called.json["rows"]["selected"] == ROWS - 10
    assert all(results(folder).values())
    assert folder.run("run", "job.yaml", "--json").code == 0, "no checkpoint is left to ask about"


@pytest.mark.parametrize(
    ("answer", "code", "selected"), [("force", 0, ROWS - 10), ("fresh", 0, ROWS), ("cancel", 6, 0)]
)
def test_at_a_terminal_a_mismatch_is_shown_and_can_be_forced_begun_anew_or_left(
    folder: Folder, answer: str, code: int, selected: int
) -> None:
    interrupted(folder, 23)
    edit(folder, lambda sheet: sheet.__setitem__("F2", "a new note"))
    answers = {"Choice": "row\n", "Number": "11\n", "Choice [": f"{answer}\n"}
    called = folder.at_terminal("run", "job.yaml", answers=answers)
    assert called.code == code, called.out
    assert "xpected" in called.out
    assert f"rows: {selected} selected" in called.out if selected else "kept" in called.out or "Found" in called.out
    assert folder.cells()[0][5] == "a new note"
