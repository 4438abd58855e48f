"""The options of `batchbook isbn`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from batchbook.cli import options
from batchbook.cli.options import Json as Json
from batchbook.cli.systems import ISBN

Workbook: TypeAlias = Annotated[Path | None, options.workbook(ISBN.title, ISBN.name)]


@dataclass(frozen=True, kw_only=True)
class Looking(options.Looking):
    """How a verb that only reads is called."""

    workbook: Workbook = None


@dataclass(frozen=True, kw_only=True)
class Changing(options.Changing):
    """How a verb that changes something is called."""

    workbook: Workbook = None


@dataclass(frozen=True, kw_only=True)
class Running(options.Running):
    """How a verb that runs a job is called."""

    workbook: Workbook = None


Number: TypeAlias = Annotated[
    str, typer.Argument(metavar="ISBN", help="With or without hyphens; an ISBN-10 too.", show_default=False)
]


def _text(name: str, help: str, metavar: str = "TEXT") -> object:
    return typer.Option(name, metavar=metavar, help=help, show_default=False)


_TITLE = _text("--title", "Title of the book.")
_BOOK_ID = _text("--book-id", "The book's number in your own system.")
_BOOK_FORMAT = _text("--book-format", "paperback, hardcover, ebook, audiobook, or one of `isbn: {formats: ...}`.")
_DATE = _text("--date", "The day on which the number is to be assigned.", "DATE")

Title: TypeAlias = Annotated[str | None, _TITLE]
NeededTitle: TypeAlias = Annotated[str, _TITLE]
BookId: TypeAlias = Annotated[str | None, _BOOK_ID]
NeededBookId: TypeAlias = Annotated[str, _BOOK_ID]
BookFormat: TypeAlias = Annotated[str | None, _BOOK_FORMAT]
NeededBookFormat: TypeAlias = Annotated[str, _BOOK_FORMAT]
Date: TypeAlias = Annotated[str | None, _DATE]
NeededDate: TypeAlias = Annotated[str, _DATE]
Priority: TypeAlias = Annotated[str | None, _text("--priority", "1 high, 2 normal, 3 low.", "1|2|3")]
WantedNumber: TypeAlias = Annotated[
    str | None, _text("--isbn", "A certain number, instead of the next free one.", "ISBN")
]
MaybeNumber: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="ISBN", help="The number; without one, the next free one.", show_default=False),
]
Block: TypeAlias = Annotated[str | None, _text("--block", "Name of a block, such as 978-1-60888.", "BLOCK")]
UpdateBooking: TypeAlias = Annotated[
    bool, typer.Option("--update", help="Change the details of a number that the book has already, where they differ.")
]
Imprint: TypeAlias = Annotated[str | None, _text("--imprint", "The imprint that the book comes out under.")]
Publisher: TypeAlias = Annotated[str | None, _text("--publisher", "The publisher of the book.")]
Notes: TypeAlias = Annotated[str | None, _text("--notes", "Whatever is worth knowing.")]
Reason: TypeAlias = Annotated[str | None, _text("--reason", "Why; it is kept in the history.")]
NeededReason: TypeAlias = Annotated[str, _text("--reason", "Why; it is kept and shown.")]
To: TypeAlias = Annotated[
    Path | None,
    typer.Option("--to", metavar="FILE.xlsx", help="Write a workbook with charts instead.", show_default=False),
]


@dataclass(frozen=True, kw_only=True)
class Details:
    """What else a number can be booked with."""

    priority: Priority = None
    imprint: Imprint = None
    publisher: Publisher = None
    notes: Notes = None


Prefix: TypeAlias = Annotated[
    str | None,
    typer.Argument(metavar="PREFIX", help="What the agency gave you, such as 978-1-60888.", show_default=False),
]
PartPrefix: TypeAlias = Annotated[str | None, _text("--prefix", "Or its parts: the prefix,", "978|979")]
PublisherCode: TypeAlias = Annotated[
    str | None, _text("--publisher-code", "registration group and registrant,", "1-60888")
]
First: TypeAlias = Annotated[str | None, _text("--start", "the first number (left out: 0),", "ISBN|N")]
Last: TypeAlias = Annotated[str | None, _text("--end", "the last number (left out: the highest).", "ISBN|N")]
Total: TypeAlias = Annotated[
    int | None, _text("--total", "How many: with --start, where it ends; else as a check.", "N")
]
ForImprint: TypeAlias = Annotated[str | None, _text("--imprint", "Meant first for this imprint.")]
ForPublisher: TypeAlias = Annotated[str | None, _text("--publisher", "Meant first for this publisher.")]
NewBlocks: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--new-blocks/--no-new-blocks",
        help="Enter blocks that the workbook does not have; left out, only where it has none at all.",
        show_default=False,
    ),
]

Statuses: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        help="Only numbers with this status (available, reserved, scheduled, assigned, published, cancelled); can "
        "be given again.",
        show_default=False,
    ),
]
From: TypeAlias = Annotated[str | None, _text("--from", "Scheduled on this day or later.", "DATE")]
Until: TypeAlias = Annotated[str | None, _text("--until", "Scheduled up to this day.", "DATE")]
Sort: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--sort",
        metavar="FIELD",
        help="Sort by a field (its header, or its name in JSON: isbn, status, title, book_id, format, "
        "scheduled_date, priority, imprint, publisher, block, assigned_at, published_at, reason, notes), -FIELD "
        "downwards; can be given again.",
        show_default=False,
    ),
]
Limit: TypeAlias = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.", show_default=False)]
