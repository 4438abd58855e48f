"""The commands on ISBNs, over the sheets of a workspace: each stages all of its changes with their history, or nothing.

All raise an `IsbnRefused` where the rules do not allow it, `WrongValues` (one of them) with every value that is wrong,
and `Unsound` where rows that they build on break the rules of their sheet. ISBNs are taken in any form people write.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from batchbook.batch.systems import Actor
from batchbook.isbn.outcomes import BlockAdded, Changed, OnDifference, Scheduled, Wanted
from batchbook.isbn.records import Assignment
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.workspace import Workspace


def add_block(
    workspace: Workspace,
    system: IsbnSystem,
    actor: Actor,
    *,
    block: str | None = None,
    prefix: str | None = None,
    publisher_code: str | None = None,
    first: str | None = None,
    last: str | None = None,
    total: int | None = None,
    imprint: str | None = None,
    publisher: str | None = None,
    notes: str | None = None,
) -> BlockAdded:
    """Enter a block: a registrant prefix such as ``978-1-60888`` (`block`), or prefix, publisher code and range.

    first, last, total may be left out where they follow. A block of that name must not be there yet; one that overlaps
    others is entered with a warning.
    """
    raise NotImplementedError


def schedule(
    workspace: Workspace,
    system: IsbnSystem,
    actor: Actor,
    wanted: Wanted,
    *,
    on_difference: OnDifference = "refuse",
    what: str = "schedule",
) -> Scheduled:
    """Give a book's format a number: the one that it has, the one asked for, or the next free one of the best block.

    Raises NoneLeft with the shortage in figures, and Differs where the book has a number with other details. `what`
    names the command in the history.
    """
    raise NotImplementedError


def assign(workspace: Workspace, system: IsbnSystem, actor: Actor, isbn: str, *, what: str = "assign") -> Changed:
    """A scheduled number becomes assigned, now."""
    raise NotImplementedError


def reserve(
    workspace: Workspace,
    system: IsbnSystem,
    actor: Actor,
    *,
    reason: str,
    isbn: str | None = None,
    block: str | None = None,
    notes: str | None = None,
) -> Changed:
    """Keep a number out of automatic assignment: a certain one, or the next free one (of a block, if named)."""
    raise NotImplementedError


def release(workspace: Workspace, system: IsbnSystem, actor: Actor, isbn: str, *, reason: str | None = None) -> Changed:
    """A reserved or scheduled number becomes available; what it was booked for is cleared (the history keeps it)."""
    raise NotImplementedError


def update(
    workspace: Workspace,
    system: IsbnSystem,
    actor: Actor,
    isbn: str,
    changes: Mapping[str, object],
    *,
    reason: str | None = None,
) -> Changed:
    """Change fields of a booking: title, book_id, scheduled_date, priority, notes, format, imprint, publisher.

    Values may be texts, which are read as in an import, or of the field's type; None or a blank text clears a field.
    All are checked together.
    """
    raise NotImplementedError


def cancel(workspace: Workspace, system: IsbnSystem, actor: Actor, isbn: str, *, reason: str) -> Changed:
    """An assigned or published number is cancelled; it is never given again."""
    raise NotImplementedError


def publish(workspace: Workspace, system: IsbnSystem, actor: Actor, isbn: str) -> Changed:
    """An assigned number is published."""
    raise NotImplementedError


def due(workspace: Workspace, system: IsbnSystem, until: dt.date) -> list[Assignment]:
    """The scheduled numbers up to a day, in the order in which they are to be assigned: date, priority, ISBN."""
    raise NotImplementedError
