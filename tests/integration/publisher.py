"""A publisher's folder: an ISBN workbook, a file of bookings, and the real command run over them."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl

from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.records import Assignment, Block
from batchbook.isbn.workbook import new_isbn_workbook
from tests.integration.helpers import SECONDS, Called, Folder

BLOCKS, ASSIGNMENTS, HISTORY = "ISBN Blocks", "ISBN Assignments", "ISBN History"
SHEETS = (BLOCKS, ASSIGNMENTS, HISTORY)
LARGE, SMALL = "978-1-60888", "978-3-947619:00-49"
"""Two blocks: 1,000 numbers for the imprint Harbour, 50 for Meadow."""
FIRST_LARGE, FIRST_SMALL = 978_160_888_000, 978_394_761_900
"""Their first numbers, without the check digit."""
NOT_SOUND = {"scheduled_date": "31/02/2027", "format": "papyrus", "priority": "9"}
"""What a row can have that gets it rejected."""
FIELDS = ("title", "book_id", "scheduled_date", "format", "priority", "imprint")

Row = Mapping[str, Any]


def numbers(first: int, count: int) -> list[str]:
    """So many numbers of a block from a first one on, 13 digits each."""
    return [isbn_of(first + place) for place in range(count)]


def blocks() -> list[Block]:
    """The two blocks."""
    return [
        Block(block=LARGE, prefix="978", publisher_code="1-60888", imprint="Harbour", first=isbn_of(FIRST_LARGE),
              last=isbn_of(FIRST_LARGE + 999), total=1000),
        Block(block=SMALL, prefix="978", publisher_code="3-947619", imprint="Meadow", first=isbn_of(FIRST_SMALL),
              last=isbn_of(FIRST_SMALL + 49), total=50),
    ]  # fmt: skip


def bookings(count: int, seed: int = 1) -> list[dict[str, str]]:
    """So many rows of an import: dates, priorities and imprints mixed, every 17th wrong."""
    chance = random.Random(seed)
    rows = []
    for n in range(1, count + 1):
        row = {
            "title": f"Title {n}",
            "book_id": f"B{n:04}",
            "scheduled_date": str(dt.date(2027, 1, 1) + dt.timedelta(days=chance.randrange(90))),
            "format": chance.choice(("paperback", "hardcover", "ebook", "audiobook")),
            "priority": chance.choice(("", "1", "2", "3")),
            "imprint": chance.choice(("Harbour", "Meadow", "Harbour", "Other", "")),
        }
        if n % 17 == 0:
            wrong = chance.choice(list(NOT_SOUND))
            row[wrong] = NOT_SOUND[wrong]
        rows.append(row)
    return rows


def sound(rows: Iterable[Row]) -> list[Row]:
    """The rows that are not wrong, as numbers are handed out: by date, then priority, then the file's order."""
    kept = [row for row in rows if all(row[name] != value for name, value in NOT_SOUND.items())]
    return sorted(kept, key=lambda row: (row["scheduled_date"], int(row["priority"] or 2)))


@dataclass
class Press(Folder):
    """The folder."""

    name: str = "isbn.xlsx"
    """Of the workbook."""

    @property
    def book(self) -> Path:
        return self.path / self.name

    @property
    def ledger(self) -> Path:
        return self.path / "data" / "checkpoints" / "ledger.db"

    def lay(self, assignments: Iterable[Assignment] = (), **batch: object) -> Press:
        """Lay it down; `batch` are settings of the jobs' batches."""
        (self.path / "config" / "jobs").mkdir(parents=True)
        self.write("config/batchbook.yaml", {"workbooks": {"isbn": self.name}})
        settings = {"strategy": "fixed", "size": 5, "checkpoint_frequency": 4, **batch}
        for job, key, processor in (("bulk", "row", "BulkImport"), ("assign-due", "isbn", "AssignDue")):
            sheet = {"sheet": ASSIGNMENTS} if job == "assign-due" else {}
            self.write(
                f"config/jobs/isbn-{job}.yaml",
                {"job": f"isbn-{job}", "workbook": self.name, **sheet, "key": [key],
                 "processor": f"batchbook.isbn:{processor}", "batch": settings, "save": {"max_overhead": 1.0}},
            )  # fmt: skip
        with self.book.open("wb") as stream:
            new_isbn_workbook(stream, records={BLOCKS: blocks(), ASSIGNMENTS: list(assignments)})
        return self

    def write(self, name: str, settings: object) -> None:
        """A file of settings; JSON is YAML."""
        (self.path / name).write_text(json.dumps(settings, indent=1))

    def rows_file(self, rows: Sequence[Row], name: str = "rows.csv") -> str:
        """A file of bookings; gives its name."""
        lines = [";".join(FIELDS), *(";".join(row[one] for one in FIELDS) for row in rows)]
        (self.path / name).write_text("\n".join(lines) + "\n", "utf-8-sig")
        return name

    def isbn(self, *words: str, code: int | None = 0) -> Called:
        """A verb on ISBNs, which must end with that code (None: with any)."""
        called = self.run("isbn", *words)
        assert code is None or called.code == code, (words, called)
        return called

    def schedule(self, book: str, *more: str, code: int | None = 0, date: str = "2027-06-01") -> Called:
        """Schedule one book; JSON."""
        return self.isbn(
            "schedule", "--title", f"{book} itself", "--book-id", book, "--date", date, "--book-format", "ebook",
            "--json", *more, code=code,
        )  # fmt: skip

    def copy(self, path: Path) -> Press:
        """The same folder, once more."""
        shutil.copytree(self.path, path)
        return Press(path, name=self.name)

    def remove(self) -> None:
        """All of it."""
        shutil.rmtree(self.path)

    # --- what the workbook holds -----------------------------------------------------------------------------------

    def table(self, sheet: str) -> list[dict[str, Any]]:
        """The rows of a sheet by header, gaps left out."""
        return table(self.book, sheet)

    def given(self) -> dict[str, dict[str, Any]]:
        """The assignments by their 13 digits."""
        rows = [(row["ISBN"].replace("-", ""), row) for row in self.table(ASSIGNMENTS)]
        found = dict(rows)
        assert len(found) == len(rows), "a number stands in two rows"
        return found

    def by_book(self) -> dict[str, str]:
        """Book id -> the number that it has."""
        given = {number: row for number, row in self.given().items() if row["Book ID"]}
        found = {row["Book ID"]: number for number, row in given.items()}
        assert len(found) == len(given), "a book has two numbers"
        return found

    def histories(self) -> list[dict[str, Any]]:
        """The rows of the history; their names are unique."""
        rows = self.table(HISTORY)
        assert len({row["Entry"] for row in rows}) == len(rows)
        return rows

    def strays(self) -> list[str]:
        """Files beside the workbook that belong to no one."""
        return [path.name for path in self.path.iterdir() if "batchbook-" in path.name]

    # --- what is not finished --------------------------------------------------------------------------------------

    def outcomes(self) -> int:
        """How many rows are durable in the ledger, of all runs; 0 where there is none yet."""
        if not self.ledger.exists():
            return 0
        try:
            with closing(sqlite3.connect(f"{self.ledger.as_uri()}?mode=ro", uri=True)) as ledger:
                return int(ledger.execute("SELECT count(*) FROM outcomes").fetchone()[0])
        except sqlite3.Error:  # it is just being made, or busy
            return 0

    def ended_after(self, count: int, number: int, *words: str, later: float = 0.0) -> subprocess.Popen[str]:
        """Start a command and end it by a signal some moments after so many rows are durable (or let it end)."""
        process = self.start(*words)
        try:
            deadline = time.monotonic() + SECONDS
            while self.outcomes() < count and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            time.sleep(later)
            if process.poll() is None:
                os.kill(process.pid, number)
            process.communicate(timeout=SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        return process

    def killed_after(self, count: int, *words: str) -> None:
        """Kill a command once so many rows are durable; it must not have ended by then."""
        process = self.ended_after(count, signal.SIGKILL, *words)
        assert process.returncode == -signal.SIGKILL, process.returncode


def table(book: Path, sheet: str) -> list[dict[str, Any]]:
    """The rows of a sheet by header, gaps left out."""
    header, *rows = openpyxl.load_workbook(book)[sheet].iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows if row[0] is not None]
