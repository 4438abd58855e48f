"""What reaches further when rows are put behind the last one, as it does when a person types below a table.

Tables and filters grow row by row while the rows are written; validations and conditional formats, which stand behind
the rows, follow at the end. All of it works on the sheet's text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from batchbook.xlsx.layout import SheetLayout, TableRange
from batchbook.xlsx.masking import has_marks, mask
from batchbook.xlsx.places import Range, letters, parse_range
from batchbook.xlsx.values import CellValue

_VALUE = rb"(?:\"([^<\"]*+)\"|'([^<']*+)')"
_TAG_REST = rb"(?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+"
FILTER_REF = re.compile(rb"<(?:[\w.-]+:)?autoFilter\s[^<>]{0,500}?\bref\s*=\s*(?:\"([^<\"]{0,99})\"|'([^<']{0,99})')")
_RULES = re.compile(
    rb"<(?P<end>/?)(?:[\w.-]+:)?(?P<name>conditionalFormatting|dataValidation)(?=[\s/>])(?P<tag>" + _TAG_REST + rb")>"
    rb"|<(?:[\w.-]+:)?sqref(?:\s[^<>]*+)?>(?P<ranges>[^<]*+)</"
)
# The blank in front keeps the search linear whatever the tag holds.
_SQREF = re.compile(rb"(?<=\s)sqref\s*+=\s*+" + _VALUE)
_PIVOT = re.compile(rb"(?<=\s)pivot\s*+=\s*+[\"'](?:1|true)[\"']")
_FIRST_DATA_ROW = 2
"""Where data begins for all that is known in a sheet without table or filter."""


class ColumnFormula(NamedTuple):
    """The formula of a calculated table column, without the equals sign, as it reads in one row."""

    text: str
    array: bool = False


Calculated = Callable[[TableRange], Mapping[int, Callable[[int], ColumnFormula]]]
"""The formulas of a table's calculated columns, by column and then by row."""


@dataclass(slots=True)
class _Area:
    """A table or filter that ends at the last row, or below it, and how far it reaches by now."""

    ref: Range
    until: int
    table: TableRange | None = None
    _formulas: Mapping[int, Callable[[int], ColumnFormula]] | None = None

    def takes(self, number: int, columns: Collection[int]) -> bool:
        """Whether a new row belongs to it: it lies in it or follows on it, with a value in one of its columns."""
        inside = any(self.ref.first_column <= column <= self.ref.last_column for column in columns)
        return inside and number <= self.until + 1

    def formulas(self, calculated: Calculated) -> Mapping[int, Callable[[int], ColumnFormula]]:
        if self._formulas is None:
            self._formulas = calculated(self.table) if self.table is not None else {}
        return self._formulas


@dataclass(frozen=True, slots=True)
class _Block:
    """Data that got longer: its columns, the row it begins with, and its last row before and after."""

    columns: frozenset[int]
    first: int
    before: int
    after: int

    def stretches(self, one: Range) -> bool:
        """Whether a range is over this data: in its columns and down to its end, not over its last row alone."""
        return (
            one.last_row == self.before
            and (one.first_row < one.last_row or one.first_row == self.first)
            and not self.columns.isdisjoint(range(one.first_column, one.last_column + 1))
        )


@dataclass(slots=True)
class Growth:
    """What the rows that are put behind a sheet's last one do to the areas that ended there."""

    layout: SheetLayout
    calculated: Calculated = lambda _: {}
    beside: Collection[int] = ()
    """The columns in which the last row has cells."""
    _areas: list[_Area] = field(init=False)
    _until: int = field(init=False)
    _columns: set[int] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        layout = self.layout
        self._until = layout.last_row
        self._areas = [_Area(table.ref, table.ref.last_row, table) for table in layout.tables if not table.totals]
        if layout.auto_filter is not None:
            self._areas.append(_Area(layout.auto_filter, layout.auto_filter.last_row))
        self._areas = [area for area in self._areas if area.ref.last_row >= layout.last_row]

    def take(self, number: int, cells: Mapping[int, CellValue]) -> dict[int, ColumnFormula]:
        """Note a row that is put behind the last one; returns the formulas for its cells that get no value."""
        columns = [column for column, value in cells.items() if value is not None]
        formulas: dict[int, ColumnFormula] = {}
        if not columns:
            return formulas
        if number == self._until + 1:
            self._until = number
            self._columns.update(columns)
        for area in self._areas:
            if area.takes(number, columns):
                area.until = max(area.until, number)
                for column, formula in area.formulas(self.calculated).items():
                    if cells.get(column) is None:
                        formulas[column] = formula(number)
        return formulas

    def grown(self, table: TableRange | None) -> Range | None:
        """A table (None: the sheet's filter) with the rows that it took; None where it stays as it is."""
        for area in self._areas:
            if area.table == table and area.until > area.ref.last_row:
                return area.ref._replace(last_row=area.until)
        return None

    # --- what stands behind the rows -----------------------------------------------------------------------------

    def refit(self, tail: bytes) -> bytes:
        """What follows the rows of the sheet, with the ranges that grew."""
        blocks = self._blocks()
        if not blocks:
            return tail
        masked = mask(tail) if has_marks(tail) else tail
        edits = [*self._filter(masked), *_stretched(masked, blocks)]
        pieces: list[bytes] = []
        done = 0
        for start, end, new in sorted(edits):
            pieces += (tail[done:start], new)
            done = end
        return b"".join(pieces) + tail[done:]

    def _filter(self, masked: bytes) -> Iterator[tuple[int, int, bytes]]:
        grown = self.grown(None)
        found = FILTER_REF.search(masked) if grown is not None else None
        if found is not None:
            group = 1 if found[1] is not None else 2
            yield found.start(group), found.end(group), str(grown).encode()

    def _blocks(self) -> list[_Block]:
        blocks = []
        fixed: set[int] = set()
        for area in self._areas:
            ref = area.ref
            if area.until > ref.last_row:
                blocks.append(_Block(_columns_of(ref), ref.first_row + 1, ref.last_row, area.until))
        for table in self.layout.tables:
            if table.ref.last_row >= self.layout.last_row and self.grown(table) is None:
                fixed |= _columns_of(table.ref)
        if self._until > self.layout.last_row:
            columns = frozenset(_joined(self._columns, set(self.beside) - fixed) - fixed)
            blocks.append(_Block(columns, _FIRST_DATA_ROW, self.layout.last_row, self._until))
        return blocks


def _columns_of(area: Range) -> frozenset[int]:
    return frozenset(range(area.first_column, area.last_column + 1))


def _joined(columns: set[int], others: set[int]) -> set[int]:
    """Columns and those of the others that are connected with them, one beside the next."""
    found = set(columns)
    for column in columns:
        for step in (1, -1):
            near = column + step
            while near in others and near not in found:
                found.add(near)
                near += step
    return found


def _stretched(masked: bytes, blocks: list[_Block]) -> Iterator[tuple[int, int, bytes]]:
    """The lists of ranges of validations and conditional formats that change, with their places."""
    inside = False
    for match in _RULES.finditer(masked):
        if match["ranges"] is not None:
            # Sparklines and others have such an element as well.
            if inside:
                yield from _longer(match.start("ranges"), match["ranges"], blocks)
            continue
        tag = match["tag"]
        inside = not match["end"] and not tag.endswith(b"/") and not _PIVOT.search(tag)
        found = None if match["end"] or _PIVOT.search(tag) else _SQREF.search(_quoted_out(tag))
        if found is not None:
            group = 1 if found[1] is not None else 2
            start, end = found.span(group)
            yield from _longer(match.start("tag") + start, tag[start:end], blocks)


_PROMPTS = re.compile(rb"(?<=\s)((?!sqref[\s=])[\w:.-]++)(\s*+=\s*+)(\"[^\"]*+\"|'[^']*+')")


def _quoted_out(tag: bytes) -> bytes:
    """A start tag with the values of other attributes blotted out: a prompt may hold any text."""
    return _PROMPTS.sub(lambda m: m[1] + m[2] + b"'" + b" " * (len(m[3]) - 2) + b"'", tag)


def _longer(at: int, ranges: bytes, blocks: list[_Block]) -> Iterator[tuple[int, int, bytes]]:
    for piece in re.finditer(rb"[^\s]+", ranges):
        one = parse_range(piece[0].decode("utf-8", "replace"))
        if one is None:
            continue
        until = max((block.after for block in blocks if block.stretches(one)), default=0)
        if until:
            first, last = f"{letters(one.first_column)}{one.first_row}", f"{letters(one.last_column)}{until}"
            yield at + piece.start(), at + piece.end(), f"{first}:{last}".encode()
