"""How a run stands: what the ledger says of it, weighed against whether its process is there.

A ledger goes on saying "running" of a run whose process was killed. A run is running only while the process that took
it up holds its workbook's lock and is not proven dead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from batchbook.storage.hosts import ProcessIdentity
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.lock import read_lock


@dataclass(frozen=True, slots=True)
class RunProcess:
    """The process that worked on a run last."""

    host: str
    pid: int
    since: str
    alive: bool | None
    """Whether it lives and is at work on the run; None where that cannot be told from here."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


@dataclass(frozen=True, slots=True)
class Standing:
    """A run's true status, and the process that is (or died) at work on it."""

    status: str
    process: RunProcess | None = None

    def __str__(self) -> str:
        if self.process is None:
            return self.status
        if self.process.alive is False:
            return f"{self.status} (its {self.process} is not there any more)"
        doubt = "" if self.process.alive else ", as far as can be told from here"
        return f"{self.status} in {self.process}{doubt}"


def standing_of(ledger: Ledger, run: RunRecord) -> Standing:
    """How a run stands. Nothing is locked or waited for."""
    if run.status != "running":
        return Standing(run.status)
    attempts = ledger.attempts(run.id)
    if not attempts:
        return Standing("interrupted")  # it died before it began
    last = attempts[-1]
    process = RunProcess(
        str(last.holder.get("host", "")), int(last.holder.get("pid", 0)), last.started,
        _at_work(ledger, run, last.holder),
    )  # fmt: skip
    return Standing("interrupted" if process.alive is False else "running", process)


def as_it_stands(ledger: Ledger, run: RunRecord) -> RunRecord:
    """The run with its true status."""
    return replace(run, status=standing_of(ledger, run).status)


def _at_work(ledger: Ledger, run: RunRecord, holder: Mapping[str, Any]) -> bool | None:
    try:
        process = ProcessIdentity(**{one.name: holder[one.name] for one in fields(ProcessIdentity)})
    except KeyError:
        return None
    if process.gone or process.earlier_boot:
        return False
    lock = read_lock(ledger.path_of(run.workbook))
    if lock is None or (lock.known and lock.process != process):
        return False  # it lives, but has let go of the workbook, or somebody else has it
    return process.alive
