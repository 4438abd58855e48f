"""The real command over a workbook that people have open, or saved an older copy over."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.integration.helpers import Folder
from tests.storage.test_owners import excel_file

FILE = "book.xlsx.batchbook-pending"


def results(folder: Folder) -> list[Any]:
    return [row[3] for row in folder.cells()]


EXPECTED = [f"name {n} has {n}" for n in range(1, 13)]


@pytest.fixture
def anna(folder: Folder) -> Path:
    """The owner file of Excel: Anna has the workbook open; the job goes on all the same."""
    folder.make_job(on_open="later")
    mark = folder.path / "~$book.xlsx"
    mark.write_bytes(excel_file("Anna"))
    return mark


def beside(folder: Folder) -> set[str]:
    return {path.name for path in folder.path.iterdir() if "batchbook" in path.name}


def note(folder: Folder, cell: str = "F2", value: str = "a note") -> None:
    """A person edits and saves."""
    book = openpyxl.load_workbook(folder.book)
    book["Data"][cell] = value
    book.save(folder.book)


def test_results_for_an_open_workbook_wait_and_are_published_by_reapply(folder: Folder, anna: Path) -> None:
    state = folder.book.read_bytes()
    called = folder.run("run", "job.yaml", "--resume-auto")
    assert called.code == 0, called.err
    assert "not in the workbook yet: it is open (Anna in Excel" in called.out
    assert FILE in called.out
    assert folder.book.read_bytes() == state
    assert beside(folder) == {FILE}
    run = folder.run("runs", "list", "--json").json["runs"][0]
    assert run["status"] == "pending"
    told = folder.run("status", "--json").json
    assert told["workbooks"][0]["pending_run"] == run["run_id"]
    assert "Anna in Excel" in told["workbooks"][0]["open_in"]
    waits = f"the finished save of run {run['run_id']} waits in {FILE}"
    diff = folder.run("runs", "diff", "last")
    assert ("0 changes" in diff.out, waits in diff.err) == (True, True)
    assert waits in folder.run("runs", "show", "last").out
    assert folder.run("runs", "reapply", "last").code == 4
    again = folder.run("run", "job.yaml", "--resume-auto", "--json")
    assert (again.code, again.json["error"]["code"]) == (4, "workbook-in-use")
    assert run["run_id"] in again.json["error"]["what"]
    anna.unlink()
    published = folder.run("runs", "reapply", "last", "--json")
    assert published.code == 0, published.err
    told = {"run_id": run["run_id"], "reapply_run": None, "restored": 24, "kept": [], "records": [],
            "records_unchanged": 0, "published": True, "error": None}  # fmt: skip
    assert published.json == told
    assert results(folder) == EXPECTED
    assert beside(folder) == set()
    assert folder.run("runs", "list", "--json").json["runs"][0]["status"] == "completed"
    assert folder.run("runs", "show", "last", "--json").json["pending"] is None
    assert "waits" not in folder.run("runs", "diff", "last").err


def test_the_json_of_such_a_run_has_all_its_fields_and_one_more(folder: Folder, anna: Path) -> None:
    called = folder.run("run", "job.yaml", "--resume-auto", "--json")
    found = called.json
    assert (called.code, found["status"], found["error"], found["saves"]) == (0, "completed", None, 0)
    rows = found["rows"]
    assert rows["selected"] == sum(count for name, count in rows.items() if name != "selected") == 12
    assert found["pending"]["file"] == str(folder.path / FILE)
    anna.unlink()
    assert "pending" not in folder.run("run", "job.yaml", "--resume-auto", "--json").json


def test_the_next_run_merges_what_was_changed_while_it_was_open(folder: Folder, anna: Path) -> None:
    assert folder.run("run", "job.yaml", "--resume-auto").code == 0
    note(folder, "D4", "mine")
    anna.unlink()
    called = folder.run("run", "job.yaml", "--resume-auto")
    assert called.code == 0, called.err
    assert "is not published" in called.err
    assert "are merged" in called.err
    assert results(folder) == [*EXPECTED[:2], "mine", *EXPECTED[3:]]
    assert beside(folder) == set()
    assert [run["status"] for run in folder.run("runs", "list", "--json").json["runs"]] == ["completed"] * 2


def test_undo_and_restore_publish_it_first(folder: Folder, anna: Path) -> None:
    assert folder.run("run", "job.yaml", "--resume-auto").code == 0
    anna.unlink()
    assert folder.run("runs", "undo", "last", "--json").json["restored"] == 24
    assert set(results(folder)) == {None}
    anna.write_bytes(excel_file("Anna"))
    assert folder.run("run", "job.yaml", "--start-fresh").code == 0
    anna.unlink()
    oldest = folder.run("backups", "list", "book.xlsx", "--json").json["backups"][-1]["name"]
    called = folder.run("backups", "restore", "book.xlsx", oldest)
    assert called.code == 0, called.err
    assert "is published" in called.err
    assert beside(folder) == set()
    assert set(results(folder)) == {None}
    assert folder.run("backups", "restore", "book.xlsx").code == 0
    assert results(folder) == EXPECTED


def test_a_run_that_was_killed_while_the_workbook_was_open_is_resumed(folder: Folder, anna: Path) -> None:
    process = folder.start("run", "job.yaml", "--start-fresh", TEST_SLEEP="2")
    while len(folder.processed()) < 2:
        assert process.poll() is None, process.communicate()
    told = folder.run("status", "--json").json["unfinished"][0]
    assert (told["status"], told["process"]["pid"], told["process"]["alive"]) == ("running", process.pid, True)
    assert f"running in process {process.pid} on " in folder.run("status").out
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    called = folder.run("status")
    assert called.code == 0
    assert f"interrupted (its process {process.pid} on " in called.out
    told = folder.run("status", "--json").json["unfinished"][0]
    assert (told["status"], told["process"]["alive"]) == ("interrupted", False)
    assert folder.run("runs", "list", "--json").json["runs"][0]["status"] == "interrupted"
    assert folder.run("run", "job.yaml", "--resume-auto").code == 0
    assert beside(folder) == {FILE}
    anna.unlink()
    assert folder.run("run", "job.yaml", "--resume-auto").code == 0
    assert results(folder) == EXPECTED


def test_a_run_says_who_has_the_workbook_open_where_it_may_not_go_on(folder: Folder) -> None:
    (folder.path / ".~lock.book.xlsx#").write_text("Eva,eva,pc9,21.11.2026 11:48,file:///home/eva;")
    called = folder.run("run", "job.yaml", "--start-fresh", "--json")
    assert called.code == 4
    assert "Eva in LibreOffice (on pc9 since 2026-11-21 11:48)" in called.json["error"]["what"]
    assert beside(folder) == set()


def test_results_that_an_older_copy_took_away_are_listed_put_back_and_taken_back(folder: Folder) -> None:
    old = folder.book.read_bytes()
    run = folder.run("run", "job.yaml", "--start-fresh", "--json").json["run_id"]
    assert folder.run("status", "--json").json["workbooks"][0]["vanished"] == []
    folder.book.write_bytes(old)
    note(folder)
    note(folder, "D3", "mine")
    told = folder.run("status", "--json")
    assert told.code == 0
    (vanished,) = told.json["workbooks"][0]["vanished"]
    assert (vanished["run_id"], vanished["cells"], vanished["rows"]) == (run, 23, 12)
    assert f"batchbook runs reapply {run}" in folder.run("status").out
    called = folder.run("runs", "reapply", run)
    assert called.code == 0, called.err
    assert "23 cells were put back" in called.out
    assert "left alone, each for the reason named: 1" in called.out
    assert "D3" in called.out
    assert results(folder) == [EXPECTED[0], "mine", *EXPECTED[2:]]
    assert folder.cells()[0][5] == "a note"
    assert folder.run("status", "--json").json["workbooks"][0]["vanished"] == []
    assert folder.run("runs", "undo", "last", "--json").json["restored"] == 23
    assert set(results(folder)) == {None, "mine"}


def test_the_next_run_lists_what_vanished_and_writes_it_again(folder: Folder) -> None:
    assert folder.run("run", "job.yaml", "--start-fresh").code == 0
    old = folder.book.read_bytes()
    book = openpyxl.load_workbook(folder.book)
    for place in range(2, 14):
        book["Data"].cell(place, 3, 100 + place)
    book.save(folder.book)
    run = folder.run("run", "job.yaml", "--start-fresh", "--json").json["run_id"]
    after = results(folder)
    folder.book.write_bytes(old)
    note(folder)
    called = folder.run("run", "job.yaml", "--start-fresh", "--json")
    assert called.code == 0, called.err
    assert called.json["vanished"][0]["run_id"] == run
    assert f"runs reapply {run}" in called.err
    assert (called.json["conflicts"], results(folder)) == (0, EXPECTED)
    assert after != EXPECTED


def test_an_emptied_cell_is_not_said_to_have_vanished(folder: Folder) -> None:
    assert folder.run("run", "job.yaml", "--start-fresh").code == 0
    book = openpyxl.load_workbook(folder.book)
    for place in range(2, 12):
        book["Data"].cell(place, 4).value = None
    book.save(folder.book)
    assert folder.run("status", "--json").json["workbooks"][0]["vanished"] == []
    assert "vanished" not in folder.run("run", "job.yaml", "--start-fresh", "--json").json
    assert results(folder) == EXPECTED
