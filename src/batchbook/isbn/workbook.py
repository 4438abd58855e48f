"""New ISBN workbooks: blocks, assignments and history, with a sheet that explains them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import IO, Any, Final

from batchbook.isbn.records import BLOCKS, FORMATS, HISTORY, assignments_type
from batchbook.tables.newbook import EPOCH, new_workbook
from batchbook.tables.newreadme import Note

TITLE: Final = "ISBN workbook"

NOTES: Final = (
    Note(
        "How it works",
        (
            "A number gets a row on the sheet ISBN Assignments once it is touched. The other numbers of a block are "
            "free; they have no rows.",
            "Commands choose the numbers, change the status and write the history. People may add columns, notes and "
            "colours, sort and filter: commands find a row by its ISBN and a column by its header. Please leave ISBNs "
            "and headers as they are.",
            "A number that is assigned, published or cancelled is never given again. Delete no rows: cancel or release "
            "the number instead.",
            "The command batchbook isbn check reads all sheets and names every cell that is wrong.",
        ),
        below=False,
    ),
    Note(
        "Status",
        (
            ("available", "Released again; the next one who needs a number may get it."),
            ("reserved", "Kept for the reason that stands in its row; commands do not give it by themselves."),
            ("scheduled", "Meant for a book; it is assigned on the scheduled date."),
            ("assigned", "The book has it. From here no way leads back."),
            ("published", "The book is out."),
            ("cancelled", "Spent without a book, or the book was withdrawn."),
        ),
    ),
    Note(
        "Commands",
        (
            "All begin with batchbook isbn, such as batchbook isbn list; each explains itself with --help.",
            ("add-block, blocks", "Enter a block of numbers; show the blocks with what is left of them."),
            ("schedule", "Give a book the next free number of the best block."),
            ("assign, assign-due", "Assign one scheduled number; assign all that are due, as the nightly job does."),
            ("publish, cancel", "Say that a book is out, or that its number is spent."),
            ("reserve, release", "Keep a number for a reason; give back a reserved or scheduled one."),
            ("update", "Change title, book, date, priority, notes, format, imprint or publisher."),
            ("list, show, search, upcoming", "Find numbers; show one with its history; show what is due soon."),
            ("report", "Totals, forecast and use of the blocks, as a table, JSON, CSV or a workbook with charts."),
            ("bulk, adopt", "Schedule the rows of a CSV or XLSX file; take over an agency's list of numbers."),
            ("check", "Check all sheets."),
            ("new", "Make another workbook like this one, without blocks and numbers."),
            "Each command is a run: batchbook runs list shows them, and batchbook runs undo takes one back.",
        ),
    ),
)


def new_isbn_workbook(
    stream: IO[bytes],
    *,
    formats: tuple[str, ...] = FORMATS,
    records: Mapping[str, Iterable[Any]] | None = None,
    title: str = TITLE,
    made: dt.datetime = EPOCH,
) -> dict[str, int]:
    """Write a new ISBN workbook; gives the number of records by sheet.

    formats: all that a number can be for. records: blocks, assignments and history entries by sheet. made: when, UTC.
    """
    types = (BLOCKS, assignments_type(formats), HISTORY)
    front = types[1].sheet
    return new_workbook(stream, types, title=title, notes=NOTES, records=records, active=front, made=made)
