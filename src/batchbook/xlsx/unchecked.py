"""The cells that were written before it was known which of a sheet's cells are locked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from batchbook.xlsx.layout import SheetLayout
from batchbook.xlsx.places import Range

Rows = tuple[int, int]
"""The first and the last of neighbouring rows."""


class UncheckedCells:
    """Rows with the columns written in them; neighbours take the room of one."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, ...], list[Rows]] = {}

    def add(self, rows: Sequence[int], columns: tuple[int, ...]) -> None:
        """Note ascending rows, in each of which these columns were written."""
        noted = self._rows.setdefault(columns, [])
        if rows[-1] - rows[0] == len(rows) - 1:
            _extend(noted, rows[0], rows[-1])
            return
        for row in rows:
            _extend(noted, row, row)

    def rows(self) -> set[int]:
        """All rows that were noted."""
        return {row for noted in self._rows.values() for first, last in noted for row in range(first, last + 1)}

    def first_locked(self, layout: SheetLayout) -> tuple[int, int] | None:
        """The first row and column that was written and is locked."""
        places = []
        for columns, noted in self._rows.items():
            noted.sort()
            lasts = [last for _, last in noted]
            for area in (*layout.merges, *layout.arrays):
                inside = [column for column in columns if area.first_column <= column <= area.last_column]
                rows = _within(noted, lasts, area) if inside else iter(())
                # Of a merge one cell at most is not locked, so this ends soon.
                found = next(((row, c) for row in rows for c in inside if layout.locked(row, c)), None)
                if found is not None:
                    places.append(found)
        return min(places, default=None)


def _extend(noted: list[Rows], first: int, last: int) -> None:
    if noted and noted[-1][1] + 1 == first:
        noted[-1] = (noted[-1][0], last)
    else:
        noted.append((first, last))


def _within(noted: list[Rows], lasts: list[int], area: Range) -> Iterator[int]:
    """The noted rows that an area covers."""
    for first, last in noted[bisect_left(lasts, area.first_row) :]:
        if first > area.last_row:
            return
        yield from range(max(first, area.first_row), min(last, area.last_row) + 1)
