import datetime as dt
import re
from pathlib import Path

import openpyxl
import pytest
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Protection, Side

from batchbook.xlsx import CellValue, SheetColumn, SheetContent
from tests.xlsx.helpers import crafted, edit, part, sheet_data, sheet_xml, values

FORMATS = ["General", "0.00", "@", "yyyy-mm-dd", "dd/mm/yyyy hh:mm", "hh:mm", "[h]:mm", '"no date" 0', "#,##0 [$€-407]"]
MOMENTS: list[CellValue] = [
    dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12, 30), dt.time(12, 30), dt.timedelta(hours=30, minutes=30)
]  # fmt: skip
FITS = {
    ("yyyy-mm-dd", dt.date), ("yyyy-mm-dd", dt.datetime), ("dd/mm/yyyy hh:mm", dt.date),
    ("dd/mm/yyyy hh:mm", dt.datetime), ("hh:mm", dt.time), ("[h]:mm", dt.timedelta),
}  # fmt: skip


@pytest.fixture(scope="module", params=[False, True], ids=["1900", "1904"])
def dressed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    book = openpyxl.Workbook()
    if request.param:
        book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    for row, code in enumerate(FORMATS, 1):
        for column in range(1, len(MOMENTS) + 1):
            cell = book.active.cell(row, column, 1)
            cell.number_format = code
            dress(cell)
    path = tmp_path_factory.mktemp("dressed") / "book.xlsx"
    book.save(path)
    return path


def dress(cell: Cell) -> None:
    cell.font = Font(name="Arial", sz=9, b=True, color="FF112233")
    cell.fill = PatternFill("solid", fgColor="FFFFEE00")
    cell.border = Border(left=Side("thin"), bottom=Side("double", color="FF00FF00"))
    cell.alignment = Alignment(horizontal="right", wrap_text=True, indent=2)
    cell.protection = Protection(locked=False, hidden=True)


def test_a_moment_looks_like_one_in_any_cell_and_all_else_of_the_style_stays(dressed: Path) -> None:
    edits = {row: dict(enumerate(MOMENTS, 1)) for row in range(1, len(FORMATS) + 1)}
    before = openpyxl.load_workbook(dressed).active
    target, _ = edit(dressed, {"Sheet": edits})
    after = openpyxl.load_workbook(target).active
    read = values(target, "Sheet")
    for row, code in enumerate(FORMATS, 1):
        for column, value in enumerate(MOMENTS, 1):
            old, new = before.cell(row, column), after.cell(row, column)
            assert new.is_date
            assert (new.number_format == code) == ((code, type(value)) in FITS)
            for name in ("font", "fill", "border", "alignment", "protection"):
                assert repr(getattr(new, name)) == repr(getattr(old, name))
            day = dt.datetime(2024, 2, 29)
            assert read[row, column] == new.value == (day if value == day.date() else value)


def test_saves_do_not_add_the_same_styles_again(dressed: Path, tmp_path: Path) -> None:
    source = dressed
    content = SheetContent((SheetColumn("When"),), [[dt.date(2024, 1, 1)]])
    sizes = []
    for day in range(1, 4):
        edits = {50 + day: {20: dt.date(2024, 1, day), 21: dt.timedelta(1)}, 1: {1: dt.time(day)}}
        target, _ = edit(source, {"Sheet": edits}, {"Details": content})
        source = target.rename(tmp_path / f"{day}.xlsx")
        text = part(source, "xl/styles.xml")
        sizes.append(tuple(text.count(tag) for tag in ("<font>", "<xf ")))
        assert [int(n) for n in re.findall(r'<(?:fonts|cellXfs) count="(\d+)"', text)] == [
            len(re.findall(r"<font>", text)), text.partition("<cellXfs")[2].partition("</cellXfs>")[0].count("<xf ")
        ]  # fmt: skip
    assert sizes[0] == sizes[1] == sizes[2]
    book = openpyxl.load_workbook(source)
    assert book["Details"]["A1"].font.b
    assert book["Details"]["A2"].value == dt.datetime(2024, 1, 1)


def test_the_styles_of_a_cell_of_the_row_above_of_row_and_column_are_taken_in_turn(tmp_path: Path) -> None:
    rows = (
        '<row r="1"><c r="A1" s="3"/><c r="B1" s="2"><v>1</v></c></row>'
        '<row r="2" s="3" customFormat="1"><c r="A2" s="2"><v>1</v></c></row>'
    )
    columns = '<cols><col min="2" max="4" style="2"/><col min="5" max="5" width="9"/></cols>'
    source = crafted(tmp_path, sheet_xml(rows, before=columns))
    target, _ = edit(source, {"Sheet1": {1: {1: 1, 3: 1, 5: 1}, 2: {3: 1}, 3: {1: 1, 3: 1, 5: 1}, 5: {1: 1}}})
    data = sheet_data(target)
    styles = dict(re.findall(r'<c r="(\w+)"(?: s="(\d+)")?', data))
    assert styles == {
        "A1": "3", "B1": "2", "C1": "2", "E1": "", "A2": "2", "C2": "3", "A3": "2", "C3": "3", "E3": "3", "A5": "2"
    }  # fmt: skip


def test_a_date_in_a_new_row_looks_like_the_cell_above_but_for_its_format(tmp_path: Path) -> None:
    source = crafted(
        tmp_path, sheet_xml('<row r="1"><c r="A1" s="2"><v>1</v></c><c r="B1" s="1"><v>45000</v></c></row>')
    )
    day = dt.date(2024, 2, 29)
    target, _ = edit(source, {"Sheet1": {2: {1: day, 2: day}, 3: {1: day}}})
    sheet = openpyxl.load_workbook(target)["Sheet1"]
    for reference in ("A2", "B2", "A3"):
        assert sheet[reference].value == dt.datetime(2024, 2, 29)
    assert sheet["A2"].alignment.wrap_text
    assert sheet["A3"].alignment.wrap_text
    assert sheet["B2"].number_format == "yyyy\\-mm\\-dd"
