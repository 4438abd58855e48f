"""Edits taken from the front as the sheet goes by."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.xlsx.edits import EditQueue, RowsAlike, in_columns, row_by_row

Rows = dict[int, dict[int, int]]


def error(row: int, column: int, reason: str) -> ValueError:
    return ValueError(f"{row} {column} {reason}")


@st.composite
def edits(draw: st.DrawFn) -> tuple[Rows, list[tuple[int, dict[int, int]] | RowsAlike]]:
    """Rows with their cells; and the same as a caller may give them, some by row, some by columns."""
    rows: Rows = {}
    given_as: list[tuple[int, dict[int, int]] | RowsAlike] = []
    number = 0
    for _ in range(draw(st.integers(0, 8))):
        columns = draw(st.lists(st.integers(1, 4), unique=True, max_size=3))
        count = draw(st.integers(1, 5))
        numbers = []
        for _ in range(count):
            number += draw(st.integers(1, 3))
            numbers.append(number)
        cells = [{column: 100 * n + column for column in columns} for n in numbers]
        rows.update((n, c) for n, c in zip(numbers, cells, strict=True) if c)
        if columns and draw(st.booleans()):
            ascending = tuple(sorted(columns))
            given_as.append(RowsAlike(numbers, ascending, [[100 * n + c for n in numbers] for c in ascending]))
        else:
            given_as += zip(numbers, cells, strict=True)
    return rows, given_as


@given(edits(), st.lists(st.integers(0, 60), max_size=12))
def test_every_edit_is_taken_once_and_in_its_turn_however_it_was_given(
    both: tuple[Rows, list[tuple[int, dict[int, int]] | RowsAlike]], stops: list[int]
) -> None:
    rows, given_as = both
    queue = EditQueue(given_as, error)
    seen: Rows = {}
    for stop in sorted(stops):
        taken = dict(row_by_row(queue.take(stop)))
        assert all(n <= stop for n in taken) and seen.keys().isdisjoint(taken)
        seen.update(taken)
        left = [n for n in rows if n > stop]
        assert queue.next_row == (left[0] if left else None)
    seen.update(queue.rest())
    assert seen == rows and list(seen) == sorted(rows)
    assert queue.next_row is None and queue.take(10**6) == []


@given(edits())
def test_neighbours_that_are_alike_are_taken_together(both: tuple[Rows, list[object]]) -> None:
    rows, given_as = both
    taken = EditQueue(given_as, error).take(10**6)  # type: ignore[arg-type]
    assert all(a.columns != b.columns for a, b in pairwise(taken))
    assert dict(row_by_row(taken)) == rows


def test_what_is_given_by_columns_is_not_gathered_before_it_is_needed() -> None:
    asked = []

    def parts() -> Iterator[RowsAlike]:
        for first in range(1, 50_000, 10):
            asked.append(first)
            yield RowsAlike(list(range(first, first + 10)), (1,), [list(range(10))])

    queue = EditQueue(parts(), error)
    queue.take(25)
    assert len(asked) <= 4


def test_single_rows_are_looked_at_some_hundred_at_a_time() -> None:
    asked = []

    def rows() -> Iterator[tuple[int, dict[int, int]]]:
        for number in range(1, 10_000):
            asked.append(number)
            yield number, {1: number}

    assert len(next(in_columns(rows())).rows) == len(asked) == 500


@pytest.mark.parametrize(
    "wrong",
    [
        [(1, {2: 0}), (1, {2: 0})],
        [(2, {2: 0}), (1, {3: 0})],
        [RowsAlike([1, 3, 2], (2,), [[0, 0, 0]])],
        [RowsAlike([1, 5], (2,), [[0, 0]]), RowsAlike([5, 6], (2,), [[0, 0]])],
        [(0, {2: 0})],
        [(-4, {2: 0})],
    ],
)
def test_rows_that_do_not_ascend_are_refused(wrong: list[object]) -> None:
    queue = None
    with pytest.raises(ValueError, match=r"do not ascend|no row"):
        queue = EditQueue(wrong, error)  # type: ignore[arg-type]
        queue.take(100)
