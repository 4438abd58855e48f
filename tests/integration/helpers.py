"""A folder with a workbook, a job and a processor, and the real command run over it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl

SECONDS = 60.0
"""No call of a test takes longer; a hang fails."""

PROCESSOR = """
import os, time
import batchbook

def work(row):
    time.sleep(float(os.environ.get("TEST_SLEEP", "0")))
    log = os.environ.get("TEST_LOG")
    if log:
        with open(log, "a") as file:
            file.write(row["Key"] + "\\n")
    amount = row["Amount"]
    if amount is None:
        return None
    if amount < 0:
        raise batchbook.Rejected("the amount is negative")
    if amount == 13:
        raise ValueError("thirteen")
    if amount == 17:
        raise batchbook.Unknown("seventeen cannot be asked")
    return {"Result": f"{row['Name']} has {amount}", "Checked": amount * 2}
"""

JOB = {
    "job": "small",
    "workbook": "book.xlsx",
    "sheet": "Data",
    "key": ["Key"],
    "processor": "small_steps:work",
    "reads": ["Key", "Name", "Amount"],
    "writes": ["Result", "Checked"],
    "batch": {"strategy": "fixed", "size": 5, "checkpoint_frequency": 2, "concurrency": 1, "max_retry_attempts": 1},
    "save": {"max_overhead": 1.0},
}


@dataclass(frozen=True)
class Called:
    """How a call of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON object it must be."""
        return json.loads(self.out)


@dataclass
class Folder:
    """A folder to run in."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def book(self) -> Path:
        return self.path / "book.xlsx"

    @property
    def log(self) -> Path:
        return self.path.parent / f"{self.path.name}.log"

    def make_book(self, amounts: Sequence[Any], *, name: str = "book.xlsx", header_row: int = 1) -> Path:
        """A workbook with a row for each amount: Key, Name, Amount, Result, Checked, Note."""
        book = openpyxl.Workbook()
        sheet = book.worksheets[0]
        sheet.title = "Data"
        for column, header in enumerate(("Key", "Name", "Amount", "Result", "Checked", "Note"), 1):
            sheet.cell(header_row, column, header)
        for place, amount in enumerate(amounts, 1):
            row = header_row + place
            for column, value in enumerate((f"K{place:03d}", f"name {place}", amount), 1):
                sheet.cell(row, column, value)
            sheet.cell(row, 6, f"note {place}")
        book.save(self.path / name)
        return self.path / name

    def make_job(self, *, name: str = "job.yaml", **changes: Any) -> Path:
        """The small job with some of its settings changed; None takes one out."""
        settings = {key: value for key, value in {**JOB, **changes}.items() if value is not None}
        # JSON is YAML, and quotes what YAML would take for something else.
        (self.path / name).write_text(json.dumps(settings, indent=1))
        return self.path / name

    def cells(self, sheet: str = "Data", name: str = "book.xlsx") -> list[tuple[Any, ...]]:
        """The rows below the header as openpyxl reads them."""
        return list(openpyxl.load_workbook(self.path / name)[sheet].iter_rows(min_row=2, values_only=True))

    def processed(self) -> list[str]:
        """The keys in the order in which the processor saw them, over all runs."""
        return self.log.read_text().split() if self.log.exists() else []

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the command in this folder, in a session of its own."""
        return subprocess.Popen(
            [*command(), *arguments],
            cwd=self.path,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environment: str) -> Called:
        """Run the command in this folder to its end."""
        process = self.start(*arguments, **environment)
        try:
            out, err = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Called(process.returncode, out, err)

    def at_terminal(self, *arguments: str, answers: Mapping[str, str], **environment: str) -> Called:
        """Run the command on a terminal of its own, typing each answer when its question appears (in order)."""
        return _at_terminal([*command(), *arguments], self.path, self._environment(environment), answers)

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("BATCHBOOK_")}
        return {**plain, "TEST_LOG": str(self.log), "TERM": "xterm", "COLUMNS": "200", **self.environment, **more}


def command() -> list[str]:
    """How the command is started: as a module, so that no installed script has to be on the path."""
    return [sys.executable, "-m", "batchbook"]


def _at_terminal(
    line: Sequence[str], folder: Path, environment: Mapping[str, str], answers: Mapping[str, str]
) -> Called:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        line,
        cwd=folder,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        # Its controlling terminal, so that Ctrl-C typed there is a signal.
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    try:
        said = _converse(process, master, list(answers.items()))
        return Called(process.wait(timeout=SECONDS), said, "")
    finally:
        os.close(master)
        if process.poll() is None:
            process.kill()
            process.wait()


def _converse(process: subprocess.Popen[bytes], master: int, answers: list[tuple[str, str]]) -> str:
    said, seen, deadline = "", 0, time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        ready, _, _ = select.select([master], [], [], 0.1)
        if ready:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the other end was closed: how a terminal says the end
                piece = b""
            if not piece:
                break
            said += piece.decode(errors="replace")
        elif process.poll() is not None:
            break
        if answers and answers[0][0] in said[seen:]:
            seen = len(said)
            os.write(master, answers.pop(0)[1].encode())
    else:
        raise AssertionError(f"no end in sight; so far it said: {said}")
    assert not answers, f"never asked {answers[0][0]!r}; it said: {said}"
    return said


def make_folder(path: Path) -> Folder:
    """A folder with the small processor."""
    path.mkdir()
    (path / "small_steps.py").write_text(PROCESSOR)
    return Folder(path)


def interrupted(folder: Folder, after: int, number: int = signal.SIGTERM) -> int:
    """Start a run over slow rows and stop it after some of them; gives the exit code."""
    process = folder.start("run", "job.yaml", "--start-fresh", TEST_SLEEP="0.1")
    deadline = time.monotonic() + 60
    while len(folder.processed()) < after and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    return process.returncode
