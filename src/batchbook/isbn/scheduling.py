"""Which number a book's format gets: the one that it has, the one that is asked for, or the next free one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from batchbook.batch.systems import Actor
from batchbook.isbn.bookings import LIVING, edit, take_step
from batchbook.isbn.errors import Differs, OtherDetails, Taken
from batchbook.isbn.fields import shown_value
from batchbook.isbn.outcomes import OnDifference, Scheduled, Wanted
from batchbook.isbn.records import Assignment
from batchbook.isbn.session import Session
from batchbook.isbn.states import SPENT
from batchbook.tables.filters import Alike

_COMPARED: Final = ("title", "format", "scheduled_date", "imprint", "publisher", "priority", "notes")
DEFAULT_PRIORITY: Final = 2


def schedule_number(
    session: Session, actor: Actor, wanted: Wanted, on_difference: OnDifference, what: str
) -> Scheduled:
    """Schedule; see `service.schedule`."""
    session.must_be_sound()
    if wanted.isbn is not None:
        wanted = replace(wanted, isbn=session.read(wanted.isbn))
    held = held_for(session, wanted)
    if held is not None and wanted.isbn not in (None, held.isbn):
        raise Differs(
            f"Book {wanted.book_id} has {_named(session, held)} already.",
            "Leave the ISBN out to use that one.",
        )
    if held is not None and (held.status != "reserved" or wanted.isbn is None):
        return _again(session, actor, wanted, held, on_difference, what)
    isbn = wanted.isbn or session.best_free(wanted.imprint, wanted.publisher)
    row = session.row(isbn)
    _must_be_free(session, wanted, row)
    if row is not None and row.status == "reserved" and wanted.notes is None:
        wanted = replace(wanted, notes=row.notes)
    done = take_step(session, actor, isbn, "scheduled", what, changes=_booking(wanted))
    return Scheduled("scheduled", done.after, done.history, _used_up(session, wanted, isbn))


def _used_up(session: Session, wanted: Wanted, isbn: str) -> Sequence[str]:
    """A warning where the blocks that are meant for an imprint or publisher have no number left for it."""
    if wanted.isbn is not None:
        return ()
    said = []
    for field in ("imprint", "publisher"):
        wish = " ".join((getattr(wanted, field) or "").split()).casefold()
        blocks = session.best_blocks(wanted.imprint, wanted.publisher) if wish else []
        meant = [one for one in blocks if " ".join((getattr(one, field) or "").split()).casefold() == wish]
        if meant and not any(one.first <= isbn <= one.last for one in meant):
            names = ", ".join(one.block for one in meant)
            if not any(map(session.next_free, meant)):
                said.append(f"no number is left in the blocks of the {field} {getattr(wanted, field)} ({names})")
    return said


def day_over(row: Assignment, today: dt.date) -> Sequence[str]:
    """A warning where a number is scheduled on a day that is over."""
    day = row.scheduled_date
    if row.status != "scheduled" or day is None or day >= today:
        return ()
    return (f"{day} is in the past: the next `batchbook isbn assign-due` assigns the number",)


def held_for(session: Session, wanted: Wanted) -> Assignment | None:
    """The number that the book has for the format. Raises Differs where it has several that could be meant."""
    rows = [row for row in session.assignments.where(book_id=Alike(wanted.book_id)) if row.status in LIVING]
    if wanted.format is not None:
        same = [row for row in rows if row.format == wanted.format]
        rows = same or [row for row in rows if row.format is None]
    if len(rows) < 2:
        return rows[0] if rows else None
    listed = ", ".join(f"{session.show(row.isbn)} ({_form(row.format)}, {row.status})" for row in rows)
    raise Differs(
        f"Book {wanted.book_id} has {len(rows)} numbers that could be meant: {listed}.",
        "Name the format." if wanted.format is None else "Release or cancel all but one of them first.",
    )


def _named(session: Session, held: Assignment) -> str:
    return f"ISBN {session.show(held.isbn)} ({held.status}) for {_form(held.format)}"


def _form(form: str | None) -> str:
    return form or "no certain format"


def _again(
    session: Session, actor: Actor, wanted: Wanted, held: Assignment, on_difference: OnDifference, what: str
) -> Scheduled:
    """The book has a number already."""
    if held.status == "reserved":
        raise Taken(
            f"Book {wanted.book_id} has ISBN {session.show(held.isbn)} for {_form(held.format)}, which is reserved:"
            f" {held.reason}.",
            "Schedule that number by giving its ISBN, or release it first.",
        )
    asked = {name: value for name in _COMPARED if (value := getattr(wanted, name)) is not None}
    others = {name: value for name, value in asked.items() if getattr(held, name) != value}
    if not others:
        return Scheduled("unchanged", held)
    if on_difference == "refuse":
        raise OtherDetails(
            f"Book {wanted.book_id} has {_named(session, held)} already, but {_listed(session, held, others)}.",
            "Take the differences over with --update (`schedule`, `bulk`), or change it with `batchbook isbn update`.",
        )
    done = edit(session, actor, held, others, what, None)
    return Scheduled("updated", done.after, done.history)


def _listed(session: Session, held: Assignment, others: dict[str, Any]) -> str:
    system, said = session.system, []
    for name, value in others.items():
        now = getattr(held, name)
        has = "blank" if now is None else shown_value(system, name, now)
        said.append(f"{system.assignments.column(name).header} is {has}, not {shown_value(system, name, value)}")
    return "; ".join(said)


def _must_be_free(session: Session, wanted: Wanted, row: Assignment | None) -> None:
    """Raise Taken where a number is kept for another book; whether its state allows the step is looked at later."""
    if row is None or row.status == "available":
        return
    if row.book_id is None:
        return
    mine = row.book_id.casefold() == wanted.book_id.casefold() and row.format in (wanted.format, None)
    if not mine:
        release = "" if row.status in SPENT else ", or release that number first"
        raise Taken(
            f"ISBN {session.show(row.isbn)} is {row.status} for book {row.book_id} ({_form(row.format)}).",
            f"Leave the ISBN out to get the next free one{release}.",
        )


def _booking(wanted: Wanted) -> dict[str, Any]:
    """All fields of a new booking; those that are not given are blank, whatever the row held."""
    return {
        "title": wanted.title,
        "book_id": wanted.book_id,
        "format": wanted.format,
        "scheduled_date": wanted.scheduled_date,
        "imprint": wanted.imprint,
        "publisher": wanted.publisher,
        "priority": wanted.priority or DEFAULT_PRIORITY,
        "notes": wanted.notes,
        "reason": None,
    }
