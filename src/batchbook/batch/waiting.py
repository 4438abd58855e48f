"""Waiting for others: for the lock of a workbook, and for a person to close it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from batchbook.batch.interrupt import StopToken
from batchbook.config import JobConfig
from batchbook.errors import WorkbookError, WorkbookInUse
from batchbook.storage.lock import LockInfo, WorkbookLock
from batchbook.storage.owners import Owner, WorkbookOpen, check_not_open
from batchbook.xlsx import Book, SheetIndexes, check_whole

_POLL_SECONDS = 1.0
QUIET_SECONDS, MOST_SECONDS = 2.0, 60.0
"""A file that cannot be read is looked at again until it has not changed for so long, and at most for so long."""
REPLACE_QUIET_SECONDS = 5.0
"""The same for a file that is replaced by a backup if it is damaged: what a person is saving there would be lost."""
_LOOK_SECONDS = 0.05
Warn = Callable[[str], None]


class StoppedWaiting(WorkbookInUse):
    """Asked to stop while waiting for somebody who has the workbook."""

    @classmethod
    def instead_of(cls, waited_for: WorkbookInUse) -> StoppedWaiting:
        """The same words as the error that says who was waited for."""
        return cls(waited_for.what, waited_for.advice)


def wait_until_closed(workbook: Path, job: JobConfig, stop: StopToken, warn: Warn, *, wait: bool = True) -> None:
    """Return when nobody has the workbook open in an office program.

    Raises WorkbookInUse at once unless the job says `on_open: wait` (and `wait` is true), StoppedWaiting when asked to
    stop.
    """
    told = False
    while True:
        try:
            check_not_open(workbook)
            return
        except WorkbookInUse as error:
            if job.on_open != "wait" or not wait:
                raise
            if stop.stopping:
                raise StoppedWaiting.instead_of(error) from error
            if not told:
                warn(f"{error.what} Waiting until it is closed.")
                told = True
            stop.wait(_POLL_SECONDS)


def open_settled(workbook: Path, stop: StopToken, indexes: SheetIndexes | None = None) -> Book:
    """Open a workbook that somebody may just be writing.

    Programs that save in place truncate the file first: for a moment it is damaged or empty, or it is not there. It is
    opened again until it can be read. Raises what `Book.open` raises for a file that stays as it is, and one that
    keeps changing for too long.
    """
    end = time.monotonic() + MOST_SECONDS
    state, since = _state(workbook), time.monotonic()
    while True:
        try:
            return Book.open(workbook, indexes)
        except WorkbookError:
            found, now = _state(workbook), time.monotonic()
            if found != state:
                state, since = found, now
            if now - since >= min(QUIET_SECONDS, stop.grace_left) or now >= end:
                raise
            time.sleep(_LOOK_SECONDS)


def check_settled(workbook: Path, stop: StopToken, warn: Warn, *, quiet: float = QUIET_SECONDS) -> None:
    """See that a workbook that somebody may just be writing is sound to the last byte.

    Raises what `check_whole` raises, but only for a file that stayed as it is for `quiet` seconds and that no process
    (as far as can be seen from here) has open for writing. WorkbookInUse where it is still being written after
    MOST_SECONDS, StoppedWaiting when asked to stop: then it is not known to be damaged.
    """
    end, last = time.monotonic() + MOST_SECONDS, None
    while True:
        state = _state(workbook)
        try:
            check_whole(workbook)
            return
        except WorkbookError as error:
            if state == last == _state(workbook):
                raise
            if last is None:
                warn(f"{error.what} Waiting a moment, for somebody may just be writing it.")
        _wait_for_change(workbook, state, quiet, stop, end)
        last = state


def _wait_for_change(workbook: Path, state: tuple[int, ...], quiet: float, stop: StopToken, end: float) -> None:
    """Return when a file changes, or has not changed for some seconds while nobody had it open for writing."""
    since = time.monotonic()
    while _state(workbook) == state:
        if stop.wait(_LOOK_SECONDS) or time.monotonic() >= end:
            break
        if time.monotonic() - since >= quiet:
            if not _is_open_for_writing(workbook):
                return
            since = time.monotonic()
    if stop.stopping or time.monotonic() >= end:
        error = WorkbookInUse(
            f"{workbook.name} cannot be read: somebody is just writing it, as it seems.",
            f"Start again when that is done; `batchbook check {workbook}` says whether the file is sound.",
        )
        raise StoppedWaiting.instead_of(error) if stop.stopping else error


def _is_open_for_writing(path: Path) -> bool:
    """Whether a process that can be seen has a file open for writing. A program may pause for long in a save."""
    if not sys.platform.startswith("linux"):
        return False  # elsewhere the question takes long, or can hang
    name = str(path.resolve())
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if any(one.path == name and one.mode != "r" for one in process.open_files()):
                return True
    return False


def is_there(workbook: Path, known: bool, stop: StopToken) -> bool:
    """Whether there is a workbook. One that is `known` is waited for: some programs delete a file and rename another.

    It is waited for as long as a file that cannot be read. Raises StoppedWaiting when asked to stop meanwhile.
    """
    end = time.monotonic() + QUIET_SECONDS
    while not workbook.exists():
        if not known or time.monotonic() >= end:
            return False
        if stop.wait(_LOOK_SECONDS):
            raise StoppedWaiting(f"{workbook.name} is not there.", "Start again once it is.")
    return True


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def closed_or_later(workbook: Path, job: JobConfig, stop: StopToken, warn: Warn) -> Owner | None:
    """As `wait_until_closed`; where the job says `on_open: later`, gives who has the workbook open instead."""
    try:
        wait_until_closed(workbook, job, stop, warn)
    except WorkbookOpen as error:
        if job.on_open != "later":
            raise
        return error.owner
    return None


class ResultsWait(WorkbookInUse):
    """A finished save waits beside the workbook, which is still open: nothing is begun on top of that."""


def must_not_wait(workbook: Path, runs: Sequence[str], owner: Owner) -> None:
    """Raise ResultsWait where results of these runs wait for the workbook to be closed."""
    if runs:
        raise ResultsWait(
            f"{workbook.name} is still open: {owner}. The results of run {', '.join(runs)} wait for it to be closed.",
            f"Close it there; the next run of its job brings them in (or `batchbook runs reapply {runs[0]}`, where the "
            "workbook was not changed). "
            f"If nobody has it open, delete the file {owner.file.name}.",
        )


def take_lock(
    workbook: Path, ledger: Path, seconds: float, stop: StopToken, on_dead: Callable[[LockInfo], None]
) -> WorkbookLock:
    """The workbook's lock, taken; WorkbookInUse, naming the holder, after so many seconds.

    StoppedWaiting when asked to stop.
    """
    deadline = time.monotonic() + seconds
    while True:
        left = max(0.0, deadline - time.monotonic())
        lock = WorkbookLock(workbook, run=None, ledger=ledger, wait=min(left, _POLL_SECONDS), on_dead=on_dead)
        try:
            lock.acquire()
            return lock
        except WorkbookInUse as error:
            if stop.stopping:
                raise StoppedWaiting.instead_of(error) from error
            if left <= _POLL_SECONDS:
                raise
