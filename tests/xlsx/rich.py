# ruff: noqa: E501 - parts of XML read best on one line
"""The parts of a workbook with most of what an edit has to look at, for tests with broken files."""

from tests.xlsx.helpers import LINKS, MAIN, parts_of, sheet_xml

PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SST = f'<sst xmlns="{MAIN}" count="2"><si><t>one</t></si><si><r><rPr><b/></rPr><t>two</t></r></si></sst>'
SHEET = sheet_xml(
    '<row r="1" spans="1:3"><c r="A1" s="1"><v>1</v></c><c r="B1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c></row>'
    '<row r="2"><c r="A2"><f t="shared" ref="A2:A3" si="0">A1</f><v>1</v></c><c r="B2" t="inlineStr"><is><t>x</t></is></c></row>'
    '<row r="3"><c r="A3"><f t="shared" si="0"/><v>1</v></c><!-- x --><c r="C3"><f t="array" ref="C3">1</f><v>1</v></c></row>',
    before='<dimension ref="A1:C3"/><sheetViews><sheetView workbookViewId="0"/></sheetViews><cols><col min="1" max="2" style="1"/></cols>',
    after='<autoFilter ref="A1:C3"/><mergeCells count="1"><mergeCell ref="E2:F4"/></mergeCells>'
    '<conditionalFormatting sqref="A2:A3 C2:C3"><cfRule type="expression" priority="1"><formula>A2&gt;1</formula></cfRule></conditionalFormatting>'
    '<dataValidations count="1"><dataValidation type="whole" sqref="B2:B3" prompt="a > b"><formula1>1</formula1></dataValidation></dataValidations>'
    '<tableParts count="1"><tablePart r:id="rId1"/></tableParts>'
    '<extLst><ext uri="u" xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main" xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main">'
    "<x14:conditionalFormattings><x14:conditionalFormatting><xm:sqref>B2:C3</xm:sqref></x14:conditionalFormatting></x14:conditionalFormattings></ext></extLst>",
)
TABLE = (
    f'<table xmlns="{MAIN}" id="1" name="T" displayName="T" ref="A1:C3" totalsRowShown="0"><autoFilter ref="A1:C3"/><tableColumns count="3">'
    '<tableColumn id="1" name="1"/><tableColumn id="2" name="one"/><tableColumn id="3" name="two">'
    "<calculatedColumnFormula>T[[#This Row],[1]]+A2</calculatedColumnFormula></tableColumn></tableColumns></table>"
)


def rich_parts() -> dict[str, bytes]:
    """A sheet with a table, a filter, rules of all kinds, shared formulas, a calculation chain and a second sheet."""
    parts = parts_of(SHEET, sheet_xml(""), strings=SST)
    names = '<definedNames><definedName name="_xlnm._FilterDatabase" localSheetId="0" hidden="1">Sheet1!$A$1:$C$3</definedName></definedNames><calcPr calcId="1"/>'
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(b"</sheets>", b"</sheets>" + names.encode())
    chain = f'<Relationship Id="rId95" Type="{LINKS}/calcChain" Target="calcChain.xml"/></Relationships>'
    rels = "xl/_rels/workbook.xml.rels"
    parts[rels] = parts[rels].replace(b"</Relationships>", chain.encode())
    types = '<Override PartName="/xl/calcChain.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.calcChain+xml"/></Types>'
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", types.encode())
    parts["xl/calcChain.xml"] = f'<calcChain xmlns="{MAIN}"><c r="A2" i="1"/></calcChain>'.encode()
    parts["xl/worksheets/_rels/sheet1.xml.rels"] = (
        f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{LINKS}/table" Target="../tables/table1.xml"/></Relationships>'
    ).encode()
    parts["xl/tables/table1.xml"] = TABLE.encode()
    return parts
