"""Where the cells of a row stand, found by searching its bytes: for rows that are written as most programs do."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
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
        close = text.rfind(b"</", start, end)
        found = list(self._starts.finditer(text, start, close))
        if len(found) != text.count(self._any_cell, start, close) or text.find(self._extension, start, close) >= 0:
            return None
        known = [_NUMBERS.get(match[1], 0) for match in found]
        number = b"%d" % row
        if any(a >= b for a, b in pairwise(known)) or any(m[2] != number for m in found):
            return None
        starts = [match.start() for match in found]
        starts.append(close)
        cuts = []
        for column in columns:
            i = bisect_left(known, column)
            if i < len(known) and known[i] == column:
                cut = self._present(text, starts[i], starts[i + 1])
                if cut is None:
                    return None
                cuts.append(cut)
            else:
                cuts.append(Cut(starts[i], starts[i], None, False, False))
        return cuts

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
