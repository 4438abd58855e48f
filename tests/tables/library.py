"""A small workbook of records for this room: shelves, and the books that stand on them."""

import datetime as dt
from dataclasses import dataclass

import openpyxl

from batchbook.tables import (
    Broken,
    Column,
    Date,
    Moment,
    RecordChange,
    RecordType,
    Reference,
    Text,
    Whole,
    Workspace,
)
from batchbook.xlsx import Book


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    room: str
    number: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    code: str
    status: str
    title: str | None = None
    shelf: str | None = None
    copies: int | None = None
    due: dt.date | None = None
    seen: dt.datetime | None = None
    remark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    entry: int
    said: str | None = None


def lent_needs_a_day(title):
    if title.status == "lent" and title.due is None:
        yield Broken("due", "due", "is empty, but the book is lent")
    if title.copies == 0:
        yield Broken("copies", "none-left", "is 0: is it lost?", warning=True)


SHELVES = RecordType(
    record=Shelf,
    sheet="Shelves",
    key=("room", "number"),
    help="Where books stand.",
    columns=(
        Column("room", "Room", Text(), "The room.", required=True),
        Column("number", "Number", Whole(1), "From the left.", required=True),
        Column("name", "Name", Text(), "As on the label.", required=True),
    ),
)
TITLES = RecordType(
    record=Title,
    sheet="Titles",
    key=("code",),
    help="The books.",
    columns=(
        Column("code", "Code", Text(), "As on the back.", required=True),
        Column("status", "Status", Text(), "Where it is.", required=True, allowed=("there", "lent", "lost")),
        Column("title", "Title", Text(200), "On the cover.", aliases=("Book",)),
        Column("shelf", "Shelf", Text(), "Where it belongs.", refers=Reference("Shelves", "name")),
        Column("copies", "Copies", Whole(0, 99), "How many.", allowed=("0", "1", "2", "3")),
        Column("due", "Due", Date(), "When it is back."),
        Column("seen", "Seen", Moment(), "When it was last seen.", owner="machine"),
        Column("remark", "Remark", Text(), "For people.", owner="person"),
    ),
    rules=(lent_needs_a_day,),
)
LOG = RecordType(
    record=Entry,
    sheet="Log",
    key=("entry",),
    append_only=True,
    help="What happened.",
    columns=(
        Column("entry", "Entry", Whole(), "Counts.", required=True),
        Column("said", "Said", Text(), "What."),
    ),
)
TYPES = (SHELVES, TITLES, LOG)
HEAD = [column.header for column in TITLES.columns]
DAY = dt.date(2026, 11, 22)
SHELF_ROWS = [["A", 1, "left"], ["A", 2, "right"]]


def make_library(path, titles=(), shelves=SHELF_ROWS, log=(), change=None):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for kind, rows in ((SHELVES, shelves), (TITLES, titles), (LOG, log)):
        sheet = book.create_sheet(kind.sheet)
        sheet.append([column.header for column in kind.columns])
        for row in rows:
            sheet.append(row)
    if change is not None:
        change(book)
    book.save(path)
    return path


def read_library(folder, titles=(), **given):
    """The workspace of a new workbook."""
    return workspace_of(make_library(folder / "library.xlsx", titles, **given))


def workspace_of(path):
    """The workspace of a workbook. Its book is closed: nothing may be read from it any more."""
    with Book.open(path) as book:
        return Workspace.read(book, TYPES)


def changed(code, before, after):
    """A change of one title."""
    return RecordChange("Titles", (code,), before, after)


def library_with(*titles):
    """A workspace of no workbook with two shelves and these titles, and nothing to take."""
    workspace = Workspace.empty(TYPES, "library.xlsx")
    for room, number, name in SHELF_ROWS:
        workspace.table(SHELVES).insert(Shelf(room=room, number=number, name=name))
    for title in titles:
        workspace.table(TITLES).insert(title)
    workspace.take()
    return workspace


def records_of(workspace):
    return {kind.sheet: list(workspace.table(kind).where()) for kind in TYPES}
