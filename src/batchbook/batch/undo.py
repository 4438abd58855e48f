"""Undoing a run, and putting back what it wrote where that vanished."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from batchbook.batch.history import find_run, must_have_details
from batchbook.batch.inorder import in_order
from batchbook.batch.systems import System
from batchbook.batch.turning import REAPPLY, UNDO, Turn, Turned
from batchbook.batch.waitingrecords import SYSTEM
from batchbook.config import BaseConfig
from batchbook.errors import CannotSave, UsageError
from batchbook.storage.ledger import PENDING, Ledger, RunRecord
from batchbook.storage.mending import must_know_changes
from batchbook.storage.owners import check_not_open
from batchbook.storage.pending import SettledPending
from batchbook.storage.runchanges import RunChanges
from batchbook.storage.scratch import Spool
from batchbook.storage.turns import undone_by

Clock = Callable[[], dt.datetime]
Warn = Callable[[str], None]
Systems = Callable[[str], System | None]
"""Gives a system by its name, None where it is not known: the ledger never names code."""


@dataclass(kw_only=True)
class _Turned:
    """What an undo and a reapply tell alike; `kept` is what was left alone, with the reason."""

    run: str
    restored: int = 0
    """Cells that hold what is wanted: of an undo also those that held it before."""
    kept: Spool = field(default_factory=Spool)
    """Texts."""
    records: Spool = field(default_factory=Spool)
    """Of a run that changed records: what was done to each (`turning.turned_record`)."""
    records_unchanged: int = 0
    """Records that were as wanted already."""
    over_records: bool = False
    """Whether the run changed records of a system; else what was left alone are cells that people changed since."""


@dataclass(kw_only=True)
class Undone(_Turned):
    """What an undo did."""

    undo_run: str | None
    """None where nothing was to be changed."""
    already: str | None = None
    """The undo that had taken it back before."""


@dataclass(kw_only=True)
class Reapplied(_Turned):
    """What a reapply did."""

    reapply_run: str | None
    """None where nothing was to be changed, or where the run's finished save waited and was published as it is."""
    published: bool = False
    """Whether the run's finished save waited and was published as it is."""


def undo_run(
    base: BaseConfig,
    ledger: Ledger,
    name: str,
    *,
    wait: float,
    clock: Clock,
    warn: Warn,
    systems: Systems | None = None,
    user: str = "",
) -> Undone:
    """Undo a run by its id: cells that still hold what it wrote get back what they held before; the rest is listed.

    Of a run that changed records, whole records are undone, as far as their system lets them; `systems` knows it, and
    `user` is who its history names. UsageError where there is nothing to undo, or the system is not known, CannotSave
    where columns are gone.
    """
    run = find_run(ledger, name)
    if run.unfinished and run.status != PENDING:
        raise _unfinished(run)
    if run.status != PENDING:
        _must_have_changed(ledger, run)
    workbook = ledger.path_of(run.workbook)
    with in_order(base, ledger, workbook, wait, warn):
        check_not_open(workbook)
        run = find_run(ledger, run.id)
        if run.unfinished:
            raise _unfinished(run)
        _must_have_changed(ledger, run)
        system = _system_of(run, systems)
        already = undone_by(ledger, run)
        turn = Turn(base, ledger, run, UNDO, clock, warn, system=system, user=user, already=already)
        turned = turn.apply(workbook)
        return Undone(undo_run=turned.id, already=already, **_told(run, turned, system))


def reapply_run(
    base: BaseConfig,
    ledger: Ledger,
    name: str,
    *,
    wait: float,
    clock: Clock,
    warn: Warn,
    systems: Systems | None = None,
    user: str = "",
) -> Reapplied:
    """Put back what a run wrote, in cells that hold what they held before it; the rest is listed.

    Where the run's finished save still waits to be published, it is published, and that is all. Of a run that changed
    records, whole records are put back; rows that it had added and that are gone are added anew. UsageError where the
    run wrote nothing, CannotSave where its columns are gone, or where its results are to be merged by its job.
    """
    run = find_run(ledger, name)
    if not run.unfinished:  # else a save of it may wait, of which nothing has changed yet
        _must_have_changed(ledger, run)
    workbook = ledger.path_of(run.workbook)
    with in_order(base, ledger, workbook, wait, warn) as settled:
        check_not_open(workbook)
        if SettledPending(run.id, "published") in settled:
            return Reapplied(run=run.id, reapply_run=None, restored=_cells(ledger, run.id), published=True)
        run = find_run(ledger, run.id)
        if run.status == PENDING or (run.id, "taken back") in [(one.run, one.fate) for one in settled]:
            raise CannotSave(
                f"The results of run {run.id} are not in the workbook yet, and its finished save was not published"
                f"{_why(run.id, settled)}.",
                f"Run its job, {run.job}, again with --resume-auto: that merges them first.",
            )
        _must_have_changed(ledger, run)
        system = _system_of(run, systems)
        turned = Turn(base, ledger, run, REAPPLY, clock, warn, system=system, user=user).apply(workbook)
        return Reapplied(reapply_run=turned.id, **_told(run, turned, system))


def _why(run: str, settled: Iterable[SettledPending]) -> str:
    return next((f": {one.why}" for one in settled if one.run == run and one.why), "")


def _told(run: RunRecord, turned: Turned, system: System | None) -> dict[str, Any]:
    """What a turn of a run came to, by the fields of `_Turned`."""
    return {
        "run": run.id,
        "restored": turned.cells,
        "kept": turned.kept,
        "records": turned.records,
        "records_unchanged": turned.records_unchanged,
        "over_records": system is not None,
    }


def _system_of(run: RunRecord, systems: Systems | None) -> System | None:
    """The system whose records a run changed, None where it changed none."""
    if not run.settings.get("tables"):
        return None
    name = str(run.settings.get(SYSTEM))
    system = systems(name) if systems is not None else None
    if system is None:
        raise UsageError(
            f"Run {run.id} changed records of the system {name!r}, which is not known here; nothing was changed.",
            "Use a batchbook that has this system.",
        )
    return system


def _unfinished(run: RunRecord) -> UsageError:
    return UsageError(
        f"Run {run.id} is unfinished: what is undone now, its resume would not do again.",
        f"Finish it with --resume-auto, or give it up with `batchbook checkpoints clear {run.id}`; then undo it.",
    )


def _must_have_changed(ledger: Ledger, run: RunRecord) -> None:
    must_have_details(ledger, run, "it can no longer be undone or put back")
    must_know_changes(ledger, run.id)
    changes = RunChanges(ledger, run.id)
    # Asked after the changes were read: a pruning that begins meanwhile says so before it takes the first of them.
    must_have_details(ledger, run, "it can no longer be undone or put back")
    if not changes:
        raise UsageError(f"Run {run.id} changed nothing in the workbook.", "`batchbook runs list` shows the runs.")


def _cells(ledger: Ledger, run: str) -> int:
    """How many cells (or rows of detail sheets) a run wrote."""
    changes = RunChanges(ledger, run)
    return sum(len(json.loads(change.after)) for sheet in changes.sheets() for change in changes.of(sheet))
