"""Dry runs: everything but the writing. The ledger vanishes, nothing is locked, no file is touched."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from batchbook.batch.assembly import Assembly, Clock
from batchbook.batch.checkpoints import CheckpointManager
from batchbook.batch.details import Details
from batchbook.batch.emptied import must_not_be_emptied
from batchbook.batch.endnotes import remarks_on
from batchbook.batch.interrupt import StopToken
from batchbook.batch.outcomes import RowOutcome
from batchbook.batch.planning import Planner
from batchbook.batch.processor import BatchProcessor, RowFeed
from batchbook.batch.progress import (
    CellChange,
    Listener,
    ProgressTracker,
    RecordsCounted,
    RecordShown,
    RunStarted,
    Warned,
)
from batchbook.batch.recordwork import RecordWork
from batchbook.batch.report import RunResult, peak_rss, problems_of, vars_of
from batchbook.batch.runcontext import RunContext
from batchbook.batch.selection import Selector, SideBySide, must_have_keys, taken_rows
from batchbook.batch.start import StartRequest
from batchbook.batch.strategies import BatchPlan
from batchbook.batch.vanished import Vanished, look_for_vanished
from batchbook.errors import UsageError
from batchbook.storage.ledger import Ledger
from batchbook.storage.links import followed
from batchbook.storage.pendingfile import pending_path
from batchbook.storage.savelog import SaveLog
from batchbook.storage.scratch import Spool
from batchbook.storage.wrotelog import take_vanished
from batchbook.tables.codec import decanonical
from batchbook.tables.keys import key_of_text, key_shown
from batchbook.tables.table import Table
from batchbook.xlsx import Book


def dry_run(assembly: Assembly, request: StartRequest, listener: Listener, stop: StopToken, clock: Clock) -> RunResult:
    """Process the rows that a fresh start would select and tell which cells would change, without writing anywhere."""
    job = assembly.job
    _must_start_fresh(request)
    must_not_be_emptied(job.base)
    target = followed(job.target)
    source = target if target.exists() else job.workbook
    if pending_path(target).exists():
        listener(Warned(f"{pending_path(target).name} waits to be published; a dry run does not see what is in it"))
    with Ledger.vanishing(job.base.folder) as ledger, Book.open(source) as book:
        name = ledger.name_of(target)
        ledger.copy_written(job.base.ledger, name)
        vanished = _look_for_vanished(assembly, target, ledger, listener)
        table = assembly.table(book)
        index = table.keys()
        must_have_keys(job, table, index)
        selector = Selector(
            job, clock(), request.start_row, request.end_row, request.keys, has_to_do=assembly.processor.selects
        )
        manager = CheckpointManager(ledger, assembly.definition(request, name, table.sheet), clock)
        log = manager.begin(selector.select(table, index), book.digest, "dry run", {})
        tracker = ProgressTracker(listener, log.run.selected, {})
        records = RecordWork.of(assembly.processor, manager, log)
        context = RunContext(assembly, request, target, manager, log, tracker, stop, clock, records)
        listener(RunStarted(log.run.id, job.job, str(source), log.run.selected, 0, "fixed", True))
        details = context.details(book)
        context.open_records(book)
        find = log.pending_by_key if job.input is not None else SideBySide(log.pending_pages())
        feed = RowFeed(taken_rows(table, find, index.problems()))
        _process(context, feed, context.processor(context.judge(book, details)))
        saves = SaveLog(ledger, log.run.id, name, manager.now)
        changes = _told(context, _planned(context, saves, book, table, details), listener)
        return dataclasses.replace(_result(context, saves, changes), vanished=vanished)


def _must_start_fresh(request: StartRequest) -> None:
    if request.mode in ("row", "batch", "only-failed"):
        raise UsageError(
            "A dry run shows what a fresh start would do; it cannot go on from a row, a batch or a run.",
            "Choose rows with --keys, --start-row and --end-row instead.",
        )


def _look_for_vanished(assembly: Assembly, target: Path, ledger: Ledger, listener: Listener) -> tuple[Vanished, ...]:
    """What a run would find vanished, and write again; the ledger that knows is only read."""
    base = assembly.job.base
    known = None
    if target.exists() and base.ledger.exists():
        known = Ledger.reading(base.ledger, root=base.folder, allow_network=base.state.allow_network, renew=False)
        if known is None:
            listener(Warned("the ledger is of an older form: whether results vanished is not looked for"))
    if known is None:
        return ()
    with known:
        found = look_for_vanished(known, target)
        take_vanished(ledger, known)
    for line in found.lines_for(assembly.job.job):
        listener(Warned(line))
    return found.vanished


def _process(context: RunContext, feed: RowFeed, processor: BatchProcessor) -> None:
    tracker, started = context.tracker, time.monotonic()
    number = 0
    while not context.stop.stopping:
        number += 1

        def commit(outcomes: list[RowOutcome], batch: int = number) -> None:
            context.manager.commit(context.log, batch, outcomes, 0.0)
            tracker.committed(outcomes)

        if not processor.run(feed, BatchPlan(context.job.batch.usable_size), commit):
            break
    tracker.seconds.process = time.monotonic() - started


def _planned(
    context: RunContext, saves: SaveLog, book: Book, table: Table, details: Details
) -> Iterator[CellChange | RecordShown]:
    """Plan the save that a run would make; gives its cells, or its records."""
    Planner(context.job, context.manager.ledger, context.log.run.workbook, saves, context.log).plan(table, details)
    if context.records is None:
        return _changes(saves, table, context.assembly)
    plan, _ = context.records.plan(book, saves)
    return context.records.changes(saves, plan)


def _told(context: RunContext, changes: Iterator[CellChange | RecordShown], listener: Listener) -> Spool:
    """Tell of each cell or record; gives the cells as plain data. What is only added, as to a history, is counted."""
    told = Spool()
    added: Counter[str] = Counter()
    for change in changes:
        if isinstance(change, RecordShown) and context.records is not None and context.records.only_adds(change.sheet):
            added[change.sheet] += 1
        else:
            listener(change)
        for cell in change.cells if isinstance(change, RecordShown) else (change,):
            told.append(vars_of(dataclasses.replace(cell, before=_plain(cell.before), after=_plain(cell.after))))
    for sheet, count in added.items():
        listener(RecordsCounted(sheet, count))
    return told


def _changes(saves: SaveLog, table: Table, assembly: Assembly) -> Iterator[CellChange]:
    names = {table.title(name): name for name in (*assembly.spec.key, *assembly.spec.writes)}
    for change in saves.planned(table.sheet):
        before = decanonical(change.before)
        for title, value in decanonical(change.after).items():
            cell = table.place(change.number, names[title])
            yield CellChange(table.sheet, cell, key_shown(key_of_text(change.key)), title, before.get(title), value)


def _result(context: RunContext, saves: SaveLog, changes: Spool) -> RunResult:
    job, log, stop, counts = context.job, context.log, context.stop, context.counts()
    if not stop.stopping:
        counts.must_balance()
    problems = Spool()  # the ledger, which has them, vanishes
    for one in problems_of(log):
        problems.append(one)
    warned, remarks = remarks_on(context)
    return RunResult(
        run_id=None,
        job=job.job,
        status="interrupted" if stop.stopping else "dry_run",
        workbook=str(job.workbook),
        output=str(job.output) if job.output else None,
        rows=counts,
        resumed=None,
        batches=log.batch,
        saves=0,
        conflicts=saves.plan_size()[1],
        overwritten=sum(conflict.kept == "ours" for conflict in saves.planned_conflicts()),
        seconds=context.tracker.seconds.as_dict(),
        peak_rss_bytes=peak_rss(),
        report=None,
        stopped_with=stop.exit_code if stop.stopping else None,
        reference=context.assembly.reference,
        changes=changes,
        problems=problems,
        foreseen=counts.ending(job.fail_on),
        warned=warned,
        remarks=remarks,
    )


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
