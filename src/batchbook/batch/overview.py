"""What is going on in a base folder: unfinished runs, waiting saves, vanished writes, locks, people. Only read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchbook.batch.emptied import must_not_be_emptied
from batchbook.batch.standing import Standing, standing_of
from batchbook.batch.vanished import Look, look_for_vanished
from batchbook.config import BaseConfig
from batchbook.errors import LedgerError
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.lock import read_lock
from batchbook.storage.lockfile import LockInfo
from batchbook.storage.owners import Owner, owner_of
from batchbook.storage.pending import pending_runs
from batchbook.storage.pendingfile import pending_path
from batchbook.storage.savelog import pending_saves


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run that can be taken up again, or is going."""

    run: RunRecord
    workbook: Path
    standing: Standing

    def __str__(self) -> str:
        return f"{self.run.id} of {self.run.job} on {self.workbook}: {self.standing}, last active {self.run.active}"

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        process = self.standing.process
        return {
            "run_id": self.run.id,
            "job": self.run.job,
            "status": self.standing.status,
            "workbook": str(self.workbook),
            "active": self.run.active,
            "process": process and {name: getattr(process, name) for name in type(process).__slots__},
        }


@dataclass(frozen=True, slots=True)
class WorkbookState:
    """How a workbook is that runs worked on."""

    workbook: Path
    lock: LockInfo | None
    owner: Owner | None
    pending: str | None
    pending_run: str | None
    look: Look

    @property
    def remarks(self) -> tuple[str, ...]:
        """What there is to say, in words."""
        said = (
            "there" if self.workbook.exists() else "gone",
            f"locked by {self.lock}" if self.lock else None,
            f"open: {self.owner}" if self.owner else None,
            self.pending,
        )
        return tuple(one for one in said if one)

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "workbook": str(self.workbook),
            "state": "there" if self.workbook.exists() else "gone",
            "locked_by": f"locked by {self.lock}" if self.lock else None,
            "open_in": f"open: {self.owner}" if self.owner else None,
            "pending": self.pending,
            "pending_run": self.pending_run,
            "vanished": [one.as_dict() for one in self.look.vanished],
            "unknown": list(self.look.unknown),
        }


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it; `runs` is how many runs there were."""

    runs: int = 0
    unfinished: tuple[Unfinished, ...] = ()
    workbooks: tuple[WorkbookState, ...] = ()


def overview(base: BaseConfig) -> Overview:
    """Look at a base folder. Nothing is written, locked or waited for; workbooks that changed since are read.

    Raises LedgerError where the ledger cannot be read.
    """
    must_not_be_emptied(base)
    try:
        return _overview(base)
    except LedgerError:
        # A run may have begun to write while the file was read as one that nobody writes: now it is read beside it.
        return _overview(base)


def _overview(base: BaseConfig) -> Overview:
    ledger = Ledger.reading(base.ledger, root=base.folder, allow_network=base.state.allow_network)
    if ledger is None:
        return Overview()
    with ledger:
        runs = ledger.runs()
        unfinished = tuple(
            Unfinished(run, ledger.path_of(run.workbook), standing_of(ledger, run)) for run in runs if run.unfinished
        )
        names = sorted({run.workbook for run in runs}, key=ledger.path_of)
        return Overview(len(runs), unfinished, tuple(_state(ledger, name) for name in names))


def _state(ledger: Ledger, name: str) -> WorkbookState:
    path = ledger.path_of(name)
    pending, run = _pending(ledger, name, path)
    return WorkbookState(path, read_lock(path), owner_of(path), pending, run, look_for_vanished(ledger, path))


def _pending(ledger: Ledger, name: str, path: Path) -> tuple[str | None, str | None]:
    """What waits to come into the workbook, and of which run."""
    file = pending_path(path)
    saves = pending_saves(ledger, name)
    if saves and file.exists():
        run = saves[-1].run
        return f"the finished save of run {run} waits in {file.name}; `batchbook runs reapply {run}` publishes it", run
    if file.exists():
        return f"{file.name} is a pending save that is not known here", None
    for run in pending_runs(ledger, name):
        return f"the results of run {run} wait in the ledger; the next run of its job merges them", run
    return None, None
