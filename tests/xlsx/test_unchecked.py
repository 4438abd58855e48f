"""Cells noted while it was not known which are locked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchbook.xlsx.layout import SheetLayout
from batchbook.xlsx.places import Range
from batchbook.xlsx.unchecked import UncheckedCells


@st.composite
def areas(draw: st.DrawFn) -> Range:
    row, column = draw(st.integers(1, 30)), draw(st.integers(1, 5))
    return Range(row, column, row + draw(st.integers(0, 6)), column + draw(st.integers(0, 2)))


NOTED = st.lists(
    st.tuples(
        st.lists(st.integers(1, 40), min_size=1, max_size=10, unique=True).map(sorted),
        st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True).map(lambda c: tuple(sorted(c))),
    ),
    max_size=8,
)


@given(NOTED, st.lists(areas(), max_size=4), st.lists(areas(), max_size=2))
def test_the_first_locked_cell_is_found_as_by_looking_at_each(
    noted: list[tuple[list[int], tuple[int, ...]]], merges: list[Range], arrays: list[Range]
) -> None:
    layout = SheetLayout(50, merges=tuple(merges), arrays=tuple(arrays))
    cells = UncheckedCells()
    for rows, columns in noted:
        cells.add(rows, columns)
    every = {(row, column) for rows, columns in noted for row in rows for column in columns}
    assert cells.rows() == {row for row, _ in every}
    assert cells.first_locked(layout) == min((place for place in every if layout.locked(*place)), default=None)


def test_neighbouring_rows_take_the_room_of_one() -> None:
    cells = UncheckedCells()
    for first in range(1, 100_000, 100):
        cells.add(list(range(first, first + 100)), (2, 3))
    for row in range(100_001, 200_000):
        cells.add([row], (2, 3))
    assert sum(map(len, cells._rows.values())) == 1
