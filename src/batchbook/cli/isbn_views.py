"""`batchbook isbn list, show, search, upcoming, blocks`: what is in the workbook. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from batchbook.cli import isbn_options as opt
from batchbook.cli.isbn_place import Desk, day_of, desk_for, today
from batchbook.cli.isbn_shapes import headers_of, isbn_text, plain, warn_of_unsound
from batchbook.cli.listing import Formats, Line, Listing, check_format, show_listing, write_csv
from batchbook.cli.output import manner, say, show_json

if TYPE_CHECKING:
    from batchbook.isbn.queries import BlockUse, Details
    from batchbook.isbn.records import Assignment
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
    status: Annotated[
        list[str] | None,
        typer.Option(
            "--status",
            help="Only numbers with this status (available, reserved, scheduled, assigned, published, cancelled); can "
            "be given again.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Scheduled on this day or later.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="Scheduled up to this day.", show_default=False)
    ] = None,
    imprint: opt.Imprint = None,
    block: opt.Block = None,
    book_format: opt.BookFormat = None,
    sort: Annotated[
        list[str] | None,
        typer.Option(
            "--sort",
            metavar="FIELD",
            help="Sort by a field (its header, or its name in JSON: isbn, status, title, book_id, format, "
            "scheduled_date, priority, imprint, publisher, block, assigned_at, published_at, reason, notes), -FIELD "
            "downwards; can be given again.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.", show_default=False)] = None,
    workbook: opt.Workbook = None,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """List numbers with all their fields.

    \b
    Examples:
      batchbook isbn list
      batchbook isbn list --status scheduled --from 2027-01-01 --until 2027-03-31 --sort scheduled_date
      batchbook isbn list --imprint Harbour --format csv > harbour.csv
    """
    check_format(format, json)
    desk = desk_for(workbook)

    def found(workspace: Workspace) -> Iterable[Assignment]:
        from itertools import islice

        from batchbook.isbn.queries import Selection, assignments

        selection = Selection(
            statuses=tuple(status or ()),
            start=day_of(desk.system, start, "--from"),
            end=day_of(desk.system, end, "--until"),
            imprint=imprint,
            block=block,
            format=book_format,
            order=tuple(sort or ()),
        )
        return islice(assignments(workspace, desk.system, selection), limit)

    _show_assignments(desk, found, "No number is like that.")


def search(
    text: Annotated[str, typer.Argument(help="A part of a title, a book id or an ISBN.", show_default=False)],
    workbook: opt.Workbook = None,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Search in titles, book ids and ISBNs.

    Hyphens and capitals do not matter.

    \b
    Examples:
      batchbook isbn search river
      batchbook isbn search 978160888
    """
    check_format(format, json)
    desk = desk_for(workbook)

    def found(workspace: Workspace) -> Iterable[Assignment]:
        from batchbook.isbn.queries import search

        return search(workspace, desk.system, text)

    _show_assignments(desk, found, f"Nothing has {text!r} in title, book id or ISBN.")


def upcoming(
    days: Annotated[int, typer.Option("--days", min=0, metavar="N", help="Up to so many days ahead.")] = 30,
    workbook: opt.Workbook = None,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """List the numbers that are due soon or overdue.

    Scheduled numbers up to some days ahead, overdue ones first and marked.

    \b
    Examples:
      batchbook isbn upcoming
      batchbook isbn upcoming --days 90 --format json
    """
    check_format(format, json)
    desk = desk_for(workbook)
    day = today(desk.base)

    def found(workspace: Workspace) -> Iterable[Assignment]:
        from batchbook.isbn.queries import upcoming

        return upcoming(workspace, desk.system, day, days)

    def due(row: Line) -> Line:
        on = str(row["scheduled_date"])
        return {**row, "due": "overdue" if on < str(day) else "today" if on == str(day) else None}

    _show_assignments(desk, found, f"Nothing is scheduled up to {days} days from {day}.", {"due": "due"}, due)


def _show_assignments(
    desk: Desk,
    found: Callable[[Workspace], Iterable[Assignment]],
    none: str,
    more: dict[str, str] | None = None,
    add: Callable[[Line], Line] = lambda row: row,
) -> None:
    """Show numbers. more: columns that stand in front, which `add` puts into the rows."""
    workspace = desk.look()
    kind = desk.system.assignments
    found(workspace)  # what cannot be listed by is refused before anything is printed
    unsound = warn_of_unsound(workspace, kind)
    listing = Listing(
        "assignments", {**(more or {}), **_SHORT}, lambda: (add(plain(kind, row)) for row in found(workspace)), none
    )
    show_listing(listing, {"workbook": str(desk.workbook), "unsound": unsound})


def show(
    isbn: opt.Number,
    workbook: opt.Workbook = None,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """Show all about one number, with its history.

    Its fields, the steps that are allowed, its history; of one whose row is gone too. With --format csv the
    history is left out.

    \b
    Examples:
      batchbook isbn show 978-1-60888-000-3
      batchbook isbn show 1608880001 --format json
    """
    from batchbook.isbn.queries import show

    check_format(format, json)
    desk = desk_for(workbook)
    details = show(desk.look(), desk.system, isbn)
    kind = desk.system.assignments
    record = None if details.assignment is None else plain(kind, details.assignment)
    history = [plain(desk.system.history, entry) for entry in details.history]
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


def blocks(
    workbook: opt.Workbook = None,
    format: opt.Format = Formats.TABLE,
    json: opt.Json = False,
) -> None:
    """List the blocks with what is taken and left.

    Figures are counted from the rows. Lost are numbers that were given once though no row says so; unsure are
    those whose row breaks a rule. Neither is available.

    \b
    Examples:
      batchbook isbn blocks
      batchbook isbn blocks --format csv
    """
    from batchbook.isbn.queries import blocks

    check_format(format, json)
    desk = desk_for(workbook)
    workspace = desk.look()
    unsound = warn_of_unsound(workspace, desk.system.blocks, what="not listed as a block")
    unsound += warn_of_unsound(workspace, desk.system.assignments, what="counted as unsure, not as available")
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


def block_line(desk: Desk, use: BlockUse) -> dict[str, object]:
    """A block with its figures as plain values."""
    return {
        **plain(desk.system.blocks, use.block),
        "used": use.used,
        "reserved": use.reserved,
        "available": use.available,
        "lost": use.lost,
        "unsure": use.unsure,
        "utilisation": use.utilisation,
        "by_status": dict(use.by_status),
    }


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("list")(list_all)
    for verb in (show, search, upcoming, blocks):
        app.command(verb.__name__)(verb)
