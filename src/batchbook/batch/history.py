"""The history of runs: what ran, what it changed, which checkpoints there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchbook.batch.checkpoints import shown_key
from batchbook.batch.report import conflicts_in, problems_of
from batchbook.batch.standing import as_it_stands, standing_of
from batchbook.config import BaseConfig
from batchbook.errors import UsageError
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.lock import WorkbookLock
from batchbook.storage.pendingfile import pending_path
from batchbook.storage.runlog import Checkpoint, RunLog
from batchbook.storage.savelog import changes_of, pending_saves, saves_of


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in a list."""

    id: str
    job: str
    status: str
    started: str
    ended: str | None
    workbook: str
    selected: int
    counts: Mapping[str, int]
    note: str


@dataclass(frozen=True, slots=True)
class CellDifference:
    """One cell that a run changed; values as JSON data (tables.codec)."""

    sheet: str
    key: str
    number: int
    column: str
    before: Any
    after: Any


def open_ledger(base: BaseConfig) -> Ledger:
    """The ledger of a base folder; UsageError where nothing has run yet."""
    ledger = Ledger.open_existing(base.ledger, root=base.folder, allow_network=base.state.allow_network)
    if ledger is None:
        raise UsageError(
            f"There is no ledger {base.ledger}: nothing has run yet.", "Run a job first, or go to its folder."
        )
    return ledger


def find_run(ledger: Ledger, name: str) -> RunRecord:
    """A run by its id, the beginning of it, or ``last``; UsageError where there is none."""
    runs = ledger.runs()
    found = runs[0] if name == "last" and runs else ledger.run(name)
    if found is None:
        known = ", ".join(run.id for run in runs[:5]) or "none"
        raise UsageError(f"There is no run {name!r} (or several begin so).", f"The newest runs: {known}.")
    return found


def list_runs(ledger: Ledger) -> list[RunLine]:
    """All runs, newest first."""
    return [
        RunLine(
            run.id, run.job, standing_of(ledger, run).status, run.started, run.ended,
            str(ledger.path_of(run.workbook)), run.selected, RunLog(ledger, run).counts(), run.note,
        )
        for run in ledger.runs()
    ]  # fmt: skip


def show_run(ledger: Ledger, name: str) -> dict[str, Any]:
    """Everything about a run as plain data: its end, attempts, saves, problems and conflicts."""
    run = find_run(ledger, name)
    log = RunLog(ledger, run)
    return {
        "run_id": run.id,
        "job": run.job,
        "status": standing_of(ledger, run).status,
        "workbook": str(ledger.path_of(run.workbook)),
        "sheet": run.sheet,
        "started": run.started,
        "ended": run.ended,
        "note": run.note,
        "reference": dict(run.reference),
        "rows": {"selected": run.selected, **log.counts()},
        "attempts": [
            {
                "number": a.number, "started": a.started, "ended": a.ended, "how": a.how, "result": a.result,
                "host": a.holder.get("host"), "pid": a.holder.get("pid"),
            }
            for a in ledger.attempts(run.id)
        ],
        "batches": [dict(batch) for batch in log.batches()],
        "saves": [{"id": s.id, "at": s.at, "state": s.state, "backup": s.backup} for s in saves_of(ledger, run.id)],
        "problems": list(problems_of(log)),
        "conflicts": list(conflicts_in(log)),
        "seconds": (run.summary or {}).get("seconds"),
    }  # fmt: skip


def diff_run(ledger: Ledger, name: str) -> Iterator[CellDifference]:
    """Every cell that a run changed, before and after; rows of detail sheets as a whole."""
    for change in changes_of(ledger, find_run(ledger, name).id):
        before, after = json.loads(change.before), json.loads(change.after)
        for column in after:
            yield CellDifference(
                change.sheet, shown_key(change.key), change.number, column, before.get(column), after[column]
            )


# --- checkpoints ---------------------------------------------------------------------------------------------------


def list_checkpoints(ledger: Ledger) -> list[tuple[RunRecord, list[Checkpoint]]]:
    """The checkpoints of every run that can be taken up again, newest run first."""
    return [(as_it_stands(ledger, run), RunLog(ledger, run).checkpoints()) for run in ledger.runs() if run.unfinished]


def validate_checkpoint(ledger: Ledger, name: str) -> list[str]:
    """What is wrong with the resumable state of a run; empty when it is sound.

    Checks SQLite's own structure, the selection's hash, the hash chain over all results, and that each checkpoint's
    head is on the chain.
    """
    run = find_run(ledger, name)
    if not run.unfinished:
        return []
    problems = [f"SQLite: {said}" for said in ledger.check()]
    log = RunLog(ledger, run)
    if log.selection_hash() != run.selection_hash:
        problems.append("the selection is not the one that was recorded")
    sound = log.sound_until()
    if sound != log.seq:
        problems.append(
            f"the chain of results holds up to commit {sound} of {log.seq}; what follows would be done again"
        )
    for point in log.checkpoints():
        if log.chain_at(point.seq) != point.chain:
            problems.append(f"checkpoint {point.number} is not on the chain")
    return problems


def clear_checkpoints(ledger: Ledger, name: str | None, now: str) -> list[str]:
    """Give up the resumable state of one run, or of all; gives the ids. The history stays."""
    runs = [find_run(ledger, name)] if name else [run for run in ledger.runs() if run.unfinished]
    cleared = [run for run in runs if run.unfinished]
    for run in cleared:
        must_not_lie_by(ledger, run)
    for run in cleared:
        with _undisturbed(ledger.path_of(run.workbook)), ledger.transaction():
            ledger.update_run(run.id, status="cleared", ended=now, note="its checkpoints were cleared by hand")
            RunLog(ledger, run).clear_state()
    return [run.id for run in cleared]


def must_not_lie_by(ledger: Ledger, run: RunRecord) -> None:
    """Raise UsageError where a finished save of a run waits to be published: giving the run up would lose it."""
    file = pending_path(ledger.path_of(run.workbook))
    if file.exists() and any(save.run == run.id for save in pending_saves(ledger, run.workbook)):
        raise UsageError(
            f"The results of run {run.id} are complete; they wait in {file.name} for the workbook to be closed.",
            f"Bring them in with `batchbook runs reapply {run.id}` when it is closed, or delete that file.",
        )


def _undisturbed(workbook: Path) -> AbstractContextManager[object]:
    """The workbook's lock, so that no run is going whose state is cleared; none where its folder is gone."""
    return WorkbookLock(workbook, run=None, ledger=None) if workbook.parent.is_dir() else nullcontext()
