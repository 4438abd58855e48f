"""The save: the only way in which a workbook is replaced.

A save builds the new file beside the old one, has it on the disk, reads it again, keeps the old content as a backup,
has its intent in the ledger, looks a last time whether the workbook is still the one it started from, and replaces
it. Whatever fails before the replace leaves the old file and nothing else; what fails after it is settled at the next
start by comparing digests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from batchbook.errors import WorkbookDamaged, WorkbookError
from batchbook.storage import files
from batchbook.storage.backups import Backup, BackupKind, BackupStore
from batchbook.storage.copying import last_look, replace_unchanged, state_of
from batchbook.storage.links import followed
from batchbook.storage.pendingfile import must_be_free, pending_path
from batchbook.storage.temporary import Temporary
from batchbook.storage.trouble import WorkbookChanged, check_writable, confirm, does_not_read_back, named_trouble
from batchbook.xlsx import Book, SheetIndex, SheetIndexes, SpliceReceipt, digest_of, verify

__all__ = ["AtomicSaver", "SaveJournal", "SaveReceipt", "WorkbookChanged"]

Build = Callable[[Book, BinaryIO], SpliceReceipt]


class SaveJournal(Protocol):
    """Where a save records durably what it is about to do, and what became of it."""

    @property
    def indexes(self) -> SheetIndexes | None:
        """The block indexes of the workbook, where they are kept."""

    def intend(self, old: str, new: str, temporary: str, indexes: Mapping[str, SheetIndex] | None = None) -> int:
        """The workbook is about to go from one digest to another; gives the save's number."""

    def put_by(self, old: str, new: str, name: str, indexes: Mapping[str, SheetIndex] | None = None) -> int:
        """A save is about to lie beside the workbook under a name, to be published later; gives the save's number."""

    def saved(self, save: int, backup: str | None) -> None:
        """The workbook was replaced; `backup` is the path of the old content, if it was kept."""

    def abandoned(self, save: int) -> None:
        """The workbook was not replaced."""


@dataclass(frozen=True, slots=True)
class SaveReceipt:
    """A save that was made: the workbook's new digest, what the splice did, the time it took, the old content."""

    digest: str
    receipt: SpliceReceipt
    seconds: float
    backup: Backup | None
    warnings: tuple[str, ...] = ()


class AtomicSaver:
    """Saves one workbook for one run. The caller holds the workbook's lock and has looked for owner files."""

    def __init__(self, workbook: Path, journal: SaveJournal | None, backups: BackupStore | None, run: str) -> None:
        self.workbook = followed(workbook)
        self.journal = journal
        self.backups = backups
        self.run = run
        self._kept: dict[str, Backup] = {}

    def save(
        self, expected_digest: str | None, build: Build, *, full_verify: bool, backup_kind: BackupKind | None
    ) -> SaveReceipt:
        """Make one save; `build` is called once, with the opened workbook and the stream to write the new one into.

        Raises WorkbookChanged where the file does not have the expected digest, SaveFailed where the disk does not
        take it; the workbook is then as it was. What `build` or the journal raise passes through.
        """
        start = time.monotonic()
        one = _Save(self, backup_kind)
        try:
            with named_trouble(self.workbook):
                receipt = one.build(expected_digest, build)
                one.verify(receipt, full=full_verify)
                one.back_up()
                one.mark()
            one.intend(receipt)
            with named_trouble(self.workbook):
                one.replace()
            confirm(self.workbook)
        except BaseException:
            one.undo()
            raise
        one.keep_what_was_written()
        self._record(one)
        warnings = [*one.warnings(), *self._prune(one.backup)]
        return SaveReceipt(receipt.digest, receipt, time.monotonic() - start, one.backup, tuple(warnings))

    def put_by(self, expected_digest: str | None, build: Build) -> SaveReceipt:
        """Make a save, verified to the last byte, that lies beside the workbook until it can be published.

        The workbook is not touched; `pending.settle_pending` publishes it or takes it back. Raises as `save` does,
        and CannotSave where a pending file lies there already that nobody here knows.
        """
        if self.journal is None:
            raise RuntimeError("a save that is put by needs a journal")
        start = time.monotonic()
        one = _Save(self, None)
        place = pending_path(self.workbook)
        try:
            with named_trouble(self.workbook):
                receipt = one.build(expected_digest, build)
                one.verify(receipt, full=True)
            must_be_free(place)
            one.intent = self.journal.put_by(one.old, receipt.digest, place.name, receipt.indexes)
            with named_trouble(self.workbook):
                one.put(place)
            confirm(place)
        except BaseException:
            one.undo()
            raise
        return SaveReceipt(receipt.digest, receipt, time.monotonic() - start, None, tuple(one.temporary.warnings))

    def _record(self, one: _Save) -> None:
        if self.journal is not None and one.intent is not None:
            self.journal.saved(one.intent, str(one.backup.path) if one.backup else None)

    def _prune(self, backup: Backup | None) -> list[str]:
        """Old backups go by the retention rule, but none that this run began from or holds as its latest."""
        if self.backups is None or backup is None:
            return []
        self._kept.setdefault("first", backup)
        self._kept["latest"] = backup
        try:
            self.backups.prune(list(self._kept.values()))
        except OSError as error:
            return [f"old backups could not be removed: {error.strerror or error}"]
        return []


class _Save:
    """One save on its way."""

    def __init__(self, saver: AtomicSaver, backup_kind: BackupKind | None) -> None:
        self.workbook = saver.workbook
        self.journal = saver.journal
        self.backups = saver.backups if backup_kind is not None else None
        self.kind: BackupKind = backup_kind or "before"
        self.run = saver.run
        self.temporary = Temporary(self.workbook, saver.run)
        self.old = self.new = ""
        self.backup: Backup | None = None
        self.intent: int | None = None
        self.replacing = False
        self.written_into = False
        self._links = 1

    def build(self, expected: str | None, build: Build) -> SpliceReceipt:
        """Write and sync the temporary file; WorkbookChanged where the workbook has another digest than expected."""
        with Book.open(self.workbook, self.journal.indexes if self.journal is not None else None) as book:
            self.old = book.digest
            if expected is not None and self.old != expected:
                raise WorkbookChanged(self.workbook.name, self.old)
            check_writable(self.workbook)
            self._links = self.workbook.stat().st_nlink
            self.temporary.create()
            receipt = self.temporary.fill(lambda out: build(book, out))
            self.new = receipt.digest
        self.temporary.take_attributes(self.workbook)
        self.temporary.sync()
        return receipt

    def verify(self, receipt: SpliceReceipt, *, full: bool) -> None:
        try:
            verify(self.temporary.path, receipt, full=full or self.temporary.renewed)
        except WorkbookDamaged as error:
            raise does_not_read_back(self.workbook, error) from error

    def back_up(self) -> None:
        if self.backups is not None:
            self.backup = self.backups.take(self.old, self.run, self.kind)

    def mark(self) -> None:
        """Name the temporary file by what it is to replace, before the intent records its name."""
        self.temporary.mark(self.old, self.new)

    def intend(self, receipt: SpliceReceipt) -> None:
        if self.journal is not None:
            name = self.temporary.path.name
            self.intent = self.journal.intend(self.old, receipt.digest, name, receipt.indexes)

    def replace(self) -> None:
        self.replacing = True
        replace_unchanged(self.temporary, self.workbook, self.old, self.new)

    def put(self, place: Path) -> None:
        """Give the finished file another name than the workbook's, which is as it was before."""
        last_look(self.workbook, self.old)
        self.replacing = True
        self.temporary.publish(place)

    def undo(self) -> None:
        """Leave the old file and nothing else, unless the replace took place: then the next start settles it."""
        if self.replacing and self.temporary.published:
            put_old_away(self.temporary.path, self.old)
            return
        self.temporary.discard()
        if self.backup is not None and self.backup.fresh and self.backups is not None:
            self.backups.drop(self.backup)
        if self.journal is not None and self.intent is not None:
            self.journal.abandoned(self.intent)

    def warnings(self) -> list[str]:
        """What could not be kept as it was, or was seen at the replace."""
        found = list(self.temporary.warnings)
        if self._links > 1:
            found.append(
                f"{self.workbook.name} had {self._links - 1} other names (hard links); they keep the old state"
            )
        if self.written_into and self.backup is not None:
            found.append(
                f"a program wrote into {self.workbook.name} at the moment it was replaced; what it wrote is in the "
                f"backup {self.backup.path.name}"
            )
        return found

    def keep_what_was_written(self) -> None:
        """A backup that somebody wrote into at the last moment is no checkpoint of ours: it stays by the rule."""
        if self.backup is None or self.backups is None or not self.backup.fresh or self._kept_as_it_was(self.backup):
            return
        self.written_into = True
        with suppress(OSError):
            self.backup = self.backups.as_earlier_state(self.backup)

    def _kept_as_it_was(self, backup: Backup) -> bool:
        # A hard-linked backup is the replaced file: whoever still had that open may have written into it.
        try:
            return digest_of(backup.path) == self.old
        except (WorkbookError, OSError):
            return False


def put_old_away(path: Path, old: str) -> None:
    """Remove the old file after it was exchanged with the new one; anything else is left to the next start."""
    with suppress(OSError):
        if path.exists() and state_of(path) == old:
            files.unlink(path)
