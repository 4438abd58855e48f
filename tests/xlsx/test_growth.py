# ruff: noqa: E501 - rows of XML read best on one line
import re
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import WorkbookNotSupported
from batchbook.xlsx import Book, CellValue, SheetColumn, SheetContent
from tests.xlsx.helpers import LINKS, MAIN, edit, part, parts_of, save, sheet_data, sheet_xml, values

X14 = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"
XM = "http://schemas.microsoft.com/office/excel/2006/main"
HEAD = '<row r="1"><c r="A1" t="str"><v>a</v></c><c r="B1" t="str"><v>b</v></c><c r="C1" t="str"><v>c</v></c></row>'
DATA = "".join(
    f'<row r="{r}"><c r="A{r}"><v>{r}</v></c><c r="B{r}"><v>2</v></c><c r="C{r}"/></row>' for r in range(2, 6)
)


def table_xml(ref: str, columns: str = "", more: str = "", number: int = 1) -> str:
    columns = columns or "".join(f'<tableColumn id="{i}" name="{n}"/>' for i, n in enumerate("abc", 1))
    return (
        f'<table xmlns="{MAIN}" id="{number}" name="T{number}" displayName="T{number}" ref="{ref}"{more}><autoFilter ref="{ref}"/>'
        f'<tableColumns count="3">{columns}</tableColumns></table>'
    )


def book(
    folder: Path, after: str = "", *tables: str, rows: str = HEAD + DATA, names: str = "", name: str = "Sheet1"
) -> Path:
    """A workbook of one sheet with tables, with something between the rows and the tables, and with defined names."""
    links = "".join(f'<tablePart r:id="rId{i}"/>' for i in range(1, len(tables) + 1))
    if tables:
        after = (
            after.replace("<extLst>", "<tableParts>@</tableParts><extLst>")
            if "<extLst>" in after
            else after + "<tableParts>@</tableParts>"
        )
        after = after.replace("@", links)
    parts = parts_of(sheet_xml(rows, before='<dimension ref="A1:C5"/>', after=after))
    workbook = parts["xl/workbook.xml"].decode().replace('name="Sheet1"', f'name="{name}"')
    defined = f"<definedNames>{names}</definedNames>" if names else ""
    parts["xl/workbook.xml"] = workbook.replace("</sheets>", f"</sheets>{defined}").encode()
    rels = "".join(
        f'<Relationship Id="rId{i}" Type="{LINKS}/table" Target="../tables/table{i}.xml"/>'
        for i in range(1, len(tables) + 1)
    )
    if tables:
        parts["xl/worksheets/_rels/sheet1.xml.rels"] = (
            f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{rels}</Relationships>'
        ).encode()
    for i, table in enumerate(tables, 1):
        parts[f"xl/tables/table{i}.xml"] = table.encode()
    return save(folder / "book.xlsx", parts)


def rules(first: str, second: str, third: str, fourth: str) -> str:
    """A conditional format, a validation, and one of each of the extended kind, beside a sparkline."""
    return (
        f'<conditionalFormatting sqref="{first}"><cfRule type="expression" dxfId="0" priority="1"><formula>A2&gt;1</formula></cfRule></conditionalFormatting>'
        f'<dataValidations count="1"><dataValidation type="list" prompt="sqref=\'B2:B5\' &lt;x> " allowBlank="1" sqref="{second}" xr:uid="1" xmlns:xr="u">'
        "<formula1>$A$2:$A$5</formula1></dataValidation></dataValidations>"
        f'<ignoredErrors><ignoredError sqref="A2:A5" numberStoredAsText="1"/></ignoredErrors>'
        f'<extLst><ext uri="u" xmlns:x14="{X14}" xmlns:xm="{XM}"><x14:conditionalFormattings><x14:conditionalFormatting><x14:cfRule type="dataBar" id="i"/>'
        f"<xm:sqref>{third}</xm:sqref></x14:conditionalFormatting></x14:conditionalFormattings>"
        f'<x14:dataValidations><x14:dataValidation type="list"><x14:formula1><xm:f>Sheet1!$A$2:$A$5</xm:f></x14:formula1><xm:sqref>{fourth}</xm:sqref></x14:dataValidation></x14:dataValidations>'
        "<x14:sparklineGroups><x14:sparklineGroup><x14:sparklines><x14:sparkline><xm:f>Sheet1!A2:B5</xm:f><xm:sqref>C2:C5</xm:sqref>"
        "</x14:sparkline></x14:sparklines></x14:sparklineGroup></x14:sparklineGroups></ext></extLst>"
    )


def after_rows(path: Path) -> str:
    return part(path, "xl/worksheets/sheet1.xml").partition("</sheetData>")[2]


@pytest.mark.parametrize("table", [True, False])
def test_validations_and_conditional_formats_grow_with_rows_at_the_end(tmp_path: Path, table: bool) -> None:
    before = rules("A2:A5 C2:C5", "B2:B5", "B2:C5", "$C$2:$C$5")
    source = book(tmp_path, before, *[table_xml("A1:C5")] * table)
    target, _ = edit(source, {"Sheet1": {6: {1: 6, 2: 1}, 7: {1: 7}}})
    expected = after_rows(source)
    for old, new in (
        ('sqref="A2:A5 C2:C5"', 'sqref="A2:A7 C2:C7"'),
        ('sqref="B2:B5"', 'sqref="B2:B7"'),
        ("<xm:sqref>B2:C5<", "<xm:sqref>B2:C7<"),
        ("<xm:sqref>$C$2:$C$5<", "<xm:sqref>C2:C7<"),
    ):
        assert expected.count(old) == 1
        expected = expected.replace(old, new)
    assert after_rows(target) == expected


@pytest.mark.parametrize(
    "ref", ["A2:A4", "A2:A6", "A1:A1048576", "E2:E5", "A5", "B5:C5", "A1:C1", "A2:A3 A5", "A:A", ""]
)
def test_ranges_that_do_not_end_with_the_data_stay_as_they_are(tmp_path: Path, ref: str) -> None:
    source = book(tmp_path, rules(ref, ref, ref, ref), table_xml("A1:C5"))
    target, _ = edit(source, {"Sheet1": {6: {1: 6, 2: 1}, 7: {1: 7}}})
    assert after_rows(target) == after_rows(source)
    assert 'ref="A1:C7"' in part(target, "xl/tables/table1.xml")


@pytest.mark.parametrize("edits", [{5: {1: 1}}, {7: {1: 1}}, {6: {1: None}}, {6: {8: 1}}])
def test_nothing_grows_where_no_row_follows_on_the_data(tmp_path: Path, edits: dict[int, dict[int, CellValue]]) -> None:
    source = book(tmp_path, '<autoFilter ref="A1:C5"/>' + rules("A2:A5", "B2:B5", "C2:C5", "A2:C5"))
    target, _ = edit(source, {"Sheet1": edits})
    assert after_rows(target) == after_rows(source)


def test_a_single_row_of_data_grows_and_rules_over_the_header_do_not(tmp_path: Path) -> None:
    rows = HEAD + '<row r="2"><c r="A2"><v>1</v></c></row>'
    source = book(tmp_path, rules("A1:C1", "B2", "A2:C2", "A1:B2"), table_xml("A1:C2"), rows=rows)
    target, _ = edit(source, {"Sheet1": {3: {1: 6}}})
    text = after_rows(target)
    assert 'sqref="A1:C1"' in text
    assert 'sqref="B2:B3"' in text
    assert "<xm:sqref>A2:C3<" in text
    assert "<xm:sqref>A1:B3<" in text


def test_a_table_beside_the_one_that_grows_keeps_its_rules(tmp_path: Path) -> None:
    rows = re.sub(r"(</row>)", "@", HEAD + DATA)
    for r in range(1, 6):
        rows = rows.replace("@", "".join(f'<c r="{c}{r}" t="str"><v>x{r}{c}</v></c>' for c in "DEF") + "</row>", 1)
    source = book(
        tmp_path, rules("A2:A5", "D2:D5", "F2:F5", "C2:C5"), table_xml("A1:C5"), table_xml("D1:F5", number=2), rows=rows
    )
    target, _ = edit(source, {"Sheet1": {6: {1: 6}}})
    text = after_rows(target)
    assert 'sqref="A2:A6"' in text
    assert "<xm:sqref>C2:C6<" in text
    assert 'sqref="D2:D5"' in text
    assert "<xm:sqref>F2:F5<" in text
    assert part(target, "xl/tables/table2.xml") == part(source, "xl/tables/table2.xml")


def test_rules_of_pivot_tables_and_in_comments_stay_as_they_are(tmp_path: Path) -> None:
    after = (
        '<!-- <conditionalFormatting sqref="A2:A5"/> --><conditionalFormatting pivot="1" sqref="A2:A5"><cfRule/></conditionalFormatting>'
        "<conditionalFormatting sqref='A2:B5'/>"
    )
    source = book(tmp_path, after, table_xml("A1:C5"))
    target, _ = edit(source, {"Sheet1": {6: {1: 6}}})
    assert after_rows(target) == after_rows(source).replace("'A2:B5'", "'A2:B6'")


def test_a_table_without_data_takes_all_the_first_rows(tmp_path: Path) -> None:
    source = book(tmp_path, rules("A2:C2", "B2", "A2", "C2"), table_xml("A1:C2"), rows=HEAD)
    target, _ = edit(source, {"Sheet1": {2: {1: 1}, 3: {1: 2}, 4: {2: 3}}})
    assert part(target, "xl/tables/table1.xml").count('ref="A1:C4"') == 2
    assert 'sqref="A2:C4"' in after_rows(target)
    assert 'sqref="B2:B4"' in after_rows(target)


def test_prefixed_rules_in_utf_16_grow(tmp_path: Path) -> None:
    text = (
        f'<?xml version="1.0" encoding="UTF-16"?><x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row r="1"><x:c r="A1"><x:v>1</x:v></x:c></x:row>'
        '<x:row r="2"><x:c r="A2"><x:v>1</x:v></x:c></x:row></x:sheetData><x:conditionalFormatting sqref="A1:A2"/></x:worksheet>'
    )
    source = save(tmp_path / "book.xlsx", parts_of(text.encode("utf-16")))
    target, _ = edit(source, {"Sheet1": {3: {1: 6}}})
    with Book.open(target) as opened:
        content = opened.container.read(next(e for e in opened.container.entries if "sheet1" in e.name))
    assert '<x:conditionalFormatting sqref="A1:A3"/>' in content.decode("utf-16")


FILTER = '<definedName name="_xlnm._FilterDatabase" localSheetId="{}" hidden="1">{}</definedName>'


@pytest.mark.parametrize(
    ("name", "text", "new"),
    [
        ("Sheet1", "Sheet1!$A$1:$C$5", "Sheet1!$A$1:$C$7"),
        ("A &amp; B's", "'A &amp; B''s'!$A$1:$C$5", "'A &amp; B''s'!$A$1:$C$7"),
        ("Sheet1", "#REF!", "#REF!"),
    ],
)
def test_the_hidden_name_of_the_filter_follows_it(tmp_path: Path, name: str, text: str, new: str) -> None:
    others = FILTER.format(1, "Other!$A$1:$C$5") + '<definedName name="Mine">Sheet1!$A$1:$C$5</definedName>'
    names = FILTER.format(0, text) + others
    source = book(tmp_path, '<autoFilter ref="A1:C5"/>', names=names, name=name)
    sheet = name.replace("&amp;", "&")
    target, _ = edit(source, {sheet: {6: {1: 6}, 7: {1: 7}}})
    assert FILTER.format(0, new) + others in part(target, "xl/workbook.xml")
    assert '<autoFilter ref="A1:C7"/>' in after_rows(target)
    again, _ = edit(source, {sheet: {4: {1: 6}}})
    assert names in part(again, "xl/workbook.xml")


def test_the_hidden_name_follows_when_all_rows_are_exchanged(tmp_path: Path) -> None:
    source = book(tmp_path, '<autoFilter ref="A1:C5"/>', names=FILTER.format(0, "Sheet1!$A$1:$C$5"))
    content = SheetContent((SheetColumn("x"), SheetColumn("y")), [(1, 2), (3, 4)])
    target, _ = edit(source, contents={"Sheet1": content})
    assert FILTER.format(0, "Sheet1!$A$1:$B$3") in part(target, "xl/workbook.xml")


def calculated(formula: str, more: str = "") -> str:
    return (
        '<tableColumn id="1" name="a"/><tableColumn id="2" name="b"/><tableColumn id="3" name="c">'
        f"<calculatedColumnFormula{more}>{formula}</calculatedColumnFormula></tableColumn>"
    )


@pytest.mark.parametrize(
    ("formula", "more", "expected"),
    [
        ("T1[[#This Row],[a]]*2", "", ["<f>T1[[#This Row],[a]]*2</f>"] * 2),
        ("A2&amp;$B$1&lt;B2", "", ["<f>A6&amp;$B$1&lt;B6</f>", "<f>A7&amp;$B$1&lt;B7</f>"]),
        ("SUM(T1[a])", ' array="1"', [f'<f t="array" ref="C{r}">SUM(T1[a])</f>' for r in (6, 7)]),
    ],
)
def test_calculated_columns_go_on_in_new_rows(tmp_path: Path, formula: str, more: str, expected: list[str]) -> None:
    rows = HEAD + DATA.replace('<c r="C5"/>', '<c r="C5" s="2"><f>A5</f><v>1</v></c>')
    source = book(tmp_path, "", table_xml("A1:C5", calculated(formula, more)), rows=rows)
    target, receipt = edit(source, {"Sheet1": {6: {1: 6}, 7: {1: 7, 3: None}, 8: {1: 8, 3: 80}, 10: {1: 10}}})
    data = sheet_data(target)
    assert [f'<c r="C{r}" s="2">{f}</c>' in data for r, f in zip((6, 7), expected, strict=True)] == [True, True]
    assert '<c r="C8" s="2"><v>80</v></c>' in data
    assert "C10" not in data
    assert 'fullCalcOnLoad="1"' in part(target, "xl/workbook.xml")
    assert receipt.cells == 5
    with Book.open(target) as opened:
        assert dict(opened.rows("Sheet1"))[6][3].uncalculated
        assert str(opened.layout("Sheet1").tables[0].ref) == "A1:C8"
    dimension = re.search(r'<dimension ref="([^"]*)"', part(target, "xl/worksheets/sheet1.xml"))
    assert dimension
    assert dimension[1] == "A1:C10"


def test_a_calculated_column_that_cannot_be_carried_on_is_refused(tmp_path: Path) -> None:
    source = book(tmp_path, "", table_xml("A1:C5", calculated("A2&amp;[x")))
    with pytest.raises(WorkbookNotSupported, match="cannot be understood"):
        edit(source, {"Sheet1": {6: {1: 6}}})
    target, _ = edit(source, {"Sheet1": {5: {1: 6}}})
    assert values(target)[5, 1] == 6


def test_a_table_without_header_counts_formulas_from_its_first_row(tmp_path: Path) -> None:
    source = book(tmp_path, "", table_xml("A1:C5", calculated("A1*2"), ' headerRowCount="0"'))
    target, _ = edit(source, {"Sheet1": {6: {1: 6}}})
    assert "<f>A6*2</f>" in sheet_data(target)


RANGES = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(0, 3), st.integers(0, 5))


@settings(max_examples=40, deadline=None)
@given(ranges=st.lists(RANGES, min_size=1, max_size=5), count=st.integers(1, 4))
def test_random_ranges_grow_exactly_where_they_end_with_the_data(
    tmp_path_factory: pytest.TempPathFactory, ranges: list[tuple[int, int, int, int]], count: int
) -> None:
    refs, expected = [], []
    for column, row, width, height in ranges:
        first, last = f"{'ABCDEFG'[column - 1]}{row}", f"{'ABCDEFG'[column - 1 + width]}{row + height}"
        refs.append(f"{first}:{last}")
        grows = row + height == 5 and column <= 3 and height > 0
        expected.append(f"{first}:{last[0]}{5 + count}" if grows else refs[-1])
    after = f'<conditionalFormatting sqref="{" ".join(refs)}"><cfRule type="top10" priority="1" rank="1"/></conditionalFormatting>'
    source = book(tmp_path_factory.mktemp("g"), after, table_xml("A1:C5"))
    target, _ = edit(source, {"Sheet1": {5 + i: {1: i} for i in range(1, count + 1)}})
    assert after_rows(target) == after_rows(source).replace(" ".join(refs), " ".join(expected))
    (rule,) = openpyxl.load_workbook(target)["Sheet1"].conditional_formatting
    assert len(rule.sqref.ranges) <= len(refs)
