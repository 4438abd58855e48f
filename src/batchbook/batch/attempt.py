"""One process's work on a run: take rows, process, commit, save, until every row has its outcome."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from batchbook.batch.assembly import Assembly, Clock
from batchbook.batch.checkpoints import CheckpointManager, Definition
from batchbook.batch.closing import Closing
from batchbook.batch.interrupt import StopToken
from batchbook.batch.memory import MemoryReader
from batchbook.batch.opening import Begun, Opening
from batchbook.batch.passes import RowPasses
from batchbook.batch.progress import Listener, ProgressTracker, RunStarted, Warned
from batchbook.batch.recordwork import RecordWork
from batchbook.batch.report import RunResult
from batchbook.batch.runcontext import RunContext
from batchbook.batch.saving import RunSaver
from batchbook.batch.selection import Selector
from batchbook.batch.start import Decisions, StartRequest
from batchbook.batch.strategies import Strategy, strategy_for
from batchbook.batch.vanished import Vanished, look_for_vanished
from batchbook.batch.waiting import open_settled
from batchbook.batch.writer import WorkbookWriter, Written
from batchbook.errors import (
    BatchbookError,
    LedgerError,
    RunFailed,
)
from batchbook.storage.backups import BackupStore
from batchbook.storage.copying import copy_durably
from batchbook.storage.ledger import Ledger
from batchbook.storage.links import followed
from batchbook.storage.owners import check_not_open
from batchbook.storage.restored import forget_written, intend_restore
from batchbook.storage.runlog import RunLog
from batchbook.storage.trouble import refused
from batchbook.xlsx import Book, digest_of


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
        self._vanished: tuple[Vanished, ...] = ()

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
            settle=self._settle, before_fresh=self._before_fresh, stop=self._stop,
        )  # fmt: skip
        begun = opening.begin()
        self._begun(begun.log.run.id)
        context = self._context(begun.log)
        return self._guarded(context, begun, self._strategy(context))

    def _context(self, log: RunLog) -> RunContext:
        tracker = ProgressTracker(self._listen, log.run.selected, log.counts())
        records = self._records_of(log)
        return RunContext(
            self._assembly, self._request, self._target, self._manager, log, tracker, self._stop, self._clock, records,
        )  # fmt: skip

    def _strategy(self, context: RunContext) -> Strategy:
        """The job's strategy, or fixed where that cannot work here; what is of no matter or cannot work is said."""
        batch = self._job.batch
        for problem in self._job.idle_problems():
            context.warn(f"{problem} (of no matter for strategy {batch.strategy})")
        strategy, problems = strategy_for(batch, context.warn, self._memory)
        for problem in problems:
            context.warn(f"{problem}; the run goes on with strategy fixed, {batch.usable_size} rows a batch")
        return strategy

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

    def _settle(self, log: RunLog, final: bool) -> Written:
        return self._writer_for(log, self._records_of(log)).save(final=final)

    def _records_of(self, log: RunLog) -> RecordWork | None:
        return RecordWork.of(self._assembly.processor, self._manager, log)

    def _writer_for(self, log: RunLog, records: RecordWork | None) -> WorkbookWriter:
        return WorkbookWriter(
            self._assembly, self._target, self._manager, log, self._backups, self._stop, self._warn, records,
        )  # fmt: skip

    def _warn(self, message: str) -> None:
        self._listen(Warned(message))

    # --- the run ---------------------------------------------------------------------------------------------------

    def _guarded(self, context: RunContext, begun: Begun, strategy: Strategy) -> RunResult:
        """The run, with every error turned into its result. After a failed ledger commit nothing more is tried."""
        saver = RunSaver(context, self._writer_for(begun.log, context.records))
        # Rows of an input go where their keys stand in the sheet: not in the sheet's order.
        passes = RowPasses(context, saver, moved=begun.resumed is not None or self._job.input is not None)
        closing = Closing(context, saver, begun, self._vanished)
        error: BatchbookError | None = None
        try:
            self._tell_start(context, strategy)
            if begun.settle_first:
                saver.save(final=False)
            passes.work(strategy)
            closing.finish()
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
        return closing.result(error)

    def _tell_start(self, context: RunContext, strategy: Strategy) -> None:
        counts, run = context.tracker.counts, context.log.run.id
        self._listen(
            RunStarted(run, self._job.job, str(self._target), counts.selected, counts.ended, strategy.name, False)
        )
        if not counts.selected and not self._assembly.processor.chooses:
            self._warn(self._nothing_selected())

    def _nothing_selected(self) -> str:
        if self._job.input is not None and self._assembly.processor.input_only and not self._request.filters:
            return f"the input {self._job.input.name} has no rows below its headers"
        return "no row is selected: see `select:`, --keys, --start-row and --end-row"
