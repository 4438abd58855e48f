"""Commands on ISBNs that the sweeps put faults into: one booking, an import of some, an undo of one booking.

What is compared are all sheets of the workbook, so that a number that is burnt, given twice or without its row of the
history is another state. Times and the ids of runs, which differ from run to run, are starred out.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.crash.scenarios import Cells, Prepare, Prepared, sheets
from tests.crash.tracing import Runner
from tests.integration.publisher import ASSIGNMENTS, FIRST_LARGE, FIRST_SMALL, HISTORY, NOT_SOUND, Press, numbers

STEPS = """
import crash_channel
from batchbook.isbn import BulkImport

class Telling(BulkImport):
    def process(self, row):
        crash_channel.tell(str(row.number))
        return super().process(row)
"""
SOUND, BATCH = 10, 3
SCHEDULE = ("isbn", "schedule", "--title", "Mine", "--book-id", "M1", "--date", "2027-06-01", "--book-format", "ebook",
            "--imprint", "Harbour", "--json")  # fmt: skip
BULK = ("isbn", "bulk", "rows.csv", "--json")
_VARYING = re.compile(r"\d{8}-\d{6}-(?:undo-)?[0-9a-f]+|\d{4}-\d\d-\d\dT[\d:.]+(?:[+-]\d\d:\d\d|Z)?")


def records(book: Path) -> Cells:
    """All rows of all sheets, each with its sheet and key in front; no row of the history stands there twice."""
    return _records(book.read_bytes())


@lru_cache(1000)
def _records(content: bytes) -> Cells:
    found = sheets(content)
    entries = [row[0] for row in found[HISTORY]]
    assert len(set(entries)) == len(entries), "a row of the history is doubled"
    return tuple((f"{sheet} {_starred(row[0])}", *map(_starred, row)) for sheet, rows in found.items() for row in rows)


def _starred(value: Any) -> Any:
    return _VARYING.sub("*", value) if isinstance(value, str) else value


def rows_file() -> list[dict[str, str]]:
    """Ten bookings for two imprints, in no order, and one that is wrong among them."""
    rows = []
    for n in range(1, SOUND + 2):
        rows.append({
            "title": f"Title {n}", "book_id": f"B{n}", "scheduled_date": f"2027-01-{20 - n * 7 % 11:02}",
            "format": "paperback", "priority": str(n % 3 + 1), "imprint": ("Harbour", "Meadow")[n % 2],
        })  # fmt: skip
    rows[5]["scheduled_date"] = NOT_SOUND["scheduled_date"]
    return rows


def lay(template: Path) -> Press:
    """A folder with the workbook, the file of bookings, and an import that says which rows it does."""
    template.mkdir(parents=True)
    press = Press(template, name="book.xlsx")
    press.lay(size=BATCH, checkpoint_frequency=1, concurrency=1, max_retry_attempts=1)
    path = template / "config/jobs/isbn-bulk.yaml"
    path.write_text(json.dumps({**json.loads(path.read_text()), "processor": "steps:Telling"}))
    (template / "steps.py").write_text(STEPS)
    press.rows_file(rows_file())
    return press


def _schedule(runner: Runner, template: Path) -> Prepared:
    press = lay(template)
    before = records(press.book)
    end = _tried(runner, press, SCHEDULE, 0)
    assert list(press.by_book().items()) == [("M1", numbers(FIRST_LARGE, 1)[0])]
    lay_again(press)
    return Prepared(SCHEDULE, (before, end), (before,), records)


def _bulk(runner: Runner, template: Path) -> Prepared:
    press = lay(template)
    end = _tried(runner, press, BULK, 3)
    assert sorted(press.given()) == [*numbers(FIRST_LARGE, 4), *numbers(FIRST_SMALL, 6)]
    lay_again(press)
    # The row that is wrong comes first; so the batches have two, three, three and two that are sound.
    states = tuple(_only(end, count) for count in (0, 2, 5, 8, SOUND))
    assert states[0] == records(press.book)
    return Prepared(BULK, states, states, records, code=3, repeats=True)


def _undo(runner: Runner, template: Path) -> Prepared:
    press = lay(template)
    laid = records(press.book)
    run = runner.run(press.path, *SCHEDULE).json["run_id"]
    before = records(press.book)
    kept = Press(template.with_name(f"{template.name}-kept"), name=press.name)
    press.copy(kept.path)
    undo = ("runs", "undo", run, "--json")
    end = _tried(runner, kept, undo, 0)
    assert kept.given() == {} and [row["To"] for row in kept.histories()] == ["scheduled", None]
    return Prepared(undo, (before, end), (laid, before), records)


def _tried(runner: Runner, press: Press, command: tuple[str, ...], code: int) -> Cells:
    """What the workbook holds after a command that nothing disturbs."""
    ended = runner.run(press.path, *command)
    assert ended.code == code, ended
    return records(press.book)


def lay_again(press: Press) -> None:
    """As it was before."""
    press.remove()
    lay(press.path)


def _only(end: Cells, count: int) -> Cells:
    """The state with only the first so many of the bookings."""
    left = dict.fromkeys((ASSIGNMENTS, HISTORY), count + 1)  # and the header
    kept = []
    for row in end:
        sheet = next((name for name in left if str(row[0]).startswith(name)), None)
        if sheet is not None:
            left[sheet] -= 1
        if sheet is None or left[sheet] >= 0:
            kept.append(row)
    return tuple(kept)


ISBNS: dict[str, Prepare] = {"isbn schedule": _schedule, "isbn bulk": _bulk, "isbn undo": _undo}
