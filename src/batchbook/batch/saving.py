"""The saves of a run: when one can be afforded, what each tells, and the checkpoint that goes with it."""

from __future__ import annotations

import time

from batchbook.batch.planning import Reconciled
from batchbook.batch.progress import Saved
from batchbook.batch.runcontext import RunContext
from batchbook.batch.writer import WorkbookWriter
from batchbook.errors import WorkbookInUse
from batchbook.storage.owners import Owner
from batchbook.storage.pendingfile import pending_path

_GUESSED_BYTES_A_SECOND = 20e6
"""How fast a save is taken to be before one was measured."""


class RunSaver:
    """Saves one run in this process and counts what it saved."""

    def __init__(self, context: RunContext, writer: WorkbookWriter) -> None:
        self._context = context
        self._writer = writer
        self._last_seconds: float | None = None
        self._told_in_use = ""
        self.saves = 0
        self.pending: dict[str, str] | None = None
        """For the result: the save that waits beside the open workbook."""

    @property
    def seen(self) -> str:
        """Digest of the workbook as the run last saw or made it."""
        return self._writer.seen

    def estimate(self) -> float:
        """How many seconds a save now would take."""
        if self._last_seconds is not None:
            return self._last_seconds
        try:
            size = self._context.target.stat().st_size
        except OSError:  # an office program may just be putting a new file in its place
            size = 0
        return 0.02 + size / _GUESSED_BYTES_A_SECOND

    def affordable(self) -> bool:
        """Whether a save now keeps saving within its share of the time so far (`save.max_overhead`)."""
        seconds = self._context.tracker.seconds
        return seconds.save + self.estimate() <= self._context.job.save.max_overhead * seconds.total

    def save(self, *, final: bool) -> bool:
        """Save and record a checkpoint; gives whether somebody had changed the workbook meanwhile.

        Raises what `WorkbookWriter.save` does; only a `final` save raises WorkbookInUse, and that not while the run
        is being stopped: another one waits for the next checkpoint.
        """
        context, started = self._context, time.monotonic()
        try:
            written = self._writer.save(final=final)
        except WorkbookInUse as error:
            if final and not context.stop.stopping:
                raise
            if error.what != self._told_in_use:
                context.warn(f"{error.what} The save waits; results are kept in the ledger.")
            self._told_in_use = error.what
            return False
        finally:
            context.tracker.seconds.save += time.monotonic() - started
        if written.saved:
            self.saves += 1
            self._last_seconds = time.monotonic() - started
        manager = context.manager
        context.log.checkpoint(manager.now(), self.seen, manager.attempt, context.tracker.times)
        if written.moved:
            self._tell(written.reconciled)
        if written.put_by is not None:
            self._put_by(written.put_by)
            return written.moved
        context.tracker.emit(Saved(self.saves, written.cells, time.monotonic() - started, written.conflicts))
        return written.moved

    def _put_by(self, owner: Owner) -> None:
        run = self._context.log.run.id
        self.pending = {
            "file": str(pending_path(self._context.target)),
            "open_in": str(owner),
            "advice": f"Close the workbook; the next run, or `batchbook runs reapply {run}`, brings the results in.",
        }

    def _tell(self, found: Reconciled | None) -> None:
        log = self._context.log
        self._context.tracker.recount(log.counts())
        if found is not None:
            new = 0 if log.run.settings.get("partial") else found.new_rows
            parts = (
                (found.redo, "rows have new inputs and are done again"),
                (found.gone, "rows are gone"),
                (new, "rows are new and wait for the next run"),
            )
            said = "; ".join(f"{count} {what}" for count, what in parts if count)
            self._context.warn(f"the workbook was changed by someone else and was merged{': ' + said if said else ''}")
