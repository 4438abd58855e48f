"""What the commands on ISBNs are asked for and what they answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from batchbook.errors import Finding
from batchbook.isbn.records import Assignment, Block, HistoryEntry

OnDifference: TypeAlias = Literal["refuse", "update"]
"""What is done where a book already has a number for a format, with other details than those asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A book's format that is to get a number. What is None is left as it is where the book has one already."""

    title: str
    book_id: str
    format: str | None
    """None: the one that the book has, where it has a number already; else the number is for no certain format."""
    scheduled_date: dt.date
    imprint: str | None = None
    publisher: str | None = None
    priority: int | None = None
    """1 high to 3 low; 2 where it is None and the number is new."""
    notes: str | None = None
    isbn: str | None = None
    """13 digits, where a certain number is wanted."""

    @property
    def sort_key(self) -> tuple[int, str, int]:
        """By what numbers are handed out in bulk: scheduled date, then priority; equals stay in the input's order.

        Those that ask for a certain number come before all others, which else could be given that number.
        """
        return 1 if self.isbn is None else 0, self.scheduled_date.isoformat(), self.priority or 2


@dataclass(frozen=True, slots=True)
class BlockAdded:
    """A new block, and what is worth knowing of it (it overlaps another, its range is not in the table)."""

    block: Block
    warnings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A number was scheduled, or the book had it already: `unchanged` as asked for, or `updated` to be so."""

    outcome: Literal["scheduled", "unchanged", "updated"]
    assignment: Assignment
    history: Sequence[HistoryEntry] = ()
    """The rows that were added to the history."""
    warnings: Sequence[str] = ()
    """What is worth knowing of it."""


@dataclass(frozen=True, slots=True)
class Changed:
    """One number before and after. `before` is None where it was untouched; equal to `after` where nothing changed."""

    before: Assignment | None
    after: Assignment
    history: Sequence[HistoryEntry] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is other than before."""
        return self.before != self.after
