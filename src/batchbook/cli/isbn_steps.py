"""`batchbook isbn schedule, assign, reserve, release, update, cancel, publish`: what happens to one number."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from batchbook.cli import isbn_options as opt
from batchbook.cli.isbn_place import Desk, desk_for, today
from batchbook.cli.isbn_shapes import isbn_text, plain, tell
from batchbook.cli.listing import Formats, check_format
from batchbook.cli.places import WAIT_SECONDS
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
    title: opt.NeededTitle,
    book_id: opt.NeededBookId,
    date: opt.NeededDate,
    book_format: opt.NeededBookFormat,
    priority: opt.Priority = None,
    imprint: opt.Imprint = None,
    publisher: opt.Publisher = None,
    notes: opt.Notes = None,
    isbn: opt.WantedNumber = None,
    update_booking: opt.UpdateBooking = False,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Give a book's format the next free number.

    Blocks of the imprint or publisher come first, others after. A book that has a number for the format already
    gets that one back.

    \b
    Examples:
      batchbook isbn schedule --title "The River" --book-id B-101 --date 2027-03-01 --book-format paperback
      batchbook isbn schedule --title "The River" --book-id B-101 --date 2027-04-01 --book-format ebook --priority 1
    """
    check_format(format, json)
    given = {
        "title": title,
        "book_id": book_id,
        "format": book_format,
        "scheduled_date": date,
        "priority": priority,
        "imprint": imprint,
        "publisher": publisher,
        "notes": notes,
        "isbn": isbn,
    }
    desk = desk_for(workbook)
    wanted = _wanted(desk.system, given)

    def act(workspace: Workspace, actor: Actor) -> Scheduled:
        from batchbook.isbn.service import schedule

        on_difference: Any = "update" if update_booking else "refuse"
        return schedule(workspace, desk.system, actor, wanted, on_difference=on_difference)

    done = desk.change("schedule", act, user=user, wait=wait, dry_run=dry_run)
    found = done.value
    record = plain(desk.system.assignments, found.assignment)
    warnings = list(found.warnings)
    if found.outcome != "unchanged":
        warnings += _of_the_past(desk, found.assignment)
    words = {
        "scheduled": f"scheduled {record['isbn']} for {title} ({record['format']}) on {record['scheduled_date']}",
        "unchanged": f"{record['isbn']} is what {book_id} ({book_format}) has already",
        "updated": f"updated {record['isbn']}, which {book_id} ({book_format}) has already",
    }
    more = {"outcome": found.outcome, "assignment": record, "history": _history(desk.system, found)}
    tell("schedule", done, said=words[found.outcome], record=record, more=more, warnings=warnings, dry_run=dry_run)


def _of_the_past(desk: Desk, row: Assignment) -> list[str]:
    """A warning where a number is scheduled on a day that is over."""
    day = row.scheduled_date
    if row.status != "scheduled" or day is None or day >= today(desk.base):
        return []
    return [f"{day} is in the past: the next `batchbook isbn assign-due` assigns the number"]


def _wanted(system: IsbnSystem, given: dict[str, str | None]) -> Wanted:
    """What the options ask for. Raises WrongValues with every option that is wrong."""
    from batchbook.isbn.bulk import Place, read_row
    from batchbook.isbn.errors import WrongValues

    wanted, findings = read_row(system, given, None, Place(headers=_OPTIONS))
    if wanted is None:
        raise WrongValues("The number cannot be scheduled as asked.", "Mend the options named.", findings=findings)
    return wanted


def assign(
    isbn: opt.Number,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Assign a scheduled number now.

    \b
    Examples:
      batchbook isbn assign 978-1-60888-000-3
      batchbook isbn assign 9781608880003 --user ann --format json
    """
    check_format(format, json)

    def act(desk: Desk, workspace: Workspace, actor: Actor) -> Changed:
        from batchbook.isbn.service import assign

        return assign(workspace, desk.system, actor, isbn)

    _step("assign", act, workbook, user, wait, dry_run)


def reserve(
    reason: opt.NeededReason,
    isbn: opt.MaybeNumber = None,
    block: opt.Block = None,
    notes: opt.Notes = None,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Keep a number out of automatic assignment.

    A certain one, or the next free one (of a block, with --block).

    \b
    Examples:
      batchbook isbn reserve 978-1-60888-010-2 --reason "the anniversary edition"
      batchbook isbn reserve --block 978-1-60888 --reason "kept for the agency"
    """
    check_format(format, json)
    if isbn is not None and block is not None:
        raise UsageError("An ISBN and --block do not go together.", "Name the number, or the block to take one of.")

    def act(desk: Desk, workspace: Workspace, actor: Actor) -> Changed:
        from batchbook.isbn.service import reserve

        return reserve(workspace, desk.system, actor, reason=reason, isbn=isbn, block=block, notes=notes)

    _step("reserve", act, workbook, user, wait, dry_run, reason)


def release(
    isbn: opt.Number,
    reason: opt.Reason = None,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Give a reserved or scheduled number back.

    It is available again. What it was booked for is cleared; the history keeps it.

    \b
    Examples:
      batchbook isbn release 978-1-60888-010-2 --reason "the edition is dropped"
    """
    check_format(format, json)

    def act(desk: Desk, workspace: Workspace, actor: Actor) -> Changed:
        from batchbook.isbn.service import release

        return release(workspace, desk.system, actor, isbn, reason=reason)

    _step("release", act, workbook, user, wait, dry_run, reason)


def update(
    isbn: opt.Number,
    title: opt.Title = None,
    book_id: opt.BookId = None,
    date: opt.Date = None,
    book_format: opt.BookFormat = None,
    priority: opt.Priority = None,
    imprint: opt.Imprint = None,
    publisher: opt.Publisher = None,
    notes: opt.Notes = None,
    reason: opt.Reason = None,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Change what a number is booked for.

    An empty text ("") clears a field that the number can be without. All that is given is checked together and
    done as a whole.

    \b
    Examples:
      batchbook isbn update 978-1-60888-000-3 --date 2027-05-01 --priority 1 --reason "the fair"
      batchbook isbn update 978-1-60888-000-3 --notes ""
    """
    check_format(format, json)
    values = {
        "title": title,
        "book_id": book_id,
        "scheduled_date": date,
        "format": book_format,
        "priority": priority,
        "imprint": imprint,
        "publisher": publisher,
        "notes": notes,
    }
    changes: dict[str, object] = {name: value for name, value in values.items() if value is not None}
    if not changes:
        raise UsageError("Nothing to change is named.", f"Give one of {', '.join(_OPTIONS[name] for name in values)}.")

    def act(desk: Desk, workspace: Workspace, actor: Actor) -> Changed:
        from batchbook.isbn.service import update

        return update(workspace, desk.system, actor, isbn, changes, reason=reason)

    _step("update", act, workbook, user, wait, dry_run, reason)


def cancel(
    isbn: opt.Number,
    reason: opt.NeededReason,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Cancel an assigned or published number for ever.

    It is never given again.

    \b
    Examples:
      batchbook isbn cancel 978-1-60888-000-3 --reason "the book does not come out"
    """
    check_format(format, json)

    def act(desk: Desk, workspace: Workspace, actor: Actor) -> Changed:
        from batchbook.isbn.service import cancel

        return cancel(workspace, desk.system, actor, isbn, reason=reason)

    _step("cancel", act, workbook, user, wait, dry_run, reason)


def publish(
    isbn: opt.Number,
    workbook: opt.Workbook = None,
    user: opt.User = None,
    wait: opt.Wait = WAIT_SECONDS,
    dry_run: opt.DryRun = False,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Say that a number's book is published.

    \b
    Examples:
      batchbook isbn publish 978-1-60888-000-3
    """
    check_format(format, json)

    def act(desk: Desk, workspace: Workspace, actor: Actor) -> Changed:
        from batchbook.isbn.service import publish

        return publish(workspace, desk.system, actor, isbn)

    _step("publish", act, workbook, user, wait, dry_run)


def _step(
    verb: str,
    act: Callable[[Desk, Workspace, Actor], Changed],
    workbook: Any,
    user: str | None,
    wait: float,
    dry_run: bool,
    note: str | None = None,
) -> None:
    """Do one step of one number as a run, and tell it."""
    desk = desk_for(workbook)
    done = desk.change(
        verb,
        lambda workspace, actor: act(desk, workspace, actor),
        user=user,
        wait=wait,
        note=note or "",
        dry_run=dry_run,
    )
    found: Changed = done.value
    kind = desk.system.assignments
    record = plain(kind, found.after)
    before = None if found.before is None else plain(kind, found.before)
    outcome = "changed" if found.changed else "unchanged"
    more = {"outcome": outcome, "assignment": record, "before": before, "history": _history(desk.system, found)}
    did = _DID[verb] if found.changed else "unchanged:"
    said = f"{did} {isbn_text(desk.system, found.after.isbn)}{_what(found.before, found.after, before, record)}"
    moved = found.before is not None and found.before.scheduled_date != found.after.scheduled_date
    warnings = _of_the_past(desk, found.after) if moved else []
    tell(verb, done, said=said, record=record, more=more, warnings=warnings, dry_run=dry_run)


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
    return [plain(system.history, entry) for entry in found.history]


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    for verb in (schedule, assign, reserve, release, update, cancel, publish):
        app.command(verb.__name__)(verb)
