"""`batchbook isbn list, show, search, upcoming, blocks`: what is in the workbook. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from batchbook.cli import isbn_options as opt
from batchbook.cli.isbn_values import day_of, isbn_text
from batchbook.cli.listing import Line, Listing, headers_of, line_of, show_listing, write_csv
from batchbook.cli.options import spread
from batchbook.cli.output import manner, say, show_json
from batchbook.cli.systems import ISBN, Desk
from batchbook.errors import UsageError

if TYPE_CHECKING:
    from batchbook.isbn.queries import BlockUse, Details
    from batchbook.isbn.records import Assignment
    from batchbook.isbn.system import IsbnSystem
    from batchbook.tables.workspace import Workspace

_SHORT = {
    "isbn": "ISBN",
    "status": "status",
    "title": "title",
    "book_id": "book id",
    "format": "format",
    "scheduled_date": "scheduled",
    "priority": "priority",
    "imprint": "imprint",
    "publisher": "publisher",
    "block": "block",
    "assigned_at": "assigned at",
    "published_at": "published at",
    "reason": "reason",
    "notes": "notes",
}
"""All fields of a number with what tables call them; in a table, columns in which nothing stands are left out."""


def list_all(
    *,
    status: opt.Statuses = None,
    start: opt.From = None,
    end: opt.Until = None,
    imprint: opt.Imprint = None,
    block: opt.Block = None,
    book_format: opt.BookFormat = None,
    sort: opt.Sort = None,
    limit: opt.Limit = None,
    how: opt.Looking,
) -> None:
    """List numbers with all their fields.

    \b
    Examples:
      batchbook isbn list
      batchbook isbn list --status scheduled --from 2027-01-01 --until 2027-03-31 --sort scheduled_date
      batchbook isbn list --imprint Harbour --format csv > harbour.csv
    """
    from batchbook.isbn.queries import Selection, assignments

    desk = ISBN.desk(how.workbook)
    workspace = desk.look()
    first, last = day_of(desk.system, start, "--from"), day_of(desk.system, end, "--until")
    if first is not None and last is not None and first > last:
        raise UsageError(f"--from {first} is later than --until {last}.", "Give the earlier day with --from.")
    selection = Selection(
        statuses=tuple(status or ()),
        start=first,
        end=last,
        imprint=imprint,
        block=block,
        format=book_format,
        order=tuple(sort or ()),
    )
    _show_assignments(
        desk,
        workspace,
        lambda: islice(assignments(workspace, desk.system, selection), limit),
        "No number is like that."
        if workspace.table(desk.system.assignments).count()
        else "No number has a row yet: nothing was scheduled or reserved.",
    )


def search(
    *,
    text: Annotated[str, typer.Argument(help="A part of a title, a book id or an ISBN.", show_default=False)],
    how: opt.Looking,
) -> None:
    """Search in titles, book ids and ISBNs.

    Hyphens and capitals do not matter.

    \b
    Examples:
      batchbook isbn search river
      batchbook isbn search 978160888
    """
    from batchbook.isbn.queries import search

    desk = ISBN.desk(how.workbook)
    workspace = desk.look()
    _show_assignments(
        desk,
        workspace,
        lambda: search(workspace, desk.system, text),
        f"Nothing has {text!r} in title, book id or ISBN.",
    )


def upcoming(
    *,
    days: Annotated[int, typer.Option("--days", min=0, metavar="N", help="Up to so many days ahead.")] = 30,
    how: opt.Looking,
) -> None:
    """List the numbers that are due soon or overdue.

    Scheduled numbers up to some days ahead, overdue ones first and marked.

    \b
    Examples:
      batchbook isbn upcoming
      batchbook isbn upcoming --days 90 --format json
    """
    from batchbook.isbn.queries import upcoming

    desk = ISBN.desk(how.workbook)
    day = desk.today()
    workspace = desk.look()
    _show_assignments(
        desk,
        workspace,
        lambda: upcoming(workspace, desk.system, day, days),
        f"Nothing is scheduled up to {days} days from {day}.",
        due_at=str(day),
    )


def _show_assignments(
    desk: Desk[IsbnSystem],
    workspace: Workspace,
    found: Callable[[], Iterable[Assignment]],
    none: str,
    *,
    due_at: str | None = None,
) -> None:
    """Show numbers. due_at: a day; a column in front says which of them are due on it or are overdue."""
    kind = desk.system.assignments
    found()  # what cannot be listed by is refused before anything is printed
    unsound = desk.unsound(workspace, kind)
    headers = _SHORT if due_at is None else {"due": "due", **_SHORT}
    listing = Listing("assignments", headers, lambda: (_due(line_of(kind, row), due_at) for row in found()), none)
    show_listing(listing, {"workbook": str(desk.workbook), "unsound": unsound})


def _due(line: dict[str, object], day: str | None) -> Line:
    """A number with whether it is due, where that is asked for."""
    if day is None:
        return line
    on = str(line["scheduled_date"])
    return {**line, "due": "overdue" if on < day else "today" if on == day else None}


def show(*, isbn: opt.Number, how: opt.Looking) -> None:
    """Show all about one number, with its history.

    Its fields, the steps that are allowed, its history; of one whose row is gone too. With --format csv the
    history is left out.

    \b
    Examples:
      batchbook isbn show 978-1-60888-000-3
      batchbook isbn show 1608880001 --format json
    """
    from batchbook.isbn.queries import show

    desk = ISBN.desk(how.workbook)
    details = show(desk.look(), desk.system, isbn)
    kind = desk.system.assignments
    record = None if details.assignment is None else line_of(kind, details.assignment)
    history = [line_of(desk.system.history, entry) for entry in details.history]
    if manner.json:
        number = isbn_text(desk.system, details.isbn)
        more = {"isbn": number, "block": details.block, "lost": details.lost, "assignment": record}
        show_json({**more, "steps": list(details.steps), "history": history, "error": None})
    elif manner.csv:
        write_csv([column.name for column in kind.columns], [] if record is None else [record])
    else:
        for name, value in (record or {"isbn": isbn_text(desk.system, details.isbn), "block": details.block}).items():
            if value is not None:
                say(f"{_SHORT[name]}: {value}")
        if details.lost or record is None:
            say(f"standing: {_standing(details)}")
        say(f"can become: {', '.join(details.steps) or 'nothing else'}")
        headers = {name: header for name, header in headers_of(desk.system.history).items() if name != "isbn"}
        show_listing(Listing("history", headers, lambda: history, "Its history is empty."))


def _standing(details: Details) -> str:
    """What is to be known of a number without a row, or whose row was set back."""
    if details.lost and details.assignment is None:
        return (
            "lost: it was given once, and its row is gone; it is not given again. `batchbook runs reapply RUN`, or a "
            "backup, puts the row back"
        )
    if details.lost:
        return "lost: its row says available, but a command had put it in another state last; it is not given again"
    return "free: it has no row now" if details.block else "of no block, and it has no row now"


def blocks(*, how: opt.Looking) -> None:
    """List the blocks with what is taken and left.

    Figures are counted from the rows. Lost are numbers that were given once though no row says so; unsure are
    those whose row breaks a rule. Neither is available.

    \b
    Examples:
      batchbook isbn blocks
      batchbook isbn blocks --format csv
    """
    from batchbook.isbn.queries import blocks

    desk = ISBN.desk(how.workbook)
    workspace = desk.look()
    unsound = desk.unsound(workspace, desk.system.blocks, what="not listed as a block")
    unsound += desk.unsound(workspace, desk.system.assignments, what="counted as unsure, not as available")
    used = [block_line(desk, use) for use in blocks(workspace, desk.system)]
    listing = Listing(
        "blocks",
        _BLOCKS,
        lambda: used,
        "There is no block yet: batchbook isbn add-block 978-1-60888",
        shares=frozenset({"utilisation"}),
    )
    show_listing(listing, {"workbook": str(desk.workbook), "unsound": unsound})


_BLOCKS = {
    "block": "block",
    "imprint": "imprint",
    "publisher": "publisher",
    "first": "first",
    "last": "last",
    "total": "total",
    "used": "used",
    "reserved": "reserved",
    "available": "available",
    "lost": "lost",
    "unsure": "unsure",
    "utilisation": "taken",
    "notes": "notes",
}


def block_line(desk: Desk[IsbnSystem], use: BlockUse) -> dict[str, object]:
    """A block with its figures as plain values."""
    return {**line_of(desk.system.blocks, use.block), **use.figures(), "by_status": dict(use.by_status)}


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("list")(spread(list_all))
    for verb in (show, search, upcoming, blocks):
        app.command(verb.__name__)(spread(verb))
