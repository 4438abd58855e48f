"""`batchbook isbn schedule, assign, reserve, release, update, cancel, publish`: what happens to one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import typer

from batchbook.cli import isbn_options as opt
from batchbook.cli.isbn_values import isbn_text
from batchbook.cli.listing import line_of
from batchbook.cli.options import spread
from batchbook.cli.systems import ISBN, tell
from batchbook.errors import UsageError

if TYPE_CHECKING:
    from batchbook.batch.systems import Actor
    from batchbook.isbn.outcomes import Changed, Scheduled, Wanted
    from batchbook.isbn.records import Assignment
    from batchbook.isbn.system import IsbnSystem
    from batchbook.tables.workspace import Workspace

_OPTIONS = {
    "title": "--title",
    "book_id": "--book-id",
    "format": "--book-format",
    "scheduled_date": "--date",
    "priority": "--priority",
    "imprint": "--imprint",
    "publisher": "--publisher",
    "notes": "--notes",
    "isbn": "--isbn",
}
"""Fields, and what they are called on the command line."""


def schedule(
    *,
    title: opt.NeededTitle,
    book_id: opt.NeededBookId,
    date: opt.NeededDate,
    book_format: opt.NeededBookFormat,
    details: opt.Details,
    isbn: opt.WantedNumber = None,
    update_booking: opt.UpdateBooking = False,
    how: opt.Changing,
) -> None:
    """Give a book's format the next free number.

    Blocks of the imprint or publisher come first, others after. A book that has a number for the format already
    gets that one back.

    \b
    Examples:
      batchbook isbn schedule --title "The River" --book-id B-101 --date 2027-03-01 --book-format paperback
      batchbook isbn schedule --title "The River" --book-id B-101 --date 2027-04-01 --book-format ebook --priority 1
    """
    from batchbook.isbn import service
    from batchbook.isbn.scheduling import day_over

    given = {
        "title": title,
        "book_id": book_id,
        "format": book_format,
        "scheduled_date": date,
        **asdict(details),
        "isbn": isbn,
    }
    desk = ISBN.desk(how.workbook)
    wanted = _wanted(desk.system, given)
    act = partial(service.schedule, wanted=wanted, on_difference="update" if update_booking else "refuse")
    done = desk.change(how, "schedule", act)
    found = done.value
    record = line_of(desk.system.assignments, found.assignment)
    warnings = list(found.warnings)
    if found.outcome != "unchanged":
        warnings += day_over(found.assignment, desk.today())
    words = {
        "scheduled": f"scheduled {record['isbn']} for {title} ({record['format']}) on {record['scheduled_date']}",
        "unchanged": f"{record['isbn']} is what {book_id} ({book_format}) has already",
        "updated": f"updated {record['isbn']}, which {book_id} ({book_format}) has already",
    }
    more = {"outcome": found.outcome, "assignment": record, "history": _history(desk.system, found)}
    tell(how, "schedule", done, said=words[found.outcome], record=record, more=more, warnings=warnings)


def _wanted(system: IsbnSystem, given: dict[str, str | None]) -> Wanted:
    """What the options ask for. Raises WrongValues with every option that is wrong."""
    from batchbook.isbn.bulk import Place, read_row
    from batchbook.isbn.errors import WrongValues

    wanted, findings = read_row(system, given, None, Place(headers=_OPTIONS))
    if wanted is None:
        raise WrongValues("The number cannot be scheduled as asked.", "Mend the options named.", findings=findings)
    return wanted


def assign(*, isbn: opt.Number, how: opt.Changing) -> None:
    """Assign a scheduled number now.

    \b
    Examples:
      batchbook isbn assign 978-1-60888-000-3
      batchbook isbn assign 9781608880003 --user ann --format json
    """
    from batchbook.isbn import service

    _step(how, "assign", partial(service.assign, isbn=isbn))


def reserve(
    *,
    reason: opt.NeededReason,
    isbn: opt.MaybeNumber = None,
    block: opt.Block = None,
    notes: opt.Notes = None,
    how: opt.Changing,
) -> None:
    """Keep a number out of automatic assignment.

    A certain one, or the next free one (of a block, with --block).

    \b
    Examples:
      batchbook isbn reserve 978-1-60888-010-2 --reason "the anniversary edition"
      batchbook isbn reserve --block 978-1-60888 --reason "kept for the agency"
    """
    if isbn is not None and block is not None:
        raise UsageError("An ISBN and --block do not go together.", "Name the number, or the block to take one of.")

    from batchbook.isbn import service

    _step(how, "reserve", partial(service.reserve, reason=reason, isbn=isbn, block=block, notes=notes), reason)


def release(*, isbn: opt.Number, reason: opt.Reason = None, how: opt.Changing) -> None:
    """Give a reserved or scheduled number back.

    It is available again. What it was booked for is cleared; the history keeps it.

    \b
    Examples:
      batchbook isbn release 978-1-60888-010-2 --reason "the edition is dropped"
    """
    from batchbook.isbn import service

    _step(how, "release", partial(service.release, isbn=isbn, reason=reason), reason)


def update(
    *,
    isbn: opt.Number,
    title: opt.Title = None,
    book_id: opt.BookId = None,
    date: opt.Date = None,
    book_format: opt.BookFormat = None,
    details: opt.Details,
    reason: opt.Reason = None,
    how: opt.Changing,
) -> None:
    """Change what a number is booked for.

    An empty text ("") clears a field that the number can be without. All that is given is checked together and
    done as a whole.

    \b
    Examples:
      batchbook isbn update 978-1-60888-000-3 --date 2027-05-01 --priority 1 --reason "the fair"
      batchbook isbn update 978-1-60888-000-3 --notes ""
    """
    values = {
        "title": title,
        "book_id": book_id,
        "scheduled_date": date,
        "format": book_format,
        **asdict(details),
    }
    changes: dict[str, object] = {name: value for name, value in values.items() if value is not None}
    if not changes:
        raise UsageError("Nothing to change is named.", f"Give one of {', '.join(_OPTIONS[name] for name in values)}.")

    from batchbook.isbn import service

    _step(how, "update", partial(service.update, isbn=isbn, changes=changes, reason=reason), reason)


def cancel(*, isbn: opt.Number, reason: opt.NeededReason, how: opt.Changing) -> None:
    """Cancel an assigned or published number for ever.

    It is never given again.

    \b
    Examples:
      batchbook isbn cancel 978-1-60888-000-3 --reason "the book does not come out"
    """
    from batchbook.isbn import service

    _step(how, "cancel", partial(service.cancel, isbn=isbn, reason=reason), reason)


def publish(*, isbn: opt.Number, how: opt.Changing) -> None:
    """Say that a number's book is published.

    \b
    Examples:
      batchbook isbn publish 978-1-60888-000-3
    """
    from batchbook.isbn import service

    _step(how, "publish", partial(service.publish, isbn=isbn))


def _step(
    how: opt.Changing, verb: str, act: Callable[[Workspace, IsbnSystem, Actor], Changed], reason: str | None = None
) -> None:
    """Do one step of one number as a run, and tell it."""
    from batchbook.isbn.scheduling import day_over

    desk = ISBN.desk(how.workbook)
    done = desk.change(how, verb, act, note=reason or "")
    found = done.value
    kind = desk.system.assignments
    record = line_of(kind, found.after)
    before = None if found.before is None else line_of(kind, found.before)
    outcome = "changed" if found.changed else "unchanged"
    more = {"outcome": outcome, "assignment": record, "before": before, "history": _history(desk.system, found)}
    did = _DID[verb] if found.changed else "unchanged:"
    said = f"{did} {isbn_text(desk.system, found.after.isbn)}{_what(found.before, found.after, before, record)}"
    moved = found.before is not None and found.before.scheduled_date != found.after.scheduled_date
    warnings = day_over(found.after, desk.today()) if moved else ()
    tell(how, verb, done, said=said, record=record, more=more, warnings=warnings)


_DID = {
    "assign": "assigned",
    "reserve": "reserved",
    "release": "released",
    "update": "updated",
    "cancel": "cancelled",
    "publish": "published",
}


def _what(before: Assignment | None, after: Assignment, was: dict[str, object] | None, now: dict[str, object]) -> str:
    """The title, and what of the number changed."""
    title = after.title or (before.title if before else None)
    named = f" ({title})" if title else ""
    old: dict[str, object] = was or {"status": "available"}
    changed = [
        f"{name.replace('_', ' ')}: {_shown(old.get(name))} -> {_shown(now[name])}"
        for name in now
        if name not in ("isbn", "block") and old.get(name) != now[name]
    ]
    return f"{named}: {', '.join(changed)}" if changed else named


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)


def _history(system: IsbnSystem, found: Changed | Scheduled) -> list[dict[str, object]]:
    return [line_of(system.history, entry) for entry in found.history]


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    for verb in (schedule, assign, reserve, release, update, cancel, publish):
        app.command(verb.__name__)(spread(verb))
