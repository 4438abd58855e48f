import datetime as dt
import io
import math
from decimal import Decimal
from pathlib import Path

import openpyxl
import pandas
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.xlsx import Book, BookEdits, CellRefused, CellValue, ErrorValue, Formula, Link, check_value, splice
from tests.xlsx.helpers import crafted, edit, part, sheet_data, sheet_xml, values
from tests.xlsx.strategies import MOMENTS, NUMBERS, TEXTS, VALUES


@pytest.fixture(scope="module", params=[False, True], ids=["1900", "1904"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = "".join(f'<row r="{r}"><c r="A{r}" s="1"><v>1</v></c><c r="B{r}"><v>1</v></c></row>' for r in range(1, 9))
    workbook = '<workbookPr date1904="1"/>' if request.param else ""
    return crafted(tmp_path_factory.mktemp("book"), sheet_xml(rows), workbook=workbook)


def written(source: Path, rows: dict[int, dict[int, CellValue]]) -> bytes:
    out = io.BytesIO()
    with Book.open(source) as book:
        splice(book, BookEdits({"Sheet1": sorted(rows.items())}), out)
    return out.getvalue()


@settings(max_examples=60, deadline=None)
@given(found=st.lists(VALUES, min_size=1, max_size=12))
def test_every_value_is_read_back(source: Path, found: list[CellValue]) -> None:
    target = source.with_name("out.xlsx")
    for rows in ({i: {2: value} for i, value in enumerate(found, 1)}, {i: {27: v} for i, v in enumerate(found, 3)}):
        target.write_bytes(written(source, rows))
        with Book.open(target) as book:
            read = dict(book.rows("Sheet1", [2, 27]))
        for row, cells in rows.items():
            ((column, value),) = cells.items()
            again = read[row][column].value
            assert again == value
            assert isinstance(again, bool) == isinstance(value, bool)
            assert read[row][column].shown() is not None


@settings(max_examples=40, deadline=None)
@given(found=st.lists(st.one_of(TEXTS, NUMBERS, st.booleans()), min_size=1, max_size=8))
def test_other_programs_read_the_same(source: Path, found: list[CellValue]) -> None:
    content = written(source, {i: {2: value} for i, value in enumerate(found, 1)})
    sheet = openpyxl.load_workbook(io.BytesIO(content))["Sheet1"]
    calamine = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_name("Sheet1")
    rows = calamine.to_python(skip_empty_area=False)
    for row, value in enumerate(found, 1):
        assert sheet.cell(row, 2).value == value
        assert sheet.cell(row, 2).data_type != "f"
        assert rows[row - 1][1] == value


@settings(max_examples=30, deadline=None)
@given(moment=MOMENTS)
def test_other_programs_read_the_same_dates(source: Path, moment: dt.datetime) -> None:
    content = written(source, {1: {2: moment}, 2: {1: moment.date()}})
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert abs(book["Sheet1"]["B1"].value - moment) <= dt.timedelta(milliseconds=1)
    assert book["Sheet1"]["A2"].value == dt.datetime(moment.year, moment.month, moment.day)
    assert book["Sheet1"]["A2"].number_format == "yyyy\\-mm\\-dd"


def test_a_date_gets_a_date_style_like_the_cells_own(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml('<row r="1"><c r="A1" s="2"><v>1</v></c><c r="B1" s="1"><v>1</v></c></row>'))
    day = dt.date(2024, 2, 29)
    target, receipt = edit(source, {"Sheet1": {1: {1: day, 2: day, 3: day}, 2: {1: dt.timedelta(hours=30)}}})
    assert sheet_data(target).startswith('<row r="1"><c r="A1" s="4"><v>45351</v></c><c r="B1" s="1"><v>45351</v></c>')
    assert "xl/styles.xml" in receipt.rewritten
    sheet = openpyxl.load_workbook(target)["Sheet1"]
    assert sheet["A1"].alignment.wrap_text
    assert sheet["A1"].is_date
    assert sheet["C1"].is_date
    assert sheet["A2"].value == dt.timedelta(hours=30)
    assert 'cellXfs count="7"' in part(target, "xl/styles.xml")


def test_1900_had_no_29_february(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml('<row r="1"><c r="A1" s="1"><v>60</v></c></row>'))
    days = {2: dt.date(1900, 1, 1), 3: dt.date(1900, 2, 28), 4: dt.date(1900, 3, 1)}
    target, _ = edit(source, {"Sheet1": {1: dict(days)}})
    assert [sheet_data(target).count(f"<v>{n}</v>") for n in (1, 59, 60, 61)] == [1, 1, 1, 1]
    read = values(target)
    assert read[1, 1] == 60
    assert [read[1, c] for c in days] == [dt.datetime(d.year, d.month, d.day) for d in days.values()]


AWARE = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "finite"),
        (-math.inf, "finite"),
        (Decimal("NaN"), "finite"),
        (2**53 + 1, "digits"),
        (-(2**60), "digits"),
        (Decimal("1.00000000000000000001"), "digits"),
        (Decimal("1e400"), "digits"),
        (AWARE, "zone"),
        (AWARE.timetz(), "zone"),
        (dt.timedelta(-1), "negative"),
        (dt.timedelta.max, "days"),
        (pandas.NaT, "NaT"),
        (dt.date(1899, 12, 31), "1900-01-01"),
        (dt.datetime(9999, 12, 31, 23, 59, 59, 999_999), "9999-12-31"),
        (Link("u", None), "two texts"),
        (Link(7, "t"), "two texts"),
        (ErrorValue(7), "error value"),
        (Formula("A1", "1"), "Formula"),
        (Decimal(2**53 + 1), "digits"),
        (Decimal("1e-400"), "digits"),
        ("x" * 32_768, "32768"),
        ("𝄞" * 16_384, "characters"),
        ("\ud800", "surrogate"),
        (ErrorValue("oops"), "error value"),
        (Link("u" * 9000, "t"), "formula"),
        (b"bytes", "bytes"),
        ([1], "list"),
        (1j, "complex"),
    ],
)
def test_values_that_a_cell_cannot_hold_are_refused_by_name(tmp_path: Path, value: CellValue, reason: str) -> None:
    assert reason in (check_value(value) or "")
    source = crafted(tmp_path, sheet_xml(""))
    with pytest.raises(CellRefused, match=reason) as caught:
        edit(source, {"Sheet1": {7: {3: value}}})
    assert (caught.value.row, caught.value.column) == (7, 3)


@pytest.mark.parametrize(
    "value", ["x" * 32_767, "𝄞" * 16_383, Decimal("0.1"), Decimal("123456789012345"), 2**53, None, "", "=1+1", 1.5]
)
def test_values_at_the_limits_are_written(tmp_path: Path, value: CellValue) -> None:
    assert check_value(value) is None
    target, _ = edit(crafted(tmp_path, sheet_xml("")), {"Sheet1": {1: {1: value}}})
    expected = float(value) if isinstance(value, Decimal) else value
    assert values(target).get((1, 1)) == expected


def test_one_value_of_many_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    rows = "".join(f'<row r="{r}"><c r="A{r}"><v>1</v></c></row>' for r in range(1, 50))
    edits: dict[int, dict[int, CellValue]] = {r: {1: float(r)} for r in range(1, 50)}
    edits[33] = {1: math.inf}
    with pytest.raises(CellRefused) as caught:
        edit(crafted(tmp_path, sheet_xml(rows)), {"Sheet1": edits})
    assert caught.value.row == 33


def test_escapes_are_those_of_excel(tmp_path: Path) -> None:
    target, _ = edit(crafted(tmp_path, sheet_xml("")), {"Sheet1": {1: {1: "a\x01\r\n_x0041_ _x_ <&>"}}})
    assert "a_x0001__x000D_\n_x005F_x0041_ _x_ &lt;&amp;&gt;" in sheet_data(target)


def test_blanks_at_the_ends_of_a_text_are_kept(tmp_path: Path) -> None:
    target, _ = edit(crafted(tmp_path, sheet_xml("")), {"Sheet1": {1: {1: " a", 2: "b\n", 3: "c"}}})
    assert sheet_data(target).count('xml:space="preserve"') == 2


def test_a_long_link_is_cut_into_literals_and_read_as_one(tmp_path: Path) -> None:
    link = Link('https://example.org/?q="' + "x" * 700, 'a "quoted" text')
    target, _ = edit(crafted(tmp_path, sheet_xml("")), {"Sheet1": {1: {1: link}}})
    assert values(target)[1, 1] == link
    formula = openpyxl.load_workbook(target)["Sheet1"]["A1"].value
    assert formula.count('"&"') == 2
    assert openpyxl.load_workbook(target, data_only=True)["Sheet1"]["A1"].value == link.text
