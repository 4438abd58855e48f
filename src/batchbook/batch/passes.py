"""Passes over the rows of a run: find what is pending, take it in batches, commit it, save when that is due."""

from __future__ import annotations

import time

from batchbook.batch.outcomes import RowOutcome
from batchbook.batch.processor import BatchProcessor, RowFeed
from batchbook.batch.runcontext import RunContext
from batchbook.batch.saving import RunSaver
from batchbook.batch.selection import SideBySide, taken_rows
from batchbook.batch.strategies import BatchPlan, Strategy
from batchbook.batch.waiting import open_settled
from batchbook.batch.writer import no_longer_fits
from batchbook.errors import ConfigurationError, WorkbookDamaged, WorkbookMissing, WorkbookNotSupported
from batchbook.storage.copying import state_of
from batchbook.storage.owners import owner_of
from batchbook.xlsx import Book


class RowPasses:
    """Takes one run from its pending rows to none; more than one pass where people change the workbook meanwhile."""

    def __init__(self, context: RunContext, saver: RunSaver, *, moved: bool) -> None:
        """`moved`: rows may stand elsewhere, and hold something else, than when they were selected."""
        self._context = context
        self._saver = saver
        self._moved = moved
        self._processor: BatchProcessor | None = None

    def work(self, strategy: Strategy) -> None:
        """Pass over the sheet until no row is pending and all is saved, or the run is asked to stop."""
        stop, log = self._context.stop, self._context.log
        while not stop.stopping:
            if self._pass(strategy):
                self._moved = True
            elif not stop.stopping:
                again = self._saver.save(final=True)
                if not again or log.nothing_pending():
                    return
                self._moved = True

    def _pass(self, strategy: Strategy) -> bool:
        """Process what is pending; gives whether somebody changed the workbook, so that rows have to be found anew."""
        try:
            return self._pass_over_rows(strategy)
        except (WorkbookDamaged, WorkbookMissing, WorkbookNotSupported):
            if state_of(self._context.target) == self._saver.seen:
                raise
            # Somebody writes into the file where it is while it is being read. Rows in hand are taken again.
            self._processor = None
            return self._merged()

    def _merged(self) -> bool:
        """Merge what is in the ledger into a changed workbook; gives whether rows can be found anew."""
        # The change may be gone again by now, so that there was nothing to merge.
        return self._saver.save(final=False) or state_of(self._context.target) == self._saver.seen

    def _pass_over_rows(self, strategy: Strategy) -> bool:
        context = self._context
        with open_settled(context.target, context.stop) as book:
            changed = book.digest != self._saver.seen
            if changed and not self._to_be_put_by():
                # Changed since the last save: what the ledger holds is merged before rows are found again.
                return self._merged()
            self._moved = self._moved or changed
            try:
                table = context.assembly.table(book)
            except ConfigurationError as error:
                raise no_longer_fits(error) from error
            problems = table.keys().problems()
            self._open_records(book)
            find = context.log.pending_by_key if self._moved else SideBySide(context.log.pending_pages())
            feed = RowFeed(taken_rows(table, find, problems))
            return self._batches(strategy, feed, self._batch_processor(book))

    def _open_records(self, book: Book) -> None:
        context = self._context
        try:
            again = context.open_records(book, context.assembly.examined())
        except ConfigurationError as error:
            raise no_longer_fits(error) from error
        if again:  # results that no longer hold: their rows are pending again, and stand before others
            self._moved = True
            context.tracker.recount(context.log.counts())

    def _to_be_put_by(self) -> bool:
        """Whether the workbook is open and the job goes on all the same: its last save merges what was changed."""
        return self._context.job.on_open == "later" and owner_of(self._context.target) is not None

    def _batches(self, strategy: Strategy, feed: RowFeed, processor: BatchProcessor) -> bool:
        """Batch by batch to the end of the rows; gives whether a save found the workbook changed."""
        stop, log, frequency = self._context.stop, self._context.log, self._context.job.batch.checkpoint_frequency
        since = 0
        while not stop.stopping:
            plan = strategy.next_batch()
            if plan.save_before and log.unsaved() and self._saver.save(final=False):
                return True
            if plan.pause:
                stop.wait(plan.pause)
            if not self._batch(feed, processor, plan):
                return False
            since += 1
            due = strategy.saves_every_batch or (since >= frequency and self._saver.affordable())
            if due and not stop.stopping:
                since = 0
                if self._saver.save(final=False):
                    return True
        return False

    def _batch(self, feed: RowFeed, processor: BatchProcessor, plan: BatchPlan) -> int:
        """Process and commit one batch; gives how many rows it had."""
        manager, log, tracker = self._context.manager, self._context.log, self._context.tracker
        seconds = tracker.seconds
        number, started, ledger_before = log.batch + 1, time.monotonic(), seconds.ledger
        committed_at = started

        def commit(outcomes: list[RowOutcome]) -> None:
            nonlocal committed_at
            begun = time.monotonic()
            manager.commit(log, number, outcomes, begun - committed_at, moved=self._moved)
            committed_at = time.monotonic()
            seconds.ledger += committed_at - begun
            tracker.committed(outcomes)

        rows = processor.run(feed, plan, commit)
        took = time.monotonic() - started
        seconds.process += took - (seconds.ledger - ledger_before)
        if rows:
            tracker.batch_done(number, rows, took)
        return rows

    def _batch_processor(self, book: Book) -> BatchProcessor:
        """The processor of all passes, for what it counts holds for the attempt; its judge is of the workbook now."""
        judge = self._context.judge(book, self._context.details(book))
        if self._processor is None:
            self._processor = self._context.processor(judge)
        self._processor.judge = judge
        return self._processor
