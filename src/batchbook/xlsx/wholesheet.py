"""Sheets whose whole content belongs to a program: made anew, or their rows exchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from batchbook.errors import WorkbookNotSupported
from batchbook.xlsx.growth import FILTER_REF
from batchbook.xlsx.masking import has_marks, mask
from batchbook.xlsx.places import COLUMN_LETTERS, MAX_COLUMN, Range
from batchbook.xlsx.rowedit import RowEditor
from batchbook.xlsx.scan import SheetScan
from batchbook.xlsx.sheetedit import split_head
from batchbook.xlsx.values import CellValue
from batchbook.xlsx.zipwriter import PartWriter

_MERGES = re.compile(rb"<(?:[\w.-]+:)?mergeCells(?=[\s/>])[^<>]*+>")
_MERGES_END = re.compile(rb"</(?:[\w.-]+:)?mergeCells\s*>")
FLUSH = 500


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column of a machine-owned sheet: its header and its width in characters."""

    header: str
    width: float = 14


@dataclass(frozen=True, slots=True)
class SheetContent:
    """The whole content of a machine-owned sheet: its columns, and the rows below the header."""

    columns: Sequence[SheetColumn]
    rows: Iterable[Sequence[CellValue]]


def check_columns(sheet: str, content: SheetContent) -> None:
    """A sheet needs at least one column, and not more than there can be."""
    if not 1 <= len(content.columns) <= MAX_COLUMN:
        raise WorkbookNotSupported(f"Sheet {sheet} would have {len(content.columns)} columns.", "Nothing was written.")


def write_rows(editor: RowEditor, content: SheetContent, header_style: int, scan: SheetScan, out: PartWriter) -> Range:
    """Write the header and the rows; returns the area they take."""
    encode = scan.recoder.encode
    titles = {i: column.header for i, column in enumerate(content.columns, 1)}
    bold = str(header_style) if header_style else ""
    pieces = [editor.created(1, titles, lambda _: bold)]
    number = 1
    for values in content.rows:
        number += 1
        if len(values) > len(titles):
            raise editor.refused(number, len(titles) + 1, "the row has more values than the sheet has columns")
        pieces.append(editor.created(number, dict(enumerate(values, 1)), None))
        if len(pieces) >= FLUSH:
            out.write(encode(b"".join(pieces)))
            pieces.clear()
    out.write(encode(b"".join(pieces)))
    return Range(1, 1, number, len(titles))


def fresh_sheet(namespace: str, content: SheetContent) -> list[bytes]:
    """The XML of a new sheet: with nothing in its rows, in the pieces that a scan takes."""
    last = COLUMN_LETTERS[len(content.columns)]
    columns = "".join(
        f'<col min="{i}" max="{i}" width="{column.width:g}" customWidth="1"/>'
        for i, column in enumerate(content.columns, 1)
    )
    return [
        (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            f'<worksheet xmlns="{namespace}"><dimension ref="A1"/><sheetViews><sheetView workbookViewId="0">'
            '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
            '<selection pane="bottomLeft" activeCell="A2" sqref="A2"/></sheetView></sheetViews>'
            f'<sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols><sheetData/>'
            f'<autoFilter ref="A1:{last}1"/></worksheet>'
        ).encode()
    ]


def exchange_rows(
    scan: SheetScan, editor: RowEditor, content: SheetContent, header_style: int, out: PartWriter
) -> Range:
    """Write a sheet with its surroundings as they are and other rows; dimension and filter follow."""
    encode = scan.recoder.encode
    head = split_head(scan.head)
    if head.held:
        out.hold(encode(head.held))
    out.write(encode(head.rest))
    opened = scan.open_tag[:-2].rstrip() + b">" if scan.empty else scan.open_tag
    out.write(encode(opened))
    area = write_rows(editor, content, header_style, scan, out)
    for _ in scan.segments():
        pass
    tail = scan.close_tag + scan.tail if scan.empty else scan.tail
    out.write(encode(_refitted(tail, area)))
    if head.held:
        out.rehold(encode(head.dimensioned(area)))
    return area


def _refitted(tail: bytes, area: Range) -> bytes:
    masked = mask(tail) if has_marks(tail) else tail
    merges = _MERGES.search(masked)
    if merges:  # merged cells of the old rows would hide values of the new ones
        ended = merges if merges[0].endswith(b"/>") else _MERGES_END.search(masked, merges.end())
        tail = tail[: merges.start()] + tail[(ended or merges).end() :]
        masked = mask(tail) if has_marks(tail) else tail
    found = FILTER_REF.search(masked)
    if found is None:
        return tail
    group = 1 if found[1] is not None else 2
    return tail[: found.start(group)] + str(area).encode() + tail[found.end(group) :]
