"""What `batchbook isbn` answers about numbers, and what it says to what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest

from tests.integration.press import FIRST, SECOND, Press, new_press


@pytest.fixture
def press(tmp_path: Path) -> Press:
    return new_press(tmp_path / "press")


def row_deleted(press: Press, row: int = 2) -> None:
    book = openpyxl.load_workbook(press.isbns)
    book["ISBN Assignments"].delete_rows(row)
    book.save(press.isbns)


def test_a_number_whose_row_was_deleted_is_shown_as_lost_with_its_history(press: Press) -> None:
    press.schedule("The River", "R1")
    press.schedule("The Sea", "S1")
    row_deleted(press)
    shown = press.isbn("show", FIRST)
    assert shown.code == 0
    assert "standing: lost" in shown.out and "runs reapply" in shown.out and "can become: nothing else" in shown.out
    assert "schedule" in shown.out.partition("can become")[2], "the history"
    found = json.loads(press.isbn("show", FIRST, "--json").out)
    assert (found["isbn"], found["assignment"], found["lost"], found["steps"]) == (FIRST, None, True, [])
    assert [entry["after"] for entry in found["history"]] == ["978-1-60888", "scheduled"]
    checked = press.isbn("check").out
    assert "runs reapply" in checked and "backups list" in checked


@pytest.mark.parametrize(
    "words", [("release", FIRST), ("assign", FIRST), ("update", FIRST, "--notes", "x"), ("publish", FIRST)]
)
def test_no_step_says_of_a_lost_number_that_it_was_never_scheduled(press: Press, words: tuple[str, ...]) -> None:
    press.schedule("The River", "R1")
    press.schedule("The Sea", "S1")
    row_deleted(press)
    refused = press.isbn(*words)
    assert refused.code == 1
    assert "was given once (it was scheduled), and its row is not in" in refused.err
    assert "never" not in refused.err


def test_a_number_whose_scheduling_was_undone_is_shown_as_free_with_its_history(press: Press) -> None:
    run = json.loads(press.schedule("The River", "R1", "2027-03-01", "paperback", "--json").out)["run_id"]
    assert press.called("runs", "undo", run).code == 0
    shown = press.isbn("show", FIRST)
    assert shown.code == 0
    assert "standing: free" in shown.out and "can become: reserved, scheduled" in shown.out
    assert "undo" in shown.out.partition("can become")[2]
    refused = press.isbn("release", FIRST)
    assert refused.code == 1 and "was given back, and is free" in refused.err


def test_a_number_of_which_nothing_is_known_is_unknown(press: Press) -> None:
    refused = press.isbn("show", SECOND)
    assert refused.code == 1 and "was never scheduled or reserved" in refused.err
