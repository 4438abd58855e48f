"""What a cell of a sheet holds, decoded from its XML."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from batchbook.errors import WorkbookDamaged
from batchbook.xlsx.dates import clock, moment, span
from batchbook.xlsx.formats import Kind, kind_of, shown
from batchbook.xlsx.places import MAX_COLUMN, parse_cell
from batchbook.xlsx.stringtable import StringTable, decode_hex, rich_text
from batchbook.xlsx.styles import GENERAL, Styles
from batchbook.xlsx.values import CellValue, ErrorValue, Link
from batchbook.xlsx.xmltext import Element, outline, whole

EXACT = 2**53
"""Whole numbers up to this one are themselves in a cell."""
_LITERAL = r'"(?:[^"]++|"")*+"'
_LITERALS = rf"{_LITERAL}(?:\s*&\s*{_LITERAL})*"
_HYPERLINK = re.compile(rf"\s*HYPERLINK\(\s*({_LITERALS})\s*,\s*({_LITERALS})\s*\)\s*\Z", re.IGNORECASE)
_ONE = re.compile(_LITERAL)
_MAX_FORMULA: Final = 20_000


@dataclass(slots=True)
class Cell:
    """A cell that is not empty."""

    value: CellValue
    formula: str | None = None
    """The formula without its ``=``; empty where the cell shares that of another one; None without a formula."""
    format: str = GENERAL
    uncalculated: bool = False
    """Whether it is a formula whose result is not in the file."""

    def shown(self) -> str:
        """About what Excel shows in a wide cell."""
        if isinstance(self.value, Link):
            return self.value.text
        return shown(self.value, self.format)


@lru_cache(maxsize=1024)
def link_of(formula: str) -> Link | None:
    """The link that a formula of literals makes."""
    if len(formula) > _MAX_FORMULA:
        return None
    match = _HYPERLINK.match(formula)
    if match is None:
        return None
    url, text = ("".join(one[1:-1].replace('""', '"') for one in _ONE.findall(part)) for part in match.groups())
    return Link(url, text)


def number(text: str) -> int | float | None:
    """A number as a sheet writes it, or None."""
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    try:
        value = float(text)
    except ValueError:
        return None
    if value.is_integer() and abs(value) <= EXACT:
        return int(value)
    return value if abs(value) < float("inf") else None


def dated(value: int | float, kind: Kind, *, date1904: bool) -> CellValue:
    """A number under a date format; the number itself where there is no such date."""
    if kind is Kind.ELAPSED:
        return span(value) if span(value) is not None else value
    if kind is Kind.TIME or not date1904:
        time = clock(value)
        if time is not None:
            return time
    when = moment(value, date1904=date1904)
    return value if when is None else when


def iso_date(text: str) -> dt.datetime | dt.time | str:
    """A date in ISO form, as the cell type `d` holds it."""
    for parse in (dt.datetime.fromisoformat, dt.time.fromisoformat):
        try:
            return parse(text.strip())
        except ValueError:
            continue
    return text


class Decoder:
    """Decodes the rows of one sheet, however they are written."""

    def __init__(self, styles: Styles, strings: Callable[[], StringTable], *, date1904: bool) -> None:
        self.styles = styles
        self._strings_of = strings
        self._strings: StringTable | None = None
        self._date1904 = date1904
        self._kinds = [kind_of(code) for code in styles.formats]

    def row(self, row: bytes, wanted: frozenset[int] | None) -> dict[int, Cell]:
        """The cells of a row, however it is written."""
        cells: dict[int, Cell] = {}
        for column, element in cells_of(outline(row, "a row of a sheet")):
            if wanted is None or column in wanted:
                cell = self._from_element(element)
                if cell is not None:
                    cells[column] = cell
        return cells

    def _from_element(self, element: Element) -> Cell | None:
        formula, value, inline = element.one("f"), element.one("v"), element.one("is")
        style = element.get("s")
        return self.cell(
            whole(style),
            element.get("t", "n"),
            None if formula is None else decode_hex(formula.text),
            None if value is None else value.text,
            None if inline is None else rich_text(inline),
        )

    def cell(self, style: int, kind: str, formula: str | None, raw: str | None, inline: str | None) -> Cell | None:
        """The cell of a style and type with the text of its formula, value and inline text; None if it is empty."""
        code = self.styles.format(style)
        if kind == "inlineStr" and (inline is not None or raw is None):
            if inline is None and formula is None:
                return None
            value: CellValue = inline
        elif raw is None or (raw == "" and kind not in ("str", "inlineStr")):
            if formula is None:
                return None
            value = None
        else:
            value = self.value(kind, raw, style)
        uncalculated = formula is not None and value is None
        if formula and formula.lstrip()[:1] in "Hh":  # most formulas are no links, and this is quick to see
            value = link_of(formula) or value
        return Cell(value, formula, code, uncalculated and not isinstance(value, Link))

    @property
    def strings(self) -> StringTable:
        """The shared strings, read when they are first asked for."""
        if self._strings is None:
            self._strings = self._strings_of()
        return self._strings

    def _shared(self, raw: str) -> str:
        try:
            return self.strings[int(raw)]
        except ValueError:
            raise WorkbookDamaged(f"A cell refers to the shared string {raw[:40]!r}.") from None

    def shows(self, style: int) -> Kind:
        """What the format of a style makes of a number."""
        return self._kinds[style] if style < len(self._kinds) else Kind.NUMBER

    def value(self, kind: str, raw: str, style: int) -> CellValue:
        """The value of a text under a type and style."""
        if kind == "s":
            return self._shared(raw)
        if kind == "str":
            return decode_hex(raw)
        if kind == "inlineStr":
            return raw
        if kind == "b":
            return raw.strip() in ("1", "true")
        if kind == "e":
            return ErrorValue(raw)
        if kind == "d":
            return iso_date(raw)
        found = number(raw.strip())
        if found is None:
            return raw
        shows = self.shows(style)
        return found if shows is Kind.NUMBER else dated(found, shows, date1904=self._date1904)


def cells_of(row: Element) -> list[tuple[int, Element]]:
    """The cells of a row with their columns; one without a reference counts on from the one before."""
    found = []
    column = 0
    for element in row.children:
        if element.name != "c":
            continue
        reference = element.get("r")
        if reference:
            place = parse_cell(reference.strip())
            if place is None:
                raise WorkbookDamaged(f"A sheet has a cell named {reference[:40]!r}.")
            column = place[1]
        else:
            column += 1
        if column > MAX_COLUMN:
            raise WorkbookDamaged("A row of a sheet has more columns than there can be.")
        found.append((column, element))
    return found
