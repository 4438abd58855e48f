"""Changes of one number: its row and the rows of the history that go with it, staged together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from batchbook.batch.systems import Actor
from batchbook.isbn.bookingpast import past_of
from batchbook.isbn.chronicle import life_of
from batchbook.isbn.errors import IsbnRefused
from batchbook.isbn.fields import EDITABLE, shown_value
from batchbook.isbn.outcomes import Changed
from batchbook.isbn.records import Assignment, HistoryEntry
from batchbook.isbn.rules import missing
from batchbook.isbn.session import Session
from batchbook.isbn.states import FREE, SPENT, STEPS, step
from batchbook.tables.filters import Alike

BOOKING: Final = (*EDITABLE, "reason")
"""What a number is booked for; cleared when it becomes free again."""
LIVING: Final = ("reserved", "scheduled", "assigned", "published")
"""States in which a number is a book's."""
_RESTS_ON: Final = ("status", "book_id", "format")


def take_step(
    session: Session,
    actor: Actor,
    isbn: str,
    to: str,
    what: str,
    *,
    reason: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Changed:
    """A number goes to another state, with these other changes of its row. Raises StepRefused and what `row` raises."""
    before = session.assignments.get(isbn)
    if before is None and not session.is_lost(isbn):
        before = session.row(isbn)
    if before is None or before.status == FREE:
        _must_not_be_lost(session, isbn, before, to)
    step(before.status if before else None, to, session.show(isbn))
    given = {"status": to, **(changes or {})}
    _must_have(session, isbn, before, to, given)
    with session.workspace.whole():
        after = _put(session, isbn, before, given)
        entries = [session.record(actor, what, isbn, "status", before.status if before else None, to, reason)]
        if before is not None:
            # The history is all that knows what a field held that is overwritten with the step.
            lost = [name for name in BOOKING if getattr(before, name) not in (None, getattr(after, name))]
            entries += [_field(session, actor, what, before, after, name, reason) for name in lost]
    return Changed(before, after, tuple(entries))


def _must_have(session: Session, isbn: str, before: Assignment | None, to: str, given: Mapping[str, Any]) -> None:
    """Raise IsbnRefused where a number lacks what the state needs that it goes to."""
    lacks = missing(before, to, given)
    if lacks:
        titles = " and ".join(session.assignments.kind.column(name).header for name in lacks)
        raise IsbnRefused(
            f"ISBN {session.show(isbn)} has no {titles}, which a number that is {to} needs.",
            "Give it with `batchbook isbn update` first.",
        )


def _must_not_be_lost(session: Session, isbn: str, row: Assignment | None, to: str) -> None:
    """Raise IsbnRefused where a number was given though no row says so.

    One whose row was set back can be reserved, from where a command can free it, unless it was spent.
    """
    if not session.is_lost(isbn):
        return
    spent = life_of(session.history, isbn).status
    if row is not None and spent in SPENT:
        raise IsbnRefused(
            f"ISBN {session.show(isbn)} says {row.status} in {session.workspace.file}, but by its history it is "
            f"{spent}, and such a number is never available again.",
            f"Look at `batchbook isbn show`, and put it right: {session.way_back(isbn)}; or take another number.",
        )
    if row is not None and to == "reserved":
        return
    if row is not None:
        raise IsbnRefused(
            f"ISBN {session.show(isbn)} says {row.status} in {session.workspace.file}, but a command had put it in "
            "another state last: somebody typed that, or saved an older copy over the workbook.",
            f"Put it right: {session.way_back(isbn)}. If the number is free indeed, reserve and release it "
            "(not one that was assigned, published or cancelled: that is refused); then it can be given.",
        )
    raise session.gone(isbn)


def _must_not_be_spent(session: Session, row: Assignment) -> None:
    """Raise IsbnRefused where a number must not become free, although its state has a step to there."""
    spent = past_of(session.history, row.isbn).spent_besides() if FREE in STEPS[row.status] else None
    if spent is not None:
        raise IsbnRefused(
            f"ISBN {session.show(row.isbn)} is {row.status}, but by its history it was {spent} once, and such a number "
            "is never available again.",
            "Assign it (`batchbook isbn assign`), then publish or cancel it; take another number for another book.",
        )


def _put(session: Session, isbn: str, before: Assignment | None, given: Mapping[str, Any]) -> Assignment:
    if before is None:
        block = session.block_of(isbn)
        assert block is not None  # `Session.row` says so of numbers without a row
        return session.assignments.insert(Assignment(**{"isbn": isbn, "block": block.block, **given}))
    after = session.assignments.update(isbn, **given)
    session.assignments.rests_on(isbn, fields=_RESTS_ON)
    return after


def edit(
    session: Session, actor: Actor, before: Assignment, given: Mapping[str, Any], what: str, reason: str | None
) -> Changed:
    """Change fields of a row, one row of the history each; nothing where they are all as wanted."""
    changed = {name: value for name, value in given.items() if getattr(before, name) != value}
    if not changed:
        return Changed(before, before)
    _must_be_nobodys(session, before, changed)
    with session.workspace.whole():
        after = _put(session, before.isbn, before, changed)
        entries = tuple(_field(session, actor, what, before, after, name, reason) for name in changed)
    return Changed(before, after, entries)


def _field(
    session: Session, actor: Actor, what: str, before: Assignment, after: Assignment, name: str, reason: str | None
) -> HistoryEntry:
    was, now = (
        None if value is None else shown_value(session.system, name, value)
        for value in (getattr(before, name), getattr(after, name))
    )
    return session.record(actor, what, before.isbn, name, was, now, reason)


def _must_be_nobodys(session: Session, before: Assignment, changed: Mapping[str, Any]) -> None:
    """Another number of the same book and format would be one too many."""
    if before.status not in LIVING or not {"book_id", "format"} & changed.keys():
        return
    book, form = (changed.get(name, getattr(before, name)) for name in ("book_id", "format"))
    others = [row for row in held_by(session, book, form) if row.isbn != before.isbn] if book else []
    if others:
        named = ", ".join(session.show(row.isbn) for row in others)
        raise IsbnRefused(
            f"Book {book} has a number for {form or 'no certain format'} already: {named}.",
            "Give another book ID or format, or release or cancel the other number first.",
        )


def held_by(session: Session, book_id: str, form: str | None) -> list[Assignment]:
    """The numbers that a book has for a format (None: for no certain one), in living states; its id in any case."""
    rows = session.assignments.where(book_id=Alike(book_id), format=form)
    return [row for row in rows if row.status in LIVING]


def free_again(session: Session, actor: Actor, isbn: str, what: str, reason: str | None) -> Changed:
    """A number becomes available. What it was booked for is cleared; the history keeps it."""
    row = session.existing(isbn)
    _must_not_be_spent(session, row)
    done = take_step(session, actor, isbn, FREE, what, reason=reason, changes=dict.fromkeys(BOOKING))
    session.given_back(isbn)
    return done
