import datetime as dt
from dataclasses import dataclass

import openpyxl
import pytest

from batchbook.errors import ConfigurationError
from batchbook.storage.savelog import Change
from batchbook.tables import Workspace
from batchbook.tables.codec import canonical
from batchbook.tables.keys import key_text
from batchbook.tables.plainkinds import Date
from batchbook.tables.records import Column, RecordType
from batchbook.tables.recordsheet import RecordSheet, canonical_key, tables_of
from batchbook.xlsx import Book
from batchbook.xlsx.values import Formula
from tests.tables.library import LOG, SHELVES, TITLES, TYPES, make_library

GOOD = ["T1", "there", "One", "left", 2]


@dataclass(frozen=True)
class Day:
    day: dt.date


DAYS = RecordType(
    record=Day, sheet="Days", key=("day",), help="Days.",
    columns=(Column("day", "Day", Date(), "The day.", required=True),),
)  # fmt: skip


def moved(book):
    """The same columns elsewhere, under headers as people write them."""
    book.remove(book["Shelves"])
    sheet = book.create_sheet("SHELVES")
    sheet.append(["The shelves of the house"])
    sheet.append(["Mine", "name", "NUMBER", "Room"])
    sheet.append(["x", "left", 1, "hall"])


def test_a_sheet_and_its_columns_are_found_by_their_names(tmp_path):
    with Book.open(make_library(tmp_path / "b.xlsx", change=moved)) as book:
        sheet = RecordSheet.find(book, SHELVES, also=["Mine"])
        assert (sheet.sheet, sheet.header.row, sheet.next_row) == ("SHELVES", 2, 4)
        assert sheet.key_titles == ["Room", "NUMBER"] and sheet.columns == {1, 2, 3, 4}
        assert (sheet.headed("name"), sheet.place(3, "number")) == ("B (name)", "C3 (NUMBER)")
        assert (sheet.name_of("Name"), sheet.name_of("Mine")) == ("name", None)
        assert tables_of([sheet]) == {"Shelves": {"key": ["Room", "NUMBER"], "append_only": False}}
        with pytest.raises(ConfigurationError):
            RecordSheet.find(book, SHELVES, also=["Yours"])


def test_the_next_row_is_behind_the_last_one_whatever_that_holds(tmp_path):
    def change(book):
        book["Titles"]["Z9"] = "a note"

    with Book.open(make_library(tmp_path / "b.xlsx", [GOOD], change=change)) as book:
        workspace = Workspace.read(book, TYPES)
        assert workspace.table(TITLES).location.next_row == 10
        assert workspace.table(LOG).location.next_row == 2


def test_the_cells_of_a_row_are_read_as_they_stand_and_a_formula_is_no_value(tmp_path):
    def change(book):
        book["Titles"]["C2"] = "=A2"

    with Book.open(make_library(tmp_path / "b.xlsx", [GOOD], change=change)) as book:
        sheet = RecordSheet.find(book, TITLES)
        cells = sheet.rows_at([2])[2]
        assert isinstance(sheet.held(cells, "title"), Formula)
        assert (sheet.held(cells, "copies"), sheet.held(cells, "remark")) == (2, None)


def test_a_cell_that_cannot_be_written_says_why_and_one_of_a_new_row_can(tmp_path):
    def change(book):
        book["Titles"].merge_cells("B2:C2")

    with Book.open(make_library(tmp_path / "b.xlsx", [GOOD], change=change)) as book:
        sheet = RecordSheet.find(book, TITLES)
        assert "merged cells B2:C2" in (sheet.why_locked(2, "title") or "")
        assert sheet.why_locked(2, "status") is None and sheet.why_locked(None, "title") is None


def test_what_a_change_keeps_by_header_comes_back_by_column(tmp_path):
    with Book.open(make_library(tmp_path / "b.xlsx", change=moved)) as book:
        sheet = RecordSheet.find(book, SHELVES)
        after = {"room": "hall", "number": 7, "name": None}
        change = sheet.change(4, key_text(("hall", "7")), dict.fromkeys(after), after)
        before = canonical({"Room": None, "NUMBER": None, "name": None})
        assert change == Change(
            "Shelves", '["hall", "7"]', 4, before, canonical({"Room": "hall", "NUMBER": 7, "name": None})
        )
        assert sheet.written(change) == {4: "hall", 3: 7, 2: None}


def test_the_key_of_a_row_is_that_which_its_cells_show_once_they_are_written(tmp_path):
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    page.title = "Days"
    page.append(["Day"])
    page.append([dt.date(2026, 1, 1)])
    book.save(tmp_path / "days.xlsx")
    with Book.open(tmp_path / "days.xlsx") as opened:
        sheet = RecordSheet.find(opened, DAYS)
        table = Workspace.read(opened, [DAYS]).table(DAYS)
        (stands,) = sheet.rows_at([2]).values()
        assert sheet.key_text(stands, {}) == key_text(table.standing(dt.date(2026, 1, 1)).key_cells)
        table.insert(Day(dt.date(2026, 1, 2)))
        new = key_text(table.standing(dt.date(2026, 1, 2)).key_cells)
        assert sheet.key_text({}, {"day": dt.date(2026, 1, 2)}) == new
        assert sheet.key_text(stands, {"day": dt.date(2026, 1, 2)}) == new


def test_a_key_is_told_from_the_texts_of_its_cells_and_stays_as_it_is_where_that_is_none():
    assert canonical_key(SHELVES, key_text(("hall", "7"))) == ("hall", "7")
    assert canonical_key(SHELVES, key_text(("hall", "seven"))) == ("hall", "seven")
    assert canonical_key(SHELVES, key_text(("hall",))) == ("hall",)
