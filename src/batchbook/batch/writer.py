"""WorkbookWriter: brings a run's durable outcomes into the workbook, whatever people did to it meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from batchbook.batch.assembly import Assembly
from batchbook.batch.checkpoints import CheckpointManager, shown_key
from batchbook.batch.details import (
    CONFLICT_SHEET,
    CONFLICTS,
    Details,
    content,
    has_sheet,
    planned_rows,
    read_details,
)
from batchbook.batch.interrupt import StopToken
from batchbook.batch.outcomes import TakenRow
from batchbook.batch.planning import Planner, Reconciled
from batchbook.batch.recordplan import RecordPlan
from batchbook.batch.recordwork import RecordWork
from batchbook.batch.waiting import closed_or_later, open_settled, wait_until_closed
from batchbook.errors import (
    BatchbookError,
    CannotSave,
    ConfigurationError,
    LedgerError,
    SaveFailed,
    WorkbookDamaged,
    WorkbookError,
    WorkbookMissing,
    WorkbookNotSupported,
)
from batchbook.storage.backups import BackupKind, BackupStore
from batchbook.storage.copying import state_of
from batchbook.storage.ledger import Ledger
from batchbook.storage.owners import Owner
from batchbook.storage.runlog import RunLog, StoredOutcome
from batchbook.storage.savelog import SaveLog, conflicts_of
from batchbook.storage.saver import AtomicSaver, WorkbookChanged
from batchbook.tables.codec import decanonical, unpack
from batchbook.tables.table import Table, TableRow
from batchbook.xlsx import BlocksUnusable, Book, BookEdits, SheetContent, SpliceReceipt, splice, verify
from batchbook.xlsx.values import CellValue, Formula

MOST_ATTEMPTS = 20
"""A workbook that changes under every attempt to save it is given up on after so many."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one call of `save` did."""

    saved: bool
    """Whether the file was replaced (nothing had to change otherwise)."""
    moved: bool
    """Whether somebody had changed the workbook, so that rows may stand elsewhere now."""
    cells: int = 0
    conflicts: int = 0
    seconds: float = 0.0
    reconciled: Reconciled | None = None
    put_by: Owner | None = None
    """Who has the workbook open, where the save lies beside it and waits to be published."""


class WorkbookWriter:
    """Saves one run's outcomes into one workbook. The caller holds the workbook's lock."""

    def __init__(
        self,
        assembly: Assembly,
        target: Path,
        manager: CheckpointManager,
        log: RunLog,
        backups: BackupStore,
        stop: StopToken,
        warn: Callable[[str], None],
        records: RecordWork | None,
    ) -> None:
        """`records`: of a processor with a system; None for another one."""
        self._assembly = assembly
        self._job = assembly.job
        self._target = target
        self._details = assembly.processor.details
        self._manager = manager
        self._log = log
        self._stop = stop
        self._warn = warn
        ledger: Ledger = manager.ledger
        self._saves = SaveLog(ledger, log.run.id, log.run.workbook, manager.now)
        self._planner = Planner(self._job, ledger, log.run.workbook, self._saves, log, self._rejection)
        self._saver = AtomicSaver(target, self._saves, backups, log.run.id)
        self._records = records
        self._backed_up = False
        self._unverified: SpliceReceipt | None = None
        """The last save's receipt, where only what it had redone was verified."""
        self.seen = log.run.digest
        """Digest of the workbook as the run last saw or made it; rows stand where they stood in that."""

    def save(self, *, final: bool) -> Written:
        """Bring all unsaved outcomes into the workbook.

        Where that is open and the job says `on_open: later`, the final save lies beside it as the pending file.
        Raises CannotSave (exit 6) where headers the results need are missing, WorkbookInUse where a person has the
        file open, SaveFailed where the disk does not take it; in each case the results stay in the ledger.
        """
        owner = self._owner(final)
        tried = _Tried()
        for _ in range(MOST_ATTEMPTS):
            written = self._attempt(final, owner, tried)
            if written is not None:
                return written
        raise CannotSave(
            f"{self._target.name} was changed by someone else at each of {MOST_ATTEMPTS} attempts to save it.",
            "Find what keeps writing to it, then run again with --resume-auto; the results are kept.",
        )

    def _attempt(self, final: bool, owner: Owner | None, tried: _Tried) -> Written | None:
        """One attempt at a save, from the plan on; None where it has to be made again from what is there by then."""
        with open_settled(self._target, self._stop, self._saves.indexes) as book:
            digest = book.digest
            tried.moved = tried.moved or digest != self.seen
            try:
                plan = self._plan(book, tried.moved, final)
            except BatchbookError as error:
                # Somebody who writes into the file where it is changes what is being read here.
                if isinstance(error, LedgerError) or state_of(self._target) == digest:
                    raise
                return None
            tried.reconciled = plan.reconciled or tried.reconciled
            tried.moved = tried.moved or plan.again > 0
            if owner is not None and not self._log.nothing_pending():
                # Rows have to be done again first: only what is complete is put by.
                return Written(False, True, 0, plan.conflicts, 0.0, tried.reconciled)
            if plan.edits is None:
                if final:
                    self._verify_last(digest)
                self._saves.settled_without_change()
                self._saw(digest)
                return Written(False, tried.moved, 0, plan.conflicts, 0.0, tried.reconciled)
        try:
            if owner is not None:
                return self._put_by(owner, digest, plan, tried)
            return self._saved(digest, plan, final, tried)
        except BlocksUnusable:
            self._saves.indexes.forget()  # whole sheets are written then
        except (WorkbookError, SaveFailed) as error:
            if not self._changed_meanwhile(error, digest):
                raise
            self._warn("the workbook was changed while it was being saved; merging again")
        return None

    def _saved(self, digest: str, plan: _Plan, final: bool, tried: _Tried) -> Written:
        kind: BackupKind = "checkpoint" if self._backed_up else "before"
        receipt = self._saver.save(digest, plan.build, full_verify=final, backup_kind=kind)
        self._backed_up = True
        for warning in receipt.warnings:
            self._warn(warning)
        self._unverified = None if final else receipt.receipt
        self._saw(receipt.digest)
        return Written(True, tried.moved, receipt.receipt.cells, plan.conflicts, receipt.seconds, tried.reconciled)

    def _changed_meanwhile(self, error: BatchbookError, digest: str) -> bool:
        """Whether a save failed because somebody changed the file from which it was being made."""
        if isinstance(error, WorkbookChanged):
            return True
        unreadable = WorkbookDamaged | WorkbookMissing | WorkbookNotSupported
        read = isinstance(error, unreadable) or isinstance(error.__cause__, unreadable)
        return read and state_of(self._target) != digest

    def _owner(self, final: bool) -> Owner | None:
        """Who has the workbook open, where its final save is to be put by. Raises WorkbookInUse where not."""
        if final:
            return closed_or_later(self._target, self._job, self._stop, self._warn)
        wait_until_closed(self._target, self._job, self._stop, self._warn, wait=False)
        return None

    def _put_by(self, owner: Owner, digest: str, plan: _Plan, tried: _Tried) -> Written:
        """The save lies beside the workbook; where rows stand is still what `seen` says."""
        receipt = self._saver.put_by(digest, plan.build)
        for warning in receipt.warnings:
            self._warn(warning)
        cells = receipt.receipt.cells
        return Written(False, tried.moved, cells, plan.conflicts, receipt.seconds, tried.reconciled, owner)

    def _verify_last(self, digest: str) -> None:
        """Everything is verified after the last save of a run, also where that turned out to be an earlier one."""
        if self._unverified is not None and self._unverified.digest == digest:
            verify(self._target, self._unverified, full=True)
            self._unverified = None

    def _saw(self, digest: str) -> None:
        self.seen = digest
        self._log.by_key_only = False
        with self._manager.ledger.transaction():
            self._manager.ledger.update_run(self._log.run.id, digest=digest)

    def _rejection(self, row: TableRow, reason: str) -> Mapping[str, CellValue]:
        judge = self._assembly.judge(date1904=False, clock=self._manager.clock, known={})
        return judge.rejected(TakenRow(0, row.key_text, row), reason).writes

    def _plan(self, book: Book, moved: bool, final: bool) -> _Plan:
        try:
            table = self._assembly.table(book)
            self._assembly.check_own_sheets(book)
            details = {name: read_details(book, name, spec) for name, spec in self._details.items()}
        except ConfigurationError as error:
            raise no_longer_fits(error) from error
        self._saves.clear_plan()
        reconciled = None
        # A row done again, or taken after people changed it, was read anew: only the sheet tells what its cells hold.
        if moved or self._log.by_key_only or self._log.redone():
            reconciled = self._planner.reconcile(table, details, self._commit)
        else:
            self._planner.plan(table, details)
        self._saves.drop_listed()
        records, again = self._plan_records(book)
        self._saves.plan_outcomes(self._log.seq)
        contents = self._contents(book, table, details, final)
        rows, conflicts = self._saves.plan_size()
        # A system writes whole records: none of its jobs has columns of its own beside them.
        cells = {table.sheet: self._cells(table)} if records is None else records.cells()
        edits = BookEdits(cells=cells, contents=contents) if rows or contents else None
        return _Plan(edits, conflicts, reconciled, again)

    def _plan_records(self, book: Book) -> tuple[RecordPlan | None, int]:
        """The changes of records, where the processor has a system, and how many rows have to be done again."""
        if self._records is None:
            return None, 0
        try:
            return self._records.plan(book, self._saves)
        except ConfigurationError as error:
            raise no_longer_fits(error) from error

    def _commit(self, found_out: list[StoredOutcome]) -> None:
        """Rows that turned out to be gone, or that can no longer be written, get new outcomes."""
        self._log.commit(0, self._manager.attempt, found_out, self._manager.now(), 0.0)

    def _cells(self, table: Table) -> Iterator[tuple[int, dict[int, CellValue]]]:
        columns = {
            table.title(name): table.column(name) for name in (*self._assembly.spec.key, *self._assembly.spec.writes)
        }
        for change in self._saves.planned(table.sheet):
            yield change.number, {columns[title]: value for title, value in decanonical(change.after).items()}

    def _contents(self, book: Book, table: Table, details: Details, final: bool) -> dict[str, SheetContent]:
        contents: dict[str, SheetContent] = {}
        order = table.order() if details else ()
        for name, spec in self._details.items():
            held = details[name]
            stale = any(key not in order for key in held.keys())  # noqa: SIM118 - it is no mapping
            if stale or self._saves.plans_for(name) or (final and not has_sheet(book, name)):
                contents[name] = content(spec, partial(planned_rows, self._saves, name, held), order)
        if final and self._job.conflicts_sheet:
            contents[CONFLICTS] = self._conflicts_content()
        return contents

    def _conflicts_content(self) -> SheetContent:
        run = self._log.run.id

        def rows() -> Iterator[list[CellValue]]:
            planned = self._saves.planned_conflicts()
            for one in chain(conflicts_of(self._manager.ledger, run), planned):
                values = (_for_a_cell(unpack(json.loads(text))) for text in (one.base, one.theirs, one.ours))
                yield [run, shown_key(one.key), one.column, *values, one.kept]

        return SheetContent(columns=CONFLICT_SHEET.columns, rows=rows())


def _for_a_cell(value: CellValue) -> CellValue:
    """A value as the list of conflicts shows it: a formula as text."""
    return f"={value.text}" if isinstance(value, Formula) else value


@dataclass(slots=True)
class _Tried:
    """What the attempts at one save found."""

    moved: bool = False
    """Whether somebody changed the workbook."""
    reconciled: Reconciled | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    edits: BookEdits | None
    conflicts: int
    reconciled: Reconciled | None
    again: int = 0
    """Rows whose changes of records no longer hold: they are pending again."""

    def build(self, book: Book, out: BinaryIO) -> SpliceReceipt:
        assert self.edits is not None
        return splice(book, self.edits, out)


def no_longer_fits(error: ConfigurationError) -> CannotSave:
    """The error of a run that is going, and whose workbook lost a sheet or header that it needs."""
    return CannotSave(
        f"The workbook no longer has what the results need. {error.what}",
        "Put the sheet or header back (nothing was saved, the results are kept), then run with --resume-auto.",
        findings=error.findings,
    )
