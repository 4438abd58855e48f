"""How reports look: fonts, colours and lines, each style made once for a workbook."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

QUOTED = ("=", "+", "-", "@")
"""A text that begins so gets the mark by which Excel leaves it a text when somebody edits it."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a cell looks: its font and fill by name, whether its text is wrapped."""

    font: str
    fill: str = ""
    wrap: bool = True
    fills: bool = True
    """Whether a tone is the cell's colour, rather than the text's."""
    right: bool = False
    """Whether it stands over numbers."""


HEADER = Look("header", "header")
HEADER_OF_NUMBERS = Look("header", "header", right=True)
BODY = Look("body")
TITLE = Look("title", wrap=False)
HEADING = Look("heading", wrap=False)
NAME = Look("name")
VALUE = Look("body", fills=False)


@dataclass
class Looks:
    """The styles of a report; each is made once."""

    _made: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    _maker: Any = None

    @property
    def fit_to_page(self) -> Any:
        """What makes pages as wide as the sheet."""
        from openpyxl.worksheet.properties import PageSetupProperties

        return PageSetupProperties(fitToPage=True)

    def style(self, look: Look, tone: str | None, format: str, *, quoted: bool) -> Any:
        """The style of a cell with this look, tone and number format."""
        key = (look, tone, format, quoted)
        if key not in self._made:
            self._made[key] = self._make(look, tone, format, quoted)
        return self._made[key]

    def use(self, page: Any) -> None:
        """Styles are made in the workbook of this sheet."""
        self._maker = page

    def _make(self, look: Look, tone: str | None, format: str, quoted: bool) -> Any:
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

        cell: Any = WriteOnlyCell(self._maker)
        toned = _FONTS["link"] if tone == "link" else {} if look.fills else _TONES.get(tone or "", {})
        cell.font = Font(**{**_FONTS[look.font], **toned})
        fill = _FILLS.get(tone or look.fill) if look.fills else None
        if fill:
            cell.fill = PatternFill("solid", start_color=fill)
        heads = look in (HEADER, HEADER_OF_NUMBERS)
        side = "right" if look.right else None if look.fills else "left"
        cell.alignment = Alignment(horizontal=side, vertical="center" if heads else "top", wrap_text=look.wrap)
        if heads:
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


def lines_of(value: object, width: float) -> int:
    """About how many lines a cell's text takes in a column of this width."""
    if not isinstance(value, str):
        return 1
    return sum(max(1, math.ceil(len(line) / max(width - 1, 1))) for line in value.split("\n"))
