# ruff: noqa: E501 - rows of XML read best on one line
import datetime as dt
from pathlib import Path

import openpyxl
import pytest

from batchbook.errors import WorkbookNotSupported
from batchbook.xlsx import Book, CellRefused, Link, SheetColumn, SheetContent
from tests.xlsx.helpers import LINKS, MAIN, crafted, edit, part, parts_of, save, sheet_xml, values

COLUMNS = (SheetColumn("Key", 20), SheetColumn("Found"), SheetColumn("When", 12.5))
ROWS = [("a", 1, dt.date(2024, 1, 2)), ("=b", None, None), ("c", Link("u", "v"), dt.datetime(2024, 1, 2, 3, 4))]
CONTENT = SheetContent(COLUMNS, ROWS)


def test_a_new_sheet_is_put_at_the_end(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml(""), sheet_xml(""))
    target, receipt = edit(source, contents={"Details & more": CONTENT, "Second": SheetContent(COLUMNS, [])})
    book = openpyxl.load_workbook(target)
    assert book.sheetnames == ["Sheet1", "Sheet2", "Details & more", "Second"]
    sheet = book["Details & more"]
    assert [[c.value for c in row] for row in sheet.iter_rows()] == [
        ["Key", "Found", "When"],
        ["a", 1, dt.datetime(2024, 1, 2)],
        ["=b", None, None],
        ["c", '=HYPERLINK("u","v")', dt.datetime(2024, 1, 2, 3, 4)],
    ]
    assert sheet["A1"].font.bold
    assert not sheet["A2"].font.bold
    assert sheet["A3"].data_type == "s"
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet.dimensions) == ("A2", "A1:C4", "A1:C4")
    assert [sheet.column_dimensions[c].width for c in "ABC"] == [20, 14, 12.5]
    assert book["Second"].auto_filter.ref == "A1:C1"
    assert receipt.added == ("xl/worksheets/sheet3.xml", "xl/worksheets/sheet4.xml")
    with Book.open(target) as opened:
        assert [s.name for s in opened.sheets] == book.sheetnames


def test_a_sheet_that_is_there_gets_other_rows_and_keeps_its_looks(tmp_path: Path) -> None:
    before = '<sheetPr/><dimension ref="A1:Z99"/><sheetViews><sheetView zoomScale="55"/></sheetViews>'
    before += '<cols><col min="1" max="1" width="33" style="2"/></cols>'
    after = '<autoFilter ref="A1:C9"><filterColumn colId="0"/></autoFilter><mergeCells><mergeCell ref="A2:A3"/></mergeCells>'
    after += '<pageMargins left="1"/>'
    old = '<row r="1"><c r="A1"><v>1</v></c></row><row r="77"><c r="C77"><f>1+1</f><v>2</v></c></row>'
    source = crafted(tmp_path, sheet_xml(old, before=before, after=after), sheet_xml(""))
    target, receipt = edit(source, contents={"SHEET1": CONTENT})
    text = part(target, "xl/worksheets/sheet1.xml")
    assert 'zoomScale="55"' in text
    assert '<col min="1" max="1" width="33" style="2"/>' in text
    assert '<autoFilter ref="A1:C4"><filterColumn colId="0"/></autoFilter><pageMargins left="1"/>' in text
    assert 'ref="A1:C4"' in text[: text.index("<sheetViews")]
    assert values(target)[4, 2] == Link("u", "v")
    assert (77, 3) not in values(target)
    assert not receipt.added
    assert openpyxl.load_workbook(target)["Sheet1"]["A2"].value == "a"
    again, _ = edit(target.rename(tmp_path / "again.xlsx"), contents={"Sheet1": SheetContent(COLUMNS, [("x",)])})
    assert values(again) == {(1, 1): "Key", (1, 2): "Found", (1, 3): "When", (2, 1): "x"}


def test_a_table_over_the_sheet_follows_and_other_columns_are_refused(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml("", after='<tableParts count="1"><tablePart r:id="rId1"/></tableParts>'))
    parts["xl/worksheets/_rels/sheet1.xml.rels"] = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{LINKS}/table" Target="../tables/table1.xml"/></Relationships>'
    ).encode()
    parts["xl/tables/table1.xml"] = (
        f'<table xmlns="{MAIN}" id="1" displayName="T" ref="A1:B9"><autoFilter ref="A1:B9"/>'
        '<tableColumns count="2"><tableColumn id="1" name="x"/><tableColumn id="2" name="y"/></tableColumns></table>'
    ).encode()
    source = save(tmp_path / "book.xlsx", parts)
    fits = SheetContent((SheetColumn("x"), SheetColumn("y")), [(1, 2), (3, 4)])
    target, _ = edit(source, contents={"Sheet1": fits})
    assert part(target, "xl/tables/table1.xml").count('ref="A1:B3"') == 2
    with pytest.raises(WorkbookNotSupported, match="other columns"):
        edit(source, contents={"Sheet1": CONTENT})


@pytest.mark.parametrize("name", ["", "x" * 32, "a/b", "a:b", "'a", "history"])
def test_names_that_no_sheet_can_have_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkbookNotSupported, match="name of a sheet"):
        edit(crafted(tmp_path, sheet_xml("")), contents={name: CONTENT})


def test_a_row_with_too_many_values_and_a_sheet_without_columns_are_refused(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml(""))
    with pytest.raises(CellRefused, match="more values"):
        edit(source, contents={"New": SheetContent(COLUMNS, [(1, 2, 3, 4)])})
    with pytest.raises(WorkbookNotSupported, match="columns"):
        edit(source, contents={"New": SheetContent((), [])})
    with pytest.raises(WorkbookNotSupported, match="at once"):
        edit(source, {"Sheet1": {1: {1: 1}}}, {"Sheet1": CONTENT})
