"""Waiting for others: for the lock of a workbook, and for a person to close it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from batchbook.batch.interrupt import StopToken
from batchbook.config import JobConfig
from batchbook.errors import WorkbookError, WorkbookInUse
from batchbook.storage.lock import LockInfo, WorkbookLock
from batchbook.storage.owners import Owner, WorkbookOpen, check_not_open
from batchbook.xlsx import Book, SheetIndexes

_POLL_SECONDS = 1.0
QUIET_SECONDS, MOST_SECONDS = 2.0, 60.0
"""A file that cannot be read is looked at again until it has not changed for so long, and at most for so long."""
_LOOK_SECONDS = 0.05
Warn = Callable[[str], None]


def wait_until_closed(workbook: Path, job: JobConfig, stop: StopToken, warn: Warn, *, wait: bool = True) -> None:
    """Return when nobody has the workbook open in an office program.

    Raises WorkbookInUse at once unless the job says `on_open: wait` (and `wait` is true), and when asked to stop.
    """
    told = False
    while True:
        try:
            check_not_open(workbook)
            return
        except WorkbookInUse as error:
            if job.on_open != "wait" or not wait or stop.stopping:
                raise
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
            f"Close it there; the next run, or `batchbook runs reapply {runs[0]}`, brings them in. "
            f"If nobody has it open, delete the file {owner.file.name}.",
        )


def take_lock(
    workbook: Path, ledger: Path, seconds: float, stop: StopToken, on_dead: Callable[[LockInfo], None]
) -> WorkbookLock:
    """The workbook's lock, taken; WorkbookInUse, naming the holder, after so many seconds or when asked to stop."""
    deadline = time.monotonic() + seconds
    while True:
        left = max(0.0, deadline - time.monotonic())
        lock = WorkbookLock(workbook, run=None, ledger=ledger, wait=min(left, _POLL_SECONDS), on_dead=on_dead)
        try:
            lock.acquire()
            return lock
        except WorkbookInUse:
            if left <= _POLL_SECONDS or stop.stopping:
                raise
