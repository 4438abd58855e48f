"""An ISBN workbook on disk and the commands on it, as a command line would use them."""

import datetime as dt

from batchbook.batch.systems import Actor
from batchbook.isbn import service
from batchbook.isbn.outcomes import Wanted
from batchbook.isbn.system import isbn_system
from batchbook.isbn.workbook import new_isbn_workbook
from batchbook.tables.workspace import Workspace
from batchbook.xlsx import Book

NOW = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
DAY = dt.date(2026, 12, 1)
BLOCK = "978-1-60888"


def wanted(book="B-1", form="ebook", **more):
    return Wanted(**{"title": f"Title of {book}", "book_id": book, "format": form, "scheduled_date": DAY, **more})


class Desk:
    """A workspace, and a run of its own for each command; an hour passes from one to the next."""

    def __init__(self, workspace=None, system=None):
        self.system = system or isbn_system({})
        self.workspace = workspace or Workspace.empty(self.system.types, "isbn.xlsx")
        self.runs = 0

    @property
    def actor(self):
        self.runs += 1
        return Actor("ann", NOW + dt.timedelta(hours=self.runs), f"run{self.runs:03}")

    def __getattr__(self, name):
        command = getattr(service, name)
        return lambda *args, **more: command(self.workspace, self.system, self.actor, *args, **more)

    @property
    def rows(self):
        return list(self.workspace.table(self.system.assignments).where(order=("isbn",)))

    @property
    def history(self):
        return list(self.workspace.table(self.system.history).where())

    def row(self, isbn):
        return self.workspace.table(self.system.assignments).get(isbn)

    def faults(self):
        return [(one.rule, one.column, one.warning) for one in self.system.check(self.workspace)]

    def saved(self):
        """The same after a save: what is staged is brought into a workspace that was read anew."""
        fresh = Workspace.empty(self.system.types, "isbn.xlsx")
        assert fresh.apply(self._everything()) == []
        fresh.take()
        desk = Desk(fresh, self.system)
        desk.runs = self.runs
        return desk

    def _everything(self):
        for kind in self.system.types:
            for record in self.workspace.table(kind).where():
                yield change_of(kind, record)


def change_of(kind, record):
    """A record as the change that brings it in."""
    from batchbook.tables.records import RecordChange

    cells = {c.name: c.kind.write(v) for c in kind.columns if (v := getattr(record, c.name)) is not None}
    key = tuple(str(kind.column(name).kind.store(getattr(record, name))) for name in kind.key)
    return RecordChange(kind.sheet, key, None, cells)


def small_desk(block=BLOCK, **more):
    desk = Desk()
    desk.add_block(block=block, **more)
    return desk


def book_on_disk(path, blocks=(), assignments=(), history=()):
    """A workbook with these records, and a desk that read it."""
    with path.open("wb") as stream:
        records = {"ISBN Blocks": blocks, "ISBN Assignments": assignments, "ISBN History": history}
        new_isbn_workbook(stream, records=records)
    system = isbn_system({})
    with Book.open(path) as book:
        return Desk(Workspace.read(book, system.types), system)
