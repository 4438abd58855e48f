"""Several processes, and a person, at one ISBN workbook: nothing happens to anybody but waiting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from tests.integration.publisher import ASSIGNMENTS, FIRST_LARGE, FIRST_SMALL, Press, bookings, numbers, sound

BOOKER = Path(__file__).with_name("booker.py")
NOTES = "Notes"


@pytest.fixture
def press(tmp_path: Path) -> Press:
    """A folder with an ISBN workbook."""
    (tmp_path / "work").mkdir()
    return Press(tmp_path / "work").lay(size=20, checkpoint_frequency=2)


class Crowd:
    """Processes that are at work at the same time."""

    def __init__(self, press: Press) -> None:
        self.press = press
        self.running: list[subprocess.Popen[str]] = []

    def book(self, who: str, count: int) -> None:
        """Somebody who schedules so many books, one command after another."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        line = [sys.executable, str(BOOKER), str(self.press.path), who, str(count)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.running.append(subprocess.Popen(line, env=environment, text=True, **pipes))  # type: ignore[call-overload]

    def bulk(self, file: str) -> None:
        """The real command on a file of bookings."""
        self.running.append(self.press.start("isbn", "bulk", file, "--wait", "600", "--json"))

    @property
    def busy(self) -> bool:
        return any(process.poll() is None for process in self.running)

    def end(self, seconds: float) -> list[tuple[int, str]]:
        """Wait for all; gives exit codes and what was printed."""
        deadline, ended = time.monotonic() + seconds, []
        try:
            for process in self.running:
                out, err = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
                assert process.returncode in (0, 3), err
                ended.append((process.returncode, out))
        finally:
            for process in self.running:
                if process.poll() is None:
                    process.kill()
                    process.communicate()
        return ended


def check_all_there(press: Press, books: set[str]) -> None:
    """Each book has one number, the first ones of the blocks; the history has one row for each; all is sound."""
    given = press.by_book()
    assert set(given) == books
    taken = sorted(given.values())
    small = sum(number.startswith("9783") for number in taken)
    assert taken == sorted([*numbers(FIRST_SMALL, small), *numbers(FIRST_LARGE, len(taken) - small)])
    rows = press.histories()
    assert Counter(row["ISBN"].replace("-", "") for row in rows) == Counter(taken)
    assert {(row["Field"], row["From"], row["To"]) for row in rows} == {("status", None, "scheduled")}
    assert press.strays() == []
    assert press.isbn("check", code=None).code == 0
    listed = press.run("runs", "list", "--json").json["runs"]
    assert {run["status"] for run in listed} <= {"completed", "completed_with_failures"}


@pytest.mark.parametrize(
    "each", [40, pytest.param(500, marks=[pytest.mark.crash, pytest.mark.timeout(3600)])], ids=lambda each: f"{each}"
)
def test_two_processes_that_schedule_at_once_get_distinct_numbers(press: Press, each: int) -> None:
    crowd = Crowd(press)
    for who in ("ann", "ben"):
        crowd.book(who, each)
    ended = crowd.end(3000)
    told = [out.split() for _, out in ended]
    assert [code for code, _ in ended] == [0, 0]
    assert len({*told[0], *told[1]}) == 2 * each
    check_all_there(press, {f"{who}{n}" for who in ("ann", "ben") for n in range(each)})
    given = press.by_book()
    assert [given[f"ann{n}"] for n in range(each)] == told[0], "what was told is what is there"
    assert [given[f"ben{n}"] for n in range(each)] == told[1]


def test_two_imports_at_once_wait_for_each_other(press: Press) -> None:
    rows = bookings(150)
    press.rows_file(rows[:90], "one.csv")
    press.rows_file(rows[60:], "other.csv")  # some books are in both
    crowd = Crowd(press)
    crowd.bulk("one.csv")
    crowd.bulk("other.csv")
    said = [json.loads(out)["rows"] for _, out in crowd.end(300)]
    wanted = {row["book_id"] for row in sound(rows)}
    both = {row["book_id"] for row in sound(rows[60:90])}
    check_all_there(press, wanted)
    assert sum(one["done"] for one in said) == len(wanted)
    assert sum(one["unchanged"] for one in said) == len(both)
    assert sum(one["rejected"] for one in said) == 180 - len(wanted) - len(both)


def save_as_a_person(press: Press, note: str) -> str | None:
    """Note something beside the newest number and save; gives that number.

    A workbook that has changed since it was read is left alone, as careful people do.
    """
    state = press.book.stat()
    book = openpyxl.load_workbook(press.book)
    sheet = book[ASSIGNMENTS]
    notes = next(cell.column for cell in sheet[1] if cell.value == NOTES)
    if sheet.max_row < 2 or sheet.cell(sheet.max_row, 1).value is None:
        return None
    isbn: str = sheet.cell(sheet.max_row, 1).value
    sheet.cell(sheet.max_row, notes, note)
    mine = press.path / "theirs.xlsx"
    book.save(mine)
    now = press.book.stat()
    if (now.st_ino, now.st_mtime_ns) != (state.st_ino, state.st_mtime_ns):
        mine.unlink()
        return None
    mine.replace(press.book)
    return isbn


def test_single_commands_an_import_and_a_person_who_saves_lose_nothing(press: Press) -> None:
    rows = bookings(60)
    press.rows_file(rows)
    crowd = Crowd(press)
    crowd.book("ann", 15)
    crowd.bulk("rows.csv")
    crowd.book("ben", 15)
    saved: dict[str, str] = {}
    times, more = 0, 0
    while crowd.busy or times < 3:
        if not crowd.busy:  # the person came too seldom
            more += 1
            crowd.book(f"more{more}-", 10)
        isbn = save_as_a_person(press, f"note {times}")
        if isbn is not None:
            saved[isbn] = f"note {times}"
            times += 1
        time.sleep(0.05)
    crowd.end(60)
    single = {f"{who}{n}" for who in ("ann", "ben") for n in range(15)}
    single |= {f"more{who}-{n}" for who in range(1, more + 1) for n in range(10)}
    check_all_there(press, single | {row["book_id"] for row in sound(rows)})
    assert {row["ISBN"]: row[NOTES] for row in press.table(ASSIGNMENTS) if row[NOTES] is not None} == saved
