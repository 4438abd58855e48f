"""Report workbooks: new files for people to read, made sheet by sheet from rows that are taken one by one.

A report says in its properties that it is one, so that only a report is ever replaced by the next. Texts stay texts,
whatever they begin with.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias

from defusedxml.ElementTree import fromstring

from batchbook.errors import UsageError
from batchbook.hiding import hide
from batchbook.storage.exporting import export_file
from batchbook.storage.links import followed
from batchbook.storage.owners import check_not_open
from batchbook.tables.csvexport import EXCEL_ROWS
from batchbook.xlsx import SheetColumn
from batchbook.xlsx.values import CellValue, ErrorValue, Formula, Link

MAKER = "batchbook"
KEYWORD = "batchbook-report"
"""In a report's properties; `category` there is the run that it is about."""
MOST_LINKS = 20_000
"""As many links of a sheet are links, later ones their address: each takes memory, and Excel opens 65,530 at most."""
_LINE = 13.5
"""Points that a line of text is high."""
_MOST_LINES = 12
MOST_CHARACTERS = 32_767
"""A cell holds no longer text."""

Tone: TypeAlias = Literal["bad", "warn", "good"]

_MOST_PROPERTIES = 1 << 20
_EXACT = 2**53
_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_TITLE = re.compile(r"[\[\]:*?/\\\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Toned:
    """A value that is to be seen at a glance, by a colour."""

    value: CellValue
    tone: Tone


ReportCell: TypeAlias = CellValue | Toned


@dataclass(frozen=True, slots=True)
class ReportSheet:
    """A sheet of a report: a table below a header row, or (`columns` without headers) lines of a summary.

    A line of a summary that has one cell is a heading; the first cell of a longer one is the name of what follows.
    """

    title: str
    columns: Sequence[SheetColumn]
    rows: Iterable[Sequence[ReportCell]]
    none: str = ""
    """What a table says that has no rows."""
    frozen: int = 1
    """How many columns stay in sight when a table is scrolled."""

    @property
    def headed(self) -> bool:
        """Whether it is a table."""
        return any(column.header for column in self.columns)


@dataclass(frozen=True, slots=True)
class ReportMark:
    """What a report's properties say: the run that it is about, and whether somebody saved it since it was made."""

    run: str
    edited: bool


def report_mark(path: Path) -> ReportMark | None:
    """The mark of a report made by batchbook; None where the file is something else or cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("docProps/core.xml").file_size > _MOST_PROPERTIES:
                return None
            root = fromstring(archive.read("docProps/core.xml"))
    except Exception:  # noqa: BLE001 - of a damaged file anything; it is no report to be replaced then
        return None
    said = {element.tag.rpartition("}")[2]: element.text or "" for element in root}
    if said.get("keywords") != KEYWORD:
        return None
    return ReportMark(said.get("category", ""), said.get("lastModifiedBy") != MAKER)


def report_target(path: Path) -> Path:
    """The file that a person means by a path for a report.

    Raises UsageError where it cannot be one, or holds anything but a report as batchbook made it; WorkbookInUse where
    somebody has that report open.
    """
    target = followed(path)
    for named in {path, target}:
        if named.suffix.lower() != ".xlsx":
            raise UsageError(
                f"{named} is not the name of a report workbook, so nothing was written.",
                "Give a file whose name ends in .xlsx.",
            )
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}.", "Make it first, or give a file in another folder.")
    if target.exists():
        mark = report_mark(target) if target.is_file() else None
        if mark is None:
            raise UsageError(
                f"{target} is there and is no report made by batchbook, so it is not replaced.", "Give another name."
            )
        if mark.edited:
            raise UsageError(
                f"{target} is a report that somebody has saved since it was made, so it is not replaced.",
                "Give another name, or move that file away.",
            )
        check_not_open(target)
    return target


@dataclass(frozen=True, slots=True)
class ReportFile:
    """Where a report goes, and what its properties say."""

    path: Path
    """As `report_target` gave it, or a file that is not there."""
    run: str
    title: str
    label: str = "report"
    """Part of the temporary file's name."""
    state: bool = False
    """Whether it is state, which is not for everybody to read (see `storage.private`)."""


def write_report(file: ReportFile, sheets: Sequence[ReportSheet]) -> dict[str, int]:
    """Write a report, in the place of what is there; gives the number of rows by sheet.

    Rows are taken one by one and can be more than memory holds; what is too much for one sheet goes on in the next.
    Raises SaveFailed where the disk does not take it; what was there before is then as it was.
    """
    return export_file(
        file.path, lambda stream: _Writer(file).write(stream, sheets), label=file.label, state=file.state
    )


class _Writer:
    """Writes one report through openpyxl, a row at a time."""

    def __init__(self, file: ReportFile) -> None:
        from openpyxl import Workbook
        from openpyxl.packaging.core import DocumentProperties

        self._book = Workbook(write_only=True)
        self._book.properties = DocumentProperties(
            creator=MAKER, lastModifiedBy=MAKER, keywords=KEYWORD, category=file.run, title=plain_text(file.title)
        )
        self._looks = _Looks()

    def write(self, stream: BinaryIO, sheets: Sequence[ReportSheet]) -> dict[str, int]:
        try:
            counts = {sheet.title: self._sheet(sheet) for sheet in sheets}
            self._save(stream)
        finally:
            self._clean()
        return counts

    def _save(self, stream: BinaryIO) -> None:
        from openpyxl.writer.excel import ExcelWriter

        # Not `Workbook.save`: where the disk is full that leaves an archive behind which complains when it is closed.
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            ExcelWriter(self._book, archive).save()

    def _clean(self) -> None:
        """The temporary files of sheets that were not finished."""
        for page in self._book.worksheets:
            writer = getattr(page, "_writer", None)
            if writer is not None and not page.closed:
                page.close()
            if writer is not None and Path(writer.out).exists():
                writer.cleanup()

    def _sheet(self, sheet: ReportSheet) -> int:
        count, part = 0, 1
        rows = iter(sheet.rows)
        page = _Page(self._book, sheet, part, self._looks)
        for row in rows:
            if page.full:
                page.finish()
                part += 1
                page = _Page(self._book, sheet, part, self._looks)
            page.add(row)
            count += 1
        if not count and sheet.none:
            page.add([sheet.none])
        page.finish()
        return count


class _Page:
    """One sheet of the file, or what of it fits."""

    def __init__(self, book: Any, sheet: ReportSheet, part: int, looks: _Looks) -> None:
        self._sheet = sheet
        self._looks = looks
        self._page: Any = book.create_sheet(_title(sheet.title, part))
        looks.use(self._page)
        self._rows = 0
        self._links = 0
        for letter, column in zip(_letters(len(sheet.columns)), sheet.columns, strict=True):
            self._page.column_dimensions[letter].width = column.width
        self._page.sheet_view.showGridLines = sheet.headed
        self._page.page_setup.orientation = "landscape" if sheet.headed else "portrait"
        self._page.page_setup.fitToWidth, self._page.page_setup.fitToHeight = 1, 0
        self._page.sheet_properties.pageSetUpPr = looks.fit_to_page
        if sheet.headed:
            self._page.freeze_panes = f"{_letters(sheet.frozen + 1)[-1]}2"
            self._page.print_title_rows = "1:1"
            self._append([self._cell(column.header, _HEADER) for column in sheet.columns], least=18.0)

    @property
    def full(self) -> bool:
        return self._rows >= EXCEL_ROWS

    def add(self, row: Sequence[ReportCell]) -> None:
        """A row of a table, a line of a summary, or what is said of a table without rows."""
        if self._sheet.headed:
            self._append([self._value(one, _BODY) for one in row])
        elif len(row) == 1 and not self._rows:
            self._append([self._value(row[0], _TITLE)], least=26.0)
        elif len(row) == 1:
            self._append([])
            self._append([self._value(row[0], _HEADING)], least=20.0)
        else:
            self._append([self._value(row[0], _NAME), *(self._value(one, _VALUE) for one in row[1:])])

    def _append(self, cells: list[Any], least: float = _LINE) -> None:
        """Programs other than Excel do not make a row as high as its text needs."""
        widths = (column.width for column in self._sheet.columns)
        lines = max((_lines(cell.value, width) for cell, width in zip(cells, widths, strict=False) if cell), default=1)
        self._rows += 1
        self._page.row_dimensions[self._rows].height = max(least, min(lines, _MOST_LINES) * _LINE)
        self._page.append(cells)
        del self._page.row_dimensions[self._rows]

    def finish(self) -> None:
        if self._sheet.headed and self._rows > 1:
            self._page.auto_filter.ref = f"A1:{_letters(len(self._sheet.columns))[-1]}{self._rows}"
        self._page.close()

    def _value(self, given: ReportCell, look: _Look) -> Any:
        value, tone = (given.value, given.tone) if isinstance(given, Toned) else (given, None)
        if isinstance(value, Link):
            return self._link(value, look)
        return self._cell(value, look, tone)

    def _link(self, link: Link, look: _Look) -> Any:
        shown = link.text or link.url
        if not link.url.lower().startswith(("https://", "http://", "mailto:")):
            return self._cell(shown if shown == link.url else f"{shown} ({link.url})", look)
        if self._links >= MOST_LINKS:
            return self._cell(link.url, look)
        self._links += 1
        cell = self._cell(shown, look, "link")
        cell.hyperlink = plain_text(link.url)
        return cell

    def _cell(self, value: CellValue, look: _Look, tone: str | None = None) -> Any:
        """None for a blank: the cell is not written."""
        from openpyxl.cell import WriteOnlyCell

        shown, format = _shown(value)
        if shown is None and tone is None:
            return None
        cell: Any = WriteOnlyCell(self._page, None)
        cell.value = shown
        if isinstance(shown, str):
            cell.data_type = "s"  # never a formula, nor an error value
        cell._style = self._looks.style(look, tone, format, quoted=isinstance(shown, str) and shown[:1] in _QUOTED)
        return cell


_QUOTED = ("=", "+", "-", "@")
"""A text that begins so gets the mark by which Excel leaves it a text when somebody edits it."""


@dataclass(frozen=True, slots=True)
class _Look:
    font: str
    fill: str = ""
    wrap: bool = True
    fills: bool = True
    """Whether a tone is the cell's colour, rather than the text's."""


_HEADER = _Look("header", "header")
_BODY = _Look("body")
_TITLE = _Look("title", wrap=False)
_HEADING = _Look("heading", wrap=False)
_NAME = _Look("name")
_VALUE = _Look("body", fills=False)


def _lines(value: object, width: float) -> int:
    """About how many lines a cell's text takes in a column of this width."""
    if not isinstance(value, str):
        return 1
    return sum(max(1, math.ceil(len(line) / max(width - 1, 1))) for line in value.split("\n"))


@dataclass
class _Looks:
    """The styles of a report; each is made once."""

    _made: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    _maker: Any = None

    @property
    def fit_to_page(self) -> Any:
        from openpyxl.worksheet.properties import PageSetupProperties

        return PageSetupProperties(fitToPage=True)

    def style(self, look: _Look, tone: str | None, format: str, *, quoted: bool) -> Any:
        key = (look, tone, format, quoted)
        if key not in self._made:
            self._made[key] = self._make(look, tone, format, quoted)
        return self._made[key]

    def use(self, page: Any) -> None:
        """Styles are made in the workbook of this sheet."""
        self._maker = page

    def _make(self, look: _Look, tone: str | None, format: str, quoted: bool) -> Any:
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

        cell: Any = WriteOnlyCell(self._maker)
        toned = _FONTS["link"] if tone == "link" else {} if look.fills else _TONES.get(tone or "", {})
        cell.font = Font(**{**_FONTS[look.font], **toned})
        fill = _FILLS.get(tone or look.fill) if look.fills else None
        if fill:
            cell.fill = PatternFill("solid", start_color=fill)
        level = "center" if look is _HEADER else "top"
        cell.alignment = Alignment(horizontal=None if look.fills else "left", vertical=level, wrap_text=look.wrap)
        if look is _HEADER:
            cell.border = Border(bottom=Side("medium", color="FF1F3864"))
        cell.number_format = format
        cell.quotePrefix = quoted
        return cell._style


_FONTS: dict[str, dict[str, Any]] = {
    "body": {"name": "Calibri", "size": 10},
    "header": {"name": "Calibri", "size": 10, "bold": True, "color": "FFFFFFFF"},
    "title": {"name": "Calibri", "size": 16, "bold": True, "color": "FF1F3864"},
    "heading": {"name": "Calibri", "size": 12, "bold": True, "color": "FF1F3864"},
    "name": {"name": "Calibri", "size": 10, "color": "FF595959"},
    "link": {"color": "FF0563C1", "underline": "single"},
}
_TONES: dict[str, dict[str, Any]] = {
    "bad": {"bold": True, "color": "FFC00000"},
    "warn": {"bold": True, "color": "FF9C5700"},
    "good": {"bold": True, "color": "FF375623"},
}
_FILLS = {"header": "FF1F3864", "bad": "FFF8CBAD", "warn": "FFFFE699", "good": "FFE2EFDA"}


def _shown(value: CellValue) -> tuple[str | bool | int | float | dt.date | dt.time | dt.timedelta | None, str]:
    """A value as openpyxl takes it, with its number format."""
    if isinstance(value, bool) or value is None:
        return value, "General"
    if isinstance(value, Decimal | float | int):
        number = float(value) if isinstance(value, Decimal) else value
        exact = number == number and abs(number) < _EXACT
        return (number, "General") if exact else (plain_text(str(value)), "General")
    if isinstance(value, dt.date):
        return _date(value)
    if isinstance(value, dt.time):
        return value, "hh:mm:ss"
    if isinstance(value, dt.timedelta):
        return value, "[h]:mm:ss"
    return plain_text(_words(value)) or None, "General"


def _date(value: dt.date) -> tuple[str | dt.date, str]:
    if value.year < 1901 or (isinstance(value, dt.datetime) and value.tzinfo is not None):
        return value.isoformat(), "General"  # no date of a cell
    timed = isinstance(value, dt.datetime) and value.time() != dt.time()
    return value, "yyyy-mm-dd hh:mm:ss" if timed else "yyyy-mm-dd"


def _words(value: str | Link | ErrorValue | Formula) -> str:
    if isinstance(value, Formula):
        return f"={value.text}" if value.text else value.shown
    if isinstance(value, Link):
        return value.text
    return value.code if isinstance(value, ErrorValue) else value


def plain_text(text: str) -> str:
    """The text as a cell can hold it: without secrets, and without characters that are none in XML."""
    text = _NOT_IN_XML.sub("\ufffd", hide(text))
    text = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
    # Excel reads _x0041_ as the letter A; with its first character escaped it is what it is.
    return _ESCAPED.sub("_x005F_", text)


def _title(title: str, part: int) -> str:
    more = f" ({part})" if part > 1 else ""
    return _NOT_IN_TITLE.sub(" ", plain_text(title))[: 31 - len(more)] + more


def _letters(count: int) -> list[str]:
    from batchbook.xlsx import letters

    return [letters(column) for column in range(1, count + 1)]
