"""How new workbooks look: fonts, colours and cells of the sheets that people then work in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

from batchbook.tables.plainkinds import Date, Text
from batchbook.tables.records import Colour, Column
from batchbook.xlsx.cellxml import check_value, hex_escaped
from batchbook.xlsx.dates import serial
from batchbook.xlsx.values import CellValue

INK = "FF1F3864"
FILLS = {
    "person": "FF1F3864",
    "both": "FF1F3864",
    "machine": "FF595959",
    "computed": "FF7F6000",
    "readme": "FFD9E1F2",
}
"""Headers: a column that people write, or share with the commands; the commands' own; one that is calculated."""
TONES: dict[Colour, tuple[str, str]] = {
    "bad": ("FFF8CBAD", "FF9C0006"),
    "warn": ("FFFFEB9C", "FF7F6000"),
    "good": ("FFE2EFDA", "FF375623"),
    "quiet": ("", "FF8C8C8C"),
}
"""Fill and font of each colour."""
QUOTED = ("=", "+", "-", "@")
"""A text that begins so gets the mark by which Excel leaves it a text when somebody edits it."""
LINE = 15.0
"""Points that a line of text is high."""


class NotWritable(ValueError):
    """A value that no cell can hold; the text says why."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a cell looks."""

    bold: bool = False
    size: float = 11
    ink: str = ""
    fill: str = ""
    format: str = "General"
    wrap: bool = False
    level: str = "top"
    side: str = ""
    """``left``, or ``right`` with a little room behind it, so that numbers do not touch the text of the next column."""
    ruled: bool = False
    quoted: bool = False


HEADERS = {owner: Look(True, 11, "FFFFFFFF", fill, wrap=True, level="center") for owner, fill in FILLS.items()}


def column_look(column: Column) -> Look:
    """How the cells of a column look, those included that are not there yet.

    Columns of texts are formatted as text, so that what people type stays what they typed: 1-2 is no day in February,
    and 0042 keeps its zeros. No text is wrapped: LibreOffice does not make a row as high as its text needs when a
    command added it.
    """
    side = {"INTEGER": "right", "REAL": "right"}.get(column.kind.sql, "left" if isinstance(column.kind, Date) else "")
    return Look(format="@" if isinstance(column.kind, Text) else column.kind.format, side=side)


@dataclass
class Looks:
    """The styles of one workbook; each is made once."""

    _made: dict[Look, Any] = field(default_factory=dict)

    def cell(self, page: Any, value: CellValue, look: Look) -> Any:
        """A cell for a sheet that is being written; texts stay texts, whatever they begin with. Raises NotWritable."""
        from openpyxl.cell import WriteOnlyCell

        _check(value)
        cell: Any = WriteOnlyCell(page, None)
        if isinstance(value, str):
            # Not by `value`: that takes no escapes, and cuts what is too long with them.
            cell._value, cell.data_type = hex_escaped(value), "s"
            look = replace(look, quoted=True) if value.startswith(QUOTED) else look
        else:
            cell.value = value
        cell._style = self._style(page, look)
        return cell

    def formula(self, page: Any, text: str, look: Look) -> Any:
        """A cell with a formula, given without the equals sign."""
        from openpyxl.cell import WriteOnlyCell

        cell: Any = WriteOnlyCell(page, f"={text}")
        cell._style = self._style(page, look)
        return cell

    def _style(self, page: Any, look: Look) -> Any:
        from openpyxl.cell import WriteOnlyCell

        if look not in self._made:
            cell: Any = WriteOnlyCell(page)
            dress(cell, look)
            self._made[look] = cell._style
        return self._made[look]


def _check(value: CellValue) -> None:
    if isinstance(value, dt.date):
        try:
            serial(value, date1904=False)
        except ValueError as refused:
            raise NotWritable(str(refused)) from None
        return
    problem = check_value(value)
    if problem:
        raise NotWritable(problem)


def dress(one: Any, look: Look) -> None:
    """Give a cell or a column of openpyxl its look."""
    from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

    one.font = Font(name="Calibri", size=look.size, bold=look.bold, color=look.ink or None)
    if look.fill:
        one.fill = PatternFill("solid", start_color=look.fill)
    one.alignment = Alignment(
        horizontal=look.side or None,
        vertical=look.level,
        wrap_text=look.wrap or None,
        indent=1 if look.side == "right" else 0,
    )
    if look.ruled:
        one.border = Border(bottom=Side("thin", color="FFD9D9D9"))
    one.number_format = look.format
    one.quotePrefix = look.quoted


def prepare_print(page: Any) -> None:
    """Print a sheet on A4 across, as wide as the page, with page numbers."""
    from openpyxl.worksheet.page import PageMargins
    from openpyxl.worksheet.properties import PageSetupProperties

    page.page_setup.orientation, page.page_setup.paperSize = "landscape", 9  # A4
    page.page_setup.fitToWidth, page.page_setup.fitToHeight = 1, 0
    page.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    page.page_margins = PageMargins(left=0.4, right=0.4, top=0.5, bottom=0.6, header=0.3, footer=0.3)
    page.oddFooter.left.text, page.oddFooter.right.text = "&A", "&P / &N"
