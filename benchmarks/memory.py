"""Memory: the peak of each command over workbooks of growing size. What grows with the rows shows as a rising line.

    python benchmarks/memory.py [--rows N,N,...] [--columns N] [--batch N] [--json FILE]

Situations: a fresh run; a run that is killed, the workbook then changed by a person (every tenth row another input,
some rows deleted) and the run resumed by merge; a run that brings rows in from a CSV file; the undo of a run.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl

COMMAND = str(Path(sys.executable).with_name("batchbook"))
PROCESSOR = """
def work(row):
    return {"Result": f"{row['Name']} has {row['Amount']}", "Checked": row["Amount"] * 2}
"""


def make_book(path: Path, rows: int, columns: int, *, changed: bool = False) -> None:
    """A workbook of so many rows; `changed` as a person left it: every tenth amount another, every 97th row gone."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Data")
    others = [f"Note {n}" for n in range(max(0, columns - 5))]
    sheet.append(["Key", "Name", "Amount", "Result", "Checked", *others])
    for n in range(1, rows + 1):
        if changed and n % 97 == 0:
            continue
        amount = n + (1 if changed and n % 10 == 0 else 0)
        sheet.append([f"K{n:07d}", f"name {n}", amount, None, None, *(f"note {n % 50}" for _ in others)])
    book.save(path)


def make_folder(folder: Path, rows: int, columns: int, batch: int) -> None:
    """A folder with the workbook, two jobs and their processor."""
    folder.mkdir()
    make_book(folder / "book.xlsx", rows, columns)
    (folder / "steps.py").write_text(PROCESSOR)
    job = {
        "job": "memory", "workbook": "book.xlsx", "sheet": "Data", "key": ["Key"], "processor": "steps:work",
        "reads": ["Key", "Name", "Amount"], "writes": ["Result", "Checked"],
        "batch": {"strategy": "fixed", "size": batch, "max_batch_size": batch, "concurrency": 1},
    }  # fmt: skip
    (folder / "job.yaml").write_text(json.dumps(job))
    (folder / "bring.yaml").write_text(json.dumps({**job, "job": "bring", "input": "in.csv"}))
    with (folder / "in.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Key", "Name", "Amount"])
        writer.writerows((f"K{n:07d}", f"name {n}", n) for n in range(rows, 0, -1))
    (folder / "steps.py").write_text(PROCESSOR.replace('row["Amount"] * 2', 'int(row["Amount"]) * 2'))


def peak(command: list[str], folder: Path) -> tuple[int, float]:
    """Peak memory of a command in bytes, and its seconds; it must end well."""
    started = time.perf_counter()
    process = subprocess.Popen([COMMAND, *command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.stdout, process.stderr
    assert out is not None and err is not None
    said = out.read() + err.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise SystemExit(f"{command} ended with {process.returncode}: {said.decode()}")
    return usage.ru_maxrss * 1024, time.perf_counter() - started


def killed(folder: Path, share: float, rows: int) -> None:
    """Start the run and kill it when about that share of the rows has a result."""
    process = subprocess.Popen([COMMAND, "run", "job.yaml", "--start-fresh", "--quiet"], cwd=folder)
    ledger = folder / "data" / "checkpoints" / "ledger.db"
    while process.poll() is None:
        time.sleep(0.2)
        try:
            with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as connection:
                done = connection.execute("SELECT coalesce(sum(rows), 0) FROM commits").fetchone()[0]
        except sqlite3.Error:
            continue
        if done >= share * rows:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()


def situations(rows: int, columns: int, batch: int) -> Iterator[tuple[str, int, float]]:
    """Each situation's name, peak memory in bytes and seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "work"
        make_folder(folder, rows, columns, batch)
        yield "fresh run", *peak(["run", "job.yaml", "--start-fresh", "--quiet"], folder)
        yield "undo", *peak(["runs", "undo", "last", "--json"], folder)
        shutil.rmtree(folder / "data")
        make_book(folder / "book.xlsx", rows, columns)
        killed(folder, 0.6, rows)
        make_book(folder / "book.xlsx", rows, columns, changed=True)
        yield "resume by merge", *peak(["run", "job.yaml", "--resume-auto", "--quiet"], folder)
        shutil.rmtree(folder / "data")
        make_book(folder / "book.xlsx", rows // 2, columns)
        yield "rows from CSV", *peak(["run", "bring.yaml", "--start-fresh", "--quiet"], folder)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="10000,50000,200000", help="sizes, with commas between")
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--batch", type=int, default=5000)
    parser.add_argument("--json", type=Path, default=None, help="write the figures to this file too")
    options = parser.parse_args()
    figures: list[dict[str, Any]] = []
    for rows in map(int, options.rows.split(",")):
        for name, most, seconds in situations(rows, options.columns, options.batch):
            figures.append({"rows": rows, "situation": name, "peak_mib": most / 2**20, "seconds": seconds})
            print(f"{rows:>10,} rows  {name:16} {most / 2**20:8.0f} MiB {seconds:9.1f} s", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
