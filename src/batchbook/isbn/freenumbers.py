"""The free numbers of one block, lowest first, without going through its rows again for each."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Protocol

from batchbook.isbn.numbers import core_of, isbn_of


class Rows(Protocol):
    """What has to be known of the rows of a workbook."""

    def taken(self, isbn: str) -> bool:
        """Whether a number cannot be given."""
        ...

    def available_rows(self, first: str, last: str) -> Iterable[str]:
        """The numbers between two that have a row and are free."""
        ...

    def has_row(self, isbn: str) -> bool:
        """Whether a number has a row, in whatever state."""
        ...

    def rows_between(self, first: int, last: int) -> int:
        """How many numbers from one core to another have a row."""
        ...


class FreeNumbers:
    """Gives the lowest free number of a block again and again.

    Nothing here is relied on: each number is looked up before it is given. What was given and is free again, because
    what was staged with it did not come about, is given before others.
    """

    def __init__(self, first: str, last: str) -> None:
        self.first = first
        self.last = last
        self._end = core_of(last)
        self._untouched = core_of(first)
        """Lower numbers have a row, were given or are in `_back`."""
        self._back: list[str] | None = None
        """A heap of numbers that were free when they were put in."""
        self._given: list[str] = []

    def next(self, rows: Rows) -> str | None:
        """The lowest free number; None where there is none."""
        back = self._gather(rows)
        while back and rows.taken(back[0]):
            self._given.append(heapq.heappop(back))
        self._untouched = self._gap(rows, self._untouched)
        if back and (self._untouched > self._end or back[0] < isbn_of(self._untouched)):
            found = heapq.heappop(back)
        elif self._untouched <= self._end:
            found = isbn_of(self._untouched)
            self._untouched += 1
        else:
            return None
        self._given.append(found)
        return found

    def back(self, isbn: str) -> None:
        """A number became free; one of another block is ignored."""
        if self._back is not None and self.first <= isbn <= self.last and isbn not in self._back:
            heapq.heappush(self._back, isbn)

    def _gather(self, rows: Rows) -> list[str]:
        if self._back is None:
            self._back = list(rows.available_rows(self.first, self.last))
            heapq.heapify(self._back)
        # What is undone is what was done last: the numbers that are free again are at the end of those given.
        while self._given and not rows.taken(self._given[-1]):
            self.back(self._given.pop())
        return self._back

    def _gap(self, rows: Rows, start: int) -> int:
        """The first core from a start that has no row and can be given; behind the block where there is none."""
        while start <= self._end:
            # The first one has none as a rule; then the question that follows is answered with it.
            if rows.has_row(isbn_of(start)):
                start = self._without_row(rows, start + 1)
            if start > self._end or not rows.taken(isbn_of(start)):
                return start
            start += 1  # it has no row, but was given once
        return start

    def _without_row(self, rows: Rows, start: int) -> int:
        """The first core from a start that has no row, by counting rows in stretches of growing length."""
        low, length = start, 1
        while low <= self._end:
            high = min(low + length - 1, self._end)
            if rows.rows_between(low, high) < high - low + 1:
                break
            low, length = high + 1, length * 2
        else:
            return low
        while low < high:  # the stretch has a gap: halve it
            middle = (low + high) // 2
            if rows.rows_between(low, middle) < middle - low + 1:
                high = middle
            else:
                low = middle + 1
        return low
