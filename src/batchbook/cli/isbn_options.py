"""The options of `batchbook isbn`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from batchbook.cli.listing import Format as Format
from batchbook.cli.options import Json as Json
from batchbook.cli.options import Wait as Wait
from batchbook.cli.run_options import Quiet as Quiet
from batchbook.cli.run_options import ResumeAuto as ResumeAuto
from batchbook.cli.run_options import StartFresh as StartFresh
from batchbook.cli.run_options import Verbose as Verbose

Workbook: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--workbook",
        "-w",
        metavar="FILE",
        help="The ISBN workbook; left out: `workbooks: {isbn: ...}` of config/batchbook.yaml.",
        show_default=False,
    ),
]
User: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--user", metavar="NAME", help="Who does it, for the history; left out: the system's user.", show_default=False
    ),
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Say what would be done and write nothing.")]
Number: TypeAlias = Annotated[
    str, typer.Argument(metavar="ISBN", help="With or without hyphens; an ISBN-10 too.", show_default=False)
]


def _text(name: str, help: str, metavar: str = "TEXT") -> object:
    return typer.Option(name, metavar=metavar, help=help, show_default=False)


Title: TypeAlias = Annotated[str | None, _text("--title", "Title of the book.")]
NeededTitle: TypeAlias = Annotated[str, _text("--title", "Title of the book.")]
BookId: TypeAlias = Annotated[str | None, _text("--book-id", "The book's number in your own system.")]
NeededBookId: TypeAlias = Annotated[str, _text("--book-id", "The book's number in your own system.")]
BookFormat: TypeAlias = Annotated[
    str | None, _text("--book-format", "paperback, hardcover, ebook, audiobook, or one of `isbn: {formats: ...}`.")
]
NeededBookFormat: TypeAlias = Annotated[
    str, _text("--book-format", "paperback, hardcover, ebook, audiobook, or one of `isbn: {formats: ...}`.")
]
Date: TypeAlias = Annotated[str | None, _text("--date", "The day on which the number is to be assigned.", "DATE")]
NeededDate: TypeAlias = Annotated[str, _text("--date", "The day on which the number is to be assigned.", "DATE")]
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
