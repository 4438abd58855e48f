# ruff: noqa: E501 - rows of XML read best on one line
from pathlib import Path

import openpyxl
import pytest

from batchbook.errors import WorkbookDamaged, WorkbookNotSupported
from batchbook.xlsx import Book, CellRefused, Link
from tests.xlsx.helpers import crafted, edit, part, sheet_data, sheet_xml, values

ODD_ROWS = {
    "usual": '<row r="5"><c r="A5"><v>1</v></c><c r="B5" s="2"><v>2</v></c><c r="D5"><v>4</v></c></row>',
    "single quotes": "<row r='5'><c r='A5'><v>1</v></c><c r='B5' s='2'><v>2</v></c><c r='D5'><v>4</v></c></row>",
    "attribute order": '<row spans="1:4" r="5"><c t="n" r="A5"><v>1</v></c><c s="2" t="n" r="B5"><v>2</v></c>'
    '<c t="n" r="D5"><v>4</v></c></row>',
    "blanks in tags": '<row  r="5" ><c  r="A5" ><v >1</v ></c ><c r="B5"\n s="2"><v>2</v></c> <c r="D5"><v>4</v></c>\n</row >',
    "no cell references": '<row r="5"><c><v>1</v></c><c s="2"><v>2</v></c><c r="D5"><v>4</v></c></row>',
    "comments": '<row r="5"><!-- <c r="B5"/></row> --><c r="A5"><v>1</v></c><c r="B5" s="2"><v><![CDATA[2]]></v></c>'
    '<?pi </row>?><c r="D5"><v>4</v></c></row>',
    "extension": '<row r="5"><c r="A5"><v>1</v></c><c r="B5" s="2"><v>2</v></c><c r="D5"><v>4</v></c>'
    '<extLst><ext uri="u"><c r="E5"/></ext></extLst></row>',
    "character references": '<row r="&#53;"><c r="A&#x35;"><v>1</v></c><c r="B5" s="2"><v>&#50;</v></c><c r="D5"><v>4</v></c></row>',
    "metadata": '<row r="5"><c r="A5"><v>1</v></c><c r="B5" s="2" cm="1" vm="2"><v>2</v></c><c r="D5"><v>4</v></c></row>',
    "a sign in an attribute": '<row r="5" x="a>b"><c r="A5"><v>1</v></c><c r="B5" s="2" y="/>"><v>2</v></c><c r="D5"><v>4</v></c></row>',
}


@pytest.mark.parametrize("name", ODD_ROWS)
@pytest.mark.parametrize("column", [1, 2, 3, 4, 26])
def test_a_cell_is_written_however_its_row_is_written(tmp_path: Path, name: str, column: int) -> None:
    neighbours = '<row r="4"><c r="B4"><v>7</v></c></row>', '<row r="6"><c r="B6"><v>8</v></c></row>'
    source = crafted(tmp_path, sheet_xml(neighbours[0] + ODD_ROWS[name] + neighbours[1]))
    before = values(source)
    assert before[5, 1] == 1
    assert before[5, 2] == 2
    target, _ = edit(source, {"Sheet1": {5: {column: "new & <text>"}}})
    assert values(target) == {**before, (5, column): "new & <text>"}
    cell = openpyxl.load_workbook(target)["Sheet1"].cell(5, column)
    assert cell.value == "new & <text>"
    assert cell.number_format == ("0.00" if column == 2 else "General")
    data = sheet_data(target)
    assert data.startswith(neighbours[0])
    assert data.endswith(neighbours[1])
    assert "cm=" not in data or column != 2


@pytest.mark.parametrize(
    "rows", ["<sheetData/>", "<sheetData />", "<sheetData></sheetData>", '<row r="9"><c r="A9"><v>1</v></c></row>']
)
def test_rows_that_do_not_exist_are_made(tmp_path: Path, rows: str) -> None:
    source = crafted(tmp_path, sheet_xml(rows, after='<pageMargins left="1"/>'))
    target, receipt = edit(source, {"Sheet1": {3: {2: 5}, 11: {1: True}}})
    assert values(target) | {(9, 1): 1} == {(3, 2): 5, (9, 1): 1, (11, 1): True}
    assert receipt.cells == 2
    assert part(target, "xl/worksheets/sheet1.xml").endswith('<pageMargins left="1"/></worksheet>')


def test_an_empty_row_takes_cells(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml('<row r="2" ht="30" customHeight="1"/><row r="3"></row>'))
    target, _ = edit(source, {"Sheet1": {2: {1: 1}, 3: {1: 2}}})
    assert sheet_data(target) == (
        '<row r="2" ht="30" customHeight="1"><c r="A2"><v>1</v></c></row><row r="3"><c r="A3"><v>2</v></c></row>'
    )


def test_rows_without_numbers_count_on(tmp_path: Path) -> None:
    rows = '<row><c r="A1"><v>1</v></c></row><row r="5"><c><v>5</v></c></row><row><c><v>6</v></c></row>'
    target, _ = edit(crafted(tmp_path, sheet_xml(rows)), {"Sheet1": {6: {1: 60, 2: 61}, 7: {1: 70}}})
    assert values(target) == {(1, 1): 1, (5, 1): 5, (6, 1): 60, (6, 2): 61, (7, 1): 70}


def test_rows_out_of_order_are_edited_where_they_stand(tmp_path: Path) -> None:
    rows = '<row r="5"><c r="A5"><v>5</v></c></row><row r="2"><c r="A2"><v>2</v></c></row>'
    source = crafted(tmp_path, sheet_xml(rows))
    target, _ = edit(source, {"Sheet1": {2: {1: 20}, 3: {1: 30}, 5: {2: 50}}})
    assert values(target) == {(5, 1): 5, (5, 2): 50, (2, 1): 20, (3, 1): 30}


def test_a_row_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    rows = '<row r="5"><c r="A5"><v>5</v></c></row><row r="5"><c r="B5"><v>2</v></c></row>'
    with pytest.raises(WorkbookNotSupported, match="twice"):
        edit(crafted(tmp_path, sheet_xml(rows)), {"Sheet1": {5: {1: 20}}})


def test_a_cell_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    rows = "<row r='5'><c r='A5'><v>5</v></c><c r='A5'><v>2</v></c></row>"
    with pytest.raises(CellRefused, match="twice"):
        edit(crafted(tmp_path, sheet_xml(rows)), {"Sheet1": {5: {1: 20}}})


def test_rows_in_alternatives_are_refused(tmp_path: Path) -> None:
    inside = '<mc:AlternateContent xmlns:mc="u"><mc:Choice><c r="A5"/></mc:Choice></mc:AlternateContent>'
    with pytest.raises(WorkbookNotSupported, match="alternatives"):
        edit(crafted(tmp_path, sheet_xml(f'<row r="5">{inside}</row>')), {"Sheet1": {5: {1: 20}}})


def test_none_clears_a_cell_and_keeps_its_style(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1" s="2"><v>1</v></c><c r="B1" t="b"><v>1</v></c></row>'
    target, _ = edit(crafted(tmp_path, sheet_xml(rows)), {"Sheet1": {1: {1: None, 2: None, 3: None}, 8: {1: None}}})
    assert sheet_data(target) == '<row r="1"><c r="A1" s="2"/><c r="B1"/></row>'


def test_a_new_cell_takes_the_style_of_its_row_else_of_its_column(tmp_path: Path) -> None:
    rows = '<row r="1" s="3" customFormat="1"><c r="A1"><v>1</v></c></row><row r="2" s="3"><c r="A2"><v>1</v></c></row>'
    source = crafted(tmp_path, sheet_xml(rows, before='<cols><col min="2" max="3" style="2"/></cols>'))
    target, _ = edit(source, {"Sheet1": {1: {2: 1}, 2: {2: 1, 4: 1}}})
    assert '<c r="B1" s="3">' in sheet_data(target)
    assert '<c r="B2" s="2">' in sheet_data(target)
    assert '<c r="D2">' in sheet_data(target)


def test_rows_at_the_end_take_the_styles_of_the_last_row(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1" s="3"><v>1</v></c></row><row r="2"><c r="A2" s="2"><v>1</v></c></row>'
    source = crafted(tmp_path, sheet_xml(rows))
    target, _ = edit(source, {"Sheet1": {3: {1: 1, 2: 2}, 4: {1: 5}}})
    assert sheet_data(target).endswith(
        '<row r="3"><c r="A3" s="2"><v>1</v></c><c r="B3"><v>2</v></c></row><row r="4"><c r="A4" s="2"><v>5</v></c></row>'
    )


def test_rows_in_a_gap_do_not_take_styles_of_their_neighbours(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1" s="3"><v>1</v></c></row><row r="3"><c r="A3" s="2"><v>1</v></c></row>'
    target, _ = edit(crafted(tmp_path, sheet_xml(rows)), {"Sheet1": {2: {1: 1}}})
    assert '<row r="2"><c r="A2"><v>1</v></c></row>' in sheet_data(target)


def test_the_first_row_below_a_header_does_not_look_like_the_header(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1" s="2" t="inlineStr"><is><t>Head</t></is></c></row>'
    source = crafted(tmp_path, sheet_xml(rows, after='<autoFilter ref="A1:A1"/>'))
    target, _ = edit(source, {"Sheet1": {2: {1: 1}}})
    assert '<row r="2"><c r="A2"><v>1</v></c></row>' in sheet_data(target)


def test_spans_reach_to_new_cells(tmp_path: Path) -> None:
    rows = '<row r="1" spans="2:3"><c r="B1"><v>1</v></c></row>'
    target, _ = edit(crafted(tmp_path, sheet_xml(rows)), {"Sheet1": {1: {1: 1, 9: 1}}})
    assert '<row r="1" spans="1:9">' in sheet_data(target)


SHARED = (
    '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><f t="shared" ref="B1:C3" si="0">A1*$A$1</f><v>1</v></c>'
    '<c r="C1"><f t="shared" si="0"/><v>1</v></c></row>'
    '<row r="2"><c r="A2"><v>2</v></c><c r="B2"><f t="shared" si="0"/><v>2</v></c></row>'
    '<row r="3"><c r="A3"><v>3</v></c><c r="B3"><f t="shared" si="0"></f><v>3</v></c></row>'
)


def test_cells_that_shared_a_replaced_formula_get_their_own(tmp_path: Path) -> None:
    target, _ = edit(crafted(tmp_path, sheet_xml(SHARED)), {"Sheet1": {1: {2: 7}, 2: {1: 5}}})
    sheet = openpyxl.load_workbook(target)["Sheet1"]
    assert [sheet[a].value for a in ("B1", "C1", "B2", "B3", "A2")] == [7, "=B1*$A$1", "=A2*$A$1", "=A3*$A$1", 5]
    assert 't="shared"' not in sheet_data(target)


def test_a_cell_that_shares_a_formula_can_be_replaced_alone(tmp_path: Path) -> None:
    target, _ = edit(crafted(tmp_path, sheet_xml(SHARED)), {"Sheet1": {2: {2: None}}})
    assert sheet_data(target) == SHARED.replace('<c r="B2"><f t="shared" si="0"/><v>2</v></c>', '<c r="B2"/>')


def test_a_shared_formula_held_behind_its_sharers_is_refused(tmp_path: Path) -> None:
    rows = (
        '<row r="1"><c r="B1"><f t="shared" si="0"/><v>1</v></c></row>'
        '<row r="2"><c r="B2"><f t="shared" ref="B1:B2" si="0">A2</f><v>2</v></c></row>'
    )
    with pytest.raises(CellRefused, match="share"):
        edit(crafted(tmp_path, sheet_xml(rows)), {"Sheet1": {2: {2: 7}}})


@pytest.mark.parametrize(
    ("rows", "after", "cell"),
    [
        ("", '<mergeCells count="1"><mergeCell ref="B2:C5"/></mergeCells>', (3, 2)),
        ('<row r="1"><c r="A1"><f t="array" ref="A1:A3">B1:B3</f><v>1</v></c></row>', "", (2, 1)),
        ('<row r="1"><c r="A1"><f t="array" ref="A1:A3">B1:B3</f><v>1</v></c></row>', "", (1, 1)),
        ('<row r="2"><c r="B2"><f t="dataTable" ref="B2:C3" r1="A1"/><v>1</v></c></row>', "", (3, 3)),
    ],
)
def test_locked_cells_are_refused_by_name(tmp_path: Path, rows: str, after: str, cell: tuple[int, int]) -> None:
    source = crafted(tmp_path, sheet_xml(rows, after=after))
    with pytest.raises(CellRefused) as caught:
        edit(source, {"Sheet1": {cell[0]: {cell[1]: 1}}})
    assert (caught.value.sheet, caught.value.row, caught.value.column) == ("Sheet1", *cell)


def test_the_first_cell_of_a_merge_and_an_array_of_one_cell_can_be_written(tmp_path: Path) -> None:
    rows = '<row r="1"><c r="A1"><f t="array" ref="A1">SUM(B1:B3)</f><v>1</v></c></row>'
    source = crafted(tmp_path, sheet_xml(rows, after='<mergeCells><mergeCell ref="B2:C5"/></mergeCells>'))
    target, _ = edit(source, {"Sheet1": {1: {1: 5}, 2: {2: 6}}})
    assert values(target) == {(1, 1): 5, (2, 2): 6}


@pytest.mark.parametrize("cell", [(0, 1), (1, 0), (1_048_577, 1), (1, 16_385)])
def test_a_cell_that_no_sheet_has_is_refused(tmp_path: Path, cell: tuple[int, int]) -> None:
    source = crafted(tmp_path, sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>'))
    with pytest.raises(CellRefused):
        edit(source, {"Sheet1": {cell[0]: {cell[1]: 1}}})


def test_a_row_that_holds_cells_of_another_row_is_damage(tmp_path: Path) -> None:
    with pytest.raises(WorkbookDamaged):
        edit(crafted(tmp_path, sheet_xml('<row r="1"><c r="A2"><v>1</v></c></row>')), {"Sheet1": {1: {2: 1}}})


def test_prefixed_names_are_written_with_their_prefix(tmp_path: Path) -> None:
    sheet = (
        '<x:worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:dimension ref="A1:B1"/>'
        '<x:sheetData><x:row r="1"><x:c r="A1" s="2"><x:v>1</x:v></x:c><x:c r="B1"><x:f>A1</x:f><x:v>1</x:v></x:c></x:row>'
        "</x:sheetData></x:worksheet>"
    )
    source = crafted(tmp_path, sheet)
    target, _ = edit(source, {"Sheet1": {1: {1: "t", 2: Link("u", "v"), 3: 1}, 2: {1: " x"}}})
    found = openpyxl.load_workbook(target)["Sheet1"]
    assert [c.value for c in found[1]] == ["t", '=HYPERLINK("u","v")', 1]
    assert values(target) == {(1, 1): "t", (1, 2): Link("u", "v"), (1, 3): 1, (2, 1): " x"}


@pytest.mark.parametrize(
    ("codec", "declared"),
    [("utf-16", "UTF-16"), ("iso8859-1", "ISO-8859-1"), ("ascii", "us-ascii"), ("cp1252", "windows-1252")],
)
def test_other_encodings_are_kept(tmp_path: Path, codec: str, declared: str) -> None:
    rows = '<row r="1"><c r="A1" t="inlineStr"><is><t>caf&#233;</t></is></c></row>'
    text = sheet_xml(rows, prolog=f'<?xml version="1.0" encoding="{declared}"?>', after="<!-- end -->")
    source = crafted(tmp_path, text.encode(codec))
    target, _ = edit(source, {"Sheet1": {1: {2: "naïve ☃ 𝄞"}}})
    assert values(target) == {(1, 1): "café", (1, 2): "naïve ☃ 𝄞"}
    assert openpyxl.load_workbook(target)["Sheet1"]["B1"].value == "naïve ☃ 𝄞"


def test_malformed_xml_is_refused(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>', after="<a><b></a>"))
    with pytest.raises(WorkbookDamaged):
        edit(source, {"Sheet1": {1: {1: 2}}})


def test_a_document_type_is_refused(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml("", prolog='<!DOCTYPE worksheet [<!ENTITY a "b">]>'))
    with pytest.raises(WorkbookNotSupported, match="document type"):
        edit(source, {"Sheet1": {1: {1: 2}}})


@pytest.mark.parametrize("name", ODD_ROWS)
def test_some_columns_are_read_as_all_are(tmp_path: Path, name: str) -> None:
    with Book.open(crafted(tmp_path, sheet_xml(ODD_ROWS[name]))) as book:
        for wanted in ({1}, {2, 4}, {3}, set(range(2, 40)), {0, 4, 99_999}):
            some = {r: {c: cell.value for c, cell in cells.items()} for r, cells in book.rows("Sheet1", wanted)}
            every = {c: cell.value for c, cell in dict(book.rows("Sheet1"))[5].items() if c in wanted}
            assert some == ({5: every} if every else {})
