"""The history of runs: what ran, what it changed, which checkpoints there are."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from batchbook.batch.checkpoints import shown_key
from batchbook.batch.emptied import must_not_be_emptied
from batchbook.batch.report import conflicts_in, problems_of, warnings_of
from batchbook.batch.standing import as_it_stands, standing_of
from batchbook.config import BaseConfig
from batchbook.errors import UsageError
from batchbook.storage.ledger import PENDING, AttemptRecord, Ledger, RunRecord
from batchbook.storage.lock import WorkbookLock
from batchbook.storage.mending import must_know_changes
from batchbook.storage.pendingfile import pending_path
from batchbook.storage.pruning import pruned_run
from batchbook.storage.runlog import Checkpoint, RunLog
from batchbook.storage.savelog import Change, changes_of, count_conflicts, count_saves, pending_saves, saves_of
from batchbook.storage.turns import COMMAND, REAPPLIES, Turns, did_nothing, of_one_save, turn_of

_NAMED = 5
"""So many runs are named where none, or several, can be meant."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in a list."""

    run_id: str
    job: str
    status: str
    started: str
    ended: str | None
    workbook: str
    selected: int
    counts: Mapping[str, int]
    note: str
    kind: str = "job"
    """``job``, ``command``, ``undo`` or ``reapply``: only jobs have rows and outcomes."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """How many records (``new``, ``changed``, ``taken out``) or ``cells`` a run without rows changed, where known."""


@dataclass(frozen=True, slots=True)
class CellDifference:
    """One cell that a run changed; values as JSON data (tables.codec)."""

    sheet: str
    key: str
    number: int
    column: str
    before: Any
    after: Any


def open_ledger(base: BaseConfig, *, reading: bool = False) -> Ledger:
    """The ledger of a base folder; UsageError where nothing has run yet.

    reading: nothing of it is to be changed, and it may lie where nothing can be written.
    """
    must_not_be_emptied(base)
    look = Ledger.reading if reading and _is_read_as_it_is(base.ledger) else Ledger.open_existing
    ledger = look(base.ledger, root=base.folder, allow_network=base.state.allow_network)
    if ledger is None:
        raise UsageError(*no_ledger(base))
    return ledger


def no_ledger(base: BaseConfig) -> tuple[str, str]:
    """What to say where a base folder has no ledger: where it was looked for, and where else one can be."""
    whose = f"that of {base.file}" if base.file else "no config/batchbook.yaml names another"
    return (
        f"There is no ledger {base.ledger}: nothing has run yet in the folder {base.folder} ({whose}).",
        "Runs over a workbook of another folder are found from that folder, or with --workbook FILE.",
    )


def _is_read_as_it_is(path: Path) -> bool:
    """Whether a ledger is opened only for reading.

    Where it has a log, that would be folded in otherwise. Without one, SQLite reads it as a file that nobody writes,
    and what a run that begins meanwhile folds in would be read by halves: so that is done only where it has to be.
    """
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return not writable or path.with_name(f"{path.name}-wal").exists()


def find_run(ledger: Ledger, name: str) -> RunRecord:
    """A run by its id, the beginning of it, or ``last``; UsageError where there is none.

    ``last`` is the newest run of a job, or the newest undo or reapply that changed something.
    """
    if name == "last":
        found = next((run for run in ledger.runs() if not did_nothing(ledger, run)), None)
    else:
        found = ledger.run(name)
    if found is None:
        raise _no_run(ledger, name)
    return found


def _no_run(ledger: Ledger, name: str) -> UsageError:
    runs = [run.id for run in ledger.runs()]
    alike = [run for run in runs if name and run.startswith(name)]
    if len(alike) > 1:
        more = f" and {len(alike) - _NAMED} older ones" if len(alike) > _NAMED else ""
        named = f"{', '.join(alike[:_NAMED])}{more}"
        return UsageError(f"{len(alike)} runs begin with {name!r}: {named}.", "Give more of the one that is meant.")
    known = ", ".join(runs[:_NAMED]) or "none"
    return UsageError(f"There is no run {name!r}.", f"The newest runs: {known}.")


def find_unfinished(ledger: Ledger, name: str) -> RunRecord:
    """An unfinished run by its id, the beginning of it, or ``last``, the newest; UsageError where there is none."""
    unfinished = [run for run in ledger.runs() if run.unfinished]
    if name == "last" and unfinished:
        return unfinished[0]
    if name == "last":
        raise UsageError("There is no unfinished run.", "`batchbook runs show last` shows the newest run.")
    found = find_run(ledger, name)
    if not found.unfinished:
        raise UsageError(
            f"Run {found.id} is not unfinished, but {found.status}.", f"`batchbook runs show {found.id}` shows it."
        )
    return found


def counts_of(ledger: Ledger, run: RunRecord) -> Mapping[str, int]:
    """How many rows of a run ended in each outcome; kept for ever."""
    if of_one_save(run.settings):
        return {}  # it has no rows
    pruned = pruned_run(ledger, run.id)
    return pruned.counts if pruned is not None else RunLog(ledger, run).counts()


def must_have_details(ledger: Ledger, run: RunRecord, for_what: str) -> None:
    """UsageError where a run's details were pruned. Asked after they were read, it vouches for what was read."""
    pruned = pruned_run(ledger, run.id)
    if pruned is not None:
        raise UsageError(
            f"The details of run {run.id} were pruned on {pruned.at[:10]}: {for_what}.",
            "Only its summary is kept (`batchbook runs show`). `history: {details_days: N}` in config/batchbook.yaml "
            "says how long details of later runs are kept.",
        )


def list_runs(ledger: Ledger) -> list[RunLine]:
    """All runs, newest first."""
    turns = Turns(ledger)
    return [
        RunLine(
            run.id, run.job, standing_of(ledger, run).status, run.started, run.ended,
            str(ledger.path_of(run.workbook)), run.selected, counts_of(ledger, run), _note_of(run, turns),
            _kind_of(run), _changed_by(run),
        )
        for run in ledger.runs()
    ]  # fmt: skip


def _note_of(run: RunRecord, turns: Turns) -> str:
    """A run's note, and what became of what it did."""
    turn = turns.last(run.id)
    word = "" if turn is None else "put back" if turn.verb == REAPPLIES else "undone"
    word += " in part" if turn is not None and turn.in_part else ""
    return "; ".join(filter(None, [run.note, f"{word} by run {turn.id}" if turn else ""]))


def _kind_of(run: RunRecord) -> str:
    turn = turn_of(run.job, run.settings)
    if turn is not None:
        return turn.verb
    return "command" if COMMAND in run.settings else "job"


def _changed_by(run: RunRecord) -> Mapping[str, int]:
    """How many records or cells a command or a turn changed, by what it did to them; rows of logs do not count."""
    summary = run.summary or {}
    logs = {sheet for sheet, of in (run.settings.get("tables") or {}).items() if of.get("append_only")}
    changed: Counter[str] = Counter()
    for sheet, counts in (summary.get("records") or {}).items():
        changed.update(counts if sheet not in logs else {})
    if "cells" in summary:
        changed["cells"] = summary["cells"]
    return {name: count for name, count in changed.items() if count}


def show_run(ledger: Ledger, name: str) -> dict[str, Any]:
    """Everything about a run as plain data: its end, attempts, saves, problems and conflicts.

    `batches`, `saves`, `problems` and `conflicts` are iterators, to be used before the ledger is closed: they can be
    longer than memory. Where details were pruned they are empty, and `pruned` says when and how many there were.
    """
    run = find_run(ledger, name)
    log = RunLog(ledger, run)
    pruned = pruned_run(ledger, run.id)
    attempts = [_attempt(log, attempt) for attempt in ledger.attempts(run.id)]
    counted = _counted(ledger, log) if pruned is None else (pruned.batches, pruned.saves, pruned.conflicts)
    return {
        "run_id": run.id,
        "job": run.job,
        "status": standing_of(ledger, run).status,
        "workbook": str(ledger.path_of(run.workbook)),
        "sheet": run.sheet,
        "started": run.started,
        "ended": run.ended,
        "note": _note_of(run, Turns(ledger, workbook=run.workbook)),
        "kind": _kind_of(run),
        "changed": _changed_by(run),
        "reference": dict(run.reference),
        "rows": {"selected": run.selected, **counts_of(ledger, run)},
        "seconds": _together([attempt["seconds"] for attempt in attempts]),
        "rows_per_second": _rate(sum(attempt["rows"] or 0 for attempt in attempts), attempts),
        "counted": dict(zip(("batches", "saves", "conflicts"), counted, strict=True)),
        "pruned": pruned.at if pruned is not None else None,
        "pending": what_waits(ledger, run.id),
        "attempts": attempts,
        "batches": iter(()) if pruned else (dict(batch) for batch in log.batches()),
        "saves": iter(()) if pruned else (
            {"id": s.id, "at": s.at, "state": s.state, "backup": s.backup} for s in saves_of(ledger, run.id)
        ),
        "problems": iter(()) if pruned else problems_of(log),
        "warnings": iter(()) if pruned else warnings_of(log),
        "conflicts": iter(()) if pruned else conflicts_in(log),
    }  # fmt: skip


def _counted(ledger: Ledger, log: RunLog) -> tuple[int, int, int]:
    return log.batch, count_saves(ledger, log.run.id), count_conflicts(ledger, log.run.id)


def _attempt(log: RunLog, attempt: AttemptRecord) -> dict[str, Any]:
    """One attempt with its times; of one that died, what its commits tell and what its last checkpoint recorded."""
    times = attempt.times
    rows = times.rows if times else None
    seconds = {n: round(getattr(times, n), 4) if times else None for n in ("total", "process", "ledger", "save")}
    done = log.attempt_rows(attempt.number) if attempt.ended is None else None
    if done is not None:
        began = dt.datetime.fromisoformat(attempt.started)
        lasted = (dt.datetime.fromisoformat(done.last) - began).total_seconds()
        rows = done.rows
        seconds |= {"process": round(done.seconds, 4), "total": max(round(lasted, 4), seconds["total"] or 0.0)}
    return {
        "number": attempt.number, "started": attempt.started, "ended": attempt.ended, "how": attempt.how,
        "result": attempt.result, "host": attempt.holder.get("host"), "pid": attempt.holder.get("pid"),
        "rows": rows, "seconds": seconds, "rows_per_second": _rate(rows, [{"seconds": seconds}]),
    }  # fmt: skip


def _together(parts: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The sum of what is known of each phase, None where nothing is."""
    together: dict[str, float | None] = {}
    for name in ("total", "process", "ledger", "save"):
        known = [part[name] for part in parts if part[name] is not None]
        together[name] = round(sum(filter(None, known)), 4) if known else None
    return together


def _rate(rows: int | None, attempts: Sequence[Mapping[str, Any]]) -> float | None:
    """Rows a second over the whole time of some attempts, None where that is not known."""
    total = sum(attempt["seconds"]["total"] or 0.0 for attempt in attempts)
    return round(rows / total, 2) if rows is not None and total > 0 else None


def diff_run(ledger: Ledger, name: str) -> Iterator[CellDifference]:
    """Every cell that a run changed, before and after; rows of detail sheets as a whole.

    UsageError where the run's details were pruned.
    """
    run = find_run(ledger, name)
    changes = changes_of(ledger, run.id)
    first = next(changes, None)
    # Asked when the reading has begun: from there on it sees the ledger as it was then, whatever is pruned.
    must_have_details(ledger, run, "what it changed is no longer known")
    must_know_changes(ledger, run.id)
    return (one for change in chain(filter(None, [first]), changes) for one in _differences(change))


def what_waits(ledger: Ledger, name: str) -> str | None:
    """Where a run's results are that are not in its workbook yet, and how they get in; None where that is not so."""
    run = find_run(ledger, name)
    if run.status != PENDING:
        return None
    file = pending_path(ledger.path_of(run.workbook))
    if file.exists() and any(save.run == run.id for save in pending_saves(ledger, run.workbook)):
        return (
            f"the finished save of run {run.id} waits in {file.name} for the workbook to be closed; "
            f"`batchbook runs reapply {run.id}` brings it in"
        )
    return f"the results of run {run.id} wait in the ledger; the next run of its job merges them"


def _differences(change: Change) -> Iterator[CellDifference]:
    before, after = json.loads(change.before), json.loads(change.after)
    key = shown_key(change.key)
    for column in after:
        yield CellDifference(change.sheet, key, change.number, column, before.get(column), after[column])


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
