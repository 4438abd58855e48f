"""An interrupted run whose files are damaged in many ways, and what may become of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl

from tests.integration.helpers import Called, Folder

ROWS = 24
LEDGER = Path("data/checkpoints/ledger.db")
FORKER = Path(__file__).with_name("forker.py")
Damage = Callable[[Folder], None]


class Forker:
    """The command, run in forked children of one process that has imported everything."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, folder: Folder, *arguments: str) -> Called:
        """Run the command in a folder to its end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(folder.path), str(folder.log), arguments]) + "\n")
        self._process.stdin.flush()
        return Called(**json.loads(self._process.stdout.readline()))


@contextmanager
def forker() -> Iterator[Forker]:
    """A `Forker` for as long as it is needed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BATCHBOOK_")}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        [sys.executable, str(FORKER)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Forker(process)
    finally:
        process.kill()
        process.communicate()


@dataclass(frozen=True)
class Interrupted:
    """The files of a run that was killed in the middle, and how it ends when nothing is damaged."""

    state: Folder
    before: list[tuple[Any, ...]]
    """The cells before the killed run."""
    end: list[tuple[Any, ...]]
    """The cells after an undisturbed resume."""

    def copy(self, path: Path) -> Folder:
        """The files of the killed run in a folder of their own, to be damaged."""
        # Without the lock of the dead, which names the ledger of the folder that this is a copy of.
        shutil.copytree(self.state.path, path, ignore=shutil.ignore_patterns("*.batchbook-lock"))
        return Folder(path)


def interrupt(folder: Folder, call: Forker) -> Interrupted:
    """One night's whole run, then people at work, then a run that is killed after some batches and saves."""
    folder.make_book(range(100, 100 + ROWS))
    folder.make_job(batch={"strategy": "fixed", "size": 3, "checkpoint_frequency": 2, "concurrency": 1})
    assert folder.run("run", "job.yaml", "--start-fresh").code == 0
    _people(folder.book)
    before = folder.cells()
    folder.log.unlink()
    process = folder.start("run", "job.yaml", "--start-fresh", TEST_SLEEP="0.05")
    deadline = time.monotonic() + 60
    while len(folder.processed()) < 16 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    made = Interrupted(folder, before, [])
    whole = made.copy(folder.path.parent / "undisturbed")
    assert call.run(whole, "run", "job.yaml", "--resume-auto", "--json").code == 0
    end = whole.cells()
    assert [row[3] for row in end] == [expected(place) for place in range(1, ROWS + 1)]
    return Interrupted(folder, before, end)


def _people(path: Path) -> None:
    """Every row gets another amount, so that last night's results are wrong; one result is overwritten by hand."""
    book = openpyxl.load_workbook(path)
    sheet = book["Data"]
    for row in range(2, ROWS + 2):
        sheet.cell(row, 3, 1000 + row)
    sheet.cell(3, 4, "by hand")
    sheet.cell(20, 4, "by hand")
    book.save(path)


def expected(place: int) -> str:
    """What stands in the result column of a row at the end; rows 2 and 19 were overwritten by a person."""
    return "by hand" if place in (2, 19) else f"name {place} has {1001 + place}"


# --- damage ----------------------------------------------------------------------------------------------------------


def flip(path: Path, at: int, length: int = 1) -> None:
    """Turn over the bits of some bytes."""
    content = bytearray(path.read_bytes())
    for place in range(at, min(at + length, len(content))):
        content[place] ^= 0xFF
    _write(path, bytes(content))


def cut(path: Path, at: int) -> None:
    """Keep only what stands before a place."""
    _write(path, path.read_bytes()[:at])


def _write(path: Path, content: bytes) -> None:
    # A new file: backups may be hard links.
    other = path.with_name(f"{path.name}.new")
    other.write_bytes(content)
    other.replace(path)


# --- what may become of it -------------------------------------------------------------------------------------------


def check_resumed(made: Interrupted, folder: Folder, call: Forker) -> str:
    """Resume; the end must be the undisturbed one, or a refusal that names a way out and has changed nothing.

    Gives ``resumed``, ``fresh`` or ``refused``.
    """
    before = folder.cells() if _sound(folder.book) else None
    called = call.run(folder, "run", "job.yaml", "--resume-auto", "--json")
    assert "Traceback" not in called.err, called.err
    said = called.json
    if called.code in (5, 6):
        assert said["error"]["advice"], said
        if before is not None:
            for now, *good in zip(folder.cells(), before, made.end, strict=True):
                assert now in good, f"a value that no run computed ({said['error']})"
        return "refused"
    assert called.code == 0, (called.code, said, called.err)
    with zipfile.ZipFile(folder.book) as archive:
        assert archive.testzip() is None
    listed = _conflicts(said)
    if "the ledger knows of no run" in called.err:
        # Then nothing can tell that a person wrote over a result; that is said.
        listed |= {("K002", 3), ("K019", 3)}
    for now, wanted in zip(folder.cells(), made.end, strict=True):
        wrong = [place for place in range(len(wanted)) if now[place] != wanted[place]]
        assert not wrong or {(now[0], place) for place in wrong} <= listed, (now, wanted, listed, called.err)
    rows = said["rows"]
    assert rows["selected"] == ROWS == sum(rows.values()) - rows["selected"]
    resumed = said["resumed"]
    kept = resumed["rows_kept"] if resumed else 0
    once = len(set(folder.processed()[-(ROWS - kept) :])) if kept < ROWS else 0
    assert once == ROWS - kept, "what was not kept was computed again"
    return "resumed" if resumed else "fresh"


def _conflicts(said: dict[str, Any]) -> set[tuple[str, int]]:
    """What the run's own report lists; the record of an older run may be damaged, so that nobody can list runs."""
    report = json.loads(Path(said["report"]).read_text())
    columns = {"Result": 3, "Checked": 4}
    return {(one["key"], columns[one["column"]]) for one in report["conflict_list"]}


def _sound(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
        openpyxl.load_workbook(path)
        return True
    except Exception:  # noqa: BLE001 - whatever it is that zipfile and openpyxl make of it
        return False
