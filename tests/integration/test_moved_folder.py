"""A folder that is moved or copied as a whole: what its ledger knows goes with it."""

from __future__ import annotations

import shutil
from typing import Any

import openpyxl

from tests.integration.helpers import Folder
from tests.integration.test_changed_workbook import ROWS, interrupted


def edited(folder: Folder, **cells: Any) -> None:
    book = openpyxl.load_workbook(folder.book)
    for place, value in cells.items():
        book["Data"][place] = value
    book.save(folder.book)


def moved(folder: Folder) -> Folder:
    other = folder.path.with_name("moved")
    folder.path.rename(other)
    return Folder(other, folder.environment)


def test_an_unfinished_run_is_taken_up_again_where_the_folder_was_moved_to(folder: Folder) -> None:
    interrupted(folder, 23)
    done = len(folder.processed())
    there = moved(folder)
    result = there.run("run", "job.yaml", "--resume-auto", "--json").json
    assert result["status"] == "completed"
    assert result["resumed"]["rows_kept"] > 10
    assert len(there.processed()) <= ROWS - done + 5
    assert result["workbook"] == str(there.book)


def test_a_persons_edit_from_before_the_move_is_known_for_one_after_it(folder: Folder) -> None:
    folder.make_book([1, 2, 3])
    folder.run("run", "job.yaml")
    edited(folder, D2="a person's", C3=20)
    there = moved(folder)
    result = there.run("run", "job.yaml", "--json").json
    assert result["conflicts"] == 1
    assert [row[3] for row in there.cells()] == ["a person's", "name 2 has 20", "name 3 has 3"]


def test_a_workbook_outside_the_folder_is_known_wherever_the_folder_is_moved_to(folder: Folder) -> None:
    outside = folder.path.with_name("outside.xlsx")
    folder.make_book([1, 2, 3]).rename(outside)
    folder.make_job(workbook=str(outside))
    folder.run("run", "job.yaml")
    deeper = folder.path.parent / "deeper" / "work"
    deeper.parent.mkdir()
    folder.path.rename(deeper)
    there = Folder(deeper, folder.environment)
    book = openpyxl.load_workbook(outside)
    book["Data"]["D2"] = "a person's"
    book.save(outside)
    assert there.run("run", "job.yaml", "--json").json["conflicts"] == 1


def test_the_undo_of_a_copys_run_leaves_the_original_alone(folder: Folder) -> None:
    folder.make_book([1, 2, 3])
    run = folder.run("run", "job.yaml", "--json").json["run_id"]
    before = folder.book.read_bytes()
    copy = Folder(folder.path.with_name("copy"), folder.environment)
    shutil.copytree(folder.path, copy.path)
    called = copy.run("runs", "undo", run)
    assert called.code == 0, called.err
    assert [row[3] for row in copy.cells()] == [None, None, None]
    assert folder.book.read_bytes() == before
    assert copy.run("runs", "show", run, "--json").json["workbook"] == str(copy.book)
    shown = copy.run("status", "--json").json
    assert [book["workbook"] for book in shown["workbooks"]] == [str(copy.book)]


def test_a_dry_run_after_the_move_knows_what_was_written_before(folder: Folder) -> None:
    folder.make_book([1, 2])
    folder.run("run", "job.yaml")
    edited(folder, D2="a person's")
    there = moved(folder)
    assert there.run("run", "job.yaml", "--dry-run", "--json").json["conflicts"] == 1
