"""The commands that the sweeps put faults into: a run of several batches and saves, an undo, a restore."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
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
class Scenario:
    """A command over a prepared folder: what was recorded of it, and what may be left of it."""

    name: str
    template: Path
    command: tuple[str, ...]
    calls: tuple[Call, ...]
    trace: tuple[str, ...]
    states: tuple[Cells, ...]
    """What the workbook holds before the command and after each of its saves."""

    @property
    def end(self) -> Cells:
        return self.states[-1]

    def place(self, folder: Path) -> None:
        """Make the folder anew as it is before the command."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.template, folder)


def cells(book: Path) -> Cells:
    """All cells of the sheet, of a workbook of which every byte is sound."""
    return _cells(book.read_bytes())


@lru_cache(1000)
def _cells(content: bytes) -> Cells:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None, "a damaged part"
    return tuple(openpyxl.load_workbook(io.BytesIO(content))["Data"].iter_rows(values_only=True))


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


def _run(runner: Runner, template: Path) -> tuple[list[str], tuple[Cells, ...]]:
    make_folder(template)
    return RUN, HELD


def _undo(runner: Runner, template: Path) -> tuple[list[str], tuple[Cells, ...]]:
    make_folder(template)
    run = runner.run(template, *RUN).json["run_id"]
    return ["runs", "undo", run, "--json"], (filled(ROWS), filled(0))


def _restore(runner: Runner, template: Path) -> tuple[list[str], tuple[Cells, ...]]:
    make_folder(template)
    runner.run(template, *RUN)
    (first,) = (template / "data" / "backups").glob("*/*_before_*")
    return ["backups", "restore", "book.xlsx", first.name, "--json"], (filled(ROWS), filled(0))


SCENARIOS: dict[str, Callable[[Runner, Path], tuple[list[str], tuple[Cells, ...]]]] = {
    "run": _run,
    "undo": _undo,
    "restore": _restore,
}


def recorded(name: str, runner: Runner, scratch: Path, folder: Path) -> Scenario:
    """Prepare a scenario and record its command; the calls of two recordings must be the same."""
    template = scratch / f"{name}-template"
    command, states = SCENARIOS[name](runner, template)
    plain = Scenario(name, template, tuple(command), (), (), states)
    plain.place(folder)
    runner.warm(folder, command)
    recordings = []
    for _ in range(2):
        plain.place(folder)
        ended, calls, trace = runner.record(folder, *command)
        assert ended.code == 0, ended.err
        assert cells(folder / "book.xlsx") == plain.end
        recordings.append((tuple(calls), tuple(trace)))
    assert recordings[0][0] == recordings[1][0], "a command must make the same calls each time"
    return Scenario(name, template, tuple(command), *recordings[0], states)
