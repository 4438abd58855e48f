"""The sheets of an ISBN workbook: blocks, assignments, history."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final

from batchbook.isbn.numbers import Isbn
from batchbook.isbn.ranges import RangeTable
from batchbook.tables.plainkinds import Date, Moment, Text, Whole
from batchbook.tables.records import Column, Computed, R, RecordType, Reference

STATUSES: Final = ("available", "reserved", "scheduled", "assigned", "published", "cancelled")
FORMATS: Final = ("paperback", "hardcover", "ebook", "audiobook")
"""What every workbook knows; the configuration can add to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of numbers bought from an agency. first and last are whole ISBNs (13 digits)."""

    block: str
    prefix: str
    publisher_code: str
    imprint: str | None = None
    publisher: str | None = None
    first: str
    last: str
    total: int
    added_at: dt.datetime | None = None
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A number that was touched; untouched numbers of a block have no row."""

    isbn: str
    status: str
    title: str | None = None
    book_id: str | None = None
    format: str | None = None
    scheduled_date: dt.date | None = None
    priority: int | None = None
    imprint: str | None = None
    publisher: str | None = None
    block: str | None = None
    assigned_at: dt.datetime | None = None
    published_at: dt.datetime | None = None
    reason: str | None = None
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One change: when, who, what, from, to, reason. field is the column that changed (``status`` for a step)."""

    entry: str
    at: dt.datetime
    who: str
    what: str
    isbn: str
    field: str
    before: str | None = None
    after: str | None = None
    reason: str | None = None


BLOCKS: Final = RecordType(
    record=Block,
    sheet="ISBN Blocks",
    key=("block",),
    label="imprint",
    help="The blocks of numbers that were bought from the agency, one a row.",
    columns=(
        Column("block", "Block", Text(), "Name of the block, such as 978-1-60888.", required=True, width=18),
        Column("prefix", "Prefix", Text(), "978 or 979.", required=True, allowed=("978", "979"), width=9),
        Column(
            "publisher_code", "Publisher Code", Text(), "Registration group and registrant, such as 1-60888.",
            required=True, width=16,
        ),
        Column("imprint", "Imprint", Text(), "Code of the imprint that the block is meant for first.", width=14),
        Column("publisher", "Publisher", Text(), "The publisher that the block is meant for first.", width=22),
        Column("first", "First ISBN", Isbn(), "The first number of the block.", required=True, width=20),
        Column("last", "Last ISBN", Isbn(), "The last number of the block.", required=True, width=20),
        Column("total", "Total", Whole(1), "How many numbers the block has.", required=True, owner="machine", width=12),
        Column("added_at", "Added At", Moment(), "When the block was entered.", owner="machine", width=26),
        Column("notes", "Notes", Text(), "Whatever is worth knowing.", width=44),
    ),
    computed=(
        Computed(
            "Used",
            'IF([@Block]="","",COUNTIFS(ISBN_Assignments[Block],[@Block],ISBN_Assignments[Status],"<>available"))',
            "Assignments whose Block is this one and that are taken: reserved, scheduled, assigned, published or "
            "cancelled. A number in two blocks that overlap counts in the one that its row names; the command "
            "batchbook isbn blocks counts it in both.", "0", 10,
        ),
        Computed(
            "Free", 'IF([@Block]="","",[@Total]-[@Used])',
            "Total less Used: what can still be given, where no other block overlaps.", "0", 12,
        ),
        Computed(
            "Utilisation", 'IF(OR([@Block]="",[@Total]=""),"",[@Used]/[@Total])', "Used as a share of Total.", "0.0%",
            12,
        ),
    ),
)  # fmt: skip


def assignments_type(formats: tuple[str, ...] = FORMATS) -> RecordType[Assignment]:
    """The type of the assignments with the formats that a publisher has."""
    return RecordType(
        record=Assignment,
        sheet="ISBN Assignments",
        key=("isbn",),
        label="title",
        free=("status", "available"),
        help="One row for each number that was touched: what it is meant for, and how far it is.",
        columns=(
            Column("isbn", "ISBN", Isbn(), "The number; commands choose it.", required=True, width=20),
            Column(
                "status", "Status", Text(), "How far the number is; commands change it by the allowed steps.",
                required=True, allowed=STATUSES, width=12,
                colours={"reserved": "warn", "assigned": "good", "published": "good", "cancelled": "bad",
                         "available": "quiet"},
            ),
            Column("title", "Title", Text(), "Title of the book.", width=36),
            Column("book_id", "Book ID", Text(), "The book's number in your own system.", width=14),
            Column("format", "Format", Text(), "The format that the number is for.", allowed=formats, width=12),
            Column(
                "scheduled_date", "Scheduled Date", Date(), "The day on which the number is to be assigned.",
                aliases=("Scheduled",), width=15,
            ),
            Column(
                "priority", "Priority", Whole(1, 3), "1 high, 2 normal, 3 low.", allowed=("1", "2", "3"), width=9,
            ),
            Column("imprint", "Imprint", Text(), "The imprint that the book comes out under.", width=14),
            Column("publisher", "Publisher", Text(), "The publisher of the book.", width=22),
            Column(
                "block", "Block", Text(), "The block that the number is of.", refers=Reference("ISBN Blocks", "block"),
                owner="machine", width=18,
            ),
            Column("assigned_at", "Assigned At", Moment(), "When the number was assigned.", owner="machine", width=26),
            Column("published_at", "Published At", Moment(), "When the book was published.", owner="machine", width=26),
            Column("reason", "Reason", Text(), "Why the number is reserved or cancelled.", width=44),
            Column("notes", "Notes", Text(), "Whatever is worth knowing.", width=36),
        ),
    )  # fmt: skip


ASSIGNMENTS: Final = assignments_type()

HISTORY: Final = RecordType(
    record=HistoryEntry,
    sheet="ISBN History",
    key=("entry",),
    append_only=True,
    help="Every change of a number, written by the commands; rows are added, never changed.",
    columns=(
        Column("entry", "Entry", Text(), "Run and number of the change.", required=True, owner="machine", width=26),
        Column("at", "When", Moment(), "When it was done.", required=True, owner="machine", width=26),
        Column("who", "Who", Text(), "The user who did it.", required=True, owner="machine", width=14),
        Column("what", "What", Text(), "The command.", required=True, owner="machine", width=12),
        Column("isbn", "ISBN", Isbn(), "The number.", required=True, owner="machine", width=20),
        Column("field", "Field", Text(), "The column that changed.", required=True, owner="machine", width=16),
        Column("before", "From", Text(), "What it held.", owner="machine", width=24),
        Column("after", "To", Text(), "What it holds since.", owner="machine", width=24),
        Column("reason", "Reason", Text(), "Why, where a reason was given.", owner="machine", width=60),
    ),
)  # fmt: skip


def with_ranges(kind: RecordType[R], ranges: RangeTable) -> RecordType[R]:
    """A type whose ISBNs are written with the hyphens of this range table."""
    columns = (
        replace(column, kind=Isbn(ranges)) if isinstance(column.kind, Isbn) else column for column in kind.columns
    )
    return replace(kind, columns=tuple(columns))
