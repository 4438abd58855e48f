"""New ISBN workbooks and the sample: what people find in them, and that the sample follows the rules."""

from __future__ import annotations

import datetime as dt
import io
import re
import runpy
from collections import Counter, defaultdict
from pathlib import Path

import openpyxl
import pytest
from stdnum import isbn as stdnum_isbn

from batchbook.cli.app import call
from batchbook.isbn.records import (
    ASSIGNMENTS,
    BLOCKS,
    FORMATS,
    HISTORY,
    STATUSES,
    Assignment,
    Block,
    HistoryEntry,
    assignments_type,
)
from batchbook.isbn.sample import AS_OF, sample_records
from batchbook.isbn.workbook import NOTES, new_isbn_workbook
from batchbook.storage import edit_workbook
from batchbook.tables.newbook import READ_ME
from batchbook.tables.workspace import Workspace
from batchbook.xlsx import Book
from batchbook.xlsx.places import letters
from tests.tables.test_newbook import SOFFICE, shown_in_libreoffice

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "samples" / "isbn.xlsx"
STEPS = {
    None: {"reserved", "scheduled"},
    "available": {"reserved", "scheduled"},
    "reserved": {"available", "scheduled"},
    "scheduled": {"assigned", "reserved", "available"},
    "assigned": {"published", "cancelled"},
    "published": {"cancelled"},
}
"""As the requirements say."""


@pytest.fixture
def blocks() -> list[Block]:
    return sample_records()[BLOCKS.sheet]


@pytest.fixture
def assignments() -> list[Assignment]:
    return sample_records()[ASSIGNMENTS.sheet]


@pytest.fixture
def history() -> list[HistoryEntry]:
    return sample_records()[HISTORY.sheet]


# --- workbooks --------------------------------------------------------------------------------------------------------


def test_a_new_workbook_has_the_three_sheets_without_records_and_a_read_me() -> None:
    stream = io.BytesIO()
    assert new_isbn_workbook(stream) == {"ISBN Blocks": 0, "ISBN Assignments": 0, "ISBN History": 0}
    book = openpyxl.load_workbook(stream)
    assert book.sheetnames == ["ISBN Blocks", "ISBN Assignments", "ISBN History", READ_ME]
    assert book.active is book["ISBN Assignments"]
    for kind in (BLOCKS, ASSIGNMENTS, HISTORY):
        headers = [column.header for column in kind.columns] + [one.header for one in kind.computed]
        assert [cell.value for cell in book[kind.sheet][1]] == headers
    said = {cell.value for row in book[READ_ME].iter_rows() for cell in row}
    assert said >= {*STATUSES, *(note.heading for note in NOTES), *(kind.help for kind in (BLOCKS, HISTORY))}


def test_the_read_me_names_the_verbs_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["isbn", "--help"]) == 0
    verbs = re.findall(r"^  ([a-z-]+)  ", capsys.readouterr().out, re.MULTILINE)
    (commands,) = (note for note in NOTES if note.heading == "Commands")
    named = [verb for line in commands.lines if not isinstance(line, str) for verb in line[0].split(", ")]
    assert sorted(named) == sorted(verbs)


def test_formats_of_the_publisher_are_in_the_drop_down() -> None:
    stream = io.BytesIO()
    new_isbn_workbook(stream, formats=(*FORMATS, "large print"))
    rules = openpyxl.load_workbook(stream)["ISBN Assignments"].data_validations.dataValidation
    (found,) = (rule for rule in rules if str(rule.sqref).startswith("E"))
    assert found.formula1 == '"paperback,hardcover,ebook,audiobook,large print"'
    assert assignments_type().column("format").allowed == FORMATS


# --- the sample -------------------------------------------------------------------------------------------------------


def test_the_sample_checked_in_is_what_the_tool_makes(tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "tools" / "make_isbn_sample.py"))["main"](tmp_path)
    assert (tmp_path / "isbn.xlsx").read_bytes() == SAMPLE.read_bytes()


def test_the_sample_has_two_blocks_and_sixty_numbers_in_all_states(
    blocks: list[Block], assignments: list[Assignment]
) -> None:
    assert [(block.block, block.total) for block in blocks] == [("978-1-60888", 1000), ("978-1-945678", 100)]
    counted = Counter(one.status for one in assignments)
    assert counted.keys() == set(STATUSES)
    assert sum(counted.values()) == len({one.isbn for one in assignments}) == 60
    today = AS_OF.date()
    scheduled = [one.scheduled_date for one in assignments if one.status == "scheduled"]
    due = [day for day in scheduled if day is not None and day <= today]
    assert len(due) >= 5
    assert len(scheduled) - len(due) >= 10


def test_every_number_of_the_sample_is_right_with_hyphens_and_of_its_block(
    blocks: list[Block], assignments: list[Assignment]
) -> None:
    ranges = {block.block: (block.first, block.last) for block in blocks}
    for block in blocks:
        assert int(block.last[:12]) - int(block.first[:12]) + 1 == block.total
        assert f"{block.prefix}-{block.publisher_code}" == block.block
    for one in assignments:
        assert stdnum_isbn.is_valid(one.isbn)
        assert one.block is not None
        first, last = ranges[one.block]
        assert first <= one.isbn <= last
        assert "-".join(stdnum_isbn.format(one.isbn).split("-")[:3]) == one.block


def test_no_book_of_the_sample_has_two_numbers_for_a_format(assignments: list[Assignment]) -> None:
    wanted = Counter((one.book_id, one.format) for one in assignments if one.book_id)
    assert set(wanted.values()) == {1}


def test_the_history_of_the_sample_leads_by_allowed_steps_to_what_the_rows_say(
    assignments: list[Assignment], history: list[HistoryEntry]
) -> None:
    assert [entry.entry for entry in history] == [f"sample.{n}" for n in range(1, len(history) + 1)]
    assert [entry.at for entry in history] == sorted(entry.at for entry in history)
    assert history[-1].at < AS_OF
    steps: dict[str, list[HistoryEntry]] = defaultdict(list)
    for entry in history:
        steps[entry.isbn].append(entry)
    assert steps.keys() == {one.isbn for one in assignments}
    for one in assignments:
        state: str | None = None
        for entry in steps[one.isbn]:
            if entry.field == "status":
                assert entry.before == state
                assert entry.after in STEPS[state]
                state = entry.after
                assert {"assigned": one.assigned_at, "published": one.published_at}.get(state, entry.at) == entry.at
            else:
                assert (entry.field, entry.after) == ("scheduled_date", str(one.scheduled_date))
        assert state == one.status
        assert (one.reason is not None) == (state in ("reserved", "cancelled"))


def test_the_sample_reads_back_without_findings_as_the_records_that_it_was_made_from() -> None:
    records = sample_records()
    with Book.open(SAMPLE) as book:
        workspace = Workspace.read(book, (BLOCKS, ASSIGNMENTS, HISTORY))
    assert list(workspace.findings) == []
    for kind in (BLOCKS, ASSIGNMENTS, HISTORY):
        assert list(workspace.table(kind).where()) == records[kind.sheet]


def test_a_workbook_without_records_reads_without_findings_and_its_first_record_is_in_its_first_row(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new.xlsx"
    with path.open("wb") as file:
        new_isbn_workbook(file)
    for _ in range(2):
        with Book.open(path) as book:
            workspace = Workspace.read(book, (BLOCKS, ASSIGNMENTS, HISTORY))
        assert list(workspace.findings) == []
        edit_workbook(path, path, {"ISBN Assignments": {"A2": "978-1-60888-000-3", "B2": "cancelled"}})
    assert workspace.table(ASSIGNMENTS).place("9781608880003") == 2


@pytest.mark.libreoffice
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_libreoffice_counts_what_is_used_of_the_blocks(tmp_path: Path, assignments: list[Assignment]) -> None:
    path = tmp_path / "isbn.xlsx"
    path.write_bytes(SAMPLE.read_bytes())
    header, *rows = shown_in_libreoffice(path)
    shown = {row[0]: row[header.index("Used") :] for row in rows}
    used = Counter(one.block for one in assignments if one.status != "available")
    assert shown == {
        "978-1-60888": [str(used["978-1-60888"]), str(1000 - used["978-1-60888"]), f"{used['978-1-60888'] / 10:g}%"],
        "978-1-945678": [str(used["978-1-945678"]), str(100 - used["978-1-945678"]), f"{used['978-1-945678']}%"],
    }


@pytest.mark.libreoffice
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed")
def test_a_row_of_blocks_that_an_undo_emptied_shows_no_figures_in_libreoffice(tmp_path: Path) -> None:
    path = tmp_path / "isbn.xlsx"
    path.write_bytes(SAMPLE.read_bytes())
    header, *rows = shown_in_libreoffice(path)
    names = [f"{letters(number)}3" for number in range(1, len(BLOCKS.columns) + 1)]
    edit_workbook(path, path, {"ISBN Blocks": dict.fromkeys(names)})
    left = shown_in_libreoffice(path)
    assert left[:2] == [header, rows[0]]
    assert [cell for row in left[2:] for cell in row if cell] == []
    with Book.open(path) as book:
        assert list(Workspace.read(book, (BLOCKS,)).findings) == []


def test_the_sample_is_of_the_day_that_it_says() -> None:
    created = openpyxl.load_workbook(SAMPLE).properties.created
    assert created == AS_OF.replace(tzinfo=None) == dt.datetime(2026, 11, 22, 6)
