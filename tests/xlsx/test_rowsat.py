"""Rows read by their numbers are what a pass over the whole sheet gives, however the sheet lies in the file."""

from __future__ import annotations

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.xlsx import BlocksUnusable, Book
from batchbook.xlsx.blocks import Blocks
from tests.xlsx.helpers import crafted, sheet_xml
from tests.xlsx.test_blocks import Kept, saved, small_blocks


@pytest.fixture(scope="module")
def laid_down(tmp_path_factory):
    """A sheet of 300 rows with gaps in many blocks, and its index."""
    folder = tmp_path_factory.mktemp("rows")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sheet1"
    for number in range(1, 301):
        if number % 7:
            sheet.cell(number, 1, f"text {number}")
            sheet.cell(number, 3, number)
            sheet.cell(number, 4, f"=C{number}")
    book.save(folder / "plain.xlsx")
    kept = Kept()
    with small_blocks():
        saved(folder / "plain.xlsx", folder / "blocks.xlsx", {5: {2: "five"}, 299: {2: "late"}}, kept)
    return folder / "blocks.xlsx", kept


@settings(max_examples=60, deadline=None)
@given(numbers=st.sets(st.integers(1, 400), max_size=12), columns=st.none() | st.sets(st.integers(1, 5), min_size=1))
def test_they_are_those_of_a_whole_pass(laid_down, numbers, columns):
    path, kept = laid_down
    with Book.open(path) as plain, Book.open(path, kept) as indexed:
        expected = {number: cells for number, cells in plain.rows("Sheet1", columns) if number in numbers}
        for book in (plain, indexed):
            found = book.rows_at("sheet1", numbers, columns)
            assert {number: cells for number, cells in found.items() if cells} == expected
        index = indexed.index("xl/worksheets/sheet1.xml")
        assert index is not None
        assert len(index.blocks) > 10


def test_of_a_sheet_in_blocks_only_theirs_are_read(laid_down, monkeypatch):
    path, kept = laid_down
    read = []
    real = Blocks.content
    monkeypatch.setattr(Blocks, "content", lambda self, number: read.append(number) or real(self, number))
    with Book.open(path, kept) as book:
        assert set(book.rows_at("Sheet1", {150, 151})) == {150, 151}
        count = len(book.index("xl/worksheets/sheet1.xml").blocks)
    assert len(read) <= 6 < count


def test_where_a_block_is_not_what_the_index_says_the_sheet_is_read(laid_down, monkeypatch):
    path, kept = laid_down

    def unusable(self, number):
        raise BlocksUnusable("no")

    monkeypatch.setattr(Blocks, "content", unusable)
    with Book.open(path, kept) as book:
        assert book.rows_at("Sheet1", {151})[151][3].value == 151


def test_rows_without_numbers_and_comments_between_them_are_counted_as_in_a_whole_pass(tmp_path):
    rows = (
        "<row><c><v>1</v></c></row><!-- <row r='9'/> --><row r='4'><c r='A4'><v>4</v></c></row>"
        "<row><c><v>5</v></c></row>"
    )
    path = crafted(tmp_path, sheet_xml(rows))
    with Book.open(path) as book:
        every = dict(book.rows("Sheet1"))
        assert sorted(every) == [1, 4, 5]
        assert book.rows_at("Sheet1", {1, 4, 5, 6}) == every


def test_no_numbers_take_no_reading(laid_down):
    path, _ = laid_down
    with Book.open(path) as book:
        assert book.rows_at("Sheet1", ()) == {}
