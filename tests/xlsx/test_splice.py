import datetime as dt
import io
import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import ConfigurationError, WorkbookNotSupported
from batchbook.xlsx import Book, BookEdits, CellRefused, CellValue, Link, SheetColumn, SheetContent, splice, verify
from tests.xlsx.helpers import LINKS, MAIN, crafted, edit, part, parts_of, save, sheet_data, sheet_xml, values

ROWS = '<row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="A2"><f>A1</f><v>1</v></c></row>'


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def with_chain(folder: Path) -> Path:
    parts = parts_of(sheet_xml(ROWS))
    parts["xl/calcChain.xml"] = f'<calcChain xmlns="{MAIN}"><c r="A2" i="1"/></calcChain>'.encode()
    rels = parts["xl/_rels/workbook.xml.rels"].decode()
    link = f'<Relationship Id="rId95" Type="{LINKS}/calcChain" Target="calcChain.xml"/>'
    parts["xl/_rels/workbook.xml.rels"] = rels.replace("</Relationships>", link + "</Relationships>").encode()
    override = '<Override PartName="/xl/calcChain.xml" ContentType="chain"/>'
    types = parts["[Content_Types].xml"].decode()
    parts["[Content_Types].xml"] = types.replace("</Types>", override + "</Types>").encode()
    return save(folder / "book.xlsx", parts)


def test_only_the_sheet_and_the_wish_to_calculate_change(tmp_path: Path) -> None:
    source = with_chain(tmp_path)
    target, receipt = edit(source, {"Sheet1": {1: {1: 5}}})
    before, after = contents(source), contents(target)
    assert list(after) == list(before)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"xl/worksheets/sheet1.xml", "xl/workbook.xml"} == set(receipt.rewritten)
    assert set(receipt.copied) == set(before) - changed
    assert after["xl/workbook.xml"].decode() == before["xl/workbook.xml"].decode().replace(
        "</sheets>", '</sheets><calcPr fullCalcOnLoad="1"/>'
    )


@pytest.mark.parametrize("value", [7, None, Link("u", "t")])
def test_the_order_of_calculation_goes_when_a_formula_is_replaced(tmp_path: Path, value: CellValue) -> None:
    source = with_chain(tmp_path)
    target, receipt = edit(source, {"Sheet1": {2: {1: value}}})
    assert receipt.removed == ("xl/calcChain.xml",)
    assert not any(b"calcChain" in content for content in contents(target).values())
    assert set(contents(source)) - set(contents(target)) == {"xl/calcChain.xml"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<calcPr calcId="1"/>', '<calcPr fullCalcOnLoad="1" calcId="1"/>'),
        ('<calcPr calcId="1" fullCalcOnLoad="0"></calcPr>', '<calcPr calcId="1" fullCalcOnLoad="1"></calcPr>'),
        ("<calcPr fullCalcOnLoad='true'/>", "<calcPr fullCalcOnLoad='true'/>"),
    ],
)
def test_calculation_on_load_is_set_in_its_place(tmp_path: Path, old: str, new: str) -> None:
    parts = parts_of(sheet_xml(ROWS))
    workbook = parts["xl/workbook.xml"].decode().replace("</workbook>", f"{old}<extLst/></workbook>")
    source = save(tmp_path / "book.xlsx", {**parts, "xl/workbook.xml": workbook.encode()})
    target, _ = edit(source, {"Sheet1": {1: {1: 5}}})
    assert part(target, "xl/workbook.xml") == workbook.replace(old, new)


def test_without_edits_everything_is_copied(tmp_path: Path) -> None:
    source = with_chain(tmp_path)
    target, receipt = edit(source)
    assert contents(target) == contents(source)
    assert receipt.rewritten == receipt.added == receipt.removed == ()


@pytest.mark.parametrize(
    ("old", "row", "column", "new"),
    [
        ("A1:B2", 9, 5, "A1:E9"),
        ("C3", 1, 1, "A1:C3"),
        ("A1:B2", 1, 2, "A1:B2"),
        ("A1", 1_048_576, 16_384, "A1:XFD1048576"),
    ],
)
def test_the_dimension_reaches_to_new_cells(tmp_path: Path, old: str, row: int, column: int, new: str) -> None:
    source = crafted(tmp_path, sheet_xml(ROWS, before=f'<sheetPr/><dimension ref="{old}"/><sheetViews/>'))
    for _ in range(2):
        target, _ = edit(source, {"Sheet1": {row: {column: 5}}})
        text = part(target, "xl/worksheets/sheet1.xml")
        tag = text[text.index("<dimension") : text.index("<sheetViews")]
        assert tag.replace(" ", "") == f'<dimensionref="{new}"/>'
        assert len(tag) <= len('<dimension ref="XFC1048575:XFD1048576"/>')
        source = target.rename(tmp_path / "again.xlsx")


def with_table(folder: Path, *, totals: bool = False) -> Path:
    after = '<autoFilter ref="A1:A2"/><tableParts count="1"><tablePart r:id="rId1"/></tableParts>'
    parts = parts_of(sheet_xml(ROWS, after=after))
    parts["xl/worksheets/_rels/sheet1.xml.rels"] = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{LINKS}/table" Target="../tables/table1.xml"/></Relationships>'
    ).encode()
    count = ' totalsRowCount="1"' if totals else ""
    parts["xl/tables/table1.xml"] = (
        f'<table xmlns="{MAIN}" id="1" name="T" displayName="T" ref="A1:A2"{count}>'
        '<autoFilter ref="A1:A2"/><tableColumns count="1"><tableColumn id="1" name="1"/></tableColumns></table>'
    ).encode()
    return save(folder / "book.xlsx", parts)


def test_table_and_filter_grow_with_rows_at_the_end(tmp_path: Path) -> None:
    source = with_table(tmp_path)
    target, receipt = edit(source, {"Sheet1": {3: {1: 3}, 4: {1: 4}, 6: {1: 6}}})
    assert part(target, "xl/tables/table1.xml").count('ref="A1:A4"') == 2
    assert '<autoFilter ref="A1:A4"/>' in part(target, "xl/worksheets/sheet1.xml")
    assert "xl/tables/table1.xml" in receipt.rewritten
    with Book.open(target) as book:
        layout = book.layout("Sheet1")
    assert (layout.last_row, str(layout.tables[0].ref), str(layout.auto_filter)) == (6, "A1:A4", "A1:A4")


@pytest.mark.parametrize(("totals", "row", "column"), [(True, 3, 1), (False, 4, 1), (False, 3, 2), (False, 2, 1)])
def test_a_table_stays_as_it_is_otherwise(tmp_path: Path, totals: bool, row: int, column: int) -> None:
    source = with_table(tmp_path, totals=totals)
    target, _ = edit(source, {"Sheet1": {row: {column: 3}}})
    assert part(target, "xl/tables/table1.xml") == part(source, "xl/tables/table1.xml")


def test_a_signed_workbook_is_refused(tmp_path: Path) -> None:
    source = save(tmp_path / "book.xlsx", {**parts_of(sheet_xml(ROWS)), "_xmlsignatures/sig1.xml": b"<a/>"})
    with pytest.raises(WorkbookNotSupported, match="signature"):
        edit(source, {"Sheet1": {1: {1: 5}}})


def test_a_sheet_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Sheet9.*'Sheet1'"):
        edit(crafted(tmp_path, sheet_xml(ROWS)), {"Sheet9": {1: {1: 5}}})


def test_edits_that_do_not_ascend_are_refused(tmp_path: Path) -> None:
    with Book.open(crafted(tmp_path, sheet_xml(ROWS))) as book, pytest.raises(CellRefused, match="ascend"):
        splice(book, BookEdits({"Sheet1": [(2, {1: 1}), (1, {1: 1})]}), io.BytesIO())


def test_a_workbook_without_styles_gets_some_for_its_first_date(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(ROWS))
    del parts["xl/styles.xml"]
    for name in ("[Content_Types].xml", "xl/_rels/workbook.xml.rels"):
        tags = parts[name].decode().split(">")
        parts[name] = ">".join(tag for tag in tags if "styles" not in tag).encode()
    source = save(tmp_path / "book.xlsx", parts)
    target, receipt = edit(source, {"Sheet1": {1: {1: dt.date(2024, 1, 2)}}})
    assert receipt.added == ("xl/styles.xml",)
    assert values(target)[1, 1] == dt.datetime(2024, 1, 2)
    assert openpyxl.load_workbook(target)["Sheet1"]["A1"].value == dt.datetime(2024, 1, 2)


def test_several_sheets_are_edited_at_once_and_names_ignore_case(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml(ROWS), sheet_xml(""), sheet_xml(ROWS))
    target, _ = edit(source, {"SHEET1": {1: {1: 5}}, "sheet2": {4: {4: 6}}})
    assert values(target)[1, 1] == 5
    assert values(target, "Sheet2") == {(4, 4): 6}
    assert part(target, "xl/worksheets/sheet3.xml") == part(source, "xl/worksheets/sheet3.xml")


CONTENTS = st.one_of(st.none(), st.integers(-9, 9), st.text("ab <&", max_size=4))
EDITS = st.dictionaries(
    st.integers(1, 60),
    st.dictionaries(
        st.integers(1, 12), st.one_of(st.none(), st.integers(-9, 9), st.text("ab <&", max_size=4)), max_size=6
    ),
    max_size=25,
)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in range(1, 41):
        if row % 7:
            for column in range(1, 9):
                if (row + column) % 3:
                    sheet.cell(row, column, f"={column}+{row}" if column == 4 else f"r{row}c{column}")
    path = tmp_path_factory.mktemp("generated") / "book.xlsx"
    book.save(path)
    return path


@settings(max_examples=60, deadline=None)
@given(edits=EDITS, together=st.booleans())
def test_random_edits_give_the_cells_that_openpyxl_gives(
    generated: Path, edits: dict[int, dict[int, CellValue]], together: bool
) -> None:
    if together:  # the same columns in all rows
        columns = {column for cells in edits.values() for column in cells}
        edits = {row: dict.fromkeys(columns, row) for row in edits}
    target, _ = edit(generated, {"Sheet": edits})
    expected = openpyxl.load_workbook(generated).active
    for row, cells in edits.items():
        for column, value in cells.items():
            expected.cell(row, column).value = value
    found = openpyxl.load_workbook(target).active
    for row in range(1, 62):
        for column in range(1, 14):
            assert (found.cell(row, column).value or None) == (expected.cell(row, column).value or None)


def test_a_large_sheet_is_rewritten_in_segments(tmp_path: Path) -> None:
    count = 6000
    rows = "".join(
        f'<row r="{r}"><c r="A{r}" s="2"><v>{r}</v></c><c r="B{r}" t="inlineStr"><is><t>text {r}</t></is></c>'
        f'<c r="C{r}"/><c r="E{r}" t="s"><v>{r}</v></c></row>'
        for r in range(1, count + 1)
    )
    source = crafted(tmp_path, sheet_xml(rows))
    edits: dict[int, dict[int, CellValue]] = {
        r: {1: r * 2, 2: f"n & {r}", 3: r / 7 if r % 2 else True, 5: None} for r in range(1, count + 1)
    }
    edits[777][4] = "new"
    target, receipt = edit(source, {"Sheet1": edits})
    assert receipt.cells == 4 * count + 1
    found = values(target)
    assert found == {(r, c): v for r, cells in edits.items() for c, v in cells.items() if v is not None}
    assert sheet_data(target).count(' s="2"') == count
    assert sheet_data(target).startswith('<row r="1"><c r="A1" s="2"><v>2</v></c>')


def test_a_book_reads_on_after_its_file_was_replaced(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml(ROWS))
    with Book.open(source) as book:
        reading = book.rows("Sheet1")
        target, _ = edit(source, {"Sheet1": {1: {1: 99}}})
        target.replace(source)
        assert next(reading)[1][1].value == 1
        assert dict(book.rows("Sheet1"))[1][1].value == 1
    assert values(source)[1, 1] == 99


def test_the_digest_tells_files_apart(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml(ROWS))
    target, receipt = edit(source, {"Sheet1": {1: {1: 99}}})
    with Book.open(source) as one, Book.open(target) as two:
        assert one.digest != two.digest == receipt.digest
    with pytest.raises(Exception, match="not what was written"):
        verify(source, receipt, full=False)


def test_xml_that_was_checked_before_is_not_parsed_again_unless_asked(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml(ROWS))
    target, first = edit(source, {"Sheet1": {1: {1: 5}}})
    again = target.rename(tmp_path / "again.xlsx")
    _, second = edit(again, {"Sheet1": {1: {1: 6}}})
    assert first.sound == ()
    assert second.sound == ("xl/worksheets/sheet1.xml",)


@pytest.mark.parametrize("rows", [3, 4, 60])
def test_a_zero_character_in_a_text_is_escaped_however_many_texts_are_written(tmp_path: Path, rows: int) -> None:
    source = save(
        tmp_path / "book.xlsx",
        parts_of(sheet_xml("".join(f'<row r="{r}"><c r="A{r}"><v>{r}</v></c></row>' for r in range(1, rows + 1)))),
    )
    texts = {row: {1: "a\x00b" if row % 2 else "plain"} for row in range(1, rows + 1)}
    target, receipt = edit(source, {"Sheet1": texts})
    verify(target, receipt, full=True)
    assert b"\x00" not in contents(target)["xl/worksheets/sheet1.xml"]
    with Book.open(target) as book:
        assert {row: cells[1].value for row, cells in book.rows("Sheet1")} == {r: c[1] for r, c in texts.items()}


def test_a_sheet_is_added_where_prefixes_are_declared_on_the_sheets_alone(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(ROWS))
    book = parts["xl/workbook.xml"].decode().replace(f' xmlns:r="{LINKS}"', "", 1)
    parts["xl/workbook.xml"] = book.replace("<sheet ", f'<sheet xmlns:r="{LINKS}" ').encode()
    source = save(tmp_path / "book.xlsx", parts)
    target = tmp_path / "out.xlsx"
    with Book.open(source) as opened, target.open("wb") as out:
        content = SheetContent((SheetColumn("Name"),), [["x"]])
        receipt = splice(opened, BookEdits(contents={"More": content}), out)
    verify(target, receipt, full=True)
    assert openpyxl.load_workbook(target)["More"]["A2"].value == "x"


def test_a_number_of_a_shared_formula_that_is_used_again_keeps_its_own_formula(tmp_path: Path) -> None:
    first = '<f t="shared" ref="B1:B2" si="0">A1*2</f>'
    again = '<f t="shared" ref="B3:B4" si="0">A3+100</f>'
    follows = '<f t="shared" si="0"/>'
    rows = "".join(
        f'<row r="{r}"><c r="A{r}"><v>{r}</v></c><c r="B{r}">{f}<v>0</v></c></row>'
        for r, f in ((1, first), (2, follows), (3, again), (4, follows))
    )
    source = save(tmp_path / "book.xlsx", parts_of(sheet_xml(rows)))
    target, _ = edit(source, {"Sheet1": {1: {2: 7}}})
    text = part(target, "xl/worksheets/sheet1.xml")
    assert "<f>A2*2</f>" in text
    assert again in text
    assert text.count(follows) == 1


def test_the_filter_of_a_saved_view_is_not_the_sheets(tmp_path: Path) -> None:
    views = (
        '<customSheetViews><customSheetView guid="{00000000-0000-0000-0000-000000000001}">'
        '<autoFilter ref="A1:A2"/></customSheetView></customSheetViews>'
    )
    source = save(tmp_path / "book.xlsx", parts_of(sheet_xml(ROWS, after=views)))
    target, _ = edit(source, {"Sheet1": {3: {1: 3}}})
    assert views in part(target, "xl/worksheets/sheet1.xml")
