"""The commands on ISBNs, over the sheets of a workspace: each stages all of its changes with their history, or nothing.

All raise an `IsbnRefused` where the rules do not allow it, `WrongValues` (one of them) with every value that is wrong,
and `Unsound` where rows that they build on break the rules of their sheet. ISBNs are taken in any form people write.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from batchbook.batch.systems import Actor
from batchbook.config import did_you_mean
from batchbook.errors import Finding
from batchbook.isbn.allocation import shortage
from batchbook.isbn.bookings import edit, free_again, take_step
from batchbook.isbn.entering import block_plan, enter_block
from batchbook.isbn.errors import IsbnRefused, WrongValues
from batchbook.isbn.fields import EDITABLE, read_fields, title_of
from batchbook.isbn.outcomes import BlockAdded, Changed, OnDifference, Scheduled, Wanted
from batchbook.isbn.records import Assignment
from batchbook.isbn.rules import fixed
from batchbook.isbn.scheduling import schedule_number
from batchbook.isbn.session import Session
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.filters import Between
from batchbook.tables.workspace import RecordRefused, Workspace


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
    texts, found = read_fields(system, {"imprint": imprint, "publisher": publisher, "notes": notes})
    try:
        plan = block_plan(system.ranges, block, prefix, publisher_code, first, last, total)
    except (WrongValues, RecordRefused) as error:
        if not found:
            raise
        raise type(error)(error.what, error.advice, findings=[*error.findings, *found]) from None
    _must_be_right(found)
    return enter_block(Session(workspace, system), actor, plan, **texts)


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

    Raises NoNumberLeft with the shortage in figures, and Differs where the book has a number with other details. `what`
    names the command in the history.
    """
    return schedule_number(Session(workspace, system), actor, wanted, on_difference, what)


def assign(workspace: Workspace, system: IsbnSystem, actor: Actor, isbn: str, *, what: str = "assign") -> Changed:
    """A scheduled number becomes assigned, now."""
    session = Session(workspace, system)
    return take_step(session, actor, session.read(isbn), "assigned", what, changes={"assigned_at": actor.now})


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
    session = Session(workspace, system)
    given = _read(system, {"reason": reason, "notes": notes})
    _must_have_reason(system, given)
    if isbn is not None:
        number = session.read(isbn)
    else:
        session.must_be_sound()
        number = session.best_free(None, None) if block is None else _next_of(session, block)
    changes = {name: value for name, value in given.items() if value is not None}
    return take_step(session, actor, number, "reserved", "reserve", reason=given["reason"], changes=changes)


def release(workspace: Workspace, system: IsbnSystem, actor: Actor, isbn: str, *, reason: str | None = None) -> Changed:
    """A reserved or scheduled number becomes available; what it was booked for is cleared (the history keeps it)."""
    session = Session(workspace, system)
    return free_again(session, actor, session.read(isbn), "release", _read(system, {"reason": reason})["reason"])


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
    session = Session(workspace, system)
    row = session.existing(session.read(isbn))
    given = _read(system, {**changes, "reason": reason}, EDITABLE, fixed(row))
    if row.status == "available":
        raise IsbnRefused(
            f"ISBN {session.show(row.isbn)} is available: there is no booking to change.",
            "Schedule it with `batchbook isbn schedule --isbn`, or reserve it.",
        )
    why = given.pop("reason")
    return edit(session, actor, row, given, "update", why)


def cancel(workspace: Workspace, system: IsbnSystem, actor: Actor, isbn: str, *, reason: str) -> Changed:
    """An assigned or published number is cancelled; it is never given again."""
    session = Session(workspace, system)
    given = _read(system, {"reason": reason})
    _must_have_reason(system, given)
    return take_step(session, actor, session.read(isbn), "cancelled", "cancel", reason=given["reason"], changes=given)


def publish(workspace: Workspace, system: IsbnSystem, actor: Actor, isbn: str) -> Changed:
    """An assigned number is published."""
    session = Session(workspace, system)
    return take_step(session, actor, session.read(isbn), "published", "publish", changes={"published_at": actor.now})


def due(workspace: Workspace, system: IsbnSystem, until: dt.date) -> Iterator[Assignment]:
    """The scheduled numbers up to a day, in the order in which they are to be assigned: date, priority, ISBN."""
    return Session(workspace, system).assignments.where(
        status="scheduled", scheduled_date=Between(None, until), order=("scheduled_date", "priority", "isbn")
    )


def _read(
    system: IsbnSystem,
    values: Mapping[str, object],
    editable: Sequence[str] | None = None,
    needed: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Values of fields. Raises WrongValues with all that is wrong; only `editable` ones and a reason are known.

    needed: fields that must not be blank, each with the reason.
    """
    known = (*editable, "reason") if editable is not None else tuple(values)
    given, found = read_fields(system, {name: value for name, value in values.items() if name in known})
    found += [
        Finding(f"cannot be changed{did_you_mean(name, known)} (known: {', '.join(known)})", column=name, rule="field")
        for name in values
        if name not in known
    ]
    found += [
        Finding(f"cannot be cleared: {needed[name]}", column=title_of(system, name), rule="required")
        for name in editable or ()
        if name in needed and name in given and given[name] is None
    ]
    _must_be_right(found)
    return given


def _must_be_right(found: Sequence[Finding]) -> None:
    if found:
        count = "1 value is" if len(found) == 1 else f"{len(found)} values are"
        raise WrongValues(f"{count} wrong; nothing was changed.", "Mend what is named.", findings=found)


def _must_have_reason(system: IsbnSystem, given: Mapping[str, Any]) -> None:
    if given["reason"] is None:
        found = Finding("is blank", column=title_of(system, "reason"), rule="required")
        raise WrongValues("A reason is needed; nothing was changed.", "Say why.", findings=[found])


def _next_of(session: Session, name: str) -> str:
    """The next free number of one block. Raises IsbnRefused and NoNumberLeft."""
    block = session.block_named(name)
    if block is None:
        names = [one.block for one in session.blocks.where()]
        near = did_you_mean(name, names)
        raise IsbnRefused(
            f"There is no block {name}{near or '.'}",
            f"Name one of {', '.join(names)}." if names else "Enter it with `batchbook isbn add-block`.",
        )
    found = session.next_free(block)
    if found is None:
        raise shortage([block])
    return found
