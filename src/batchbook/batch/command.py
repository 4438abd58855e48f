"""A single command as a run: one change set through ledger and saver, which `runs undo` takes back."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from batchbook.batch.checkpoints import new_run_id
from batchbook.batch.emptied import must_not_be_emptied
from batchbook.batch.inorder import locked, put_in_order, under_settings
from batchbook.batch.interrupt import StopToken
from batchbook.batch.lostkeys import LostRecords, LostRecordsRead, tell_lost
from batchbook.batch.recordedits import RecordEdits, plan_records
from batchbook.batch.recovery import backup_store, put_back, runs_not_known, sound_or_backup, with_backup
from batchbook.batch.systems import Actor, System
from batchbook.batch.vanished import Look, look_for_vanished
from batchbook.batch.waiting import is_there, open_settled
from batchbook.batch.waitingrecords import SYSTEM, WaitingRecords
from batchbook.config import BaseConfig
from batchbook.errors import (
    BatchbookError,
    CannotSave,
    Finding,
    LedgerError,
    SaveFailed,
    WorkbookDamaged,
    WorkbookError,
    WorkbookMissing,
    WorkbookNotSupported,
)
from batchbook.storage.copying import state_of
from batchbook.storage.hosts import this_process
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.links import followed
from batchbook.storage.owners import check_not_open
from batchbook.storage.pruning import prune
from batchbook.storage.savelog import SaveLog, saves_of
from batchbook.storage.saver import AtomicSaver, SaveReceipt, WorkbookChanged
from batchbook.storage.turns import COMMAND, drop_turn
from batchbook.tables.records import RecordChange
from batchbook.tables.recordsheet import tables_of
from batchbook.tables.workspace import Workspace
from batchbook.xlsx import BlocksUnusable, Book, BookEdits, splice

T = TypeVar("T")

MOST_ATTEMPTS = 20
"""A workbook that changes under every attempt to save it is given up on after so many."""
_PRUNE_SECONDS = 0.1
_UNREADABLE = (WorkbookDamaged, WorkbookMissing, WorkbookNotSupported)


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a command did."""

    value: T
    """What its function returned."""
    run: str | None
    """The run that it is in the ledger; None where it changed nothing."""
    changes: Sequence[RecordChange] = ()
    warnings: Sequence[str] = ()


def run_command(
    base: BaseConfig,
    workbook: Path,
    system: System,
    verb: str,
    act: Callable[[Workspace, Actor], T],
    *,
    note: str = "",
    user: str,
    wait: float,
    clock: Callable[[], dt.datetime],
    dry_run: bool = False,
) -> Done[T]:
    """Read the system's sheets, let `act` stage changes, and bring them into the workbook in one durable save.

    The workbook's lock is held from the reading to the save; `wait` is how many seconds to wait for it. Where a person
    saves the workbook meanwhile, `act` is called again on what is there by then, so that its rules see that too (it
    must have no effect but what it stages), and rows are found by key: what the person wrote stays. Where `act` then
    refuses, or the workbook changes under every attempt, the error names the cells in which the person's version
    differs. What `act` raises passes through and leaves nothing behind. With `dry_run` nothing is locked or written.

    The run's note names the records that were changed (`System.note_of`); `note` is what the command adds to it.

    Results of an unfinished job are staged before `act` is called; CannotSave where `act` changes a record that they
    change. A damaged workbook is WorkbookDamaged with its newest sound backup, found while the sheets are read; the
    parts that are only copied are read after the save, before the workbook is replaced.
    """
    with under_settings(base, "Nothing was changed."):
        command = _Command(base, followed(workbook), system, verb, act, note, user, clock)
        return command.rehearse() if dry_run else command.run(wait)


def look(base: BaseConfig, workbook: Path, system: System) -> Workspace:
    """The system's sheets as they are, for reading only: without a lock, and nothing is written."""
    with under_settings(base, "Nothing was changed."):
        target = followed(workbook)
        must_not_be_emptied(base)
        with _named_with_backup(base, target), open_settled(target, StopToken()) as book:
            workspace = Workspace.read(book, system.types)
        tell_lost(workspace, LostRecordsRead(base, target, workspace.digest), system.types)
        return workspace


@contextmanager
def _named_with_backup(base: BaseConfig, workbook: Path) -> Iterator[None]:
    """A workbook that cannot be read is named with its newest sound backup."""
    try:
        yield
    except _UNREADABLE as error:
        backups = backup_store(base, workbook)
        if isinstance(error, WorkbookMissing) and not backups.list():
            raise
        raise with_backup(error, workbook, backups) from error


@dataclass(frozen=True, slots=True)
class _Decided(Generic[T]):
    """What `act` decided on one state of the workbook, and the cells that it takes."""

    value: T
    digest: str
    changes: Sequence[RecordChange]
    edits: RecordEdits
    tables: dict[str, dict[str, Any]]
    lost: LostRecords
    note: str
    """Which records it changes, in words."""


@dataclass
class _Command(Generic[T]):
    """One command on its way."""

    base: BaseConfig
    target: Path
    system: System
    verb: str
    act: Callable[[Workspace, Actor], T]
    note: str
    user: str
    clock: Callable[[], dt.datetime]
    warnings: list[str] = field(default_factory=list)
    first: Sequence[RecordChange] | None = None
    """What was decided before a person changed the workbook."""
    difference: list[Finding] = field(default_factory=list)
    """In which cells the person's version differs from what was decided first."""
    refusal: BatchbookError | None = None
    """What `act` raised: it says nothing of this workbook, even where it is about another that cannot be read."""

    def warn(self, text: str) -> None:
        """Tell the caller."""
        self.warnings.append(text)

    # --- with and without a save ---------------------------------------------------------------------------------

    def rehearse(self) -> Done[T]:
        """Decide, and write nothing."""
        must_not_be_emptied(self.base)
        root, network = self.base.folder, self.base.state.allow_network
        ledger = Ledger.reading(self.base.ledger, root=root, allow_network=network) or Ledger.vanishing(root)
        with ledger:
            actor = self._actor(ledger)
            try:
                decided = self._decide(ledger, actor)
            except _UNREADABLE as error:
                if error is self.refusal:
                    raise
                with _named_with_backup(self.base, self.target):
                    raise
        return Done(decided.value, None, decided.changes, tuple(self.warnings))

    def run(self, wait: float) -> Done[T]:
        """Decide, and save."""
        base, target = self.base, self.target
        must_not_be_emptied(base)
        self._look()
        with (
            locked(base, target, wait, self.warn) as lock,
            Ledger.open(base.ledger, root=base.folder, allow_network=base.state.allow_network) as ledger,
        ):
            ledger.must_be_sound(ledger.name_of(target))
            put_in_order(base, ledger, target, self.warn)
            self._say_what_is_not_known(ledger)
            check_not_open(target)
            actor = self._actor(ledger)
            lock.name_run(actor.run)
            return self._merged(ledger, actor)

    def _say_what_is_not_known(self, ledger: Ledger) -> None:
        """What a ledger that is new, or from before, cannot tell: which records there were."""
        runs = runs_not_known(ledger, backup_store(self.base, self.target))
        if runs:
            self.warn(
                f"the ledger does not know run {', '.join(runs)}, of which there are backups: it is a new one, or one "
                "from before, as it seems. A record that such a run wrote and that is no longer in its sheet is not "
                "missed: the backups have it (`batchbook backups list`)"
            )

    def _look(self) -> None:
        """What is no workbook, or not there, is said before anything is made or locked."""
        is_there(self.target, bool(backup_store(self.base, self.target).list()), StopToken())
        with suppress(WorkbookDamaged), _named_with_backup(self.base, self.target):
            Book.open(self.target).close()

    def _actor(self, ledger: Ledger) -> Actor:
        now = self.clock()
        return Actor(self.user, now, new_run_id(ledger, now), self.base.zone)

    # --- deciding ------------------------------------------------------------------------------------------------

    def _decide(self, ledger: Ledger, actor: Actor) -> _Decided[T]:
        """Read the sheets and let `act` stage its changes."""
        name = ledger.name_of(self.target)
        saves = SaveLog(ledger, actor.run, name, lambda: "")
        with open_settled(self.target, StopToken(), saves.indexes) as book:
            workspace = Workspace.read(book, self.system.types)
            lost = LostRecords(ledger, name, book.digest)
            tell_lost(workspace, lost, self.system.types)
            waiting = WaitingRecords(ledger, name, self.system)
            waiting.stage(workspace)
            if self.first is not None:
                self._compare(workspace, self.first)
            value = self._acted(workspace, actor)
            changes = workspace.take()
            waiting.must_leave(changes)
            edits = plan_records(workspace, changes)
            note = self.system.note_of(workspace, changes)
            tables = tables_of(table.location for table in workspace.tables)
            return _Decided(value, book.digest, changes, edits, tables, lost, note)

    def _acted(self, workspace: Workspace, actor: Actor) -> T:
        try:
            return self.act(workspace, actor)
        except BatchbookError as error:
            self.refusal = error
            if not self.difference:
                raise
            self.refusal = type(error)(error.what, error.advice, findings=[*error.findings, *self.difference])
            raise self.refusal from error

    def _compare(self, workspace: Workspace, changes: Sequence[RecordChange]) -> None:
        """Find out where a person's version no longer goes with what was decided before it."""
        self.difference = []
        with suppress(_Back), workspace.whole():
            self.difference = list(workspace.apply(changes))
            raise _Back

    # --- saving --------------------------------------------------------------------------------------------------

    def _merged(self, ledger: Ledger, actor: Actor) -> Done[T]:
        """Decide and save, again where somebody changed the workbook meanwhile."""
        vanished: Look | None = None
        for _ in range(MOST_ATTEMPTS):
            state = state_of(self.target)
            try:
                vanished = vanished or self._vanished(ledger)
                decided = self._decide(ledger, actor)
                self.first = decided.changes if self.first is None else self.first
                if not decided.edits.changes:
                    return Done(decided.value, None, (), tuple(self.warnings))
                receipt = _Run(self, ledger, actor, decided, vanished).save()
            except (WorkbookError, SaveFailed) as error:
                if error is self.refusal or not self._again(ledger, error, state):
                    raise
                continue
            self.warnings += receipt.warnings
            self._prune(ledger, actor)
            return Done(decided.value, actor.run, decided.changes, tuple(self.warnings))
        raise CannotSave(
            f"{self.target.name} was changed by someone else at each of {MOST_ATTEMPTS} attempts to save it; nothing "
            "was changed.",
            "Find what keeps writing to it, then do it again.",
            findings=self.difference,
        )

    def _prune(self, ledger: Ledger, actor: Actor) -> None:
        """Drop the details of old runs, a few after each command; trouble is a warning."""
        before = actor.now - dt.timedelta(days=self.base.history.details_days)
        try:
            prune(ledger, before, seconds=_PRUNE_SECONDS, now=actor.now.isoformat(timespec="milliseconds"))
        except LedgerError as trouble:
            self.warn(f"the details of old runs could not be pruned; the next command tries again. {trouble.what}")

    def _vanished(self, ledger: Ledger) -> Look:
        """What an older copy took back has to be said before a save comes on top of it."""
        found = look_for_vanished(ledger, self.target)
        self.warnings += found.lines
        return found

    def _again(self, ledger: Ledger, error: BatchbookError, state: str) -> bool:
        """Whether a failure is due to somebody who changed the workbook, or was mended: then all is done once more."""
        if isinstance(error, BlocksUnusable):
            SaveLog(ledger, "", ledger.name_of(self.target), lambda: "").indexes.forget()  # whole sheets are written
            return True
        if isinstance(error, WorkbookChanged):
            return True
        if not isinstance(error, _UNREADABLE) and not isinstance(error.__cause__, _UNREADABLE):
            return False
        if state_of(self.target) != state:
            return True
        if isinstance(error, WorkbookNotSupported | SaveFailed):
            return False
        return self._mended(ledger)

    def _mended(self, ledger: Ledger) -> bool:
        """The workbook cannot be read: whether it was only being written, or a backup takes its place.

        Raises WorkbookDamaged with the newest backup otherwise.
        """
        backups = backup_store(self.base, self.target)
        with _named_with_backup(self.base, self.target):
            backup = sound_or_backup(self.target, backups, self.base, self.warn)
        if backup is not None:
            put_back(ledger, backups, backup, self.warn)
        return True


class _Back(Exception):
    """Nothing of what was staged is to stay."""


class _Run(Generic[T]):
    """The run that one command is."""

    def __init__(self, command: _Command[T], ledger: Ledger, actor: Actor, decided: _Decided[T], look: Look) -> None:
        self._command = command
        self._ledger = ledger
        self._actor = actor
        self._decided = decided
        self._look = look
        self._now = actor.now.isoformat(timespec="milliseconds")
        self._workbook = ledger.name_of(command.target)
        self._saves = SaveLog(ledger, actor.run, self._workbook, lambda: self._now)

    def save(self) -> SaveReceipt:
        """Record it, save, and say that it was saved; where it was not, nothing of it is left."""
        command, actor = self._command, self._actor
        self._decided.edits.plan(self._saves)
        backups = backup_store(command.base, command.target)
        saver = AtomicSaver(command.target, self._saves, backups, actor.run)
        attempt = self._begin()
        try:
            receipt = saver.save(
                self._decided.digest,
                lambda book, out: splice(book, BookEdits(cells=self._decided.edits.rows()), out),
                full_verify=True,
                backup_kind="before",
            )
        except BatchbookError:
            self._give_up(attempt)
            raise
        self._end(attempt, "completed", receipt.digest)
        return receipt

    def _begin(self) -> int:
        with self._ledger.transaction():
            if self._ledger.run(self._actor.run) is None:  # an attempt before this one was not made from this state
                self._ledger.add_run(self._record())
            else:
                self._ledger.update_run(self._actor.run, status="running", ended=None)
            return self._ledger.add_attempt(self._actor.run, self._now, this_process(), self._command.verb)

    def _record(self) -> RunRecord:
        command, system, edits = self._command, self._command.system, self._decided.edits
        note = "; ".join(filter(None, [self._decided.note, command.note]))
        settings = {SYSTEM: system.name, COMMAND: command.verb, "user": command.user, "tables": self._decided.tables}
        return RunRecord(
            id=self._actor.run, job=f"{system.name} {command.verb}", workbook=self._workbook, source=self._workbook,
            sheet=edits.changes[0].sheet, definition="", processor=f"{system.name} {system.version}", reference={},
            settings=settings, started=self._now, active=self._now, ended=None, status="running", selected=0,
            selection_hash=hashlib.sha256().hexdigest(), digest=self._decided.digest, note=note,
            summary=self._summary(),
        )  # fmt: skip

    def _summary(self) -> dict[str, Any]:
        """How many records of each sheet are new, and how many were changed."""
        records: dict[str, dict[str, int]] = {}
        for change in self._decided.changes:
            counts = records.setdefault(change.sheet, {"new": 0, "changed": 0})
            counts["new" if change.before is None else "changed"] += 1
        vanished = [one.as_dict() for one in self._look.vanished]
        return {"status": "completed", "records": records, **({"vanished": vanished} if vanished else {})}

    def _give_up(self, attempt: int) -> None:
        if any(save.state == "saved" for save in saves_of(self._ledger, self._actor.run)):
            self._end(attempt, "completed")  # what failed came after it
        elif not drop_turn(self._ledger, self._actor.run):
            self._end(attempt, "cleared")

    def _end(self, attempt: int, status: str, left: str | None = None) -> None:
        """`left` is the digest of the workbook as its save left it."""
        with self._ledger.transaction():
            if left is not None:
                self._decided.lost.keep(left, self._decided.changes)
            self._ledger.update_run(self._actor.run, status=status, ended=self._now)
            self._ledger.end_attempt(self._actor.run, attempt, self._now, status)
