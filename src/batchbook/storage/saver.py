"""AtomicSaver: the only one that replaces a workbook.

Splice into a temporary file in the same folder, sync, reopen and verify; backup of the old content; intent in the
journal; replace; sync of the folder; "saved" in the journal. A failure at any step leaves the old file, and what
could not be told apart after a crash is settled at the next start by `settle`.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, cast

from batchbook.errors import SaveFailed, WorkbookError
from batchbook.storage import files
from batchbook.storage.backups import Backup, BackupStore
from batchbook.xlsx import Book, SpliceReceipt, digest_of, verify

_SUFFIX = ".batchbook-tmp"
Build = Callable[[Book, BinaryIO], SpliceReceipt]


class SaveJournal(Protocol):
    """Where saves are recorded (the ledger)."""

    def intend(self, old: str, new: str, temporary: str) -> int:
        """Durably: the workbook is about to change from one digest to another; gives the save's number."""
        ...

    def saved(self, save: int, backup: str | None) -> None:
        """Durably: it was replaced."""
        ...

    def abandoned(self, save: int) -> None:
        """Durably: it was not."""
        ...


class WorkbookChanged(Exception):
    """The workbook is not the one that the save was planned for; the caller merges and tries again."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


@dataclass(frozen=True, slots=True)
class SaveReceipt:
    """What a save did."""

    digest: str
    receipt: SpliceReceipt
    seconds: float
    backup: Path | None
    warnings: tuple[str, ...]


class AtomicSaver:
    """Saves one workbook (its path with links resolved). The caller holds its lock."""

    def __init__(self, workbook: Path, journal: SaveJournal | None, backups: BackupStore | None, run: str) -> None:
        self._workbook = workbook
        self._journal = journal
        self._backups = backups
        self._run = run
        self._temporary = workbook.with_name(f".{workbook.name}.{run}{_SUFFIX}")

    def save(
        self, expected_digest: str | None, build: Build, *, full_verify: bool, backup_kind: str | None
    ) -> SaveReceipt:
        """Make the workbook what `build` writes.

        expected_digest: of the workbook that the save was planned for (None: any); WorkbookChanged where it is
        another. backup_kind: ``before`` or ``checkpoint``, None for no backup. Raises SaveFailed, with the old file
        in place, where the disk does not take it.
        """
        started = time.monotonic()
        try:
            return self._save(expected_digest, build, full_verify, backup_kind, started)
        except OSError as error:
            raise failure(self._workbook, error) from error

    def _save(
        self, expected: str | None, build: Build, full_verify: bool, backup_kind: str | None, started: float
    ) -> SaveReceipt:
        with self._cleared_on_error():
            with Book.open(self._workbook) as book:
                if expected is not None and book.digest != expected:
                    raise WorkbookChanged(book.digest)
                old = book.digest
                receipt, warnings = self._write(book, build)
            verify(self._temporary, receipt, full=full_verify)
            backup = self._take_backup(old, backup_kind)
            save = self._publish(old, receipt.digest, backup)
        kept = backup.path if backup else None
        if self._journal is not None and save is not None:
            self._journal.saved(save, str(kept) if kept else None)
        self._tidy(kept, backup_kind)
        return SaveReceipt(receipt.digest, receipt, time.monotonic() - started, kept, tuple(warnings))

    @contextlib.contextmanager
    def _cleared_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                files.unlink(self._temporary, missing_ok=True)
            raise

    def _write(self, book: Book, build: Build) -> tuple[SpliceReceipt, list[str]]:
        """The new content, synced. After a failed sync the file is thrown away and written anew, once."""
        for attempt in (1, 2):
            files.unlink(self._temporary, missing_ok=True)
            file = files.create_exclusive(self._temporary, files.mode_of(self._workbook))
            with file:
                receipt = build(book, cast(BinaryIO, files.OpsFile(file)))
                warnings = files.take_over_owner(file.fileno(), self._workbook)
                try:
                    files.fsync(file)
                except OSError as error:
                    if attempt == 2 or error.errno in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    continue
            return receipt, warnings
        raise AssertionError("the second attempt returns or raises")

    def _take_backup(self, old: str, kind: str | None) -> Backup | None:
        if self._backups is None or kind is None:
            return None
        return self._backups.take(old, self._run, kind)

    def _publish(self, old: str, new: str, backup: Backup | None) -> int | None:
        save: int | None = None
        try:
            if self._journal is not None:
                save = self._journal.intend(old, new, self._temporary.name)
            # Somebody may have saved while the new file was written: looked at again at the last moment.
            found = digest_of(self._workbook)
            if found != old:
                raise WorkbookChanged(found)
            files.replace(self._temporary, self._workbook)
        except BaseException:
            self._withdraw(save, backup)
            raise
        try:
            files.fsync_folder(self._workbook.parent)
        except OSError as error:
            raise SaveFailed(
                f"{self._workbook.name} was replaced, but its folder could not be flushed: {error.strerror}.",
                "See to the disk; the next start finds out which state is there and goes on from it.",
            ) from error
        return save

    def _withdraw(self, save: int | None, backup: Backup | None) -> None:
        if backup is not None and self._backups is not None:
            with contextlib.suppress(OSError):
                self._backups.drop(backup)
        if save is not None and self._journal is not None:
            self._journal.abandoned(save)

    def _tidy(self, backup: Path | None, kind: str | None) -> None:
        """Older backups go by the rule; that this fails is no reason to fail a save that was made."""
        if self._backups is None or kind is None:
            return
        with contextlib.suppress(OSError):
            if kind == "checkpoint" and backup is not None:
                self._backups.drop_older_checkpoints(self._run, backup)
            self._backups.prune([backup] if backup else [])


def failure(workbook: Path, error: OSError) -> SaveFailed:
    """The error for a save that the system refused, with what to do about it."""
    advice = {
        errno.ENOSPC: "The disk is full. Make room, then run again with --resume-auto.",
        errno.EDQUOT: "Your disk quota is used up. Make room, then run again with --resume-auto.",
        errno.EROFS: "The file system is read-only. Make it writable, then run again with --resume-auto.",
        errno.EACCES: "The folder must be writable for the temporary file. Mend its permissions, then resume.",
        errno.EPERM: "The folder must be writable for the temporary file. Mend its permissions, then resume.",
        errno.EIO: "The disk reports an error: see to the disk before anything else. The results are in the ledger.",
    }
    said = advice.get(error.errno or 0, "Mend the cause, then run again with --resume-auto.")
    return SaveFailed(f"{workbook.name} could not be saved and is as it was before: {error.strerror or error}.", said)


def sweep(workbook: Path) -> list[Path]:
    """Take away temporary files that dead processes left beside a workbook; gives them. Needs the workbook's lock."""
    swept = []
    for path in workbook.parent.glob(f".{_glob_quoted(workbook.name)}.*{_SUFFIX}"):
        files.unlink(path, missing_ok=True)
        swept.append(path)
    return swept


def _glob_quoted(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def settle(workbook: Path, old: str, new: str, temporary: str) -> Literal["saved", "not saved", "changed"]:
    """How a save ended of which only the intent is known. Needs the workbook's lock."""
    try:
        found = digest_of(workbook)
    except (WorkbookError, OSError):
        return "changed"
    if found == new:
        files.fsync_folder(workbook.parent)  # the replace may not have reached the disk yet
        return "saved"
    files.unlink(workbook.with_name(Path(temporary).name), missing_ok=True)
    return "not saved" if found == old else "changed"
