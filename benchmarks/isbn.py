"""The ISBN system on large workbooks: bulk scheduling, reading, single commands, two processes at once.

    python benchmarks/isbn.py [--rows N,N,...] [--sheet N] [--each N] [--json FILE]

Bulk scheduling is the real command on files of 1,000 to 10,000 rows; how its time grows is the exponent between the
smallest and the largest (1 is linear). Reading and a one-row commit are measured in a sheet of 100,000 assignments,
beside openpyxl and beside the floor of a save: the same cells put in by `edit_workbook`. The last case is two
processes that schedule at the same time; what they leave is counted. Ratios travel between machines, times do not.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import multiprocessing
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl

from batchbook import edit_workbook
from batchbook.batch.command import look, run_command
from batchbook.config import load_base
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.outcomes import Wanted
from batchbook.isbn.records import Assignment, Block
from batchbook.isbn.service import assign, schedule
from batchbook.isbn.system import isbn_system
from batchbook.isbn.workbook import new_isbn_workbook
from realcommand import batchbook

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "978-0-306"
"""A registrant of 100,000 numbers."""
FIRST = 978_030_600_000
"""The first of them, without its check digit."""
NOW = dt.datetime(2026, 11, 22, 8, 0, tzinfo=dt.UTC)


def rows_file(path: Path, count: int) -> None:
    """A file of so many bookings; dates and priorities in no order."""
    day = dt.date(2027, 1, 1)
    lines = ["title;book_id;scheduled_date;format;priority;imprint"]
    for n in range(count):
        date = day + dt.timedelta(days=n * 7919 % 365)
        lines.append(f"Title {n}, in full;B{n:06};{date};{('paperback', 'ebook')[n % 2]};{n % 3 + 1};Meadow")
    path.write_text("\n".join(lines) + "\n", "utf-8-sig")


def lay(folder: Path, touched: int = 0) -> Path:
    """A folder with a configuration and an ISBN workbook of one block, of which so many numbers are assigned."""
    (folder / "config").mkdir(parents=True)
    (folder / "config/batchbook.yaml").write_text("workbooks: {isbn: isbn.xlsx}\n")
    with (folder / "isbn.xlsx").open("wb") as stream:
        new_isbn_workbook(stream, records={"ISBN Blocks": [block()], "ISBN Assignments": assignments(touched)})
    return folder / "isbn.xlsx"


def block() -> Block:
    """The block."""
    return Block(block=PREFIX, prefix="978", publisher_code="0-306", first=isbn_of(FIRST), last=isbn_of(FIRST + 99_999),
                 total=100_000)  # fmt: skip


def assignments(count: int) -> Iterator[Assignment]:
    """So many numbers from the first on, scheduled."""
    for n in range(count):
        yield Assignment(
            isbn=isbn_of(FIRST + n), status="scheduled", title=f"Title {n}", book_id=f"B{n:06}",
            format="paperback", scheduled_date=dt.date(2027, 1, 1) + dt.timedelta(days=n % 365), priority=2,
            imprint="Meadow", block=PREFIX, notes=f"note {n}",
        )  # fmt: skip


def seconds(what: Callable[[], object]) -> float:
    """How long it takes."""
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin


def bulk(work: Path, count: int) -> dict[str, float]:
    """Schedule so many rows by the command; start-up included."""
    folder = work / f"bulk-{count}"
    lay(folder)
    rows_file(folder / "rows.csv", count)
    begin = time.perf_counter()
    said = batchbook(folder, "isbn", "bulk", "rows.csv", "--json")
    took = time.perf_counter() - begin
    if said["rows"]["done"] != count:
        raise SystemExit(f"the rows were not scheduled as they should be: {said['rows']}")
    again = seconds(lambda: batchbook(folder, "isbn", "bulk", "rows.csv", "--start-fresh", "--json"))
    shutil.rmtree(folder)
    return {"seconds": took, "rows_per_second": count / took, "again": again, "rss_mib": said["peak_rss_bytes"] / 2**20}


def mib_since(before: int) -> float:
    """By how much the most memory that this process had grew, in MiB."""
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def read_alone(workbook: str, line: Any) -> None:
    """In a process of its own: read the sheets; says seconds and the memory that it took."""
    base = load_base(Path(workbook).parent)
    system = isbn_system({}, base.folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    found = look(base, Path(workbook), system)
    took = time.perf_counter() - begin
    line.send((took, mib_since(before), found.table(system.assignments).count()))


def openpyxl_alone(workbook: str, line: Any) -> None:
    """The same rows by openpyxl, read-only."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    book = openpyxl.load_workbook(workbook, read_only=True)
    count = sum(1 for _ in book["ISBN Assignments"].iter_rows(min_row=2, values_only=True))
    line.send((time.perf_counter() - begin, mib_since(before), count))


def alone(what: Callable[[str, Any], None], workbook: Path) -> tuple[float, float, int]:
    """Seconds, MiB and rows of a reading in a new process."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=what, args=(str(workbook), theirs))
    process.start()
    found: tuple[float, float, int] = ours.recv()
    process.join()
    return found


def one_row(work: Path, count: int) -> dict[str, Any]:
    """Reading a large sheet, and a one-row command on it."""
    folder = work / "large"
    workbook = lay(folder, count)
    took, mib, rows = alone(read_alone, workbook)
    other, other_mib, other_rows = alone(openpyxl_alone, workbook)
    if rows != count or other_rows != count:
        raise SystemExit(f"{rows} and {other_rows} rows were read of {count}")
    base, system = load_base(folder), isbn_system({}, folder)
    inside: list[float] = []

    def act(number: str) -> Callable[..., object]:
        def acting(workspace: Any, actor: Any) -> object:
            inside.append(time.perf_counter())
            return assign(workspace, system, actor, number)

        return acting

    commits = []
    for n in range(4):
        isbn = isbn_of(FIRST + n * (count // 5))
        run_command(base, workbook, system, "assign", act(isbn), user="bench", wait=0, clock=lambda: NOW)
        commits.append(time.perf_counter() - inside[-1])
    floors = [
        seconds(lambda n=n: edit_workbook(workbook, workbook, {"ISBN Assignments": {f"B{n}": "assigned"}}))
        for n in (2, 3, 4)
    ]
    return {
        "rows": count, "read_seconds": took, "read_mib": mib, "openpyxl_seconds": other, "openpyxl_mib": other_mib,
        "first_commit": commits[0], "later_commit": min(commits[1:]), "save_floor": min(floors),
    }  # fmt: skip


def schedule_many(folder: str, who: str, each: int) -> None:
    """In a process of its own: schedule so many books, one command after another."""
    base = load_base(Path(folder))
    system = isbn_system({}, base.folder)
    for n in range(each):
        wanted = Wanted(title=f"{who} {n}", book_id=f"{who}{n}", scheduled_date=dt.date(2027, 1, 1), format="ebook")
        run_command(
            base, Path(folder) / "isbn.xlsx", system, "schedule",
            lambda workspace, actor, wanted=wanted: schedule(workspace, system, actor, wanted),
            user=who, wait=600, clock=lambda: dt.datetime.now(dt.UTC),
        )  # fmt: skip


def at_once(work: Path, each: int) -> dict[str, float]:
    """Two processes that schedule at the same time; the workbook that they leave is counted."""
    folder = work / "at-once"
    workbook = lay(folder)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=schedule_many, args=(str(folder), who, each)) for who in "ab"]
    begin = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    took = time.perf_counter() - begin
    base, system = load_base(folder), isbn_system({}, folder)
    found = look(base, workbook, system)
    numbers = {row.isbn for row in found.table(system.assignments).where()}
    books = {row.book_id for row in found.table(system.assignments).where()}
    history = found.table(system.history).count()
    codes = [process.exitcode for process in processes]
    if codes != [0, 0] or not len(numbers) == len(books) == history == 2 * each:
        raise SystemExit(f"exit codes {codes}, {len(numbers)} numbers, {len(books)} books, {history} history rows")
    return {"commands": 2 * each, "seconds": took, "commands_per_second": 2 * each / took}


def main() -> int:
    """Measure, print, and write the figures down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="1000,2000,5000,10000", help="rows of the bulk files")
    parser.add_argument("--sheet", type=int, default=100_000, help="rows of the large sheet")
    parser.add_argument("--each", type=int, default=500, help="commands of each of the two processes")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("results-isbn.json"))
    options = parser.parse_args()
    counts = [int(text) for text in options.rows.split(",")]
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        bulks = {count: bulk(work, count) for count in counts}
        for count, one in bulks.items():
            print(f"bulk, {count:7,} rows: {one['seconds']:6.2f} s, {one['rows_per_second']:7,.0f} rows/s,"
                  f" again (all unchanged) {one['again']:5.2f} s, peak {one['rss_mib']:4.0f} MiB")  # fmt: skip
        first, last = counts[0], counts[-1]
        growth = 1.0
        if last > first:
            growth = math.log(bulks[last]["seconds"] / bulks[first]["seconds"]) / math.log(last / first)
        print(f"growth from {first:,} to {last:,} rows: exponent {growth:.2f} (1 is linear)")
        large = one_row(work, options.sheet)
        print(f"reading {large['rows']:,} assignments: {large['read_seconds']:.2f} s, {large['read_mib']:.0f} MiB;"
              f" openpyxl {large['openpyxl_seconds']:.2f} s, {large['openpyxl_mib']:.0f} MiB")  # fmt: skip
        first_ms, later_ms, floor_ms = (large[k] * 1000 for k in ("first_commit", "later_commit", "save_floor"))
        print(
            f"one-row commit there: first {first_ms:.0f} ms, later {later_ms:.0f} ms; saving one cell {floor_ms:.0f} ms"
        )
        together = at_once(work, options.each)
        print(f"two processes at once, {together['commands']:,} commands: {together['seconds']:.1f} s,"
              f" {together['commands_per_second']:.1f} a second; all numbers distinct, history complete")  # fmt: skip
    about = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    figures = {"about": about, "bulk": {str(count): one for count, one in bulks.items()}, "growth": growth,
               "large": large, "at_once": together}  # fmt: skip
    options.json.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"all figures: {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
