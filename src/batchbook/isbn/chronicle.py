"""What the history says of a number: the states that it went through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from batchbook.isbn.records import HistoryEntry
from batchbook.isbn.states import FREE
from batchbook.tables.workspace import RecordTable

UNDO: Final = "undo"
ADOPT: Final = "adopt"
"""What the history calls an undo, and the taking over of an agency's list."""
TURNS: Final = (UNDO, "reapply")
"""What changes the state of numbers by the run that is taken back or done again, which the reason names."""
_ORDER: Final = ("isbn", "at")


@dataclass(frozen=True, slots=True)
class Life:
    """The steps of one number, oldest first; rows of the same moment in the sheet's order."""

    isbn: str
    steps: tuple[HistoryEntry, ...]

    @property
    def status(self) -> str | None:
        """The state that it is in by the history; None where it has none, being untouched."""
        return self.steps[-1].after if self.steps else None

    @property
    def adopted(self) -> bool:
        """Whether its state comes from an agency's list, which has no times."""
        return any(step.what == ADOPT for step in self.steps)


def life_of(history: RecordTable[HistoryEntry], isbn: str) -> Life:
    """The steps of one number."""
    return Life(isbn, tuple(history.where(isbn=isbn, field="status", order=_ORDER)))


def lives(history: RecordTable[HistoryEntry]) -> Iterator[Life]:
    """The steps of all numbers, by number."""
    rows: Iterable[HistoryEntry] = history.where(field="status", order=_ORDER)
    for isbn, steps in groupby(rows, key=lambda row: row.isbn):
        yield Life(isbn, tuple(steps))


def is_given(status: str | None) -> bool:
    """Whether a number in this state is anybody's."""
    return status not in (None, FREE)
