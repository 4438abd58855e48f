"""One process's work on a run: take rows, process, commit, save, until every row has its outcome."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from batchbook.batch.assembly import Assembly, Clock
from batchbook.batch.checkpoints import CheckpointManager, Definition
from batchbook.batch.details import read_details
from batchbook.batch.interrupt import StopToken
from batchbook.batch.judging import remarks_of
from batchbook.batch.memory import MemoryReader
from batchbook.batch.opening import Begun, Opening
from batchbook.batch.outcomes import Counts, RowOutcome
from batchbook.batch.planning import Reconciled
from batchbook.batch.processor import BatchProcessor, RowFeed
from batchbook.batch.progress import Listener, ProgressTracker, RunStarted, Saved, Warned
from batchbook.batch.recordwork import RecordWork, this_user
from batchbook.batch.rejectedrows import leave_rejected_rows
from batchbook.batch.report import RunResult, peak_rss, write_report
from batchbook.batch.runreport import nightly_report
from batchbook.batch.selection import Selector, SideBySide, taken_rows
from batchbook.batch.start import Decisions, StartRequest
from batchbook.batch.strategies import BatchPlan, Strategy, strategy_for
from batchbook.batch.systems import Actor
from batchbook.batch.takenback import what_was_taken_back
from batchbook.batch.vanished import Vanished, look_for_vanished
from batchbook.batch.waiting import open_settled
from batchbook.batch.writer import WorkbookWriter, no_longer_fits
from batchbook.errors import (
    BatchbookError,
    ConfigurationError,
    LedgerError,
    RunFailed,
    WorkbookDamaged,
    WorkbookInUse,
    WorkbookMissing,
    WorkbookNotSupported,
)
from batchbook.storage.backups import BackupStore
from batchbook.storage.copying import copy_durably, state_of
from batchbook.storage.ledger import PENDING, Ledger
from batchbook.storage.links import followed
from batchbook.storage.owners import Owner, check_not_open, owner_of
from batchbook.storage.pendingfile import pending_path
from batchbook.storage.pruning import prune
from batchbook.storage.restored import forget_written, intend_restore
from batchbook.storage.runlog import RunLog
from batchbook.storage.savelog import count_conflicts, count_overwritten
from batchbook.storage.trouble import refused
from batchbook.xlsx import Book, digest_of

log = logging.getLogger(__name__)

_PRUNE_SHARE, _LEAST_PRUNE, _MOST_PRUNE = 0.05, 2.0, 30.0
"""How long the end of a run may take to prune old ones: this share of its own time, within these seconds."""
_GUESSED_BYTES_A_SECOND = 20e6
"""How fast a save is taken to be before one was measured."""


class Attempt:
    """Works on one run. The caller holds the workbook's lock and has put the ledger in order."""

    def __init__(
        self,
        assembly: Assembly,
        request: StartRequest,
        target: Path,
        ledger: Ledger,
        backups: BackupStore,
        *,
        decide: Decisions | None,
        listener: Listener,
        stop: StopToken,
        clock: Clock,
        memory: MemoryReader | None,
        begun: Callable[[str], None],
    ) -> None:
        """`begun` is told the run's id once there is one."""
        self._assembly = assembly
        self._job = assembly.job
        self._request = request
        self._target = target
        self._ledger = ledger
        self._backups = backups
        self._decide = decide
        self._listen = listener
        self._stop = stop
        self._clock = clock
        self._memory = memory
        self._begun = begun
        self._processor: BatchProcessor | None = None
        self._moved = False
        """Whether rows may stand elsewhere, and hold something else, than when they were selected."""
        self._saves = 0
        self._last_save_seconds: float | None = None
        self._told_in_use = ""
        self._vanished: tuple[Vanished, ...] = ()
        self._pending: dict[str, str] | None = None
        """For the result: the save that waits beside the open workbook."""

    # --- beginning -------------------------------------------------------------------------------------------------

    def run(self) -> RunResult:
        """Begin and do the run; BatchbookError only where it cannot begin."""
        self._manager = CheckpointManager(self._ledger, self._definition(), self._clock)
        selector = Selector(
            self._job,
            self._clock(),
            self._request.start_row,
            self._request.end_row,
            self._request.keys,
            has_to_do=self._assembly.processor.selects,
        )
        self._look_for_vanished()
        opening = Opening(
            self._assembly, self._request, self._target, self._manager, self._backups,
            decide=self._decide, listener=self._listen, selector=selector,
            settle=lambda log, final: self._writer_for(log).save(final=final), before_fresh=self._before_fresh,
            stop=self._stop,
        )  # fmt: skip
        begun = opening.begin()
        self._log = begun.log
        self._begun(begun.log.run.id)
        self._records = RecordWork.of(self._assembly.processor, self._manager, begun.log)
        self._writer = self._writer_for(begun.log)
        self._tracker = ProgressTracker(self._listen, begun.log.run.selected, begun.log.counts())
        self._tracker.seconds.started = time.monotonic()
        for problem in self._job.idle_problems():
            self._tracker.warn(f"{problem} (of no matter for strategy {self._job.batch.strategy})")
        strategy, problems = strategy_for(self._job.batch, self._tracker.warn, self._memory)
        for problem in problems:
            self._tracker.warn(
                f"{problem}; the run goes on with strategy fixed, {self._job.batch.usable_size} rows a batch"
            )
        return self._guarded(begun, strategy)

    def _look_for_vanished(self) -> None:
        """Writes of earlier runs that vanished are listed; this run may write there again."""
        if self._target.exists():
            found = look_for_vanished(self._ledger, self._target)
            self._vanished = found.vanished
            for line in found.lines_for(self._job.job):
                self._warn(line)

    def _definition(self) -> Definition:
        source = self._target if self._target.exists() else self._job.workbook
        with open_settled(source, self._stop) as book:
            sheet = self._assembly.table(book).sheet
        return self._assembly.definition(self._request, self._ledger.name_of(self._target), sheet)

    def _before_fresh(self, whole: bool) -> None:
        """The output is made from the workbook once, at a fresh start; what lay there before becomes a backup.

        A run over some rows only (not `whole`) goes on with the output that is there.
        """
        if self._job.output is None or (self._target.exists() and not whole):
            return
        left = ""
        if self._target.exists():
            check_not_open(self._target)  # with `on_open: later` it may be
            with Book.open(self._target) as book:
                left = book.digest
            self._backups.take(left, "output", "before")
        source, name = followed(self._job.workbook), self._ledger.name_of(self._target)
        intend_restore(self._ledger, name, digest_of(source), left, anew=True)
        copy_durably(source, self._target)
        forget_written(self._ledger, name, left)

    def _writer_for(self, log: RunLog) -> WorkbookWriter:
        return WorkbookWriter(
            self._assembly, self._target, self._manager, log, self._backups, self._stop, self._warn,
        )  # fmt: skip

    def _warn(self, message: str) -> None:
        self._listen(Warned(message))

    # --- the run ---------------------------------------------------------------------------------------------------

    def _guarded(self, begun: Begun, strategy: Strategy) -> RunResult:
        """The run, with every error turned into its result. After a failed ledger commit nothing more is tried."""
        error: BatchbookError | None = None
        try:
            counts = self._tracker.counts
            self._listen(
                RunStarted(
                    self._log.run.id,
                    self._job.job,
                    str(self._target),
                    counts.selected,
                    counts.ended,
                    strategy.name,
                    False,
                )
            )
            if not counts.selected and not self._assembly.processor.chooses:
                self._warn(self._nothing_selected())
            if begun.settle_first:
                self._save(final=False)
            self._work(begun, strategy)
            self._finish()
            if (said := what_was_taken_back(self._ledger, self._log.run.id)) is not None:
                self._warn(said)
        except LedgerError:
            raise
        except BatchbookError as caught:
            error = caught
        except OSError as caught:
            error = refused(caught, "What was done is kept: run again with --resume-auto.")
            error.__cause__ = caught
        except Exception as caught:  # noqa: BLE001 - whatever it is, the run is recorded as failed and can be resumed
            error = RunFailed(
                f"The run was ended by an unexpected {type(caught).__name__}: {caught}.",
                "What was done is kept: mend the cause, then run again with --resume-auto.",
            )
            error.__cause__ = caught
        return self._result(begun, error)

    def _nothing_selected(self) -> str:
        if self._job.input is not None and self._assembly.processor.input_only and not self._request.filters:
            return f"the input {self._job.input.name} has no rows below its headers"
        return "no row is selected: see `select:`, --keys, --start-row and --end-row"

    def _work(self, begun: Begun, strategy: Strategy) -> None:
        """Passes over the sheet until no row is pending: more than one where people change the workbook meanwhile."""
        # Rows of an input go where their keys stand in the sheet: not in the sheet's order.
        self._moved = begun.resumed is not None or self._job.input is not None
        while not self._stop.stopping:
            if self._pass(strategy):
                self._moved = True
            elif not self._stop.stopping:
                again = self._save(final=True)
                if not again or self._log.nothing_pending():
                    return
                self._moved = True

    def _pass(self, strategy: Strategy) -> bool:
        """Process what is pending; gives whether somebody changed the workbook, so that rows have to be found anew."""
        try:
            return self._pass_over_rows(strategy)
        except (WorkbookDamaged, WorkbookMissing, WorkbookNotSupported):
            if state_of(self._target) == self._writer.seen:
                raise
            # Somebody writes into the file where it is while it is being read. Rows in hand are taken again.
            self._processor = None
            return self._merged()

    def _merged(self) -> bool:
        """Merge what is in the ledger into a changed workbook; gives whether rows can be found anew."""
        # The change may be gone again by now, so that there was nothing to merge.
        return self._save(final=False) or state_of(self._target) == self._writer.seen

    def _pass_over_rows(self, strategy: Strategy) -> bool:
        with open_settled(self._target, self._stop) as book:
            changed = book.digest != self._writer.seen
            if changed and not self._to_be_put_by():
                # Changed since the last save: what the ledger holds is merged before rows are found again.
                return self._merged()
            self._moved = self._moved or changed
            try:
                table = self._assembly.table(book)
            except ConfigurationError as error:
                raise no_longer_fits(error) from error
            problems = table.keys().problems()
            self._open_records(book)
            find = self._log.pending_by_key if self._moved else SideBySide(self._log.pending_pages())
            feed = RowFeed(taken_rows(table, find, problems))
            return self._batches(strategy, feed, self._batch_processor(book))

    def _open_records(self, book: Book) -> None:
        """Show the processor the records of its system, where it has one."""
        if self._records is None:
            return
        actor = Actor(self._request.user or this_user(), self._clock(), self._log.run.id, self._job.base.zone)
        try:
            again = self._records.open(book, actor, self._assembly.examined())
        except ConfigurationError as error:
            raise no_longer_fits(error) from error
        if again:  # results that no longer hold: their rows are pending again, and stand before others
            self._moved = True
            self._tracker.recount(self._log.counts())

    def _to_be_put_by(self) -> bool:
        """Whether the workbook is open and the job goes on all the same: its last save merges what was changed."""
        return self._job.on_open == "later" and owner_of(self._target) is not None

    def _batches(self, strategy: Strategy, feed: RowFeed, processor: BatchProcessor) -> bool:
        since = 0
        while not self._stop.stopping:
            plan = strategy.next_batch()
            if plan.save_before and self._log.unsaved() and self._save(final=False):
                return True
            if plan.pause:
                self._stop.wait(plan.pause)
            if not self._batch(feed, processor, plan):
                return False
            since += 1
            due = strategy.saves_every_batch or (since >= self._job.batch.checkpoint_frequency and self._affordable())
            if due and not self._stop.stopping:
                since = 0
                if self._save(final=False):
                    return True
        return False

    def _batch(self, feed: RowFeed, processor: BatchProcessor, plan: BatchPlan) -> int:
        seconds = self._tracker.seconds
        number, started, ledger_before = self._log.batch + 1, time.monotonic(), seconds.ledger
        self._committed_at = started

        def commit(outcomes: list[RowOutcome]) -> None:
            begun = time.monotonic()
            self._manager.commit(self._log, number, outcomes, begun - self._committed_at, moved=self._moved)
            self._committed_at = time.monotonic()
            seconds.ledger += self._committed_at - begun
            self._tracker.committed(outcomes)

        rows = processor.run(feed, plan, commit)
        took = time.monotonic() - started
        seconds.process += took - (seconds.ledger - ledger_before)
        if rows:
            self._tracker.batch_done(number, rows, took)
        return rows

    def _batch_processor(self, book: Book) -> BatchProcessor:
        known = {name: read_details(book, name, spec) for name, spec in self._assembly.processor.details.items()}
        waits_for = self._records.waits_for if self._records is not None else None
        judge = self._assembly.judge(date1904=book.date1904, clock=self._clock, known=known, waits_for=waits_for)
        if self._processor is None:
            self._processor = BatchProcessor(
                self._assembly.processor,
                judge,
                concurrency=self._job.batch.concurrency,
                tries=self._job.batch.max_retry_attempts,
                stop=self._stop,
            )
        self._processor.judge = judge
        return self._processor

    # --- saving ----------------------------------------------------------------------------------------------------

    def _save_estimate(self) -> float:
        if self._last_save_seconds is not None:
            return self._last_save_seconds
        try:
            size = self._target.stat().st_size
        except OSError:  # an office program may just be putting a new file in its place
            size = 0
        return 0.02 + size / _GUESSED_BYTES_A_SECOND

    def _affordable(self) -> bool:
        """Whether a save now keeps saving within its share of the time so far (`save.max_overhead`)."""
        seconds = self._tracker.seconds
        return seconds.save + self._save_estimate() <= self._job.save.max_overhead * seconds.total

    def _save(self, *, final: bool) -> bool:
        """Save and record a checkpoint; gives whether somebody had changed the workbook meanwhile."""
        started = time.monotonic()
        try:
            written = self._writer.save(final=final)
        except WorkbookInUse as error:
            if final and not self._stop.stopping:
                raise
            if error.what != self._told_in_use:
                self._warn(f"{error.what} The save waits; results are kept in the ledger.")
            self._told_in_use = error.what
            return False
        finally:
            self._tracker.seconds.save += time.monotonic() - started
        if written.saved:
            self._saves += 1
            self._last_save_seconds = time.monotonic() - started
        self._log.checkpoint(self._manager.now(), self._writer.seen, self._manager.attempt, self._tracker.times)
        if written.moved:
            self._tell(written.reconciled)
        if written.put_by is not None:
            self._put_by(written.put_by)
            return written.moved
        self._listen(Saved(self._saves, written.cells, time.monotonic() - started, written.conflicts))
        return written.moved

    def _put_by(self, owner: Owner) -> None:
        self._pending = {
            "file": str(pending_path(self._target)),
            "open_in": str(owner),
            "advice": f"Close the workbook; the next run, or `batchbook runs reapply {self._log.run.id}`, "
            "brings the results in.",
        }

    def _tell(self, found: Reconciled | None) -> None:
        self._tracker.recount(self._log.counts())
        if found is not None:
            new = 0 if self._log.run.settings.get("partial") else found.new_rows
            parts = (
                (found.redo, "rows have new inputs and are done again"),
                (found.gone, "rows are gone"),
                (new, "rows are new and wait for the next run"),
            )
            said = "; ".join(f"{count} {what}" for count, what in parts if count)
            self._warn(f"the workbook was changed by someone else and was merged{': ' + said if said else ''}")

    # --- the end ---------------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        if self._stop.stopping:
            complete = self._log.nothing_pending()
            if (complete or self._log.unsaved()) and self._save_estimate() <= self._stop.grace_left:
                self._save(final=complete)
            return
        self._counts().must_balance()

    def _counts(self) -> Counts:
        return Counts.of(self._log.run.selected, self._log.counts())

    def _status(self, counts: Counts, error: BatchbookError | None) -> str:
        if error is not None:
            return "failed"
        if self._stop.stopping and (counts.remaining or self._log.unsaved()):
            return "interrupted"
        return counts.ending(self._job.fail_on)

    def _result(self, begun: Begun, error: BatchbookError | None) -> RunResult:
        counts = self._counts()
        status = self._status(counts, error)
        run = self._log.run.id
        result = RunResult(
            run_id=run,
            job=self._job.job,
            status=status,
            workbook=str(self._job.workbook),
            output=str(self._job.output) if self._job.output else None,
            rows=counts,
            resumed=begun.resumed,
            batches=self._log.batch,
            saves=self._saves,
            conflicts=count_conflicts(self._ledger, run),
            overwritten=count_overwritten(self._ledger, run),
            seconds=self._tracker.seconds.as_dict(),
            peak_rss_bytes=peak_rss(),
            report=str(self._job.base.reports / f"{run}.json"),
            error=error,
            stopped_with=self._stop.exit_code if status == "interrupted" else None,
            reference=self._assembly.reference,
            remarks=self._remarks(),
            pending=self._pending,
            vanished=self._vanished,
        )
        ended = PENDING if self._pending and error is None else status
        self._manager.end(self._log, ended, error.code if error else status, result.as_dict(), self._tracker.times)
        if error is None and result.stopped_with is None:
            left = nightly_report(
                self._assembly, self._ledger, run, self._clock(), lambda: self._stop.stopping, self._warn
            )
            result = replace(result, report_workbook=left, rejected_rows=self._leave_rejected_rows())
        try:
            write_report(self._job.base.reports, self._log, result.as_dict())
        except OSError as trouble:
            self._warn(f"the report could not be written: {trouble}; `batchbook runs show {run}` has the same")
            result = replace(result, report=None)
        if error is None and not self._stop.stopping:
            self._prune()
        return result

    def _leave_rejected_rows(self) -> str | None:
        """The file of the input's rows that came to nothing; trouble with it is a warning."""
        if self._job.input is None or not self._assembly.processor.input_only:
            return None
        try:
            return leave_rejected_rows(self._job, self._log, self._assembly.whole_input)
        except (BatchbookError, OSError) as trouble:
            said = trouble.what if isinstance(trouble, BatchbookError) else str(trouble)
            self._warn(f"the rejected rows could not be written to a file: {said}")
            return None

    def _remarks(self) -> tuple[str, ...]:
        """What the processor tells of this attempt as a whole, each warned of."""
        remarks = remarks_of(self._assembly.processor)
        for one in remarks:
            self._warn(one)
            log.warning("run %s of %s: %s", self._log.run.id, self._job.job, one)
        return remarks

    def _prune(self) -> None:
        """Drop the details of old runs, in a small share of the time that this run took; trouble is a warning."""
        seconds = min(max(_PRUNE_SHARE * self._tracker.seconds.total, _LEAST_PRUNE), _MOST_PRUNE)
        now = self._clock()
        before = now - dt.timedelta(days=self._job.base.history.details_days)
        try:
            prune(self._ledger, before, seconds=seconds, now=self._manager.now(), stopping=lambda: self._stop.stopping)
        except LedgerError as trouble:
            self._warn(f"the details of old runs could not be pruned; the next run tries again. {trouble.what}")
