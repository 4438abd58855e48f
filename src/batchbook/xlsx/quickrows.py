"""The cells of rows that are written as most programs do, found by one regular expression a row.

Whatever is written in another way is left to the exact decoder, which parses the row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from batchbook.xlsx.cells import EXACT, Cell, Decoder, link_of
from batchbook.xlsx.formats import Kind
from batchbook.xlsx.places import COLUMN_LETTERS, COLUMN_NUMBERS, MAX_COLUMN
from batchbook.xlsx.rowtexts import RowCutting, RowText
from batchbook.xlsx.scan import SheetScan
from batchbook.xlsx.stringtable import plain_text, resolved
from batchbook.xlsx.values import CellValue
from batchbook.xlsx.xmltext import whole

FEW = 32
"""So many columns are searched for in each row; for more all its cells are gone through."""
_KNOWN = 1024
"""So many spellings of attributes are remembered."""
_VALUES = 10_000
"""So many values of a type and format are remembered: days above all, which are the same in many rows."""
_VALUE_LENGTH = 32
_EXACT_DIGITS = 15
_KINDS = ("s", "str", "b", "e", "d", "inlineStr")
_ATTRIBUTE = rb"\s+([A-Za-z_][A-Za-z0-9_.:-]*+)=\"([ !#-%'-;=?-~]*+)\""
_ONE_ATTRIBUTE = re.compile(_ATTRIBUTE)
_ATTRIBUTES = re.compile(rb"(?:%b)*+\s*+\Z" % _ATTRIBUTE)

Found: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""What a pattern captures of a cell, nothing being empty: letters and number of its reference, its other attributes,
its formula from the end of the start tag to that of the end tag, its value, a mark if it has one, and its inline text
behind a mark."""


class _Look(NamedTuple):
    """What the attributes of a cell say."""

    way: int
    format: str
    known: dict[bytes, CellValue]
    """Values of such cells by their text, as far as they were decoded by the exact way."""
    style: int
    kind: str


_OTHER, _SHARED, _NUMBER = 0, 1, 2
"""Ways of a value: decoded by the exact decoder, a shared string, a number that is not shown as a date."""


def _rest(p: bytes) -> bytes:
    """The rest of a cell behind its reference, as a pattern."""
    formula = rb'<%bf(?: [A-Za-z][\w:]*+="[^"<>&]*+")*+ ?(>[^<]*+</%bf|/)>' % (p, p)
    value = rb"<%bv(?:>([^<]*+)</%bv| ?/)(>)" % (p, p)
    inline = rb'<%bis><%bt(?: xml:space="preserve")?(>[^<]*+)</%bt></%bis>' % (p, p, p, p)
    return rb'"([^<>/]*+)(?:/>|>(?:%b)?(?:%b|%b)?</%bc>)' % (formula, value, inline, p)


@lru_cache(maxsize=64)
def few_pattern(prefix: bytes, columns: tuple[int, ...]) -> re.Pattern[bytes]:
    """The cells of some columns in a row; a match that captures nothing is a cell written in some other way."""
    p = re.escape(prefix)
    names = b"|".join(COLUMN_LETTERS[column].encode() for column in columns)
    others = rb' r="(?!(?:%b)[0-9])[A-Z]{1,3}[0-9]' % names
    return re.compile(rb'<%bc(?: r="(%b)([0-9]{1,7}+)%b|(?!%b))' % (p, names, _rest(p), others))


@lru_cache(maxsize=4)
def all_pattern(prefix: bytes) -> re.Pattern[bytes]:
    """All cells of a row from the first one on; a match that captures nothing is something else."""
    p = re.escape(prefix)
    return re.compile(rb'<%bc r="([A-Z]{1,3}+)([0-9]{1,7}+)%b\s*+|.' % (p, _rest(p)), re.DOTALL)


def decoded_rows(
    scan: SheetScan, exact: Decoder, wanted: frozenset[int] | None
) -> Iterator[tuple[int, dict[int, Cell]]]:
    """The rows of a sheet in which a wanted cell holds anything: number and cells by column. Raises WorkbookDamaged."""
    quick = QuickRows(scan.prefix, exact, wanted)
    cutting = RowCutting(scan)
    for segment in scan.segments():
        for row in cutting.rows(segment):
            cells = quick.cells(row) if row.plain else None
            if cells is None:
                cells = exact.row(cutting.whole(row), wanted)
            if cells:
                yield row.number, cells


class QuickRows:
    """Decodes rows of one sheet, all columns or those that are wanted."""

    def __init__(self, prefix: bytes, exact: Decoder, wanted: frozenset[int] | None) -> None:
        self._exact = exact
        self._wanted = wanted
        columns = () if wanted is None else tuple(sorted(c for c in wanted if 1 <= c <= MAX_COLUMN))
        self._few = 0 < len(columns) <= FEW
        self._find = (few_pattern(prefix, columns) if self._few else all_pattern(prefix)).findall
        self._closing = len(prefix) + len(b"</row>")
        self._formula_end = -len(prefix) - len(b"</f")
        self._string: Callable[[int], str] = self._first_string
        self._columns: dict[bytes, int] = {}
        self._looks: dict[bytes, _Look] = {}
        self._known: dict[tuple[str, Kind], dict[bytes, CellValue]] = {}

    def cells(self, row: RowText) -> dict[int, Cell] | None:
        """The cells of a row, or None where it is not written as usual. Raises WorkbookDamaged."""
        content, digits = row.content, row.digits
        start = 0 if content.startswith(b"<") else len(content) - len(content.lstrip())
        cells: dict[int, Cell] = {}
        columns, looks, wanted = self._columns, self._looks, self._wanted
        found: list[Found] = self._find(content, start, len(content) - self._closing)
        for letters, number, attributes, formula, value, valued, inline in found:
            if number != digits:
                return None
            column = columns.get(letters) or self._column(letters)
            look = looks.get(attributes) or self._look(attributes)
            if not column or look is None:
                return None
            if wanted is not None and column not in wanted:
                continue
            if value:
                # The quick ways are here and not in a function: a call would cost as much as they do.
                way, code, known, _, _ = look
                decoded: CellValue
                if way == _SHARED and value.isdigit():
                    decoded = self._string(int(value))
                elif way == _NUMBER:
                    quick = len(value) <= _EXACT_DIGITS and value.isdigit()
                    decoded = int(value) if quick else self._number(look, value)
                else:
                    decoded = known[value] if value in known else self._value(look, value)
                if formula:
                    cells[column] = self._calculated(formula, decoded, code)
                else:
                    cells[column] = Cell(decoded, None, code)
            elif inline and not formula and look.kind == "inlineStr":
                cells[column] = Cell(plain_text(inline[1:]), None, look.format)
            elif valued or formula or inline:
                cell = self._exact.cell(
                    look.style,
                    look.kind,
                    plain_text(formula[1 : self._formula_end]) if formula else None,
                    "" if valued else None,
                    plain_text(inline[1:]) if inline else None,
                )
                if cell is not None:
                    cells[column] = cell
        return cells

    def _first_string(self, index: int) -> str:
        """A shared string; the table is read when the first one is asked for."""
        self._string = self._exact.strings.__getitem__
        return self._string(index)

    def _column(self, letters: bytes) -> int:
        column = COLUMN_NUMBERS.get(letters.decode(), 0)
        self._columns[letters] = column
        return column

    def _look(self, attributes: bytes) -> _Look | None:
        """What attributes say, or None where they are written in some other way."""
        if not _ATTRIBUTES.match(attributes):
            return None
        given = dict(_ONE_ATTRIBUTE.findall(attributes))
        local = {name.rpartition(b":")[2] for name in given}
        if len(local) != attributes.count(b"=") or b"r" in local or local & {b"s", b"t"} != given.keys() & {b"s", b"t"}:
            return None
        style = whole(given.get(b"s", b"").decode())
        kind = given.get(b"t", b"n").decode()
        way = _SHARED if kind == "s" else _OTHER
        if kind == "n" and self._exact.shows(style) is Kind.NUMBER:
            way = _NUMBER
        # Types that nobody knows are read as numbers are.
        known = self._known.setdefault((kind if kind in _KINDS else "n", self._exact.shows(style)), {})
        look = _Look(way, self._exact.styles.format(style), known, style, kind)
        if len(self._looks) >= _KNOWN:
            self._looks.clear()
            self._known.clear()
        self._looks[attributes] = look
        return look

    def _number(self, look: _Look, raw: bytes) -> CellValue:
        """A number that is not a few digits, or whatever else stands in its place."""
        try:
            value = float(raw)
        except ValueError:
            value = math.inf
        if abs(value) <= EXACT:
            return int(value) if value.is_integer() else value
        return self._exact.value(look.kind, resolved(raw), look.style)

    def _value(self, look: _Look, raw: bytes) -> CellValue:
        """A value of another type than the frequent ones; remembered, because many are the same."""
        value = self._exact.value(look.kind, resolved(raw), look.style)
        if look.way == _OTHER and len(raw) <= _VALUE_LENGTH:
            if len(look.known) >= _VALUES:
                look.known.clear()
            look.known[raw] = value
        return value

    def _calculated(self, formula: bytes, value: CellValue, code: str) -> Cell:
        """A cell with a formula and its result."""
        text = plain_text(formula[1 : self._formula_end])
        if text.lstrip()[:1] in ("H", "h"):
            value = link_of(text) or value
        return Cell(value, text, code)
