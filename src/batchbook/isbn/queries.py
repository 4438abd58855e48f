"""What is in an ISBN workbook: lists, searches, details, blocks with their figures. Nothing is changed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from batchbook.isbn.records import Assignment, Block, HistoryEntry
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which assignments are wanted; what is None or empty wants all."""

    statuses: Sequence[str] = ()
    start: dt.date | None = None
    """The first scheduled date."""
    end: dt.date | None = None
    """The last scheduled date."""
    imprint: str | None = None
    block: str | None = None
    format: str | None = None
    order: Sequence[str] = ()
    """Fields to sort by, ``-field`` descending; the sheet's order where empty."""


@dataclass(frozen=True, slots=True)
class BlockUse:
    """A block with figures counted from its rows. Utilisation is used / total, from 0 to 1.

    used = taken (reserved, scheduled, assigned, published, cancelled); available = total - used - lost.
    """

    block: Block
    used: int
    reserved: int
    available: int
    utilisation: float
    by_status: dict[str, int]
    """Rows by status; untouched numbers have none."""
    lost: int = 0
    """Numbers that were given once and whose rows are gone; they are not given again."""


@dataclass(frozen=True, slots=True)
class Details:
    """One number with its history, oldest first."""

    assignment: Assignment
    history: Sequence[HistoryEntry]
    steps: Sequence[str]
    """The states that it can go to from here."""


def assignments(workspace: Workspace, system: IsbnSystem, selection: Selection = Selection()) -> Iterator[Assignment]:
    """The assignments of a selection. Raises WrongValues where it names a status, format or field that is not known."""
    raise NotImplementedError


def search(workspace: Workspace, system: IsbnSystem, text: str) -> Iterator[Assignment]:
    """Assignments with the text in title, book id or ISBN (hyphens or not, some digits of it are enough)."""
    raise NotImplementedError


def show(workspace: Workspace, system: IsbnSystem, isbn: str) -> Details:
    """A number with its history. Raises UnknownIsbn."""
    raise NotImplementedError


def upcoming(workspace: Workspace, system: IsbnSystem, today: dt.date, days: int) -> Iterator[Assignment]:
    """Scheduled numbers from today (overdue ones first) up to so many days ahead, by date and priority."""
    raise NotImplementedError


def blocks(workspace: Workspace, system: IsbnSystem) -> list[BlockUse]:
    """The blocks in the sheet's order, with their figures."""
    raise NotImplementedError
