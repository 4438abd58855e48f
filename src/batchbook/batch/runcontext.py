"""One run in this process: what everything that works on it shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from batchbook.batch.assembly import Assembly, Clock
from batchbook.batch.checkpoints import CheckpointManager
from batchbook.batch.details import Details, read_details
from batchbook.batch.interrupt import StopToken
from batchbook.batch.judging import Judge
from batchbook.batch.outcomes import Counts
from batchbook.batch.processor import BatchProcessor
from batchbook.batch.progress import ProgressTracker
from batchbook.batch.recordwork import RecordWork, this_user
from batchbook.batch.start import StartRequest
from batchbook.batch.systems import Actor
from batchbook.config import JobConfig
from batchbook.storage.runlog import RunLog
from batchbook.tables.workspace import Workspace
from batchbook.xlsx import Book


@dataclass(frozen=True)
class RunContext:
    """A run that has begun, and what a dry run has of one: its job, its place in a ledger, its counts."""

    assembly: Assembly
    request: StartRequest
    target: Path
    """The workbook that is written."""
    manager: CheckpointManager
    log: RunLog
    tracker: ProgressTracker
    stop: StopToken
    clock: Clock
    records: RecordWork | None
    """Of a processor with a system; None for another one."""

    @property
    def job(self) -> JobConfig:
        """The job that it is a run of."""
        return self.assembly.job

    def warn(self, message: str) -> None:
        """Tell a person something; the run goes on."""
        self.tracker.warn(message)

    def counts(self) -> Counts:
        """The totals of the whole run as they are in the ledger."""
        return Counts.of(self.log.run.selected, self.log.counts())

    def details(self, book: Book) -> Details:
        """What the detail sheets of the processor hold now."""
        return {name: read_details(book, name, spec) for name, spec in self.assembly.processor.details.items()}

    def judge(self, book: Book, details: Details) -> Judge:
        """The judge of the rows of an opened workbook."""
        waits_for = self.records.waits_for if self.records is not None else None
        return self.assembly.judge(date1904=book.date1904, clock=self.clock, known=details, waits_for=waits_for)

    def processor(self, judge: Judge) -> BatchProcessor:
        """What turns batches of this job into outcomes."""
        return BatchProcessor(
            self.assembly.processor,
            judge,
            concurrency=self.job.batch.concurrency,
            tries=self.job.batch.max_retry_attempts,
            stop=self.stop,
        )

    def open_records(self, book: Book, examined: Workspace | None = None) -> int:
        """Show the processor the records of its system, where it has one; gives how many rows are pending again.

        examined: the records as they were read before.
        """
        if self.records is None:
            return 0
        actor = Actor(self.request.user or this_user(), self.clock(), self.log.run.id, self.job.base.zone)
        return self.records.open(book, actor, examined)
