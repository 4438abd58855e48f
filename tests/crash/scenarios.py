"""What a command is that the sweeps put faults into; and a run of several batches and saves, an undo, a restore."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import openpyxl

from tests.crash.tracing import Call, Runner

ROWS = 10
STEPS = """
import crash_channel

def work(row):
    crash_channel.tell(row["Key"])
    return {"Result": f"{row['Name']}!"}
"""
JOB = {
    "job": "small",
    "workbook": "book.xlsx",
    "sheet": "Data",
    "key": ["Key"],
    "processor": "steps:work",
    "reads": ["Key", "Name"],
    "writes": ["Result"],
    "select": "blank",
    "batch": {"strategy": "fixed", "size": 3, "checkpoint_frequency": 1, "concurrency": 1, "max_retry_attempts": 1},
}
RUN = ["run", "job.yaml", "--resume-auto", "--json"]

Cells = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Prepared:
    """A command over a folder that was laid down, and what may be left of it."""

    command: tuple[str, ...]
    states: tuple[Cells, ...]
    """What the workbook holds before the command and after each of its saves."""
    held: tuple[Cells, ...]
    """What its backups may hold."""
    read: Callable[[Path], Cells]
    """All that counts of a workbook of which every byte is sound. The first cell of each row names it."""
    code: int = 0
    """How the command ends when nothing disturbs it."""
    renews: bool = False
    """Whether a start after the end writes the same content anew."""
    repeats: bool = False
    """Whether a start after the end looks at all rows again (and changes nothing)."""


Prepare = Callable[[Runner, Path], Prepared]
"""Lays down a folder (the path must not be there yet)."""


@dataclass(frozen=True)
class Scenario:
    """A command over a prepared folder, and what was recorded of it."""

    name: str
    template: Path
    prepared: Prepared
    calls: tuple[Call, ...] = ()
    trace: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        return self.prepared.command

    @property
    def states(self) -> tuple[Cells, ...]:
        return self.prepared.states

    @property
    def end(self) -> Cells:
        return self.states[-1]

    def read(self, book: Path) -> Cells:
        return self.prepared.read(book)

    def place(self, folder: Path) -> None:
        """Make the folder anew as it is before the command."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.template, folder)


def cells(book: Path) -> Cells:
    """All cells of the sheet, of a workbook of which every byte is sound."""
    return sheets(book.read_bytes())["Data"]


@lru_cache(1000)
def sheets(content: bytes) -> dict[str, Cells]:
    """All cells of all sheets, of a workbook of which every byte is sound."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None, "a damaged part"
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {sheet.title: tuple(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}


def filled(rows: int) -> Cells:
    """The cells when that many rows from the top are done."""
    body = ((f"K{n:03d}", f"name {n}", f"name {n}!" if n <= rows else None, f"note {n}") for n in range(1, ROWS + 1))
    return (("Key", "Name", "Result", "Note"), *body)


HELD = tuple(filled(rows) for rows in (0, 3, 6, 9, ROWS))
"""What the workbook of a run holds before it and after each of its saves: so may a backup."""


def make_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    book = openpyxl.Workbook()
    book.worksheets[0].title = "Data"
    for row in filled(0):
        book.worksheets[0].append(row)
    book.save(folder / "book.xlsx")
    (folder / "steps.py").write_text(STEPS)
    (folder / "job.yaml").write_text(json.dumps(JOB))  # JSON is YAML
    return folder


def _run(_runner: Runner, template: Path) -> Prepared:
    make_folder(template)
    return Prepared(tuple(RUN), HELD, HELD, cells)


def _undo(runner: Runner, template: Path) -> Prepared:
    make_folder(template)
    run = runner.run(template, *RUN).json["run_id"]
    return Prepared(("runs", "undo", run, "--json"), (filled(ROWS), filled(0)), HELD, cells)


def _restore(runner: Runner, template: Path) -> Prepared:
    make_folder(template)
    runner.run(template, *RUN)
    (first,) = (template / "data" / "backups").glob("*/*_before_*")
    command = ("backups", "restore", "book.xlsx", first.name, "--json")
    return Prepared(command, (filled(ROWS), filled(0)), HELD, cells, renews=True)


SMALL: dict[str, Prepare] = {"run": _run, "undo": _undo, "restore": _restore}


def recorded(name: str, prepare: Prepare, runner: Runner, scratch: Path, folder: Path) -> Scenario:
    """Prepare a scenario and record its command; the calls of two recordings must be the same."""
    template = scratch / f"{name.replace(' ', '-')}-template"
    plain = Scenario(name, template, prepare(runner, template))
    plain.place(folder)
    runner.warm(folder, list(plain.command))
    recordings = []
    for _ in range(2):
        plain.place(folder)
        ended, calls, trace = runner.record(folder, *plain.command)
        assert ended.code == plain.prepared.code, ended
        assert plain.read(folder / "book.xlsx") == plain.end
        recordings.append((tuple(calls), tuple(trace)))
    assert recordings[0][0] == recordings[1][0], "a command must make the same calls each time"
    return replace(plain, calls=recordings[0][0], trace=recordings[0][1])
