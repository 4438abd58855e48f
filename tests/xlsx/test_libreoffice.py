# ruff: noqa: E501 - parts of XML read best on one line
"""Edited workbooks of each kind, opened by LibreOffice: what it exports is what was written."""

import csv
import datetime as dt
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.chart import BarChart, Reference
from openpyxl.formatting.rule import CellIsRule, DataBarRule
from openpyxl.styles import PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table, TableFormula

from batchbook.xlsx import Book, BookEdits, CellValue, Link, splice, verify
from tests.xlsx.helpers import LINKS, MAIN, parts_of, save, sheet_xml

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
pytestmark = [
    pytest.mark.libreoffice,
    pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not installed"),
]
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
X14 = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"
XM = "http://schemas.microsoft.com/office/excel/2006/main"
Edits = dict[int, dict[int, CellValue]]
ROWS = [["Item", "Amount", "Price"], ["pen", 2, 1.5], ["ink", 4, 3], ["pad", 6, 2.25]]


def _orders() -> tuple[openpyxl.Workbook, openpyxl.worksheet.worksheet.Worksheet]:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in ROWS:
        sheet.append(row)
    return book, sheet


def chart(path: Path) -> tuple[Edits, list[list[str]]]:
    book, sheet = _orders()
    drawn = BarChart()
    drawn.title = "Amounts"
    drawn.add_data(Reference(sheet, min_col=2, min_row=1, max_row=4), titles_from_data=True)
    drawn.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=4))
    sheet.add_chart(drawn, "F2")
    book.save(path)
    return {2: {2: 40}, 3: {1: "ink <&> é"}}, [
        ["Item", "Amount", "Price"],
        ["pen", "40", "1.5"],
        ["ink <&> é", "4", "3"],
        ["pad", "6", "2.25"],
    ]


def table(path: Path) -> tuple[Edits, list[list[str]]]:
    book, sheet = _orders()
    for row, total in enumerate(["Total", "=B2*C2", "=B3*C3", "=B4*C4"], 1):
        sheet.cell(row, 4, total)
        sheet.cell(row, 5, "When" if row == 1 else dt.date(2024, 1, row))
    made = Table(displayName="Orders", ref="A1:E4")
    made._initialise_columns()
    for column, name in zip(made.tableColumns, ["Item", "Amount", "Price", "Total", "When"], strict=True):
        column.name = name
    made.tableColumns[3].calculatedColumnFormula = TableFormula(
        attr_text="Orders[[#This Row],[Amount]]*Orders[[#This Row],[Price]]"
    )
    sheet.add_table(made)
    yellow = PatternFill(bgColor="FFFFFF00")
    sheet.conditional_formatting.add("B2:B4", CellIsRule(operator="greaterThan", formula=["3"], fill=yellow))
    sheet.conditional_formatting.add("C2:C4", DataBarRule("min", None, "max", None, "FF638EC6"))
    allowed = DataValidation("whole", operator="greaterThan", formula1="0")
    allowed.add("B2:B4")
    sheet.add_data_validation(allowed)
    sheet["H1"] = "=SUM(Orders[Total])"
    book.save(path)
    edits: Edits = {3: {2: 5}, 5: {1: "cap", 2: 7, 3: 10, 5: dt.date(2024, 1, 5)}, 6: {1: "box", 2: 1, 3: 0.5, 4: 99}}
    return edits, [
        ["Item", "Amount", "Price", "Total", "When", "", "", "200.5"],
        ["pen", "2", "1.5", "3", "2024-01-02", "", "", ""], ["ink", "5", "3", "15", "2024-01-03", "", "", ""],
        ["pad", "6", "2.25", "13.5", "2024-01-04", "", "", ""], ["cap", "7", "10", "70", "2024-01-05", "", "", ""],
        ["box", "1", "0.5", "99", "", "", "", ""],
    ]  # fmt: skip


def formulas(path: Path) -> tuple[Edits, list[list[str]]]:
    shared = "".join(
        f'<row r="{r}"><c r="A{r}"><v>{r}</v></c><c r="B{r}">{f}<v>{r * 10}</v></c></row>'
        for r, f in (
            (1, '<f t="shared" ref="B1:B3" si="0">A1*10</f>'),
            (2, '<f t="shared" si="0"/>'),
            (3, '<f t="shared" si="0"/>'),
        )
    )
    save(path, parts_of(sheet_xml(shared + '<row r="4"><c r="A4"><f>SUM(A1:A3)</f><v>6</v></c></row>')))
    edits: Edits = {
        1: {2: 7},
        2: {1: 5},
        3: {2: Link("https://example.org/?a=1&b=2", 'a "link"')},
        5: {1: "=1+1", 2: True},
    }
    return edits, [["1", "7"], ["5", "50"], ["3", 'a "link"'], ["9", ""], ["=1+1", "TRUE"]]


def sparklines(path: Path) -> tuple[Edits, list[list[str]]]:
    rows = "".join(
        f'<row r="{r}"><c r="A{r}"><v>{r}</v></c><c r="B{r}"><v>{r * r}</v></c><c r="C{r}"><v>2</v></c></row>'
        for r in (1, 2, 3)
    )
    lines = "".join(
        f"<x14:sparkline><xm:f>Sheet1!A{r}:C{r}</xm:f><xm:sqref>D{r}</xm:sqref></x14:sparkline>" for r in (1, 2, 3)
    )
    after = (
        f'<extLst><ext uri="{{78C0D931-6437-407d-A8EE-F0AAD7539E65}}" xmlns:x14="{X14}"><x14:conditionalFormattings><x14:conditionalFormatting xmlns:xm="{XM}">'
        '<x14:cfRule type="dataBar" id="{00000000-0000-0000-0000-000000000001}"><x14:dataBar minLength="0" maxLength="100"><x14:cfvo type="autoMin"/><x14:cfvo type="autoMax"/>'
        '<x14:fillColor rgb="FF638EC6"/></x14:dataBar></x14:cfRule><xm:sqref>A1:A3</xm:sqref></x14:conditionalFormatting></x14:conditionalFormattings></ext>'
        f'<ext uri="{{05C60535-1F16-4fd2-B633-F4F36F0B64E0}}" xmlns:x14="{X14}"><x14:sparklineGroups xmlns:xm="{XM}"><x14:sparklineGroup>'
        f'<x14:colorSeries rgb="FF376092"/><x14:sparklines>{lines}</x14:sparklines></x14:sparklineGroup></x14:sparklineGroups></ext></extLst>'
    )
    save(path, parts_of(sheet_xml(rows, after=after)))
    return {2: {2: 50}, 4: {1: 4, 2: 16, 3: 2}}, [["1", "1", "2"], ["2", "50", "2"], ["3", "9", "2"], ["4", "16", "2"]]


def macros(path: Path) -> tuple[Edits, list[list[str]]]:
    parts = parts_of(sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>'))
    types = (
        parts["[Content_Types].xml"]
        .decode()
        .replace("openxmlformats-officedocument.spreadsheetml.sheet.main", "ms-excel.sheet.macroEnabled.main")
    )
    default = '<Default Extension="bin" ContentType="application/vnd.ms-office.vbaProject"/><Default'
    parts["[Content_Types].xml"] = types.replace("<Default", default, 1).encode()
    link = '<Relationship Id="rId80" Type="http://schemas.microsoft.com/office/2006/relationships/vbaProject" Target="vbaProject.bin"/></Relationships>'
    rels = "xl/_rels/workbook.xml.rels"
    parts[rels] = parts[rels].replace(b"</Relationships>", link.encode())
    parts["xl/vbaProject.bin"] = bytes(range(256)) * 8
    save(path, parts)
    return {1: {1: 2}, 2: {2: "text"}}, [["2", ""], ["", "text"]]


def pivot(path: Path) -> tuple[Edits, list[list[str]]]:
    """A pivot table over the first sheet on the second."""
    cells = "".join(
        f'<row r="{r}">'
        + "".join(
            f'<c r="{c}{r}" t="str"><v>{v}</v></c>' if isinstance(v, str) else f'<c r="{c}{r}"><v>{v}</v></c>'
            for c, v in zip("ABC", row, strict=True)
        )
        + "</row>"
        for r, row in enumerate(ROWS, 1)
    )
    shown = "".join(
        f'<row r="{r}"><c r="A{r}" t="str"><v>{a}</v></c><c r="B{r}"{" t=" + chr(34) + "str" + chr(34) if isinstance(b, str) else ""}><v>{b}</v></c></row>'
        for r, (a, b) in enumerate(
            [("Row Labels", "Sum of Amount"), ("ink", 4), ("pad", 6), ("pen", 2), ("Grand Total", 12)], 3
        )
    )
    parts = parts_of(sheet_xml(cells), sheet_xml(shown))

    def rels(*links: tuple[str, str]) -> bytes:
        inside = "".join(
            f'<Relationship Id="rId{i}" Type="{LINKS}/{kind}" Target="{target}"/>'
            for i, (kind, target) in enumerate(links, 1)
        )
        return f'<Relationships xmlns="{PACKAGE}/relationships">{inside}</Relationships>'.encode()

    book = parts["xl/workbook.xml"].decode()
    parts["xl/workbook.xml"] = book.replace(
        "</sheets>", '</sheets><pivotCaches><pivotCache cacheId="1" r:id="rId70"/></pivotCaches>'
    ).encode()
    link = f'<Relationship Id="rId70" Type="{LINKS}/pivotCacheDefinition" Target="pivotCache/pivotCacheDefinition1.xml"/></Relationships>'
    parts["xl/_rels/workbook.xml.rels"] = parts["xl/_rels/workbook.xml.rels"].replace(
        b"</Relationships>", link.encode()
    )
    parts["xl/worksheets/_rels/sheet2.xml.rels"] = rels(("pivotTable", "../pivotTables/pivotTable1.xml"))
    parts["xl/pivotTables/_rels/pivotTable1.xml.rels"] = rels(
        ("pivotCacheDefinition", "../pivotCache/pivotCacheDefinition1.xml")
    )
    parts["xl/pivotCache/_rels/pivotCacheDefinition1.xml.rels"] = rels(("pivotCacheRecords", "pivotCacheRecords1.xml"))
    parts["xl/pivotCache/pivotCacheDefinition1.xml"] = (
        f'<pivotCacheDefinition xmlns="{MAIN}" xmlns:r="{LINKS}" r:id="rId1" refreshOnLoad="0" recordCount="3"><cacheSource type="worksheet">'
        '<worksheetSource ref="A1:C4" sheet="Sheet1"/></cacheSource><cacheFields count="3"><cacheField name="Item" numFmtId="0"><sharedItems count="3">'
        '<s v="pen"/><s v="ink"/><s v="pad"/></sharedItems></cacheField><cacheField name="Amount" numFmtId="0"><sharedItems containsSemiMixedTypes="0" containsString="0" containsNumber="1" minValue="2" maxValue="6"/></cacheField>'
        '<cacheField name="Price" numFmtId="0"><sharedItems containsSemiMixedTypes="0" containsString="0" containsNumber="1" minValue="1.5" maxValue="3"/></cacheField></cacheFields></pivotCacheDefinition>'
    ).encode()
    records = "".join(f'<r><x v="{i}"/><n v="{row[1]}"/><n v="{row[2]}"/></r>' for i, row in enumerate(ROWS[1:]))
    parts["xl/pivotCache/pivotCacheRecords1.xml"] = (
        f'<pivotCacheRecords xmlns="{MAIN}" count="3">{records}</pivotCacheRecords>'.encode()
    )
    parts["xl/pivotTables/pivotTable1.xml"] = (
        f'<pivotTableDefinition xmlns="{MAIN}" name="Pivot" cacheId="1" dataCaption="Values"><location ref="A3:B7" firstHeaderRow="1" firstDataRow="1" firstDataCol="1"/>'
        '<pivotFields count="3"><pivotField axis="axisRow" showAll="0"><items count="4"><item x="1"/><item x="2"/><item x="0"/><item t="default"/></items></pivotField><pivotField dataField="1" showAll="0"/><pivotField showAll="0"/></pivotFields>'
        '<rowFields count="1"><field x="0"/></rowFields><rowItems count="4"><i><x/></i><i><x v="1"/></i><i><x v="2"/></i><i t="grand"><x/></i></rowItems><colItems count="1"><i/></colItems>'
        '<dataFields count="1"><dataField name="Sum of Amount" fld="1" baseField="0" baseItem="0"/></dataFields></pivotTableDefinition>'
    ).encode()
    types = parts["[Content_Types].xml"].decode()
    for name, kind in (
        ("pivotTables/pivotTable1", "pivotTable"),
        ("pivotCache/pivotCacheDefinition1", "pivotCacheDefinition"),
        ("pivotCache/pivotCacheRecords1", "pivotCacheRecords"),
    ):
        types = types.replace(
            "</Types>",
            f'<Override PartName="/xl/{name}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.{kind}+xml"/></Types>',
        )
    parts["[Content_Types].xml"] = types.encode()
    save(path, parts)
    return {2: {3: 8}, 5: {1: "below", 2: 1}}, [
        ["Item", "Amount", "Price"],
        ["pen", "2", "8"],
        ["ink", "4", "3"],
        ["pad", "6", "2.25"],
        ["below", "1", ""],
    ]


KINDS: dict[str, tuple[str, Callable[[Path], tuple[Edits, list[list[str]]]]]] = {
    "chart": (".xlsx", chart),
    "table": (".xlsx", table),
    "formulas": (".xlsx", formulas),
    "sparklines": (".xlsx", sparklines),
    "macros": (".xlsm", macros),
    "pivot": (".xlsx", pivot),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[list[str]], list[list[str]]]]:
    """By kind: what the first sheet should hold, and what LibreOffice exports of it."""
    folder = tmp_path_factory.mktemp("office")
    expected, files = {}, []
    for kind, (suffix, make) in KINDS.items():
        source, target = folder / f"source-{kind}{suffix}", folder / f"{kind}{suffix}"
        edits, expected[kind] = make(source)
        with Book.open(source) as book, target.open("w+b") as out:
            receipt = splice(book, BookEdits({book.sheets[0].name: sorted(edits.items())}), out)
        verify(target, receipt, full=True)
        files.append(str(target))
    assert SOFFICE is not None
    # By default LibreOffice shows the values that formulas have in the file; a person sets this under
    # Tools, Options, Calc, Formula, Recalculation on File Load.
    settings = folder / "profile" / "user" / "registrymodifications.xcu"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">'
        '<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse">'
        "<value>0</value></prop></item></oor:items>"
    )
    subprocess.run(
        [SOFFICE, "--headless", f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--convert-to",
         "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true", "--outdir", str(folder / "csv"), *files],
        check=True, capture_output=True, timeout=240,
    )  # fmt: skip
    found = {}
    for kind in KINDS:
        with (folder / "csv" / f"{kind}.csv").open(encoding="utf-8", newline="") as stream:
            found[kind] = list(csv.reader(stream))
    return {kind: (expected[kind], found[kind]) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_libreoffice_shows_what_was_written(
    exported: dict[str, tuple[list[list[str]], list[list[str]]]], kind: str
) -> None:
    expected, found = exported[kind]
    assert [[*row, *[""] * (9 - len(row))] for row in found] == [[*row, *[""] * (9 - len(row))] for row in expected]
