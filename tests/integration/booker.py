"""Schedules books one after another by the library, in a process of its own: booker.py FOLDER WHO COUNT.

Prints the numbers that it was given, a line each, as soon as it has them.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

from batchbook.batch.command import run_command
from batchbook.config import load_base
from batchbook.isbn.outcomes import Wanted
from batchbook.isbn.service import schedule
from batchbook.isbn.system import isbn_system

WAIT = 600.0
"""Seconds for the lock: waiting is all that may happen to a command."""


def book(folder: Path, who: str, count: int) -> None:
    """Schedule so many books of somebody's own."""
    base = load_base(folder)
    system = isbn_system({}, base.folder)
    for n in range(count):
        wanted = Wanted(title=f"{who} {n}", book_id=f"{who}{n}", scheduled_date=dt.date(2027, 1, 1), format="ebook")
        done = run_command(
            base, base.workbooks["isbn"], system, "schedule",
            lambda workspace, actor, wanted=wanted: schedule(workspace, system, actor, wanted),  # type: ignore[misc]
            user=who, wait=WAIT, clock=lambda: dt.datetime.now(dt.UTC),
        )  # fmt: skip
        print(done.value.assignment.isbn, flush=True)


if __name__ == "__main__":
    book(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
