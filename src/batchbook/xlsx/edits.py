"""What is to be written into a sheet's cells, row after row, and the taking of it as the sheet goes by."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter, lt
from typing import TypeAlias

from batchbook.xlsx.values import CellValue

Cells: TypeAlias = Mapping[int, CellValue]
RowEdit: TypeAlias = tuple[int, Cells]
_LOOKAHEAD = 500


@dataclass(frozen=True, slots=True)
class RowsAlike:
    """Rows in which the same columns are written: far cheaper to hand on than each by itself."""

    rows: Sequence[int]
    """Their numbers, ascending; at least one."""
    columns: tuple[int, ...]
    """Ascending; at least one."""
    values: Sequence[Sequence[CellValue]]
    """By column: the values of the rows."""

    def part(self, first: int, last: int) -> RowsAlike:
        """Some of the rows, by their places."""
        if (first, last) == (0, len(self.rows)):
            return self
        return RowsAlike(self.rows[first:last], self.columns, [column[first:last] for column in self.values])

    def by_row(self) -> Iterator[RowEdit]:
        """Each row by itself."""
        for row, values in zip(self.rows, zip(*self.values, strict=True), strict=True):
            yield row, dict(zip(self.columns, values, strict=True))


CellEdits: TypeAlias = Iterable[RowEdit | RowsAlike]
"""Rows ascending."""


def row_by_row(edits: CellEdits) -> Iterator[RowEdit]:
    """Each row by itself."""
    for edit in edits:
        if isinstance(edit, RowsAlike):
            yield from edit.by_row()
        else:
            yield edit


def in_columns(edits: CellEdits) -> Iterator[RowsAlike]:
    """Neighbours that are alike together, as far as some hundred rows show them; rows without cells are left out."""
    waiting: list[RowEdit] = []
    for edit in edits:
        if isinstance(edit, RowsAlike):
            yield from _gathered(waiting)
            waiting = []
            yield edit
        else:
            waiting.append(edit)
            if len(waiting) >= _LOOKAHEAD:
                yield from _gathered(waiting)
                waiting = []
    yield from _gathered(waiting)


def _gathered(edits: list[RowEdit]) -> Iterator[RowsAlike]:
    for columns, alike in groupby(edits, lambda edit: tuple(edit[1])):
        rows, cells = zip(*alike, strict=True)
        ascending = tuple(sorted(columns))
        if columns:
            yield RowsAlike(list(rows), ascending, [list(map(itemgetter(column), cells)) for column in ascending])


class EditQueue:
    """The edits of a sheet, taken from the front."""

    def __init__(self, edits: CellEdits, refused: Callable[[int, int, str], Exception]) -> None:
        """`refused` makes the error for a row and column that is out of order."""
        self._edits = in_columns(edits)
        self._refused = refused
        self._before = 0
        self._front: RowsAlike | None = None
        self._at = 0
        self._advance()

    def _advance(self) -> None:
        self._at = 0
        self._front = next(self._edits, None)
        if self._front is None:
            return
        rows = self._front.rows
        if rows[0] <= self._before or not all(map(lt, rows, islice(rows, 1, None))):
            before = self._before
            for number in rows:
                if number <= before:
                    what = "the rows to write do not ascend" if number > 0 else "no row"
                    raise self._refused(number, self._front.columns[0], what)
                before = number
        self._before = rows[-1]

    @property
    def next_row(self) -> int | None:
        """The number of the first row, None where there is none any more."""
        return None if self._front is None else self._front.rows[self._at]

    def take(self, last: int) -> list[RowsAlike]:
        """The edits up to a row; neighbours that are alike together."""
        taken: list[RowsAlike] = []
        while self._front is not None and self._front.rows[self._at] <= last:
            front, rows = self._front, self._front.rows
            end = len(rows) if rows[-1] <= last else bisect_right(rows, last, self._at)
            taken.append(front.part(self._at, end))
            if end < len(rows):
                self._at = end
            else:
                self._advance()
        return list(_joined(taken))

    def rest(self) -> Iterator[RowEdit]:
        """All that is left, row by row."""
        while self._front is not None:
            part = self._front.part(self._at, len(self._front.rows))
            self._advance()
            yield from part.by_row()


def _joined(parts: list[RowsAlike]) -> Iterator[RowsAlike]:
    first = 0
    for i, part in enumerate(parts):
        if i + 1 < len(parts) and parts[i + 1].columns == part.columns:
            continue
        if first == i:
            yield part
        else:
            together = parts[first : i + 1]
            rows = [row for one in together for row in one.rows]
            values = [
                [value for column in map(itemgetter(k), (one.values for one in together)) for value in column]
                for k in range(len(part.columns))
            ]
            yield RowsAlike(rows, part.columns, values)
        first = i + 1
