"""BatchController: owns a run from its start to its report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from batchbook.batch.assembly import Assembly, Clock, assemble
from batchbook.batch.attempt import Attempt
from batchbook.batch.dryrun import dry_run
from batchbook.batch.emptied import must_not_be_emptied
from batchbook.batch.interrupt import StopToken
from batchbook.batch.memory import MemoryReader
from batchbook.batch.progress import Listener, Warned
from batchbook.batch.recovery import backup_store, put_back, sound_or_backup, with_backup
from batchbook.batch.report import RunResult, stopped_before, sweep_reports
from batchbook.batch.resumable import resumable_run
from batchbook.batch.start import Decisions, StartRequest
from batchbook.batch.waiting import (
    StoppedWaiting,
    check_settled,
    closed_or_later,
    is_there,
    must_not_wait,
    open_settled,
    take_lock,
)
from batchbook.config import JobConfig
from batchbook.errors import CannotResume, ConfigurationError, WorkbookDamaged, WorkbookMissing, WorkbookNotSupported
from batchbook.storage.ledger import Ledger
from batchbook.storage.leftovers import sweep
from batchbook.storage.links import followed
from batchbook.storage.pending import settle_pending, waiting_runs
from batchbook.storage.private import Access, accessible
from batchbook.storage.settling import settle_dead_holder, settle_intents
from batchbook.storage.trouble import refused
from batchbook.tables.header import HeaderError
from batchbook.xlsx import Book, Limits, check_whole, within


def local_now() -> dt.datetime:
    """The present moment with this machine's offset."""
    return dt.datetime.now().astimezone()


class BatchController:
    """One run of one job.

    `events` is told of progress, `decide` is asked where a person has to choose (None: nobody can be asked), `stop`
    ends the run early. `run` raises BatchbookError where the run cannot begin; once it has begun, every end of it,
    a failed one too, is a RunResult; so is being stopped while it waits for others to let go of the workbook.
    """

    def __init__(
        self,
        job: JobConfig,
        request: StartRequest | None = None,
        *,
        decide: Decisions | None = None,
        events: Listener | None = None,
        stop: StopToken | None = None,
        clock: Clock = local_now,
        memory: MemoryReader | None = None,
    ) -> None:
        self._job = job
        self._request = request or StartRequest()
        self._decide = decide
        self._listen: Listener = events or (lambda _event: None)
        self._stop = stop or StopToken()
        self._clock = clock
        self._memory = memory

    def run(self) -> RunResult:
        """Do the whole run; see the class."""
        base = self._job.base
        with within(Limits.of(base.limits)), accessible(Access.of(base.state.group)):
            try:
                return self._whole()
            except OSError as error:
                raise refused(error, "Nothing was begun, and what earlier runs did is kept.") from error

    def _whole(self) -> RunResult:
        job = self._job
        assembly = assemble(job, self._request, self._clock)
        try:
            with self._named_for_resume(assembly, ConfigurationError):
                self._look(assembly)
            if self._request.dry_run:
                return dry_run(assembly, self._request, self._listen, self._stop, self._clock)
            with self._named_for_resume(assembly, HeaderError):
                return self._locked(assembly)
        except StoppedWaiting as error:
            self._warn(f"{error.what} Nothing was begun: the run was asked to stop while it waited.")
            return stopped_before(job, self._stop.exit_code)
        finally:
            assembly.processor.close()

    @contextmanager
    def _named_for_resume(self, assembly: Assembly, kind: type[ConfigurationError]) -> Iterator[None]:
        """A sheet or header that is missing where a run is to be resumed is CannotResume: its state is kept."""
        try:
            yield
        except kind as error:
            run = resumable_run(assembly, self._request, self._clock)
            if run is None:
                raise
            raise CannotResume(
                f"Run {run} cannot be resumed, for the workbook no longer has what it needs. {error.what}",
                "Put the sheet or header back as it was, then run with --resume-auto: nothing was changed, and what "
                "was done is kept. (With another job file it would be a new run: --start-fresh.)",
                findings=error.findings,
            ) from error

    def _look(self, assembly: Assembly) -> None:
        """Look at the workbook before anything is made or locked: what is wrong with it is said, nothing is written."""
        target = followed(self._job.target)
        source = target if self._is_there(target) else self._job.workbook
        last = self._request.dry_run or source != target
        try:
            try:
                with open_settled(source, self._stop) if last else Book.open(source) as book:
                    assembly.table(book)
                    assembly.check_own_sheets(book)
                    assembly.examine_records(book)
            except ConfigurationError:
                check_whole(source)  # a header is not missing where the file is damaged
                raise
        except WorkbookDamaged:
            if last:
                raise  # else it is looked at again under the lock: somebody may be writing it, there may be a backup
        except WorkbookNotSupported as error:
            raise with_backup(error, source, backup_store(self._job.base, source)) from error
        except WorkbookMissing as error:
            backups = backup_store(self._job.base, source)
            if not backups.list():
                raise
            raise with_backup(error, source, backups) from error

    def _locked(self, assembly: Assembly) -> RunResult:
        base, target = self._job.base, followed(self._job.target)
        must_not_be_emptied(base)
        with ExitStack() as stack:
            on_dead = partial(settle_dead_holder, target, warn=self._warn)
            lock = take_lock(target, base.ledger, self._request.wait, self._stop, on_dead)
            stack.callback(lock.release)
            backups = backup_store(base, target)
            owner = earlier = None
            if self._is_there(target):
                owner = closed_or_later(target, self._job, self._stop, self._warn)
                if owner is None:
                    earlier = sound_or_backup(target, backups, base, self._warn, self._stop)
                backups.drop_live_links()
            else:
                check_settled(self._job.workbook, self._stop, self._warn)  # the output is made from it
            ledger = stack.enter_context(
                Ledger.open(base.ledger, root=base.folder, allow_network=base.state.allow_network)
            )
            ledger.must_be_sound(ledger.name_of(target))
            if earlier is not None:
                put_back(ledger, backups, earlier, self._warn)
            settle_intents(ledger, target, self._warn)
            settle_pending(ledger, target, backups, self._warn)
            if owner is not None:
                must_not_wait(target, waiting_runs(ledger, ledger.name_of(target)), owner)
                self._warn(f"{target.name} is open: {owner}. The results wait beside it unless it is closed by then.")
            sweep(target, backups, self._warn)
            sweep_reports(base.reports, ledger, ledger.name_of(target))
            attempt = Attempt(
                assembly,
                self._request,
                target,
                ledger,
                backups,
                decide=self._decide,
                listener=self._listen,
                stop=self._stop,
                clock=self._clock,
                memory=self._memory,
                begun=lock.name_run,
            )
            return attempt.run()

    def _is_there(self, target: Path) -> bool:
        """Whether there is the workbook that is written; for an instant it may not be, which its backups tell."""
        return target.exists() or is_there(target, bool(backup_store(self._job.base, target).list()), self._stop)

    def _warn(self, message: str) -> None:
        self._listen(Warned(message))
