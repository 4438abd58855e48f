# ruff: noqa: E501 - rows of XML read best on one line
import datetime as dt
from pathlib import Path

import pytest

from batchbook.errors import ConfigurationError, WorkbookDamaged
from batchbook.xlsx import Book, ErrorValue, Link, Range, inspect, sheet_names
from tests.xlsx.helpers import MAIN, crafted, parts_of, save, sheet_xml, values

STRINGS = (
    f'<sst xmlns="{MAIN}" count="99" uniqueCount="1"><si><t>plain</t></si><si/><si><t xml:space="preserve"> é &amp; </t></si>'
    "<si><r><t>rich </t></r><r><rPr/><t>text</t></r><rPh><t>hint</t></rPh></si><!-- <si> --><si><t>_x0041__x005F_x</t></si>"
    "<si><t><![CDATA[<b>]]></t></si></sst>"
)


def row(*cells: str) -> str:
    return f'<row r="1">{"".join(cells)}</row>'


def test_shared_strings_of_all_kinds_are_read(tmp_path: Path) -> None:
    cells = [f'<c r="{"ABCDEF"[i]}1" t="s"><v>{i}</v></c>' for i in range(6)]
    source = crafted(tmp_path, sheet_xml(row(*cells)), strings=STRINGS)
    assert list(values(source).values()) == ["plain", "", " é & ", "rich text", "A_x", "<b>"]


def test_a_string_that_is_not_there_is_damage(tmp_path: Path) -> None:
    source = crafted(tmp_path, sheet_xml(row('<c r="A1" t="s"><v>6</v></c>')), strings=STRINGS)
    with pytest.raises(WorkbookDamaged, match="shared string 6"):
        values(source)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("<v>3.0</v>", 3),
        ("<v>1E+2</v>", 100),
        ("<v>9007199254740993</v>", 9007199254740992),
        ("<v>12345678901234567890</v>", 12345678901234567890.0),
        ("<v>odd</v>", "odd"),
        (' t="b"><v>1</v>', True),
        (' t="e"><v>#N/A</v>', ErrorValue("#N/A")),
        (' t="str"><f>A2</f><v>a&amp;amp;b_x0041_</v>', "a&amp;bA"),
        (' t="str"><f>A2</f><v></v>', ""),
        (' t="d"><v>2024-02-29T12:00:00</v>', dt.datetime(2024, 2, 29, 12)),
        (' t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is>', "ab"),
        (' s="1"><v>0.5</v>', dt.time(12)),
        (' s="1"><v>45351.25</v>', dt.datetime(2024, 2, 29, 6)),
        (' s="1"><v>-5</v>', -5),
        (' t="str"><f>HYPERLINK("u","a""b")</f><v>x</v>', Link("u", 'a"b')),
        (' t="str"><f>HYPERLINK(B1,"a")</f><v>x</v>', "x"),
    ],
)
@pytest.mark.parametrize("quote", ['"', "'"])
def test_values_of_all_kinds_are_read(tmp_path: Path, cell: str, value: object, quote: str) -> None:
    inside = cell if cell.startswith(" ") else f">{cell}"
    source = crafted(tmp_path, sheet_xml(row(f"<c r={quote}A1{quote}{inside}</c>")))
    found = values(source)[1, 1]
    assert found == value
    assert type(found) is type(value)


def test_formulas_are_told_from_values(tmp_path: Path) -> None:
    cells = (
        '<c r="A1"><f>B1&lt;2</f><v>1</v></c><c r="B1"><f>NOW()</f><v></v></c><c r="C1"><f t="shared" si="0"/><v>2</v></c>'
        '<c r="D1"><v>1</v></c><c r="E1" s="2"/><c r="F1" s="2"><v>1.1</v></c>'
    )
    with Book.open(crafted(tmp_path, sheet_xml(row(cells)))) as book:
        ((_, found),) = book.rows("Sheet1")
        ((_, some),) = book.rows("sheet1", {2, 5, 6})
    assert [cell.formula for cell in found.values()] == ["B1<2", "NOW()", "", None, None]
    assert [column for column, cell in found.items() if cell.uncalculated] == [2]
    assert found[6].shown() == "1.10"
    assert found[6].format == "0.00"
    assert list(some) == [2, 6]


def test_several_passes_may_be_open_at_once(tmp_path: Path) -> None:
    rows = "".join(f'<row r="{r}"><c r="A{r}"><v>{r}</v></c></row>' for r in range(1, 9000))
    with Book.open(crafted(tmp_path, sheet_xml(rows))) as book:
        numbers = [(a[0], b[0]) for a, b in zip(book.rows("Sheet1"), book.rows("Sheet1"), strict=True)]
    assert numbers == [(n, n) for n in range(1, 9000)]


def test_the_layout_says_what_is_around_the_cells(tmp_path: Path) -> None:
    rows = '<row r="3"/><row r="7"><c r="A7"><f t="array" ref="A7:B8">x</f></c><c r="C7"><f t="array" ref="C7">x</f></c></row>'
    after = (
        '<!-- <mergeCell ref="J1:J9"/> --><mergeCells><mergeCell ref="D1:E2"/><mergeCell ref="F1:F9999"/></mergeCells>'
    )
    with Book.open(crafted(tmp_path, sheet_xml(rows, after=after))) as book:
        layout = book.layout("Sheet1")
        assert book.layout("SHEET1") is layout
    assert (layout.last_row, layout.ordered) == (7, True)
    assert [str(merge) for merge in layout.merges] == ["D1:E2", "F1:F9999"]
    assert layout.arrays == (Range(7, 1, 8, 2),)
    assert layout.locked(1, 4) is None
    assert "D1:E2" in (layout.locked(2, 5) or "")
    assert "F1:F9999" in (layout.locked(5000, 6) or "")
    assert "A7:B8" in (layout.locked(7, 1) or "")
    assert layout.locked(7, 3) is None


def test_hidden_sheets_are_told_and_other_kinds_of_sheets_left_out(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(""), sheet_xml(""), sheet_xml(""))
    workbook = parts["xl/workbook.xml"].replace(b'sheetId="2"', b'sheetId="2" state="veryHidden"')
    rels = parts["xl/_rels/workbook.xml.rels"].replace(
        b'/worksheet" Target="worksheets/sheet3', b'/chartsheet" Target="w/s3'
    )
    source = save(tmp_path / "book.xlsx", {**parts, "xl/workbook.xml": workbook, "xl/_rels/workbook.xml.rels": rels})
    assert sheet_names(source) == ["Sheet1", "Sheet2"]
    with Book.open(source) as book:
        assert [sheet.state for sheet in book.sheets] == ["visible", "veryHidden"]
        with pytest.raises(ConfigurationError, match="Sheet3"):
            book.sheet("Sheet3")


def test_strict_workbooks_are_read(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(row('<c r="A1"><v>1</v></c>')))
    strict = {
        name: content.replace(MAIN.encode(), b"http://purl.oclc.org/ooxml/spreadsheetml/main").replace(
            b"http://schemas.openxmlformats.org/officeDocument/2006", b"http://purl.oclc.org/ooxml/officeDocument"
        )
        for name, content in parts.items()
    }
    assert values(save(tmp_path / "book.xlsx", strict)) == {(1, 1): 1}


def test_inspection_finds_nothing_in_a_sound_workbook_and_everything_in_others(tmp_path: Path) -> None:
    parts = parts_of(sheet_xml(row('<c r="A1"><v>1</v></c>')), sheet_xml('<row r="2"/><row r="1"/>'))
    assert inspect(crafted(tmp_path, sheet_xml(""))) == []
    parts["xl/theme.xml"] = b"<a><b></a>"
    rels = parts["xl/_rels/workbook.xml.rels"].replace(
        b"</Rel", b'<Relationship Id="x" Type="t" Target="no.xml"/></Rel'
    )
    source = save(tmp_path / "odd.xlsx", {**parts, "xl/_rels/workbook.xml.rels": rels})
    found = [str(finding) for finding in inspect(source)]
    assert len(found) == 3
    assert any("theme.xml" in text for text in found)
    assert any("no.xml" in text for text in found)
    assert any("ascend" in text for text in found)
    (tmp_path / "none.xlsx").write_bytes(b"PK")
    assert len(inspect(tmp_path / "none.xlsx")) == 1
