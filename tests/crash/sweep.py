"""One fault at one recorded call, and all that has to hold after it."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.scenarios import Cells, Scenario
from tests.crash.tracing import CHANGING, RECORDED, Call, Ended, Runner, parsed

KINDS = ("kill", *(f"{errno}{span}" for errno in ("ENOSPC", "EIO", "EACCES") for span in ("", " from then on")))
CLEAN_CODES = {0, 1, 2, 4, 5, 6}
"""A command that lives on ends fine or with an error that says what to do; never with a fault of the program."""

_NEVER = {
    "ENOSPC": {"unlink", "unlinkat", "ioctl"},
    "EIO": {"ioctl"},
    "EACCES": {"ioctl"},
}
"""What goes on working when a fault stays: a full disk still lets files be removed."""


@dataclass
class Tally:
    """The counts of a sweep."""

    scenario: str
    kind: str
    calls: int = 0
    faults: int = 0
    by_call: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    elsewhere: int = 0
    missed: list[str] = field(default_factory=list)
    """The calls that were meant where the fault landed elsewhere."""
    lost_rows: int = 0
    wrong_cells: int = 0
    rows_done_twice: int = 0
    stray_files: int = 0
    problems: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        return dict(vars(self))


def strace_options(call: Call, kind: str) -> list[str]:
    """What makes strace put a fault into this call, and into all later ones that change files if it is to stay."""
    errno, _, stays = kind.partition(" ")
    fault = "signal=KILL" if kind == "kill" else f"error={errno}"
    options = ["-e", f"trace={','.join(RECORDED)}"]
    first = [f"inject={call.name}:{fault}:when={call.number}{'+' if stays and call.name != 'openat' else ''}"]
    if stays:
        others = [name for name in CHANGING if name != call.name and name not in _NEVER[errno]]
        first += [f"inject={name}:{fault}:when={call.counts.get(name, 0) + 1}+" for name in others]
    for inject in first:
        options += ["-e", inject]
    return options


def kinds_for(call: Call) -> Iterable[str]:
    """A call that changes nothing can only fail to read; a kill there is a kill at the next change."""
    if call.changing:
        return KINDS
    return ("EIO", "EACCES") if call.name == "openat" else ("EIO",)


class Sweep:
    """Puts faults into one scenario and keeps count."""

    def __init__(self, runner: Runner, scenario: Scenario, scratch: Path, folder: Path, kind: str) -> None:
        self.runner = runner
        self.scenario = scenario
        self.scratch = scratch
        self.folder = folder
        self.tally = Tally(scenario.name, kind, len(scenario.calls))

    def one(self, call: Call, kind: str) -> None:
        """One fault, the checks after it, the next start, and the one after that."""
        tally, before = self.tally, len(self.tally.problems)
        self.scenario.place(self.folder)
        ended = self.runner.run(self.folder, *self.scenario.command, strace=strace_options(call, kind))
        tally.faults += 1
        tally.by_call[call.name] += 1
        if not self._hit(ended, call):
            tally.elsewhere += 1
            tally.missed.append(str(call))
        tally.ended["killed" if ended.code < 0 else "went on" if ended.code == 0 else "stopped with advice"] += 1
        self._after(ended, kind)
        self._finish(ended)
        for place in range(before, len(tally.problems)):
            tally.problems[place] = f"{self.scenario.name}, {kind} at {call}: {tally.problems[place]}"

    def limited(self, largest: int) -> str:
        """One start in which no file may grow beyond a size, and the checks after it; gives how it ended."""
        self.scenario.place(self.folder)
        ended = self.runner.run(self.folder, *self.scenario.command, largest=largest)
        self._after(ended, "limit")
        self._finish(ended)
        return "went on" if ended.code == self.scenario.prepared.code else "stopped with advice"

    def _hit(self, ended: Ended, call: Call) -> bool:
        """Whether the fault came where it was meant to."""
        marked = [line for line in ended.trace if "(INJECTED)" in line]
        if not marked and ended.code < 0:
            marked = [line for line in ended.trace if f" {call.name}(" in line][-1:]
        found, _ = parsed(marked[:1], self.folder)
        return bool(found) and found[0].name == call.name and found[0].paths == call.paths

    # --- right after the fault -------------------------------------------------------------------------------------

    def _after(self, ended: Ended, kind: str) -> None:
        if kind == "kill":
            ends = (-signal.SIGKILL, self.scenario.prepared.code)
            self._expect(ended.code in ends, f"it was to be killed and ended with {ended.code}")
        else:
            self._clean(ended)
        self._expect(len(set(ended.keys)) == len(ended.keys), "a row was done twice in one run")
        found = self._read()
        if found in self.scenario.states:
            self.tally.states[f"{self.scenario.states.index(found)} of {len(self.scenario.states) - 1} saves"] += 1
        elif found is not None:
            self.tally.wrong_cells += _different(found, self.scenario.states[0])
            self._expect(False, "the workbook holds what was never committed")
        for backup in self.folder.glob("data/backups/*/*.xlsx"):
            known = self.scenario.read(backup) in self.scenario.prepared.held
            self._expect(known, f"the backup {backup.name} holds another state")

    def _clean(self, ended: Ended) -> None:
        fine = {0, self.scenario.prepared.code}
        self._expect(ended.code in CLEAN_CODES | fine, f"exit code {ended.code}: {ended.out} {ended.err}")
        self._expect("Traceback" not in ended.err, f"a traceback: {ended.err}")
        try:
            error = ended.json["error"]
        except ValueError:
            self._expect(False, f"no JSON on standard output: {ended.out!r} {ended.err!r}")
            return
        if error is None:
            self._expect(ended.code in fine, f"exit code {ended.code} without an error")
        else:
            self._expect(bool(error["what"] and error["advice"]), f"no advice: {error}")
            named = error["code"] != "unexpected" and "unexpected" not in error["what"]
            self._expect(named, f"an error that nobody named: {error}")

    def _read(self) -> Cells | None:
        try:
            return self.scenario.read(self.folder / "book.xlsx")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            self.tally.lost_rows += len(self.scenario.end)
            self._expect(False, f"the workbook cannot be opened: {type(error).__name__}: {error}")
            return None

    # --- the next starts -------------------------------------------------------------------------------------------

    def _finish(self, ended: Ended) -> None:
        plan = self.scenario.prepared
        committed = committed_keys(self.folder, self.scratch, unfinished=plan.repeats)
        next_one = self.runner.run(self.folder, *self.scenario.command)
        self._expect(next_one.code == plan.code, f"the next start ended with {next_one}")
        twice = committed & set(next_one.keys)
        self.tally.rows_done_twice += len(twice)
        self._expect(not twice, f"committed rows were done again: {sorted(twice)}")
        end = self._read()
        if end is not None and end != self.scenario.end:
            self.tally.wrong_cells += _different(end, self.scenario.end)
            self.tally.lost_rows += _lost(end, self.scenario.end)
            self._expect(False, "the end is not the undisturbed end")
        self._no_strays()
        digest = _digest(self.folder / "book.xlsx")
        second = self.runner.run(self.folder, *self.scenario.command)
        self._expect(second.code == plan.code, f"the start after that ended with {second.code}: {second.err}")
        self._expect(plan.repeats or not second.keys, f"the start after that did rows again: {second.keys}")
        if not plan.renews:
            self._expect(_digest(self.folder / "book.xlsx") == digest, "the start after that changed the workbook")
        self._expect(self._read() == self.scenario.end, "the start after that changed cells")

    def _no_strays(self) -> None:
        found = strays(self.folder, self.scenario.template)
        self.tally.stray_files += len(found)
        self._expect(not found, f"files were left: {found}")

    def _expect(self, fine: bool, otherwise: str) -> None:
        if not fine:
            self.tally.problems.append(otherwise)


def committed_keys(folder: Path, scratch: Path, *, unfinished: bool = False) -> set[str]:
    """Keys of the rows whose outcomes are durable, read from a copy so that nothing is repaired by looking.

    unfinished: only of runs that have not ended.
    """
    copy, source = scratch / "ledger", folder / "data" / "checkpoints"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-journal"):
        if (source / name).exists():
            shutil.copy(source / name, copy / name)
    if not (copy / "ledger.db").exists():
        return set()
    with closing(sqlite3.connect(copy / "ledger.db")) as ledger:
        if not ledger.execute("SELECT 1 FROM sqlite_master WHERE name = 'outcomes'").fetchone():
            return set()
        runs = "SELECT id FROM runs WHERE ended IS NULL" if unfinished else "SELECT id FROM runs"
        keys = ledger.execute(f"SELECT key FROM outcomes WHERE run IN ({runs})")
        return {str(json.loads(key)[0]) for (key,) in keys}


def strays(folder: Path, template: Path) -> list[str]:
    """Files that a command which has ended should not have left, and backups that are the workbook's own file."""
    plain = {path.name for path in template.iterdir()} | {"data"}
    found = [path.name for path in folder.iterdir() if path.name not in plain]
    for path in (folder / "data").rglob("*"):
        known = path.is_dir() or path.suffix in (".json", ".csv", ".log", ".xlsx", ".db")
        live = path.suffix == ".xlsx" and path.samefile(folder / "book.xlsx")
        if not known or live or "batchbook-" in path.name:
            found.append(str(path.relative_to(folder)))
    return found


def _different(found: Cells, wanted: Cells) -> int:
    pairs = ((a, b) for one, other in zip(found, wanted, strict=False) for a, b in zip(one, other, strict=False))
    return sum(a != b for a, b in pairs) + abs(len(found) - len(wanted))


def _lost(found: Cells, wanted: Cells) -> int:
    return len({row[0] for row in wanted} - {row[0] for row in found})


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
