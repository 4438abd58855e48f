"""Where runs are kept, and that what a command prints about its run works as it is printed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.helpers import Called, Folder

DOCS = Path(__file__).parents[2] / "docs"
NewFolder = Callable[[str], Folder]


def hint(called: Called) -> list[str]:
    """The words after `batchbook` of the call by which a command can be taken back."""
    assert called.code == 0, called.err
    found = re.search(r"`batchbook (runs undo .*?)` takes it back", called.out)
    assert found, called.out
    return shlex.split(found[1])


def test_the_first_example_of_the_isbn_documentation_works_as_it_stands(new_folder: NewFolder) -> None:
    folder = new_folder("house")
    found = re.search(r"((?:^    batchbook .*\n)+)", (DOCS / "isbn.md").read_text("utf-8"), re.MULTILINE)
    assert found
    lines = [shlex.split(line, comments=True) for line in found[1].splitlines()]
    assert [line[1:3] for line in lines[:3]] == [["isbn", "new"], ["isbn", "add-block"], ["runs", "undo"]]
    called = [folder.run(*line[1:]) for line in lines]
    assert [one.code for one in called] == [0] * len(lines), called
    assert "1 record is as before" in called[2].out
    assert folder.run("isbn", "blocks", "--json").json["blocks"] == []


def test_what_a_command_prints_takes_it_back_from_the_same_folder(new_folder: NewFolder) -> None:
    folder = new_folder("house")
    assert folder.run("isbn", "new", "data/isbn.xlsx").code == 0
    words = hint(folder.run("isbn", "add-block", "978-1-60888", "--workbook", "data/isbn.xlsx"))
    assert "--workbook" not in words
    assert folder.run(*words).code == 0
    assert not (folder.path / "data/data").exists()


@pytest.mark.parametrize("name", ["isbn.xlsx", "our isbns.xlsx"])
def test_without_a_configuration_what_is_printed_names_the_workbook(new_folder: NewFolder, name: str) -> None:
    folder = new_folder("house")
    assert folder.run("isbn", "new", f"books/{name}", "--no-configure").code == 0
    assert not (folder.path / "config").exists()
    words = hint(folder.run("isbn", "add-block", "978-1-60888", "-w", f"books/{name}"))
    assert words[-2:] == ["--workbook", f"books/{name}"]
    assert folder.run("runs", "list").code == 2
    for listing in (["runs", "list"], ["checkpoints", "list"], ["status"]):
        assert folder.run(*listing, "-w", f"books/{name}").code == 0
    undone = folder.run(*words)
    assert undone.code == 0 and "1 record is as before" in undone.out


def test_a_workbook_beside_the_current_folder_is_named_too(new_folder: NewFolder) -> None:
    folder = new_folder("house")
    assert folder.run("isbn", "new", "isbn.xlsx", "--no-configure").code == 0
    below = Folder(folder.path / "sub")
    below.path.mkdir()
    words = hint(below.run("isbn", "add-block", "978-1-60888", "-w", "../isbn.xlsx"))
    assert below.run(*words).code == 0
    above = folder.run("isbn", "add-block", "978-1-60888", "-w", "isbn.xlsx")
    assert "--workbook" not in hint(above), "its ledger is that of the current folder"


def test_the_rows_of_an_import_into_another_folder_are_shown_as_printed(new_folder: NewFolder) -> None:
    folder = new_folder("house")
    assert folder.run("isbn", "new", "books/isbn.xlsx", "--no-configure").code == 0
    (folder.path / "rows.csv").write_text("title,book_id,scheduled_date\nA,B-1,never\n")
    called = folder.run("isbn", "bulk", "rows.csv", "-w", "books/isbn.xlsx")
    found = re.search(r"all of them: batchbook (.*)", called.out)
    assert found, called
    shown = folder.run(*shlex.split(found[1]))
    assert shown.code == 0 and "problems: 1" in shown.out


def test_a_job_of_another_folder_says_from_where_its_run_is_found(new_folder: NewFolder) -> None:
    outer = new_folder("outer")
    (outer.path / "config").mkdir()
    (outer.path / "config/batchbook.yaml").write_text("timezone: UTC\n")
    inner = Folder(outer.path / "inner")
    (inner.path / "config").mkdir(parents=True)
    (inner.path / "config/batchbook.yaml").write_text("timezone: UTC\n")
    (outer.path / "small_steps.py").rename(inner.path / "small_steps.py")
    inner.make_book([1, -1])
    inner.make_job()
    called = outer.run("run", "inner/job.yaml")
    assert re.search(r"all of them: cd inner && batchbook runs show \S+\n", called.out), called


def test_where_nothing_has_run_it_is_said_where_was_looked(new_folder: NewFolder) -> None:
    folder = new_folder("house")
    ledger = folder.path / "data/checkpoints/ledger.db"
    listed, status = folder.run("runs", "list"), folder.run("status")
    assert listed.code == 2 and str(ledger) in listed.err and "--workbook FILE" in listed.err
    assert status.code == 0 and str(ledger) in status.out and "--workbook FILE" in status.out
    assert folder.run("status", "--json").json["ledger"] is None


def test_a_new_workbook_is_named_in_no_configuration_that_is_there(new_folder: NewFolder) -> None:
    folder = new_folder("house")
    (folder.path / "config").mkdir()
    file = folder.path / "config/batchbook.yaml"
    file.write_text("timezone: UTC\n")
    made = folder.run("isbn", "new", "data/isbn.xlsx")
    assert made.code == 0 and file.read_text() == "timezone: UTC\n"
    assert "`workbooks: {isbn: data/isbn.xlsx}`" in made.out and str(file) in made.out


def test_runs_that_were_kept_beside_a_workbook_stay_in_reach(new_folder: NewFolder) -> None:
    folder = new_folder("house")
    assert folder.run("isbn", "new", "books/isbn.xlsx", "--no-configure").code == 0
    words = hint(folder.run("isbn", "add-block", "978-1-60888", "-w", "books/isbn.xlsx"))
    assert folder.run("isbn", "new", "books/second.xlsx").code == 0
    assert not (folder.path / "config").exists()
    assert folder.run(*words).code == 0


def test_a_configuration_that_cannot_be_written_does_not_cost_the_workbook(new_folder: NewFolder) -> None:
    folder = new_folder("house")
    (folder.path / "config").write_text("a file")
    made = folder.run("isbn", "new", "isbn.xlsx", "--json")
    assert made.code == 0 and made.json["configuration"] is None
    assert "was not laid" in made.err and (folder.path / "isbn.xlsx").exists()


def test_several_runs_that_begin_alike_are_told_from_none(new_folder: NewFolder) -> None:
    folder = new_folder("house")
    assert folder.run("isbn", "new", "isbn.xlsx").code == 0
    for block in ("978-1-60888", "978-1-60889"):
        assert folder.run("isbn", "add-block", block).code == 0
    several, none = folder.run("runs", "undo", "2"), folder.run("runs", "undo", "x")
    assert (several.code, none.code) == (2, 2)
    assert "2 runs begin with '2'" in several.err and "There is no run 'x'." in none.err
