"""Where the cells of a row stand, found by searching its bytes: for rows that are written as most programs do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from batchbook.xlsx.places import COLUMN_LETTERS

LETTER_BYTES = tuple(name.encode() for name in COLUMN_LETTERS)
_NUMBERS = {name: number for number, name in enumerate(LETTER_BYTES) if name}
_STYLE = re.compile(rb' s="([0-9]{1,9})"')


class Cut(NamedTuple):
    """A cell to be replaced, or the place for a new one."""

    start: int
    end: int
    style: bytes | None
    present: bool
    formula: bool


class RowCutter:
    """Finds cells in rows of one sheet. What it does not know for certain it leaves to a parser, by None."""

    def __init__(self, prefix: bytes) -> None:
        p = re.escape(prefix)
        self._mark = b'<%bc r="' % prefix
        self._any_cell = b"<%bc" % prefix
        self._any_formula = b"<%bf" % prefix
        self._ends = (b"</%bc>" % prefix, b"/>")
        self._extension = b"<%bextLst" % prefix
        self._starts = re.compile(rb'<%bc r="([A-Z]{1,3})([0-9]{1,7})"' % p)
        self._tag = re.compile(rb'<%bc r="[A-Z0-9]{1,10}"((?: [\w:.-]+="[^"<>]*")*) ?(/?)>' % p)
        self._simple = re.compile(
            rb'<%bc r="[A-Z]{1,3}[0-9]{1,7}"(?: s="([0-9]{1,9})")?(?: t="[a-zA-Z]+")?(?: ?/>|>(?:<%bv>[^<]*</%bv>'
            rb'|<%bv ?/>|<%bis><%bt(?: xml:space="preserve")?>[^<]*</%bt></%bis>)?</%bc>)' % ((p,) * 9)
        )
        self._columns: tuple[int, ...] = ()
        self._needles: list[bytes] = []

    def cut(self, text: bytes, start: int, end: int, row: int, columns: tuple[int, ...]) -> list[Cut] | None:
        """A cut for each of the ascending columns in the row between `start` and `end`, or None."""
        if columns != self._columns:
            self._columns = columns
            self._needles = [self._mark + LETTER_BYTES[column] for column in columns]
        cuts = []
        done = start
        number = b'%d"' % row
        find, match = text.find, self._simple.match
        for needle in self._needles:
            at = find(needle + number, done, end)
            found = match(text, at, end) if at >= 0 else None
            if found is None:
                return self._cut_all(text, start, end, row, columns)
            done = found.end()
            cuts.append(Cut(at, done, found[1], True, False))
        return cuts

    def _cut_all(self, text: bytes, start: int, end: int, row: int, columns: Sequence[int]) -> list[Cut] | None:
        """As `cut`, for rows where cells are missing or hold formulas."""
        close = text.rfind(b"</", start, end)
        if text.count(self._any_cell, start, close) != text.count(self._mark, start, close):
            return None
        if text.find(self._extension, start, close) >= 0:
            return None
        number = b"%d" % row
        last_column = 0
        last_at = text.rfind(self._mark, start, close)
        if last_at >= 0:
            last = self._starts.match(text, last_at)
            if last is None or last[2] != number:
                return None
            last_column = _NUMBERS.get(last[1], 0)
        cuts: list[Cut] = []
        done = start
        for column, needle in zip(columns, self._needles, strict=True):
            at = text.find(needle + number + b'"', start, close)
            cut: Cut | None
            if at >= 0:
                following = text.find(self._mark, at + 1, close)
                cut = self._present(text, at, following if following >= 0 else close)
            elif column > last_column:
                cut = Cut(close, close, None, False, False)
            else:
                cut = self._gap(text, done, close, number, column)
            if cut is None or cut.start < done:
                return None
            cuts.append(cut)
            done = cut.end
        return cuts

    def _gap(self, text: bytes, done: int, close: int, row: bytes, column: int) -> Cut | None:
        """The place for a cell that is not there: before the first one of a higher column."""
        at = text.find(self._mark, done, close)
        while at >= 0:
            cell = self._starts.match(text, at)
            if cell is None or cell[2] != row:
                return None
            if _NUMBERS.get(cell[1], 0) > column:
                return Cut(at, at, None, False, False)
            at = text.find(self._mark, at + 1, close)
        return None

    def _present(self, text: bytes, start: int, limit: int) -> Cut | None:
        cell = text[start:limit].rstrip()
        tag = self._tag.match(cell)
        if tag is None or not cell.endswith(self._ends[bool(tag[2])]):
            return None
        if tag[2] and tag.end() != len(cell):
            return None
        formula = self._any_formula in cell
        if formula and b"shared" in cell:
            return None
        style = _STYLE.search(tag[1])
        return Cut(start, start + len(cell), style[1] if style else None, True, formula)
