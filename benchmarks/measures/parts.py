"""The parts of the workbook around its cells, as Excel writes them: styles, a table, formats, a chart, an image."""

from __future__ import annotations

import struct
import zlib

from measures.shape import COLUMNS, SHEET, WIDTH

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\r\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "application/vnd.openxmlformats-officedocument"
LAST = "X"

STYLE_OF = {"text": 0, "number": 0, "date": 1, "moment": 2, "money": 3, "percent": 4, "truth": 5}
HEADER_STYLE = 6


def fixed_parts(rows: int) -> dict[str, bytes]:
    """Every part but the sheet, the shared strings and the calculation chain, by name."""
    texts = {
        "[Content_Types].xml": content_types(),
        "_rels/.rels": relationships(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": workbook(),
        "xl/_rels/workbook.xml.rels": relationships(
            ("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml"),
            ("sharedStrings", "sharedStrings.xml"), ("calcChain", "calcChain.xml"),
        ),
        "xl/worksheets/_rels/sheet1.xml.rels": relationships(
            ("drawing", "../drawings/drawing1.xml"), ("table", "../tables/table1.xml")
        ),
        "xl/styles.xml": styles(),
        "xl/tables/table1.xml": table(rows),
        "xl/drawings/drawing1.xml": drawing(),
        "xl/drawings/_rels/drawing1.xml.rels": relationships(
            ("chart", "../charts/chart1.xml"), ("image", "../media/image1.png")
        ),
        "xl/charts/chart1.xml": chart(),
    }  # fmt: skip
    return {**{name: (HEAD + text).encode() for name, text in texts.items()}, "xl/media/image1.png": image()}


def content_types() -> str:
    kinds = {
        "xl/workbook.xml": "spreadsheetml.sheet.main", "xl/worksheets/sheet1.xml": "spreadsheetml.worksheet",
        "xl/styles.xml": "spreadsheetml.styles", "xl/sharedStrings.xml": "spreadsheetml.sharedStrings",
        "xl/calcChain.xml": "spreadsheetml.calcChain", "xl/tables/table1.xml": "spreadsheetml.table",
        "xl/drawings/drawing1.xml": "drawing", "xl/charts/chart1.xml": "drawingml.chart",
    }  # fmt: skip
    parts = "".join(f'<Override PartName="/{name}" ContentType="{OFFICE}.{kind}+xml"/>' for name, kind in kinds.items())
    return (
        f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="png" ContentType="image/png"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{parts}</Types>'
    )


def relationships(*targets: tuple[str, str]) -> str:
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{RELS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'


def workbook() -> str:
    return (
        f'<workbook xmlns="{MAIN}" xmlns:r="{RELS}"><workbookPr defaultThemeVersion="166925"/>'
        '<bookViews><workbookView xWindow="0" yWindow="0" windowWidth="28800" windowHeight="12000"/></bookViews>'
        f'<sheets><sheet name="{SHEET}" sheetId="1" r:id="rId1"/></sheets><calcPr calcId="191029"/></workbook>'
    )


def styles() -> str:
    formats = [(0, 0), (14, 0), (22, 0), (4, 0), (10, 0), (0, 0), (0, 1)]
    xfs = "".join(
        f'<xf numFmtId="{code}" fontId="{font}" fillId="{font * 2}" borderId="0" xfId="0" applyNumberFormat="1"/>'
        for code, font in formats
    )
    return (
        f'<styleSheet xmlns="{MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font>'
        '<font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>'
        '<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/>'
        '</fill><fill><patternFill patternType="solid"><fgColor rgb="FFD9E1F2"/></patternFill></fill></fills>'
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{len(formats)}">{xfs}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
        '<dxfs count="1"><dxf><font><color rgb="FF9C0006"/></font><fill><patternFill><bgColor rgb="FFFFC7CE"/>'
        "</patternFill></fill></dxf></dxfs></styleSheet>"
    )


def table(rows: int) -> str:
    area = f"A1:{LAST}{rows + 1}"
    columns = "".join(f'<tableColumn id="{n}" name="{name}"/>' for n, (name, _) in enumerate(COLUMNS, 1))
    return (
        f'<table xmlns="{MAIN}" id="1" name="Orders" displayName="Orders" ref="{area}" totalsRowShown="0">'
        f'<autoFilter ref="{area}"/><tableColumns count="{WIDTH}">{columns}</tableColumns>'
        '<tableStyleInfo name="TableStyleMedium2" showFirstColumn="0" showLastColumn="0" showRowStripes="1" '
        'showColumnStripes="0"/></table>'
    )


def sheet_head(rows: int) -> str:
    return (
        f'{HEAD}<worksheet xmlns="{MAIN}" xmlns:r="{RELS}" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" mc:Ignorable="x14ac" '
        'xmlns:x14ac="http://schemas.microsoft.com/office/spreadsheetml/2009/9/ac">'
        f'<dimension ref="A1:{LAST}{rows + 1}"/><sheetViews><sheetView tabSelected="1" workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        '<sheetFormatPr defaultRowHeight="15" x14ac:dyDescent="0.25"/>'
        f'<cols><col min="1" max="{WIDTH}" width="14.7109375" customWidth="1"/></cols><sheetData>'
    )


def sheet_tail(rows: int) -> str:
    last = rows + 1
    return (
        f'</sheetData><conditionalFormatting sqref="E2:E{last}"><cfRule type="colorScale" priority="1"><colorScale>'
        '<cfvo type="min"/><cfvo type="max"/><color rgb="FFFFFFFF"/><color rgb="FF63BE7B"/></colorScale></cfRule>'
        f'</conditionalFormatting><conditionalFormatting sqref="O2:O{last}"><cfRule type="cellIs" dxfId="0" '
        'priority="2" operator="greaterThan"><formula>900</formula></cfRule></conditionalFormatting>'
        '<pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>'
        '<drawing r:id="rId1"/><tableParts count="1"><tablePart r:id="rId2"/></tableParts></worksheet>'
    )


def drawing() -> str:
    def anchor(row: int, content: str) -> str:
        ends = (("from", 25, row), ("to", 33, row + 15))
        places = "".join(
            f"<xdr:{end}><xdr:col>{column}</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>{place}</xdr:row>"
            f"<xdr:rowOff>0</xdr:rowOff></xdr:{end}>"
            for end, column, place in ends
        )
        return f"<xdr:twoCellAnchor>{places}{content}<xdr:clientData/></xdr:twoCellAnchor>"

    frame = (
        '<xdr:graphicFrame macro=""><xdr:nvGraphicFramePr><xdr:cNvPr id="2" name="Chart 1"/><xdr:cNvGraphicFramePr/>'
        '</xdr:nvGraphicFramePr><xdr:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xdr:xfrm><a:graphic>'
        f'<a:graphicData uri="{DRAWING}/chart"><c:chart xmlns:c="{DRAWING}/chart" r:id="rId1"/></a:graphicData>'
        "</a:graphic></xdr:graphicFrame>"
    )
    picture = (
        '<xdr:pic><xdr:nvPicPr><xdr:cNvPr id="3" name="Picture 2"/><xdr:cNvPicPr/></xdr:nvPicPr><xdr:blipFill>'
        '<a:blip r:embed="rId2"/><a:stretch><a:fillRect/></a:stretch></xdr:blipFill><xdr:spPr><a:xfrm>'
        '<a:off x="0" y="0"/><a:ext cx="609600" cy="609600"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/>'
        "</a:prstGeom></xdr:spPr></xdr:pic>"
    )
    return (
        f'<xdr:wsDr xmlns:xdr="{DRAWING}/spreadsheetDrawing" xmlns:a="{DRAWING}/main" xmlns:r="{RELS}">'
        f"{anchor(1, frame)}{anchor(18, picture)}</xdr:wsDr>"
    )


def chart() -> str:
    series = (
        f'<c:ser><c:idx val="0"/><c:order val="0"/><c:cat><c:strRef><c:f>{SHEET}!$A$2:$A$21</c:f></c:strRef></c:cat>'
        f"<c:val><c:numRef><c:f>{SHEET}!$E$2:$E$21</c:f></c:numRef></c:val></c:ser>"
    )

    def axis(kind: str, own: int, other: int, side: str) -> str:
        return (
            f'<c:{kind}><c:axId val="{own}"/><c:scaling><c:orientation val="minMax"/></c:scaling><c:delete val="0"/>'
            f'<c:axPos val="{side}"/><c:crossAx val="{other}"/></c:{kind}>'
        )

    return (
        f'<c:chartSpace xmlns:c="{DRAWING}/chart" xmlns:a="{DRAWING}/main" xmlns:r="{RELS}"><c:chart><c:plotArea>'
        f'<c:layout/><c:barChart><c:barDir val="col"/><c:grouping val="clustered"/>{series}<c:axId val="1"/>'
        f'<c:axId val="2"/></c:barChart>{axis("catAx", 1, 2, "b")}{axis("valAx", 2, 1, "l")}</c:plotArea>'
        '<c:plotVisOnly val="1"/></c:chart></c:chartSpace>'
    )


def image(side: int = 64) -> bytes:
    """A small picture: a PNG of a colour gradient."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = b"".join(b"\0" + bytes(v for x in range(side) for v in (4 * x, 4 * y, 128)) for y in range(side))
    header = struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
