"""Backups of a workbook: its content from before a save, kept by a retention rule."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from batchbook.errors import Finding, SaveFailed
from batchbook.storage import files
from batchbook.storage.copying import copy_durably
from batchbook.xlsx import digest_of, inspect

_NAME = re.compile(r"(?P<at>\d{8}T\d{6}\.\d{3}Z)-(?P<kind>before|checkpoint)-(?P<digest>[0-9a-f]{12})-(?P<run>.+)")
_DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Backup:
    """One earlier state of a workbook."""

    path: Path
    at: dt.datetime
    """When it was taken, UTC."""
    kind: str
    """``before`` (the state before a run or command; kept by the retention rule) or ``checkpoint`` (of a run)."""
    digest: str
    """The first hexadecimal digits of the workbook's digest."""
    run: str


class BackupStore:
    """The backups of one workbook, in a folder of their own below `folder`.

    keep: how many of the newest are kept; keep_daily_days: for so many days one a day is kept besides.
    """

    def __init__(self, folder: Path, workbook: Path, keep: int = 10, keep_daily_days: int = 30) -> None:
        name = hashlib.sha256(str(workbook).encode()).hexdigest()[:8]
        self.folder = folder / f"{workbook.stem}-{name}"
        self._workbook = workbook
        self._keep = keep
        self._daily_days = keep_daily_days

    def list(self) -> list[Backup]:
        """All backups, newest first."""
        if not self.folder.is_dir():
            return []
        found = []
        for path in self.folder.iterdir():
            match = _NAME.fullmatch(path.stem)
            if match and path.suffix == self._workbook.suffix:
                at = dt.datetime.strptime(match["at"], "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=dt.UTC)
                found.append(Backup(path, at, match["kind"], match["digest"], match["run"]))
        return sorted(found, key=lambda backup: (backup.at, backup.path.name), reverse=True)

    def take(self, digest: str, run: str, kind: str) -> Backup | None:
        """Keep the workbook as it is now; None where the newest backup holds the same content.

        A reflink where the file system has them, else a hard link, else a copy. The new entry is durable on return.
        """
        newest = next(iter(self.list()), None)
        if newest is not None and newest.digest == digest[:_DIGEST_LENGTH]:
            return None
        files.make_folder(self.folder)
        now = dt.datetime.now(dt.UTC)
        stamp = f"{now:%Y%m%dT%H%M%S}.{now.microsecond // 1000:03d}Z"
        path = self.folder / f"{stamp}-{kind}-{digest[:_DIGEST_LENGTH]}-{run}{self._workbook.suffix}"
        self._store(path)
        return Backup(path, now, kind, digest[:_DIGEST_LENGTH], run)

    def _store(self, path: Path) -> None:
        if self._clone(path):
            return
        try:
            files.link(self._workbook, path)
        except OSError:  # another file system, or one without links
            copy_durably(self._workbook, path)
        else:
            files.fsync_folder(self.folder)

    def _clone(self, path: Path) -> bool:
        file = files.create_exclusive(path, files.mode_of(self._workbook))
        try:
            with file, self._workbook.open("rb") as original:
                files.ops.clone(original, file)
                files.fsync(file)
        except OSError:
            files.unlink(path, missing_ok=True)
            return False
        except BaseException:
            with contextlib.suppress(OSError):
                files.unlink(path, missing_ok=True)
            raise
        files.fsync_folder(self.folder)
        return True

    def drop(self, backup: Backup) -> None:
        """Take one backup away."""
        files.unlink(backup.path, missing_ok=True)

    def drop_live_links(self) -> int:
        """Take away backups that are the live workbook's own inode; gives how many.

        A process that died between the link and the replace leaves one: it is no backup, a program that writes into
        the workbook would change it too.
        """
        try:
            live = self._workbook.stat()
        except FileNotFoundError:
            return 0
        dropped = 0
        for backup in self.list():
            there = backup.path.stat()
            if (there.st_dev, there.st_ino) == (live.st_dev, live.st_ino):
                self.drop(backup)
                dropped += 1
        return dropped

    def verify(self, backup: Backup) -> Sequence[Finding]:
        """What is wrong with a backup; empty when it is sound and holds what its name says."""
        findings = inspect(backup.path)
        if not findings and not digest_of(backup.path).startswith(backup.digest):
            findings = [Finding("it does not hold the content that its name tells", backup.path.name)]
        return findings

    def newest_valid(self) -> Backup | None:
        """The newest backup that is sound."""
        return next((backup for backup in self.list() if not self.verify(backup)), None)

    def restore(self, backup: Backup) -> None:
        """Put a backup in the workbook's place; what is there now becomes a backup first. Needs the workbook's lock."""
        findings = self.verify(backup)
        if findings:
            raise SaveFailed(
                f"The backup {backup.path.name} is not sound: {findings[0]}.", "Choose another one.", findings=findings
            )
        try:
            self._keep_present()
            mode = files.mode_of(self._workbook) if self._workbook.exists() else None
            copy_durably(backup.path, self._workbook, mode=mode)
        except OSError as error:
            raise SaveFailed(
                f"The backup {backup.path.name} could not be put in place: {error}.",
                "The workbook is as it was before. See that the folder can be written and the disk has room.",
            ) from error

    def _keep_present(self) -> None:
        if not self._workbook.exists():
            return
        content = hashlib.sha256()
        with self._workbook.open("rb") as file:
            while block := file.read(1 << 20):
                content.update(block)
        try:
            digest = digest_of(self._workbook)
        except Exception:  # noqa: BLE001 - damaged in whatever way: it is kept all the same, under its bytes' hash
            digest = content.hexdigest()
        self.take(digest, "restore", "before")

    # --- retention -------------------------------------------------------------------------------------------------

    def prune(self, protected: Collection[Path] = ()) -> Sequence[Path]:
        """Take away what the retention rule does not keep; gives the paths. Protected ones stay."""
        kept = keepers(self.list(), self._keep, self._daily_days, dt.datetime.now(dt.UTC))
        gone = [backup.path for backup in self.list() if backup not in kept and backup.path not in protected]
        for path in gone:
            files.unlink(path, missing_ok=True)
        return gone

    def drop_older_checkpoints(self, run: str, newest: Path | None) -> None:
        """Of a run's checkpoint backups only the latest is kept."""
        self._drop(lambda one: one.kind == "checkpoint" and one.run == run and one.path != newest)

    def _drop(self, wanted: Callable[[Backup], bool]) -> None:
        for backup in self.list():
            if wanted(backup):
                self.drop(backup)


def keepers(backups: Iterable[Backup], keep: int, daily_days: int, now: dt.datetime) -> list[Backup]:
    """The backups that the retention rule keeps: the newest `keep`, and the newest of each of the last days."""
    ordered = sorted(backups, key=lambda backup: backup.at, reverse=True)
    days: dict[dt.date, Backup] = {}
    for backup in ordered:
        if now - backup.at <= dt.timedelta(days=daily_days):
            days.setdefault(backup.at.date(), backup)
    daily = set(days.values())
    return [backup for place, backup in enumerate(ordered) if place < keep or backup in daily]
