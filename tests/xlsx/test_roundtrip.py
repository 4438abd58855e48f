"""What splice writes, read by three programs; and what any series of edits leaves in a sheet."""

import datetime as dt
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.styles import Alignment, Font
from openpyxl.worksheet.worksheet import Worksheet

from batchbook.xlsx import Book, BookEdits, CellRefused, CellValue, ErrorValue, Link, splice
from batchbook.xlsx.cells import dated
from batchbook.xlsx.formats import Kind
from batchbook.xlsx.stringtable import decode_hex
from tests.xlsx.helpers import crafted, edit, parts_of, save, sheet_xml, values
from tests.xlsx.strategies import MOMENTS, NUMBERS, SPANS, TEXTS, TIMES, VALUES

TEXT = [
    "plain", "é ☃ 𝄞", "<&>'\"", " blank in front", "behind ", "  ", "\ttab", "line\nbreak", "\n", "a\r\nb", "\r",
    "\x01", "a\x00b", "\x1f\x0b", "\ufffe\uffff", "\x7f\x85\u2028\ufeff", "_x0041_", "_x0041",
    "_x_x0041_", "_x005F_x0041_", "_xD83D_", "_X0041_", "=1+1", "'quoted", "#N/A", "TRUE", "1", "2024-01-01", "1e5",
    "x" * 32_767, "𝄞" * 16_383,
]  # fmt: skip
NUMBER = [
    0, -1, 123_456_789_012_345, 1_234_567_890_123_456, 2**53, -(2**53), 0.1, 1 / 3, 1e15, 1e16, 1.5e300, 5e-324, -0.0,
    Decimal("0.1"), Decimal("1E+20"), Decimal("-12.50"), Decimal(0), True, False,
]  # fmt: skip
SPAN = [dt.timedelta(0), dt.timedelta(hours=30, milliseconds=1), dt.timedelta(days=2_958_465)]
TIME = [dt.time(0), dt.time(23, 59, 59, 999_000), dt.time(12, 0, 0, 1000)]
MOMENT = [
    dt.date(1904, 1, 2), dt.date(9999, 12, 31), dt.datetime(9999, 12, 31, 23, 59, 59, 999_000), dt.date(2024, 2, 29),
    dt.datetime(2024, 2, 29, 0, 0, 0, 1000), dt.datetime(1999, 12, 31, 23, 59, 59),
]  # fmt: skip
EARLY = [dt.date(1900, 1, 1), dt.date(1900, 2, 28), dt.datetime(1900, 2, 28, 23, 59), dt.date(1900, 3, 1)]
LINKS = [
    Link('https://example.org/?a=1&b="2"', 'the <"text">'),
    Link("u" * 600, "t" * 300),
    Link("u", "_x0041_ \x01\n"),
]


def others(path: Path, row: int) -> tuple[Any, Any, Any]:
    """What openpyxl and python-calamine read in column A: formula or value, value, value."""
    book = python_calamine.CalamineWorkbook.from_path(str(path)).get_sheet_by_name("Sheet1")
    found = book.to_python(skip_empty_area=False)
    sheets = (openpyxl.load_workbook(path, data_only=shown)["Sheet1"] for shown in (False, True))
    return *(sheet.cell(row, 1).value for sheet in sheets), found[row - 1][0] if len(found) >= row else ""


def midnight(value: Any) -> Any:
    """A date as the moment that cells hold."""
    plain = isinstance(value, dt.date) and not isinstance(value, dt.datetime)
    return dt.datetime(value.year, value.month, value.day) if plain else value


def near(one: Any, other: Any) -> bool:
    """Whether two moments, times or durations are the same to the millisecond."""
    if isinstance(one, dt.time) and isinstance(other, dt.time):
        day = dt.date(2000, 1, 1)
        one, other = dt.datetime.combine(day, one), dt.datetime.combine(day, other)
    return type(one) is type(other) and abs(one - other) < dt.timedelta(milliseconds=1)


SYSTEMS = pytest.mark.parametrize("system", ["", '<workbookPr date1904="1"/>'], ids=["1900", "1904"])


@SYSTEMS
@pytest.mark.parametrize("rows", ["", '<row r="3"><c r="A3" s="2"><v>1</v></c></row>'], ids=["new", "present"])
@pytest.mark.parametrize("value", TEXT + NUMBER + SPAN + TIME + MOMENT, ids=lambda v: repr(v)[:30])
def test_each_kind_of_value_is_read_back_by_three_programs(
    tmp_path: Path, value: CellValue, rows: str, system: str
) -> None:
    target, _ = edit(crafted(tmp_path, sheet_xml(rows), workbook=system), {"Sheet1": {3: {1: value}}})
    ours = values(target)[3, 1]
    _, theirs, third = others(target, 3)
    if isinstance(value, str):
        assert ours == value
        assert decode_hex(theirs or "") == value  # openpyxl leaves Excel's escapes as they are
        assert third == value or "\ufffe" in value
    elif isinstance(value, bool | int | float | Decimal):
        same = float(value) if isinstance(value, Decimal) else value
        assert ours == theirs == third == same
        assert isinstance(ours, bool) == isinstance(theirs, bool) == isinstance(third, bool) == isinstance(value, bool)
    else:
        expected = midnight(value)
        assert ours == expected
        assert near(theirs, expected)
        assert near(midnight(third), expected)


@pytest.mark.parametrize("value", EARLY)
def test_days_before_march_1900_are_those_of_excel(tmp_path: Path, value: dt.date) -> None:
    target, _ = edit(crafted(tmp_path, sheet_xml("")), {"Sheet1": {3: {1: value}}})
    _, theirs, third = others(target, 3)
    assert values(target)[3, 1] == theirs == midnight(third) == midnight(value)
    old = save(tmp_path / "old.xlsx", parts_of(sheet_xml(""), workbook='<workbookPr date1904="1"/>'))
    with pytest.raises(CellRefused, match="1904-01-01") as caught:
        edit(old, {"Sheet1": {3: {1: value}}})
    assert (caught.value.sheet, caught.value.row, caught.value.column) == ("Sheet1", 3, 1)


def test_the_first_day_of_1904_is_a_date_and_29_february_1900_a_number(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1" s="1"><v>60</v></c><c r="B1" s="1"><v>60.5</v></c></row>'
    assert values(crafted(tmp_path, sheet_xml(rows))) == {(1, 1): 60, (1, 2): 60.5}
    source = crafted(tmp_path, sheet_xml(rows), workbook='<workbookPr date1904="1"/>')
    assert values(source)[1, 1] == dt.datetime(1904, 3, 1)
    target, _ = edit(source, {"Sheet1": {1: {1: dt.date(1904, 1, 1), 2: dt.datetime(1904, 1, 1, 12)}}})
    assert values(target) == {(1, 1): dt.datetime(1904, 1, 1), (1, 2): dt.datetime(1904, 1, 1, 12)}


def test_moments_are_rounded_to_milliseconds_and_stay_on_their_day(tmp_path: Path) -> None:
    cells = {
        1: dt.datetime(2024, 1, 1, 1, 1, 1, 1499),
        2: dt.time(23, 59, 59, 999_999),
        3: dt.timedelta(microseconds=500),
    }
    target, _ = edit(crafted(tmp_path, sheet_xml("")), {"Sheet1": {1: dict(cells)}})
    assert list(values(target).values()) == [
        dt.datetime(2024, 1, 1, 1, 1, 1, 1000), dt.time(23, 59, 59, 999_000), dt.timedelta(milliseconds=1)
    ]  # fmt: skip


@SYSTEMS
@pytest.mark.parametrize("link", LINKS, ids=["quotes", "long", "escapes"])
def test_links_are_formulas_with_their_text_as_value(tmp_path: Path, link: Link, system: str) -> None:
    target, _ = edit(crafted(tmp_path, sheet_xml(""), workbook=system), {"Sheet1": {3: {1: link}}})
    assert values(target)[3, 1] == link
    formula, shown, third = others(target, 3)
    assert formula.startswith("=HYPERLINK(")
    assert decode_hex(shown) == third == link.text


@pytest.mark.parametrize("code", ["#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A"])
def test_errors_are_errors_to_others_too(tmp_path: Path, code: str) -> None:
    target, _ = edit(crafted(tmp_path, sheet_xml("")), {"Sheet1": {3: {1: ErrorValue(code)}}})
    assert values(target)[3, 1] == ErrorValue(code)
    cell = openpyxl.load_workbook(target)["Sheet1"]["A3"]
    assert (cell.value, cell.data_type) == (code, "e")
    assert others(target, 3)[2] == ""  # python-calamine gives errors as nothing


@pytest.mark.parametrize(
    ("inline", "expected"),
    [
        ('<is><r><rPr><b/></rPr><t xml:space="preserve">bold </t></r><r><t>and _x0041_</t></r></is>', "bold and A"),
        ("<is><t>one</t><rPh><t>hint</t></rPh><phoneticPr/></is>", "one"),
        ("<is><r><t></t></r><r><t/></r></is>", ""),
        ("<is><r><t>a&#10;</t></r><r><t><![CDATA[<b>]]></t></r></is>", "a\n<b>"),
    ],
)
def test_rich_text_is_read_as_its_text_and_kept_beside_a_change(tmp_path: Path, inline: str, expected: str) -> None:
    row = f'<row r="1"><c r="A1" t="inlineStr">{inline}</c><c r="B1"><v>1</v></c></row>'
    strings = inline.replace("<is>", "<si>").replace("</is>", "</si>")
    shared = '<row r="2"><c r="A2" t="s"><v>0</v></c></row>'
    sst = f'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{strings}</sst>'
    source = crafted(tmp_path, sheet_xml(row + shared), strings=sst)
    target, _ = edit(source, {"Sheet1": {1: {2: 2}, 2: {2: 3}}})
    assert values(target) == {(1, 1): expected, (1, 2): 2, (2, 1): expected, (2, 2): 3}


# --- any value anywhere ----------------------------------------------------------------------------------------------

CONTENT = st.sampled_from(
    [
        "<v>1</v>",
        ' t="str">text',
        "<f>1+1</f><v>2</v>",
        ' t="inlineStr"><is><t>in</t></is>',
        ' t="b"><v>1</v>',
        "",
        ' s="1"><v>45000</v>',
    ]
)


@st.composite
def sheets(draw: st.DrawFn) -> str:
    """The rows of a sheet: with gaps, without numbers or references, in either kind of quotes, with comments."""
    rows = []
    number = 0
    prefix = draw(st.sampled_from(["", "x:"]))
    for gap in draw(st.lists(st.integers(1, 4), max_size=8)):
        number += gap
        named = gap > 1 or draw(st.booleans())
        quote = draw(st.sampled_from("\"'"))
        tag = f"<{prefix}row" + (f" r={quote}{number}{quote}" if named else "")
        cells = []
        column = 0
        for step in draw(st.lists(st.integers(1, 3), max_size=5)):
            column += step
            reference = (
                f" r={quote}{'_ABCDEFGHIJKLMNOP'[column]}{number}{quote}" if step > 1 or draw(st.booleans()) else ""
            )
            inner = draw(CONTENT)
            if inner.startswith(' t="str"'):
                inner = ' t="str"><v>text</v>'
            elif not inner.startswith(" "):
                inner = ">" + inner
            cells.append(f"<c{reference}{inner}</c>".replace("<", f"<{prefix}").replace(f"<{prefix}/", f"</{prefix}"))
        body = draw(st.sampled_from(["", "", "\n", "<!-- <c/> -->"])).join(cells)
        rows.append(f"{tag}/>" if not cells and draw(st.booleans()) else f"{tag}>{body}</{prefix}row>")
    whole = sheet_xml("".join(rows)) if not prefix else ""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return whole or f'<x:worksheet xmlns:x="{main}"><x:sheetData>{"".join(rows)}</x:sheetData></x:worksheet>'


@settings(max_examples=120, deadline=None)
@given(
    sheet=sheets(),
    row=st.one_of(st.integers(1, 40), st.just(1_048_576)),
    column=st.one_of(st.integers(1, 18), st.just(16_384)),
    value=st.one_of(st.none(), VALUES),
)
def test_any_value_goes_to_any_place_of_any_sheet_and_all_else_stays(
    tmp_path_factory: pytest.TempPathFactory, sheet: str, row: int, column: int, value: CellValue
) -> None:
    source = crafted(tmp_path_factory.getbasetemp(), sheet)
    before = values(source)
    target, _ = edit(source, {"Sheet1": {row: {column: value}}})
    expected = {place: one for place, one in before.items() if place != (row, column)}
    after = values(target)
    if value is not None:
        expected[row, column] = value
        if type(value) in (int, float) and isinstance(after.get((row, column)), dt.datetime | dt.time):
            # The cell shows dates: it did before, or its column or the row above does.
            expected[row, column] = dated(value, Kind.DATE, date1904=False)
    assert after == expected


# --- series of edits -------------------------------------------------------------------------------------------------

# openpyxl writes 16 digits of a number, which is not always enough to keep it.
SHORT = NUMBERS.map(lambda n: float(f"{n:.15g}")).filter(math.isfinite)
PLAIN = st.one_of(st.none(), TEXTS, SHORT, st.integers(-999, 999), st.booleans())
BY_COLUMN = {1: PLAIN, 2: PLAIN, 3: PLAIN, 4: PLAIN, 6: MOMENTS, 7: TIMES, 8: SPANS, 30: PLAIN}
SERIES = st.lists(
    st.dictionaries(st.integers(1, 26), st.fixed_dictionaries({}, optional=BY_COLUMN), max_size=8),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in range(1, 19):
        for column in range(1, 6 if row % 5 else 1):
            cell = sheet.cell(row, column, f"=A{row}&B{row}" if column == 4 else row * column)
            cell.font = Font(bold=column == 2)
            cell.alignment = Alignment(wrap_text=column == 3)
    sheet.merge_cells("J2:K4")
    path = tmp_path_factory.mktemp("generated") / "book.xlsx"
    book.save(path)
    return path


def put(sheet: Worksheet, edits: dict[int, dict[int, Any]]) -> None:
    for row, cells in edits.items():
        for column, value in cells.items():
            cell = sheet.cell(row, column)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"  # also where it looks like a formula or an error


@settings(max_examples=40, deadline=None)
@given(series=SERIES)
def test_a_series_of_edits_and_appends_gives_the_cells_that_openpyxl_gives(
    tmp_path_factory: pytest.TempPathFactory, generated: Path, series: list[dict[int, dict[int, CellValue]]]
) -> None:
    folder = tmp_path_factory.mktemp("series")
    ours, theirs = generated, folder / "theirs.xlsx"
    book = openpyxl.load_workbook(generated)
    for number, edits in enumerate(series):
        put(book.active, edits)
        with Book.open(ours) as opened, (folder / f"{number}.xlsx").open("w+b") as out:
            splice(opened, BookEdits({"Sheet": sorted(edits.items())}), out)
        ours = folder / f"{number}.xlsx"
    book.save(theirs)
    assert values(ours, "Sheet") == values(theirs, "Sheet")
    one, other = (openpyxl.load_workbook(path).active for path in (ours, theirs))
    for row in range(1, 27):
        for column in range(1, 31):
            mine, its = one.cell(row, column), other.cell(row, column)
            assert (mine.value in (None, "")) == (its.value in (None, ""))
            assert mine.value == its.value or mine.value in (None, "") or column in (6, 7, 8)
            if row < 19 and column < 6:
                assert (mine.font.b, mine.alignment.wrap_text) == (its.font.b, its.alignment.wrap_text)
    assert [str(area) for area in one.merged_cells.ranges] == ["J2:K4"]
