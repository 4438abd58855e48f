"""Earlier states of a workbook: taken before it is replaced, verified, put back, and dropped when they are many."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from batchbook.errors import Finding, WorkbookDamaged, WorkbookError
from batchbook.storage import files
from batchbook.storage.attributes import copy_attributes
from batchbook.storage.copying import content_hash, digest_or_none, replace_unchanged, state_of
from batchbook.storage.links import followed
from batchbook.storage.private import make_state_folder
from batchbook.storage.retention import superfluous
from batchbook.storage.temporary import temporary_for
from batchbook.storage.trouble import WorkbookChanged, check_writable, confirm, named_trouble
from batchbook.xlsx import digest_of, inspect

BackupKind = Literal["before", "checkpoint", "damaged"]

# Inside the store, `list` is its method.
Findings: TypeAlias = list[Finding]
Backups: TypeAlias = "list[Backup]"

_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)_([0-9a-f]{16})_(before|checkpoint|damaged)_([A-Za-z0-9-]+)(\.\w+)?")
_TIME = "%Y%m%dT%H%M%S.%fZ"
_PART = ".part"
_SHORT = 16
_DISPLACED = "displaced"
"""What backups of other programs' saves are named with, in the place of a run."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One earlier state; `digest` is the first part of the workbook's digest at that time."""

    path: Path
    time: dt.datetime
    digest: str
    run: str
    kind: str
    fresh: bool = field(default=False, compare=False)
    """Whether `take` made it just now, and did not find it there already."""


class BackupStore:
    """The backups of one workbook, in a folder of their own below `folder`."""

    def __init__(
        self,
        folder: Path,
        workbook: Path,
        keep: int = 10,
        keep_daily_days: int = 30,
        *,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.workbook = followed(workbook)
        self.folder = folder.resolve() / _folder_name(folder.resolve(), self.workbook)
        self.keep = keep
        self.keep_daily_days = keep_daily_days
        self._clock = clock
        self._never_clones = False
        """Whether the file system was seen to know nothing of reflinks: no need to try it each time."""

    def list(self) -> Backups:
        """All backups, newest first."""
        try:
            found = [_parsed(path) for path in self.folder.iterdir()]
        except OSError:
            return []
        return sorted((b for b in found if b is not None), key=lambda b: b.path.name, reverse=True)

    def of(self, digest: str) -> Backup | None:
        """The newest backup that was taken of a workbook with this digest."""
        return next((backup for backup in self.list() if backup.digest == digest[:_SHORT]), None)

    # --- taking ----------------------------------------------------------------------------------------------------

    def take(self, digest: str, run: str, kind: BackupKind) -> Backup | None:
        """Keep the workbook's present content, which must have this digest; durable when this returns.

        Gives the newest backup where that already holds this content, and None where there is no workbook. Raises
        WorkbookChanged where the file has another digest, OSError where it cannot be kept.
        """
        newest = next(iter(self.list()), None)
        if newest is not None and newest.digest == digest[:_SHORT] and _intact(newest):
            return newest
        if not self.workbook.exists():
            return None
        backup = self._keep(self.workbook, digest[:_SHORT], run, kind, newest)
        try:
            found = digest_or_none(backup.path)
            if kind != "damaged" and found != digest:
                raise WorkbookChanged(self.workbook.name, found)
        except BaseException:
            self.drop(backup)
            raise
        return backup

    def adopt(self, file: Path) -> Backup:
        """Keep what somebody saved, and a replace took the place of, as an earlier state; durable when this returns.

        Raises OSError where it cannot be kept. The file itself stays where it is.
        """
        state = state_of(file)
        newest = next(iter(self.list()), None)
        if newest is not None and newest.digest == state[:_SHORT] and _intact(newest):
            return newest
        kind: BackupKind = "before" if digest_or_none(file) == state else "damaged"
        return self._keep(file, state[:_SHORT], _DISPLACED, kind, newest)

    def _keep(self, file: Path, short: str, run: str, kind: BackupKind, newest: Backup | None) -> Backup:
        make_state_folder(self.folder)
        time = self._clock()
        if newest is not None and newest.time >= time:
            # A clock that was set back must not make the newest backup look old.
            time = newest.time + dt.timedelta(microseconds=1)
        plain = re.sub(r"[^A-Za-z0-9-]", "-", run)[:60] or "none"
        stamp = time.astimezone(dt.UTC).strftime(_TIME)
        suffix = self.workbook.suffix if re.fullmatch(r"\.\w+", self.workbook.suffix) else ""
        path = self.folder / f"{stamp}_{short}_{kind}_{plain}{suffix}"
        backup = Backup(path, time, short, plain, kind, fresh=True)
        try:
            self._fill(path, file)
            files.fsync_folder(self.folder)
        except BaseException:
            self.drop(backup)
            raise
        return backup

    def _fill(self, path: Path, source: Path) -> None:
        """Reflink, else hard link, else copy. A hard link is the file itself: its permissions are left alone."""
        if self._never_clones and _linked(source, path):
            return
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_PART}")
        with source.open("rb") as opened, _created(part) as fd:
            if not self._cloned(opened.fileno(), fd):
                if _linked(source, path):
                    return
                files.copy_content(opened.fileno(), fd)
            copy_attributes(source, fd)
            files.fsync(fd)
            files.replace(part, path)

    def _cloned(self, source: int, fd: int) -> bool:
        try:
            files.ops.clone(source, fd)
        except OSError as error:
            self._never_clones = error.errno in files.NO_CLONE
            return False
        return True

    # --- verifying and putting back --------------------------------------------------------------------------------

    def verify(self, backup: Backup) -> Findings:
        """What is wrong with a backup: nothing, if the list is empty."""
        name = backup.path.name
        if not backup.path.is_file():
            return [Finding("it is not there", file=name)]
        findings = inspect(backup.path)
        if not findings and not _intact(backup):
            findings = [Finding("it no longer holds what was backed up: a program wrote into it since", file=name)]
        return findings

    def newest_valid(self) -> Backup | None:
        """The newest backup that is sound to the last byte.

        What was displaced comes last: the workbook was changed since, and nobody knows how that fits together.
        """
        by_age = sorted(self.list(), key=lambda backup: backup.run == _DISPLACED)
        return next((backup for backup in by_age if not self.verify(backup)), None)

    def restore(self, backup: Backup, run: str = "restore") -> Backup | None:
        """Put a backup in the workbook's place; what is there now becomes a backup first, which is returned.

        The caller holds the workbook's lock. Raises WorkbookDamaged for a backup that is not sound, SaveFailed where
        the disk does not take it, WorkbookChanged where somebody saves it meanwhile; it is then as it was.
        """
        findings = self.verify(backup)
        if findings:
            raise WorkbookDamaged(
                f"The backup {backup.path.name} is not sound: {findings[0].message}.",
                f"See `batchbook backups verify {self.workbook}` for one that is.",
                findings=findings,
            )
        target = self.workbook
        with named_trouble(target):
            check_writable(target)
            there = target.exists()
            state, kept = self._keep_present(run) if there else ("", None)
            mode = 0o600 if there else stat.S_IMODE(backup.path.stat().st_mode) & 0o777
            with temporary_for(target, "restore", mode) as temporary:
                temporary.clone(backup.path)
                if there:
                    temporary.take_attributes(target)
                temporary.sync()
                digest = digest_of(temporary.path)
                if digest != digest_of(backup.path):
                    raise WorkbookDamaged(f"The copy of {backup.path.name} does not read back.", "Check the disk.")
                replace_unchanged(temporary, target, state, digest)
        confirm(target)
        return kept

    def _keep_present(self, run: str) -> tuple[str, Backup | None]:
        kind: BackupKind = "before"
        try:
            state = digest_of(self.workbook)
        except WorkbookError:
            state, kind = content_hash(self.workbook), "damaged"
        return state, self.take(state, run, kind)

    def as_earlier_state(self, backup: Backup) -> Backup:
        """Give a backup that was written into the name of what it now holds, so that it is kept like any other."""
        if backup.kind != "checkpoint":
            return backup
        path = backup.path.with_name(backup.path.name.replace("_checkpoint_", "_before_", 1))
        files.replace(backup.path, path)
        return replace(backup, path=path, kind="before")

    # --- dropping --------------------------------------------------------------------------------------------------

    def drop(self, backup: Backup) -> None:
        """Take a backup away, as far as that can be done."""
        with suppress(OSError):
            files.unlink(backup.path, missing_ok=True)
            files.fsync_folder(self.folder)

    def drop_live_links(self) -> Backups:
        """Drop backups that are the workbook's own file (a save died before its replace), and unfinished ones."""
        dropped = []
        for backup in self.list():
            with suppress(OSError):
                if backup.path.samefile(self.workbook):
                    files.unlink(backup.path)
                    dropped.append(backup)
        with suppress(OSError):
            for path in self.folder.glob(f"*{_PART}"):
                files.unlink(path)
        return dropped

    def prune(self, protected: Collection[Backup] = ()) -> Backups:
        """Drop what the retention rule does not keep, and all but each run's newest checkpoint; gives what went."""
        safe = {backup.path.name for backup in protected}
        rest: Backups = []
        gone: Backups = []
        seen: set[str] = set()
        for backup in self.list():
            (gone if backup.kind == "checkpoint" and backup.run in seen else rest).append(backup)
            if backup.kind == "checkpoint":
                seen.add(backup.run)
        times = [backup.time for backup in rest]
        places = superfluous(times, self._clock(), keep=self.keep, keep_daily_days=self.keep_daily_days)
        gone = [b for b in (*gone, *(rest[place] for place in places)) if b.path.name not in safe]
        for backup in gone:
            files.unlink(backup.path, missing_ok=True)
        return gone


def _linked(source: Path, path: Path) -> bool:
    try:
        files.link(source, path)
    except FileExistsError:
        raise
    except OSError:  # another file system, one without links, or somebody else's file: a copy does it
        return False
    return True


def _folder_name(folder: Path, workbook: Path) -> str:
    # By the way from one to the other: a project that is moved as a whole keeps its backups.
    try:
        way = Path(os.path.relpath(workbook, folder)).as_posix()
    except ValueError:  # two drives
        way = workbook.as_posix()
    return f"{workbook.name[:100]}-{hashlib.sha256(way.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def _parsed(path: Path) -> Backup | None:
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    try:
        time = dt.datetime.strptime(found[1], _TIME).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
    return Backup(path, time, found[2], found[4], found[3])


@contextmanager
def _created(part: Path) -> Iterator[int]:
    """A new file that is gone in the end, unless it got another name."""
    fd = files.create_exclusive(part)
    try:
        yield fd
    finally:
        os.close(fd)
        with suppress(OSError):
            files.unlink(part, missing_ok=True)


def _intact(backup: Backup) -> bool:
    if backup.kind == "damaged":
        return backup.path.is_file() and content_hash(backup.path).startswith(backup.digest)
    return digest_or_none(backup.path).startswith(backup.digest)
