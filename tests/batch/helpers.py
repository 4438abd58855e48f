"""Rows and processors without a workbook, and whole runs over small ones."""

import contextlib
import datetime as dt
import itertools
import json
import sys
import types
from pathlib import Path

import openpyxl

from batchbook.batch.controller import BatchController, local_now
from batchbook.batch.interrupt import StopToken
from batchbook.batch.judging import Judge
from batchbook.batch.outcomes import TakenRow
from batchbook.batch.processor import BatchProcessor
from batchbook.batch.processors import DetailSheet, FunctionProcessor, JobContext, Processor, RowResult
from batchbook.batch.progress import RowsCommitted, Warned
from batchbook.batch.start import StartRequest
from batchbook.config import Marks, load_job
from batchbook.storage.ledger import Ledger
from batchbook.tables.inputs import TextCell
from batchbook.tables.keys import key_text
from batchbook.tables.row import Row
from batchbook.tables.table import TableRow
from batchbook.xlsx import SheetColumn

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
CONTEXT = JobContext(frozenset({"Result"}), Path(), True, NOW, Path("cache"))


def rows_of(count, **taken):
    rows = []
    for number in range(1, count + 1):
        key = (f"K{number}",)
        row = Row(number, key, {"Name": TextCell(f"n{number}")})
        table_row = TableRow(number, key, row, {"Result": None, "Status": None, "Why": None, **taken})
        rows.append(TakenRow(number, key_text(key), table_row))
    return rows


def judge_for(marks=None, *, clear=True, details=None, known=None):
    return Judge(frozenset({"Result"}), marks or Marks(), clear, details or {}, False, lambda: NOW, known or {})


def processor_for(function=None, *, concurrency=1, tries=1, stop=None, processor=None):
    processor = processor or FunctionProcessor(function, CONTEXT)
    return BatchProcessor(processor, judge_for(), concurrency=concurrency, tries=tries, stop=stop or StopToken())


# --- whole runs in this process ---------------------------------------------------------------------------------------

HEADERS = ("Key", "Name", "Result", "Note")
SETTINGS = {
    "job": "small",
    "workbook": "book.xlsx",
    "sheet": "Data",
    "key": ["Key"],
    "reads": ["Key", "Name"],
    "writes": ["Result"],
    "batch": {"strategy": "fixed", "size": 3, "checkpoint_frequency": 1, "concurrency": 1, "max_retry_attempts": 1},
    "save": {"max_overhead": 1.0},
}
_modules = itertools.count(1)


def shout(row):
    """The processor of most runs."""
    return {"Result": f"{row['Name']}!"}


class Detailed(Processor):
    """Writes a column, and so many rows of a sheet of its own for each key."""

    writes = ("Result",)
    details = {"Facts": DetailSheet((SheetColumn("Key"), SheetColumn("Fact")))}  # noqa: RUF012
    facts = 1

    def process(self, row):
        return RowResult({"Result": "x"}, {"Facts": [[row.key[0], f"fact {n}"] for n in range(self.facts)]})


def people(count):
    """Rows of the small table: Key, Name, Result, Note."""
    return [[f"K{n}", f"name {n}", None, f"note {n}"] for n in range(1, count + 1)]


class Site:
    """A folder with a workbook and a job whose processor lives in this process."""

    def __init__(self, path, rows=None, processor=shout, **settings):
        self.path = path
        self.events = []
        path.mkdir(parents=True, exist_ok=True)
        self.make_book(people(6) if rows is None else rows)
        self.make_job(processor, **settings)

    @property
    def book(self):
        return self.path / "book.xlsx"

    @property
    def ledger_path(self):
        return self.path / "data" / "checkpoints" / "ledger.db"

    def make_book(self, rows, headers=HEADERS, name="book.xlsx", sheet="Data"):
        book = openpyxl.Workbook()
        book.worksheets[0].title = sheet
        for row in [headers, *rows]:
            book.worksheets[0].append(row)
        book.save(self.path / name)
        return self.path / name

    def make_job(self, processor=shout, **settings):
        module = types.ModuleType(f"batch_steps_{next(_modules)}")
        module.work = processor
        sys.modules[module.__name__] = module
        plain = {**SETTINGS, "processor": f"{module.__name__}:work", **settings}
        # JSON is YAML.
        (self.path / "job.yaml").write_text(json.dumps({k: v for k, v in plain.items() if v is not None}))

    def use(self, processor):
        """Put another processor under the same name: the job's definition stays the same."""
        name = json.loads((self.path / "job.yaml").read_text())["processor"].split(":")[0]
        sys.modules[name].work = processor

    def job(self, **overrides):
        return load_job(self.path / "job.yaml", overrides, {})

    def run(self, mode="fresh", *, decide=None, stop=None, clock=local_now, memory=None, overrides=None, **request):
        self.events = []
        return BatchController(
            self.job(**(overrides or {})), StartRequest(mode=mode, **request),
            decide=decide, events=self.events.append, stop=stop, clock=clock, memory=memory,
        ).run()  # fmt: skip

    def rows(self, sheet="Data", name="book.xlsx"):
        """What stands below the header, as openpyxl reads it."""
        return [list(row) for row in openpyxl.load_workbook(self.path / name)[sheet].iter_rows(2, values_only=True)]

    def results(self, column=2):
        """One column by key."""
        return {row[0]: row[column] for row in self.rows()}

    def edit(self, change, sheet="Data"):
        """Change the workbook as a person would: open, edit, save."""
        book = openpyxl.load_workbook(self.book)
        change(book[sheet])
        book.save(self.book)

    def cell(self, place, value):
        self.edit(lambda sheet: sheet.__setitem__(place, value))

    def warnings(self):
        return [event.message for event in self.events if isinstance(event, Warned)]

    def ledger(self):
        return Ledger.open(self.ledger_path)

    def report(self, result):
        return json.loads(Path(result.report).read_text())

    def interrupted(self, after, *, processor=shout, **request):
        """A run that was asked to stop while it did the row of this place (from 1)."""
        stop = StopToken()
        seen = []

        def stopping(row):
            seen.append(row.key[0])
            if len(seen) == after:
                stop.stop()
            return processor(row)

        self.use(stopping)
        result = self.run(stop=stop, **request)
        self.use(processor)
        return result

    def died(self, after, *, processor=shout, **request):
        """A run whose process died after so many rows were committed, before they were saved."""
        committed = 0

        def dying(event):
            nonlocal committed
            if isinstance(event, RowsCommitted):
                committed = event.counts.ended
                if committed >= after:
                    raise Died

        self.use(processor)
        job = self.job(**{"batch.checkpoint_frequency": 1000})
        with contextlib.suppress(Died):
            BatchController(job, StartRequest(mode="fresh", **request), events=dying).run()
            raise AssertionError("it did not die")
        return committed


class Died(BaseException):
    """Stands for the end of the process: nothing catches it."""


def counted(processor=shout):
    """The processor, and the keys that it was given."""
    seen = []

    def work(row):
        seen.append(row.key[0])
        return processor(row)

    return work, seen
