"""What a run over a system's records needs besides its rows: the records as they are, and a plan that changes them."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

from batchbook.batch.checkpoints import CheckpointManager, shown_key
from batchbook.batch.lostkeys import LostRecords, tell_lost
from batchbook.batch.processors import Processor
from batchbook.batch.progress import CellChange, RecordShown
from batchbook.batch.recorded import changes_in, stage_whole
from batchbook.batch.recordplan import RecordPlan
from batchbook.batch.systems import Actor, System
from batchbook.batch.waitingrecords import SYSTEM, WaitingRecords
from batchbook.storage.runlog import RunLog, Selected, StoredOutcome, dropped
from batchbook.storage.savelog import SaveLog, saves_of
from batchbook.storage.scratch import Spool
from batchbook.tables.codec import decanonical
from batchbook.tables.records import RecordChange
from batchbook.tables.recordsheet import RecordSheet, tables_of
from batchbook.tables.workspace import Workspace
from batchbook.xlsx import Book

_PAGE = 500


def this_user() -> str:
    """The system's name of the user, ``unknown`` where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process of a user that the system does not know
        return "unknown"


class RecordWork:
    """The records of one run's system: as its processor sees them, and as its saves change them."""

    def __init__(self, system: System, processor: Processor, manager: CheckpointManager, log: RunLog) -> None:
        self._system = system
        self._processor = processor
        self._manager = manager
        self._log = log
        ledger, workbook = manager.ledger, log.run.workbook
        self._others = WaitingRecords(ledger, workbook, system, but=log.run.id)
        self._opened: Workspace | None = None
        """The records that the processor sees."""

    @classmethod
    def of(cls, processor: Processor, manager: CheckpointManager, log: RunLog) -> RecordWork | None:
        """What a processor with a system needs; None for another one."""
        return cls(processor.system, processor, manager, log) if processor.system is not None else None

    @property
    def opened(self) -> Workspace | None:
        """The records as the processor sees them, with all that its rows changed; None before they were opened."""
        return self._opened

    @property
    def waits_for(self) -> Callable[[RecordChange], str | None]:
        """Gives another unfinished run that is still to change the record of a change, None where there is none."""
        return self._others.run_of

    def read(self, book: Book) -> Workspace:
        """The records of an opened workbook, with what other unfinished runs are still to bring in."""
        workspace = Workspace.read(book, self._system.types)
        self._others.stage(workspace)
        return workspace

    def open(self, book: Book, actor: Actor, examined: Workspace | None = None) -> int:
        """Let the processor see the records with all results that are not in the workbook yet.

        Rows whose results no longer hold are pending again; gives how many. examined: the records as they were read
        before, which are not read again where the workbook is still in that state.
        """
        if examined is not None and examined.moves_to(book):
            workspace = examined
            self._others.stage(workspace)
        else:
            workspace = self.read(book)
        lost = LostRecords(self._manager.ledger, self._log.run.workbook, book.digest)
        tell_lost(workspace, lost, self._system.types, at_once=True)  # rows are processed in threads of their own
        dropped_rows = self._stage(workspace)
        workspace.take()
        self._opened = workspace
        self._processor.opened(workspace, actor)
        return dropped_rows

    def plan(self, book: Book, saves: SaveLog) -> tuple[RecordPlan, int]:
        """Plan a save of all unsaved results; gives the plan and how many rows have to be done again instead."""
        if self._log.changes_nothing():
            empty = Workspace.without_rows(book, self._system.types)
            return RecordPlan(empty, self._system.types, saves), 0
        if self._all_new(book):
            plan = RecordPlan(Workspace.without_rows(book, self._system.types), self._system.types, saves)
            for _, changes in self._unsaved():
                plan.add(changes)
            plan.finish(book)
            return plan, 0
        workspace = self.read(book)
        plan = RecordPlan(workspace, self._system.types, saves)
        again = self._stage(workspace, plan)
        plan.finish(book)
        return plan, again

    def _all_new(self, book: Book) -> bool:
        """Whether all unsaved results are new records that the processor staged on this very state of the workbook.

        Then each was checked on it, and there is no need to read the sheets again and to stage all results once more.
        What the run itself saved meanwhile was staged there too.
        """
        workspace = self._opened
        if workspace is None or not workspace.digest:
            return False
        state = workspace.digest
        for save in saves_of(self._manager.ledger, self._log.run.id):
            state = save.new if save.state == "saved" and save.old == state and save.new else state
        if state != book.digest:
            return False
        changes = chain.from_iterable(changes for _, changes in self._unsaved())
        return all(workspace.all_new(page) for page in iter(lambda: list(islice(changes, _PAGE)), []))

    def _unsaved(self) -> Iterator[tuple[StoredOutcome, list[RecordChange]]]:
        """The results with changes that are not in the workbook yet, in the order of the selection."""
        for outcome in self._log.outcomes(unsaved=True, by_ordinal=True):
            changes = changes_in(outcome.details)
            if changes:
                yield outcome, changes

    def changes(self, saves: SaveLog, plan: RecordPlan) -> Iterator[RecordShown]:
        """The records that a plan enters or changes, for people."""
        for kind in self._system.types:
            for change in saves.planned(kind.sheet):
                before, after, key = decanonical(change.before), decanonical(change.after), shown_key(change.key)
                cells = tuple(
                    CellChange(
                        kind.sheet, plan.place(kind.sheet, change.number, title), key, title, before.get(title),
                        after[title],
                    )
                    for title in plan.in_order(kind.sheet, after)
                )  # fmt: skip
                yield RecordShown(kind.sheet, change.number, key, plan.is_new(kind.sheet, change.number), cells)

    def only_adds(self, sheet: str) -> bool:
        """Whether records are only ever added to a sheet of the system."""
        return any(kind.append_only for kind in self._system.types if kind.sheet == sheet)

    def _stage(self, workspace: Workspace, plan: RecordPlan | None = None) -> int:
        again = _Again()
        for outcome, changes in self._unsaved():
            if not stage_whole(workspace, changes):
                again.add(Selected(outcome.ordinal, outcome.key, outcome.number))
            elif plan is not None:
                plan.take(changes)
        return again.commit(self._log, self._manager)


class _Again:
    """Rows that are to be done again, for their results no longer hold."""

    def __init__(self) -> None:
        self._spool = Spool()

    def add(self, row: Selected) -> None:
        self._spool.append([row.ordinal, row.key, row.number])

    def commit(self, log: RunLog, manager: CheckpointManager) -> int:
        for page in _pages(self._spool):
            log.commit(0, manager.attempt, [dropped(Selected(*row)) for row in page], manager.now(), 0.0)
        return len(self._spool)


def _pages(rows: Spool) -> Iterator[list[Any]]:
    page: list[Any] = []
    for row in rows:
        page.append(row)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


def record_settings(book: Book, system: System, user: str) -> dict[str, Any]:
    """What a run's settings say of its system, and of how records are found again in its sheets."""
    tables = tables_of(RecordSheet.find(book, kind) for kind in system.types)
    return {SYSTEM: system.name, "tables": tables, "user": user}
