"""A small system of records, in a workbook of its own: items that are taken and given back, and a log of that."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import openpyxl

from batchbook.batch.command import look, run_command
from batchbook.batch.controller import local_now
from batchbook.batch.systems import System, Turning
from batchbook.batch.undo import reapply_run, undo_run
from batchbook.config import load_base
from batchbook.errors import EXIT_FAILED, BatchbookError
from batchbook.storage.ledger import Ledger
from batchbook.tables.kinds import Kind, Wrong
from batchbook.tables.plainkinds import Text, Whole
from batchbook.tables.records import Column, RecordChange, RecordType


class Code(Kind[str]):
    """A number of four digits, written with a dash; the value is its digits."""

    name = "code"
    format = "@"

    def read(self, value, shown):
        return self.parse(str(value))

    def parse(self, text):
        digits = text.replace("-", "")
        if len(digits) != 4 or not digits.isdigit():
            raise Wrong("code", "is no code such as 00-01")
        return digits

    def write(self, value):
        return f"{value[:2]}-{value[2:]}"

    def store(self, value):
        return value

    def load(self, stored):
        return str(stored)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    code: str
    state: str
    title: str | None = None
    count: int | None = None
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    entry: str
    code: str
    what: str
    who: str


ITEMS = RecordType(
    record=Item, sheet="Items", key=("code",), label="title", help="The items.",
    columns=(
        Column("code", "Code", Code(), "The number.", required=True),
        Column("state", "State", Text(), "How far it is.", required=True, allowed=("free", "taken", "gone")),
        Column("title", "Title", Text(), "What it is.", aliases=("Name",)),
        Column("count", "Count", Whole(), "How many."),
        Column("notes", "Notes", Text(), "Whatever."),
    ),
)  # fmt: skip
LOG = RecordType(
    record=Entry, sheet="Log", key=("entry",), append_only=True, help="What was done.",
    columns=(
        Column("entry", "Entry", Text(), "Run and number.", required=True, owner="machine"),
        Column("code", "Code", Code(), "The item.", required=True, owner="machine"),
        Column("what", "What", Text(), "The command.", required=True, owner="machine"),
        Column("who", "Who", Text(), "The user.", required=True, owner="machine"),
    ),
)  # fmt: skip


class NotAllowed(BatchbookError):
    """The rules do not allow it."""

    code = "not-allowed"
    exit_code = EXIT_FAILED


class Shelf(System):
    """Items and their log."""

    name = "shelf"
    types = (ITEMS, LOG)
    refuses: frozenset[str] = frozenset()
    """Codes that an undo has to leave."""

    def turned(self, workspace, verb, run, changes, actor):
        items = [change for change in changes if change.sheet == "Items"]
        refused = {("Items", c.key): "the shelf refuses" for c in items if c.key[0] in self.refuses}
        told = [
            RecordChange("Log", (f"{actor.run}.{n}",), None, {
                "entry": f"{actor.run}.{n}", "code": Code().write(change.key[0]), "what": f"{verb} of {run}",
                "who": actor.user,
            })
            for n, change in enumerate((c for c in items if ("Items", c.key) not in refused), 1)
        ]  # fmt: skip
        return Turning(refused, told)


SHELF = Shelf()


def known(name):
    """The systems that undo and reapply are told of."""
    return SHELF if name == "shelf" else None


def log(workspace, actor, code, what):
    number = workspace.table(LOG).count() + 1
    workspace.table(LOG).insert(Entry(entry=f"{actor.run}.{number}", code=code, what=what, who=actor.user))


def take(code, title=None):
    """A free item is taken; one that is not there yet, too."""

    def act(workspace, actor):
        items = workspace.table(ITEMS)
        item = items.get(code)
        if item is None:
            items.insert(Item(code=code, state="taken", title=title))
        elif item.state != "free":
            raise NotAllowed(f"{code} is {item.state}.", "Take another one.")
        else:
            items.update(code, state="taken", **({"title": title} if title else {}))
        log(workspace, actor, code, "take")
        return code

    return act


def take_next(title):
    """The lowest number that no row has, and that was never given."""

    def act(workspace, actor):
        items, lost = workspace.table(ITEMS), workspace.lost(ITEMS)
        code = next(c for n in range(1, 10_000) if items.get(c := f"{n:04}") is None and (c,) not in lost)
        return take(code, title)(workspace, actor)

    return act


def change(code, **fields):
    def act(workspace, actor):
        workspace.table(ITEMS).update(code, **fields)
        log(workspace, actor, code, "change")

    return act


class Bench:
    """A folder with a workbook of the small system."""

    def __init__(self, path, items=(("00-01", "free", "one", 1, None), ("00-02", "free", "two", 2, None))):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        sheet.title = "Items"
        for row in [("Code", "State", "Title", "Count", "Notes", "Mine"), *items]:
            sheet.append(list(row))
        book.create_sheet("Log").append(["Entry", "Code", "What", "Who"])
        book.create_sheet("Other")["A1"] = "untouched"
        book.save(self.book)

    @property
    def book(self):
        return self.path / "shelf.xlsx"

    @property
    def base(self):
        return load_base(self.path, {})

    def ledger(self):
        return Ledger.open(self.base.ledger, root=self.path)

    def do(self, act, verb="take", *, system=SHELF, wait=0.0, clock=local_now, **more):
        return run_command(self.base, self.book, system, verb, act, user="me", wait=wait, clock=clock, **more)

    def look(self, system=SHELF):
        return look(self.base, self.book, system)

    def undo(self, run, *, systems=known, clock=local_now):
        with self.ledger() as ledger:
            return undo_run(self.base, ledger, run, wait=0, clock=clock, warn=print, systems=systems, user="me")

    def reapply(self, run, *, systems=known, clock=local_now):
        with self.ledger() as ledger:
            return reapply_run(self.base, ledger, run, wait=0, clock=clock, warn=print, systems=systems, user="me")

    def rows(self, sheet="Items"):
        """What stands below the header, gaps left out."""
        rows = openpyxl.load_workbook(self.book)[sheet].iter_rows(2, values_only=True)
        return [list(row) for row in rows if any(value is not None for value in row)]

    def items(self):
        return {row[0]: row[1:3] for row in self.rows()}

    def edit(self, change, sheet="Items"):
        """Change the workbook as a person would: open, edit, save."""
        book = openpyxl.load_workbook(self.book)
        change(book[sheet])
        book.save(self.book)

    def cell(self, place, value, sheet="Items"):
        self.edit(lambda one: one.__setitem__(place, value), sheet)

    def runs(self):
        with self.ledger() as ledger:
            return [(run.job, run.status) for run in ledger.runs()]


NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
