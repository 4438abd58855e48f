"""Bringing in what a completed run could not publish, because the workbook was open and was changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from batchbook.batch.checkpoints import CheckpointManager
from batchbook.batch.outcomes import Counts
from batchbook.batch.writer import Written
from batchbook.errors import BatchbookError, LedgerError, WorkbookInUse
from batchbook.storage.ledger import PENDING, RunRecord
from batchbook.storage.runlog import RunLog
from batchbook.storage.savelog import count_conflicts

Settle = Callable[[RunLog, bool], Written]


def deliver_results(
    manager: CheckpointManager, settle: Settle, fail_on: Iterable[str], how: str, warn: Callable[[str], None]
) -> None:
    """Merge the results of this job's runs that are complete but not in the workbook yet, whatever starts after that.

    `settle` saves a run's results (finally, or not). A run of which rows have to be done again, for people changed
    their inputs, is an interrupted one from now on. Raises what the save raises; the run's results then wait on.
    """
    for waiting in reversed(manager.unfinished()):
        if waiting.status != PENDING:
            continue
        run, damage = manager.mend(waiting)
        for line in damage:
            warn(line)
        problems = manager.unfit(run)
        if problems:
            warn(f"the results of run {run.id} were not in the workbook yet and stay out: {'; '.join(problems)}")
        else:
            _deliver(manager, run, settle, fail_on, how, warn)


def _deliver(
    manager: CheckpointManager,
    run: RunRecord,
    settle: Settle,
    fail_on: Iterable[str],
    how: str,
    warn: Callable[[str], None],
) -> None:
    log = manager.resume(run, how)
    try:
        written = settle(log, True)
        if written.put_by is not None:
            raise WorkbookInUse(
                f"The workbook was opened again: {written.put_by}. The results of run {run.id} wait beside it.",
                "Close it there, then run again.",
            )
    except LedgerError:
        raise
    except BatchbookError as error:
        manager.end(log, PENDING, error.code, run.summary)
        raise
    counts = Counts.of(run.selected, log.counts())
    if counts.remaining:
        manager.end(log, "interrupted", "rows have new inputs", None)
        warn(
            f"the results of run {run.id} are merged; {counts.remaining} rows have new inputs and are to be done again"
        )
        return
    summary = {**(run.summary or {}), "rows": counts.as_dict(), "conflicts": count_conflicts(manager.ledger, run.id)}
    summary["status"] = counts.ending(fail_on)
    manager.end(log, summary["status"], "merged", summary)
    warn(f"the results of run {run.id}, which waited for the workbook to be closed, are merged")
