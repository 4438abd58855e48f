"""How a run ends: the last save where it was stopped, its result and reports, and the pruning of old runs."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import replace

from batchbook.batch.endnotes import records_named, remarks_on
from batchbook.batch.opening import Begun
from batchbook.batch.outcomes import Counts
from batchbook.batch.rejectedrows import leave_rejected_rows
from batchbook.batch.report import RunResult, peak_rss, write_report
from batchbook.batch.runcontext import RunContext
from batchbook.batch.runreport import nightly_report
from batchbook.batch.saving import RunSaver
from batchbook.batch.takenback import what_was_taken_back
from batchbook.batch.vanished import Vanished
from batchbook.errors import BatchbookError, LedgerError
from batchbook.storage.ledger import PENDING
from batchbook.storage.pruning import prune
from batchbook.storage.savelog import count_conflicts, count_overwritten

log = logging.getLogger(__name__)

_PRUNE_SHARE, _LEAST_PRUNE, _MOST_PRUNE = 0.05, 2.0, 30.0
"""How long the end of a run may take to prune old ones: this share of its own time, within these seconds."""


class Closing:
    """Ends one run in this process."""

    def __init__(self, context: RunContext, saver: RunSaver, begun: Begun, vanished: tuple[Vanished, ...]) -> None:
        """`vanished`: what earlier runs wrote and was not there any more when this one began."""
        self._context = context
        self._job = context.job
        self._log = context.log
        self._run = context.log.run.id
        self._saver = saver
        self._begun = begun
        self._vanished = vanished

    def finish(self) -> None:
        """End the work: a run that was stopped saves once more where that fits into its grace; else counts balance."""
        stop = self._context.stop
        if stop.stopping:
            complete = self._log.nothing_pending()
            if (complete or self._log.unsaved()) and self._saver.estimate() <= stop.grace_left:
                self._saver.save(final=complete)
        else:
            self._context.counts().must_balance()
        if (said := what_was_taken_back(self._context.manager.ledger, self._run)) is not None:
            self._context.warn(said)

    def result(self, error: BatchbookError | None) -> RunResult:
        """Record how the run ended, leave its reports and give its result; `error`: what ended it, if anything."""
        context = self._context
        result = self._made(error)
        ended = PENDING if self._saver.pending and error is None else result.status
        context.manager.end(
            self._log, ended, error.code if error else result.status, result.as_dict(), context.tracker.times,
            note=result.records,
        )  # fmt: skip
        if error is None and result.stopped_with is None:
            result = replace(result, report_workbook=self._nightly_report(), rejected_rows=self._rejected_rows())
        try:
            write_report(self._job.base.reports, self._log, result.as_dict())
        except OSError as trouble:
            context.warn(f"the report could not be written: {trouble}; `batchbook runs show {self._run}` has the same")
            result = replace(result, report=None)
        if error is None and not context.stop.stopping:
            self._prune()
        return result

    def _made(self, error: BatchbookError | None) -> RunResult:
        context, job, run, ledger = self._context, self._job, self._run, self._context.manager.ledger
        counts = context.counts()
        status = self._status(counts, error)
        warned, remarks = self._remarks()
        return RunResult(
            run_id=run,
            job=job.job,
            status=status,
            workbook=str(job.workbook),
            output=str(job.output) if job.output else None,
            rows=counts,
            resumed=self._begun.resumed,
            batches=self._log.batch,
            saves=self._saver.saves,
            conflicts=count_conflicts(ledger, run),
            overwritten=count_overwritten(ledger, run),
            seconds=context.tracker.seconds.as_dict(),
            peak_rss_bytes=peak_rss(),
            report=str(job.base.reports / f"{run}.json"),
            error=error,
            stopped_with=context.stop.exit_code if status == "interrupted" else None,
            reference=context.assembly.reference,
            warned=warned,
            records=records_named(context) if status in ("completed", "completed_with_failures") else "",
            remarks=remarks,
            pending=self._saver.pending,
            vanished=self._vanished,
        )

    def _status(self, counts: Counts, error: BatchbookError | None) -> str:
        if error is not None:
            return "failed"
        if self._context.stop.stopping and (counts.remaining or self._log.unsaved()):
            return "interrupted"
        return counts.ending(self._job.fail_on)

    def _remarks(self) -> tuple[int, tuple[str, ...]]:
        """How many rows have a remark, and what is told of the run as a whole, each warned of."""
        warned, remarks = remarks_on(self._context)
        for one in remarks:
            log.warning("run %s of %s: %s", self._run, self._job.job, one)
        return warned, remarks

    def _nightly_report(self) -> str | None:
        """The report workbook that the job wants of each run."""
        context = self._context
        return nightly_report(
            context.assembly, context.manager.ledger, self._run, context.clock(),
            lambda: context.stop.stopping, context.warn,
        )  # fmt: skip

    def _rejected_rows(self) -> str | None:
        """The file of the input's rows that came to nothing; trouble with it is a warning."""
        assembly = self._context.assembly
        if self._job.input is None or not assembly.processor.input_only:
            return None
        try:
            return leave_rejected_rows(self._job, self._log, assembly.whole_input)
        except (BatchbookError, OSError) as trouble:
            said = trouble.what if isinstance(trouble, BatchbookError) else str(trouble)
            self._context.warn(f"the rejected rows could not be written to a file: {said}")
            return None

    def _prune(self) -> None:
        """Drop the details of old runs, in a small share of the time that this run took; trouble is a warning."""
        context, manager = self._context, self._context.manager
        seconds = min(max(_PRUNE_SHARE * context.tracker.seconds.total, _LEAST_PRUNE), _MOST_PRUNE)
        before = context.clock() - dt.timedelta(days=self._job.base.history.details_days)
        try:
            prune(manager.ledger, before, seconds=seconds, now=manager.now(), stopping=lambda: context.stop.stopping)
        except LedgerError as trouble:
            context.warn(f"the details of old runs could not be pruned; the next run tries again. {trouble.what}")
