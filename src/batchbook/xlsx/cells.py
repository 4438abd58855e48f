"""What a cell of a sheet holds, decoded from its XML."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from batchbook.errors import WorkbookDamaged
from batchbook.xlsx.dates import clock, moment, span
from batchbook.xlsx.formats import Kind, kind_of, shown
from batchbook.xlsx.places import COLUMN_LETTERS, COLUMN_NUMBERS, MAX_COLUMN, parse_cell
from batchbook.xlsx.scan import RowSpan
from batchbook.xlsx.stringtable import StringTable, decode_hex, plain_text, resolved, rich_text
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


@lru_cache(maxsize=4)
def cell_pattern(prefix: bytes) -> re.Pattern[bytes]:
    """A cell as most programs write it: column, style, type, formula, value, inline text."""
    p = re.escape(prefix)
    return re.compile(
        rb'\s*<%bc r="([A-Z]{1,3})[0-9]+"(?: s="([0-9]{1,9})")?(?: t="([a-zA-Z]+)")?'
        rb"(?: ?/>|>(?:<%bf>([^<]*)</%bf>)?(?:<%bv>([^<]*)</%bv>|<%bv ?/>)?"
        rb'(?:<%bis><%bt(?: xml:space="preserve")?>([^<]*)</%bt></%bis>)?</%bc>)' % ((p,) * 11)
    )


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
    """Decodes the rows of one sheet."""

    def __init__(self, prefix: bytes, styles: Styles, strings: Callable[[], StringTable], *, date1904: bool) -> None:
        self._pattern = cell_pattern(prefix)
        self._mark = b'<%bc r="' % prefix
        self._any_cell = b"<%bc" % prefix
        self._styles = styles
        self._strings_of = strings
        self._strings: StringTable | None = None
        self._date1904 = date1904
        self._kinds = [kind_of(code) for code in styles.formats]

    def fast(self, text: bytes, start: int, end: int, wanted: frozenset[int] | None) -> dict[int, Cell] | None:
        """The cells of a row between two places; None where they are not written as usual."""
        cells: dict[int, Cell] = {}
        match = self._pattern.match
        last = 0
        while start < end:
            found = match(text, start, end)
            if found is None:
                return None if text[start:end].strip() else cells
            start = found.end()
            column = COLUMN_NUMBERS.get(found[1].decode(), 0)
            if column <= last:
                return None
            last = column
            if wanted is not None and column not in wanted:
                continue
            cell = self._matched(found)
            if cell is not None:
                cells[column] = cell
        return cells

    def picked(
        self, text: bytes, span: RowSpan, end: int, wanted: Sequence[tuple[int, bytes]]
    ) -> dict[int, Cell] | None:
        """As `fast` for a few columns, which are searched for: their numbers and what their cells begin with."""
        start = span.inner
        if text.count(self._any_cell, start, end) != text.count(self._mark, start, end):
            return None
        cells: dict[int, Cell] = {}
        number = b'%d"' % span.number
        for column, needle in wanted:
            at = text.find(needle + number, start, end)
            if at < 0:
                if text.find(b"&#", start, end) >= 0:  # a reference may be written with character references
                    return None
                continue
            found = self._pattern.match(text, at, end)
            if found is None:
                return None
            cell = self._matched(found)
            if cell is not None:
                cells[column] = cell
        return cells

    def needles(self, wanted: frozenset[int]) -> list[tuple[int, bytes]]:
        """What `picked` searches for."""
        known = (column for column in sorted(wanted) if 1 <= column <= MAX_COLUMN)
        return [(column, self._mark + COLUMN_LETTERS[column].encode()) for column in known]

    def _matched(self, found: re.Match[bytes]) -> Cell | None:
        _, style, kind, formula, value, inline = found.groups()
        if formula is None and value is None and inline is None:
            return None
        return self._cell(
            int(style) if style else 0,
            kind.decode() if kind else "n",
            None if formula is None else plain_text(formula),
            None if value is None else resolved(value),
            None if inline is None else plain_text(inline),
        )

    def slow(self, row: bytes, wanted: frozenset[int] | None) -> dict[int, Cell]:
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
        return self._cell(
            whole(style),
            element.get("t", "n"),
            None if formula is None else decode_hex(formula.text),
            None if value is None else value.text,
            None if inline is None else rich_text(inline),
        )

    def _cell(self, style: int, kind: str, formula: str | None, raw: str | None, inline: str | None) -> Cell | None:
        code = self._styles.format(style)
        if kind == "inlineStr":
            if inline is None and raw is None and formula is None:
                return None
            value: CellValue = inline if inline is not None else raw
        elif raw is None or (raw == "" and kind != "str"):
            if formula is None:
                return None
            value = None
        elif kind == "s":
            value = self._shared(raw)
        else:
            value = self._value(kind, raw, style)
        uncalculated = formula is not None and value is None
        if formula:
            value = link_of(formula) or value
        return Cell(value, formula, code, uncalculated and not isinstance(value, Link))

    def _shared(self, raw: str) -> str:
        if self._strings is None:
            self._strings = self._strings_of()
        try:
            return self._strings[int(raw)]
        except ValueError:
            raise WorkbookDamaged(f"A cell refers to the shared string {raw[:40]!r}.") from None

    def _value(self, kind: str, raw: str, style: int) -> CellValue:
        if kind == "str":
            return decode_hex(raw)
        if kind == "b":
            return raw.strip() in ("1", "true")
        if kind == "e":
            return ErrorValue(raw)
        if kind == "d":
            return iso_date(raw)
        found = number(raw.strip())
        if found is None:
            return raw
        shows = self._kinds[style] if style < len(self._kinds) else Kind.NUMBER
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
