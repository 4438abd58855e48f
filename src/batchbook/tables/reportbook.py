"""Report workbooks: new files for people to read, made sheet by sheet from rows that are taken one by one.

A report says in its properties that it is one, so that only a report is ever replaced by the next. Texts stay texts,
whatever they begin with.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from batchbook.storage.exporting import export_file
from batchbook.tables.bookout import discard_sheets, save_book
from batchbook.tables.csvexport import EXCEL_ROWS
from batchbook.tables.reportcells import Formatted, ReportCell, Tone, Toned, plain_text, shown_as, taken_apart
from batchbook.tables.reportcharts import Chart, ChartTable, add_charts
from batchbook.tables.reportfiles import (
    KEYWORD,
    MAKER,
    ReportFile,
    ReportMark,
    parts_digest,
    report_mark,
    report_target,
)
from batchbook.tables.reportlooks import (
    BODY,
    HEADER,
    HEADER_OF_NUMBERS,
    HEADING,
    NAME,
    QUOTED,
    TITLE,
    VALUE,
    Look,
    Looks,
    lines_of,
)
from batchbook.xlsx import SheetColumn
from batchbook.xlsx.values import CellValue, Link

__all__ = [
    "Chart",
    "Formatted",
    "ReportCell",
    "ReportFile",
    "ReportMark",
    "ReportSheet",
    "Tone",
    "Toned",
    "report_mark",
    "report_target",
    "write_report",
]

MOST_LINKS = 20_000
"""As many links of a sheet are links, later ones their address: each takes memory, and Excel opens 65,530 at most."""
_LINE = 13.5
"""Points that a line of text is high."""
_MOST_LINES = 12
_ON_ONE_PAGE = 60
"""A table with charts and no more rows is printed on one page, so that no chart is cut."""
_MEASURED = 1_000
"""As many rows have their heights kept, to place charts beside them."""
_NOT_IN_TITLE = re.compile(r"[\[\]:*?/\\\x00-\x1f]")


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
    numbers: Collection[str] = ()
    """Headers of columns that hold numbers: they stand at the right, as the numbers do."""
    charts: Sequence[Chart] = ()
    """Drawn from the table's rows, right of it; where it goes on in further sheets, from those of the first."""

    def __post_init__(self) -> None:
        headers = [column.header for column in self.columns]
        for chart in self.charts:
            for header in (chart.category, *chart.values):
                if not header or headers.count(header) != 1:
                    raise ValueError(
                        f"chart {chart.title!r}: {headers.count(header)} columns {header!r} in {self.title!r}"
                    )

    @property
    def headed(self) -> bool:
        """Whether it is a table."""
        return any(column.header for column in self.columns)


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
        self._looks = Looks()

    def write(self, stream: BinaryIO, sheets: Sequence[ReportSheet]) -> dict[str, int]:
        try:
            counts = {sheet.title: self._sheet(sheet) for sheet in sheets}
            save_book(self._book, stream, seal=parts_digest)
        finally:
            discard_sheets(self._book)
        return counts

    def _sheet(self, sheet: ReportSheet) -> int:
        count, part = 0, 1
        rows = iter(sheet.rows)
        page = _Page(self._book, sheet, part, self._looks)
        for row in rows:
            if page.full:
                page.finish(charts=part == 1)
                part += 1
                page = _Page(self._book, sheet, part, self._looks)
            page.add(row)
            count += 1
        if not count and sheet.none:
            page.add([sheet.none])
        page.finish(charts=part == 1 and count > 0)
        return count


class _Page:
    """One sheet of the file, or what of it fits."""

    def __init__(self, book: Any, sheet: ReportSheet, part: int, looks: Looks) -> None:
        self._sheet = sheet
        self._looks = looks
        self._page: Any = book.create_sheet(_title(sheet.title, part))
        looks.use(self._page)
        self._rows = 0
        self._heights: list[float] = []
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
            self._append(
                [
                    self._cell(column.header, HEADER_OF_NUMBERS if column.header in sheet.numbers else HEADER)
                    for column in sheet.columns
                ],
                least=18.0,
            )

    @property
    def full(self) -> bool:
        return self._rows >= EXCEL_ROWS

    def add(self, row: Sequence[ReportCell]) -> None:
        """A row of a table, a line of a summary, or what is said of a table without rows."""
        if self._sheet.headed:
            self._append([self._value(one, BODY) for one in row])
        elif len(row) == 1 and not self._rows:
            self._append([self._value(row[0], TITLE)], least=26.0)
        elif len(row) == 1:
            self._append([])
            self._append([self._value(row[0], HEADING)], least=20.0)
        else:
            self._append([self._value(row[0], NAME), *(self._value(one, VALUE) for one in row[1:])])

    def _append(self, cells: list[Any], least: float = _LINE) -> None:
        """Programs other than Excel do not make a row as high as its text needs."""
        widths = (column.width for column in self._sheet.columns)
        lines = max(
            (lines_of(cell.value, width) for cell, width in zip(cells, widths, strict=False) if cell), default=1
        )
        self._rows += 1
        height = max(least, min(lines, _MOST_LINES) * _LINE)
        if len(self._heights) < _MEASURED:
            self._heights.append(height)
        self._page.row_dimensions[self._rows].height = height
        self._page.append(cells)
        del self._page.row_dimensions[self._rows]

    def finish(self, *, charts: bool) -> None:
        """End the sheet behind its last row: the filter over its headers, and its charts where they are wanted."""
        if self._sheet.headed and self._rows > 1:
            self._page.auto_filter.ref = f"A1:{_letters(len(self._sheet.columns))[-1]}{self._rows}"
        if charts and self._sheet.charts:
            headers = [column.header for column in self._sheet.columns]
            if self._rows <= _ON_ONE_PAGE:
                self._page.page_setup.fitToHeight = 1
            add_charts(self._page, self._sheet.charts, ChartTable(headers, self._rows - 1, self._heights))
        self._page.close()

    def _value(self, given: ReportCell, look: Look) -> Any:
        value, tone, format = taken_apart(given)
        if isinstance(value, Link):
            return self._link(value, look)
        return self._cell(value, look, tone, format)

    def _link(self, link: Link, look: Look) -> Any:
        shown = link.text or link.url
        if not link.url.lower().startswith(("https://", "http://", "mailto:")):
            return self._cell(shown if shown == link.url else f"{shown} ({link.url})", look)
        if self._links >= MOST_LINKS:
            return self._cell(link.url, look)
        self._links += 1
        cell = self._cell(shown, look, "link")
        cell.hyperlink = plain_text(link.url)
        return cell

    def _cell(self, value: CellValue, look: Look, tone: str | None = None, wanted: str = "") -> Any:
        """None for a blank: the cell is not written."""
        from openpyxl.cell import WriteOnlyCell

        shown, format = shown_as(value)
        format = wanted if wanted and not isinstance(shown, str) else format
        if shown is None and tone is None:
            return None
        cell: Any = WriteOnlyCell(self._page, None)
        cell.value = shown
        if isinstance(shown, str):
            cell.data_type = "s"  # never a formula, nor an error value
        cell._style = self._looks.style(look, tone, format, quoted=isinstance(shown, str) and shown[:1] in QUOTED)
        return cell


def _title(title: str, part: int) -> str:
    more = f" ({part})" if part > 1 else ""
    return _NOT_IN_TITLE.sub(" ", plain_text(title))[: 31 - len(more)] + more


def _letters(count: int) -> list[str]:
    from batchbook.xlsx import letters

    return [letters(column) for column in range(1, count + 1)]
