import openpyxl
import pytest

from batchbook.errors import ConfigurationError
from batchbook.tables.header import HeaderError
from batchbook.tables.table import Table
from batchbook.xlsx import Book
from tests.tables.helpers import make_book, spec_of

ROWS = [["Key", "Name", "Result", "Note"], ["K1", "a", "old", "n"], [], [None, None, None, "only a note"], ["K2", "b"]]


def rows_of(path, rows=ROWS, change=None, **spec):
    with Book.open(make_book(path / "b.xlsx", rows, change=change)) as book:
        table = Table(book, spec_of(**spec))
        return table, list(table.rows()), table.keys()


def test_rows_come_in_the_sheets_order_with_what_is_read_and_what_was_written(tmp_path):
    _, rows, _ = rows_of(tmp_path)
    assert [(row.number, row.key, dict(row.row), dict(row.taken)) for row in rows] == [
        (2, ("K1",), {"Name": "a"}, {"Result": "old"}),
        (5, ("K2",), {"Name": "b"}, {"Result": None}),
    ]


def test_a_row_empty_in_all_columns_of_the_job_is_a_gap(tmp_path):
    _, rows, index = rows_of(tmp_path)
    assert 4 not in {row.number for row in rows}
    assert index.problems() == {}


def test_a_row_that_holds_only_a_result_is_a_row_without_a_key(tmp_path):
    _, rows, index = rows_of(tmp_path, [["Key", "Name", "Result"], [None, None, "left over"]])
    assert len(rows) == 1
    assert index.problems() == {2: "the key is empty"}


def test_without_reads_every_column_that_is_not_written_is_read(tmp_path):
    table, rows, _ = rows_of(tmp_path, reads=None)
    assert table.reads == ("Key", "Name", "Note")
    assert dict(rows[0].row) == {"Key": "K1", "Name": "a", "Note": "n"}


def test_a_key_may_have_several_columns_and_numbers_name_as_their_text(tmp_path):
    _, rows, index = rows_of(tmp_path, [["Key", "Name", "Result"], [7, "a"], ["7", "b"]], key=("Key", "Name"))
    assert [row.key for row in rows] == [("7", "a"), ("7", "b")]
    assert list(index) == [row.key_text for row in rows]


def test_an_empty_text_is_a_blank(tmp_path):
    _, rows, _ = rows_of(tmp_path, [["Key", "Name", "Result"], ["K1", "", ""]])
    assert (dict(rows[0].row), rows[0].taken["Result"]) == ({"Name": None}, None) or rows[0].row["Name"] == ""


def test_a_formula_that_was_never_calculated_is_named_and_not_taken_for_a_blank(tmp_path):
    _, rows, _ = rows_of(tmp_path, change=lambda sheet: sheet.__setitem__("B2", "=1+1"))
    assert "B2 (Name) is a formula without a calculated value" in rows[0].problem
    assert rows[1].problem is None


def test_a_cell_hidden_in_a_merge_cannot_be_written_and_says_so(tmp_path):
    _, rows, _ = rows_of(tmp_path, change=lambda sheet: sheet.merge_cells("B2:C2"))
    assert "C2 (Result) cannot be written" in rows[0].problem


def test_the_sheet_is_the_one_that_is_named_or_the_first(tmp_path):
    path = make_book(tmp_path / "b.xlsx", ROWS)
    book = openpyxl.load_workbook(path)
    book.create_sheet("Second").append(["Key", "Name", "Result"])
    book.save(path)
    with Book.open(path) as opened:
        assert Table(opened, spec_of()).sheet == "Data"
        assert Table(opened, spec_of(sheet="second")).sheet == "Second"
        with pytest.raises(ConfigurationError, match="Data"):
            Table(opened, spec_of(sheet="Third"))


def test_a_missing_header_is_an_error_when_the_table_is_opened(tmp_path):
    with pytest.raises(HeaderError):
        rows_of(tmp_path, writes=("Result", "Nowhere"))


def test_the_order_of_keys_is_that_of_the_sheet_without_doubled_ones(tmp_path):
    table, _, _ = rows_of(tmp_path)
    assert table.place(5, "Result") == "C5"
    with Book.open(make_book(tmp_path / "c.xlsx", [["Key", "Name", "Result"], ["b"], ["a"], ["b"], ["c"]])) as book:
        assert list(Table(book, spec_of()).order()) == ['["a"]', '["c"]']
