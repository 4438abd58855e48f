"""Workbooks made by hand, so that a test can say every byte of a sheet."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batchbook.xlsx import Book, BookEdits, SheetContent, SpliceReceipt, splice, verify
from batchbook.xlsx.values import CellValue

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/></font></fonts><fills count="1">'
    '<fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf numFmtId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0"/><xf numFmtId="164" fontId="0"/>'
    '<xf numFmtId="2" fontId="0" applyFont="1"><alignment wrapText="1"/></xf><xf numFmtId="49" fontId="0"/></cellXfs>'
    "</styleSheet>"
)


def sheet_xml(rows: str, *, before: str = "", after: str = "", prolog: str = '<?xml version="1.0"?>\n') -> str:
    """A sheet around some rows; `rows` may be the whole of sheetData."""
    data = rows if rows.startswith("<sheetData") else f"<sheetData>{rows}</sheetData>"
    return f'{prolog}<worksheet xmlns="{MAIN}" xmlns:r="{LINKS}">{before}{data}{after}</worksheet>'


def parts_of(*sheets: str | bytes, strings: str | None = None, workbook: str = "") -> dict[str, bytes]:
    """The parts of a workbook with these sheets, named Sheet1 and so on."""
    tabs = "".join(f'<sheet name="Sheet{i}" sheetId="{i}" r:id="rId{i}"/>' for i in range(1, len(sheets) + 1))
    links = "".join(
        f'<Relationship Id="rId{i}" Type="{LINKS}/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    links += f'<Relationship Id="rId90" Type="{LINKS}/styles" Target="styles.xml"/>'
    if strings is not None:
        links += f'<Relationship Id="rId91" Type="{LINKS}/sharedStrings" Target="sharedStrings.xml"/>'
    package = "http://schemas.openxmlformats.org/package/2006"
    application = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{application}.worksheet+xml"/>'
        for i in range(1, len(sheets) + 1)
    )
    if strings is not None:
        overrides += f'<Override PartName="/xl/sharedStrings.xml" ContentType="{application}.sharedStrings+xml"/>'
    made: dict[str, str | bytes] = {
        "[Content_Types].xml": (
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{application}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{application}.styles+xml"/>'
            f"{overrides}</Types>"
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="rId1" Type="{LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}">{workbook}<sheets>{tabs}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">{links}</Relationships>',
        "xl/styles.xml": STYLES,
        **{f"xl/worksheets/sheet{i}.xml": sheet for i, sheet in enumerate(sheets, 1)},
    }
    if strings is not None:
        made["xl/sharedStrings.xml"] = strings
    return {name: part.encode() if isinstance(part, str) else part for name, part in made.items()}


def save(path: Path, parts: Mapping[str, bytes]) -> Path:
    """Write parts into an archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def crafted(folder: Path, *sheets: str | bytes, **options: Any) -> Path:
    """A workbook with these sheets."""
    return save(folder / "book.xlsx", parts_of(*sheets, **options))


def edit(
    source: Path,
    cells: Mapping[str, Mapping[int, Mapping[int, CellValue]]] | None = None,
    contents: Mapping[str, SheetContent] | None = None,
) -> tuple[Path, SpliceReceipt]:
    """The workbook with edits as a second file, verified; edits by sheet, row and column."""
    target = source.with_name("edited.xlsx")
    ordered = {sheet: iter(sorted(rows.items())) for sheet, rows in (cells or {}).items()}
    with Book.open(source) as book:
        out = io.BytesIO()
        receipt = splice(book, BookEdits(ordered, contents or {}), out)
    target.write_bytes(out.getvalue())
    verify(target, receipt, full=True)
    return target, receipt


def part(path: Path, name: str) -> str:
    """A part's text."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode("utf-8")


def sheet_data(path: Path, name: str = "xl/worksheets/sheet1.xml") -> str:
    """What lies between the tags of sheetData."""
    text = part(path, name)
    return text[text.index("<sheetData>") + 11 : text.index("</sheetData>")]


def values(path: Path, sheet: str = "Sheet1") -> dict[tuple[int, int], CellValue]:
    """All values of a sheet by row and column."""
    with Book.open(path) as book:
        return {(row, column): cell.value for row, cells in book.rows(sheet) for column, cell in cells.items()}
