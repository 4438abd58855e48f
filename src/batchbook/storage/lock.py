"""The lock of a workbook: held by one process at a time, broken only on proof that its holder is dead.

The lock is a file beside the workbook that says who holds it, and an OS lock on that file which the system takes away
when the holder ends, however it ends. On a local file system a free OS lock, or a record from before this machine's
last start, proves the holder dead. Elsewhere OS locks prove nothing: there the holder is dead only if it ran in this
boot and process namespace and its process is gone. Everything else counts as held, an unreadable file too.
"""

from __future__ import annotations

import errno
import logging
import os
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from batchbook.errors import UsageError, WorkbookError, WorkbookInUse, WorkbookMissing
from batchbook.storage import files, hosts
from batchbook.storage.links import followed
from batchbook.storage.lockfile import (
    UNREADABLE,
    WINDOWS,
    LockInfo,
    is_named,
    lock_path,
    open_lock_file,
    os_lock,
    own_info,
    packed,
    put_away,
    read_open,
    unlink_closed,
)
from batchbook.storage.trouble import LockFailed, advice_for

__all__ = ["LockInfo", "WorkbookLock", "WorkbookLocked", "break_lock", "lock_path", "read_lock"]

GRACE = 0.3
"""How long a lock that looks free or half written is looked at again, even by those who do not wait."""
MOST_TRIES = 200
"""How often one who does not wait tries again where the lock just became free."""
_FREED = LockInfo(command="freed")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25

log = logging.getLogger(__name__)


class WorkbookLocked(WorkbookInUse):
    """Another process of batchbook holds the workbook's lock."""

    def __init__(self, workbook: str, holder: LockInfo) -> None:
        super().__init__(f"{workbook} is locked by {holder}.", _advice(workbook, holder))
        self.workbook = workbook
        self.holder = holder

    def __reduce__(self) -> tuple[Any, ...]:
        return (WorkbookLocked, (self.workbook, self.holder))

    @property
    def host(self) -> str:
        """The machine the holder runs on."""
        return self.holder.host

    @property
    def pid(self) -> int:
        """The holder's process id there."""
        return self.holder.pid

    @property
    def since(self) -> str:
        """When the holder took the lock, ISO 8601."""
        return self.holder.since


def _advice(workbook: str, holder: LockInfo) -> str:
    if holder.alive:
        return f"Wait for it (--wait SECONDS), or end process {holder.pid}."
    if holder.alive is False:
        return "Try again: somebody may be taking it over. If not, something it started still holds the lock; end that."
    unlock = f"`batchbook unlock {workbook} --reason REASON`"
    return f"Wait for it (--wait SECONDS). If you know that it is dead, take its lock away with {unlock}."


def _cannot(workbook: Path, error: OSError) -> WorkbookError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return WorkbookMissing(f"There is no folder {workbook.parent}.", "Check the path.")
    what = f"{workbook.name} cannot be locked, for its lock file beside it cannot be used: {error.strerror or error}."
    return LockFailed(what, advice_for(error))


class WorkbookLock:
    """The lock of one workbook, a context manager. `held` says whether it is ours.

    `on_dead` is told of a dead holder whose lock is taken over, before anything else happens, so that what that one
    left undone can be settled; it may be told twice of one holder. Raises WorkbookLocked (WorkbookInUse) when the
    lock cannot be had within `wait` seconds.
    """

    def __init__(
        self,
        workbook: Path,
        *,
        run: str | None,
        ledger: Path | None,
        wait: float = 0,
        on_dead: Callable[[LockInfo], None] | None = None,
    ) -> None:
        self.workbook = followed(workbook)
        self.path = lock_path(workbook)
        self._run = run
        self._ledger = ledger
        self._wait = wait
        self._on_dead = on_dead
        self._fd = -1
        self._pid = 0

    def __enter__(self) -> WorkbookLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def held(self) -> bool:
        """Whether this object holds the lock, in this process."""
        return self._fd >= 0 and self._pid == os.getpid()

    # --- taking ----------------------------------------------------------------------------------------------------

    def acquire(self) -> None:
        """Take the lock, waiting for it as long as was said."""
        if self.held:
            raise RuntimeError("the lock is held already")
        start = time.monotonic()
        pause, tries = _FIRST_PAUSE, 0
        while True:
            try:
                holder = self._try()
            except OSError as error:
                raise _cannot(self.workbook, error) from error
            if holder is None:
                return
            tries += holder is _FREED
            if holder is _FREED and tries < MOST_TRIES:
                continue
            # Without a name, or with a dead one's, it is just being taken: its new holder is worth a look.
            patience = self._wait if holder.known and holder.alive is not False else max(self._wait, GRACE)
            left = start + patience - time.monotonic()
            if left <= 0:
                raise WorkbookLocked(self.workbook.name, holder)
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _try(self) -> LockInfo | None:
        """Try once: None if the lock is ours now, else who seems to hold it, or `_FREED` if nobody does any more."""
        try:
            fd = files.create_exclusive(self.path, 0o666)
        except FileExistsError:
            return self._challenge()
        try:
            return self._settle_in(fd)
        except BaseException:
            self._fd = -1
            self._withdraw(fd)
            raise

    def _settle_in(self, fd: int) -> LockInfo | None:
        """The lock file is new and made by us. Somebody may have found it empty and be about to take it away."""
        locked = os_lock(fd)
        if locked is False:
            if hosts.is_network_path(self.path):
                self._withdraw(fd)
            else:
                os.close(fd)
            return UNREADABLE
        if not is_named(self.path, fd):
            os.close(fd)
            return _FREED
        self._write(fd)
        if locked is None:
            # Only the file's name says who has it: one who judged the dead holder before us may just be taking ours
            # away, and cannot put it back where a third one has come in between.
            time.sleep(GRACE)
            if not is_named(self.path, fd):
                os.close(fd)
                return _FREED
        self._fd, self._pid = fd, os.getpid()
        _held.add(self)
        return None

    def _write(self, fd: int) -> None:
        files.write(fd, packed(own_info(self._run, self._ledger)))
        if hosts.is_network_path(self.path):
            # There only what is written can prove anything, also after this machine has lost its power.
            files.fsync(fd)

    def name_run(self, run: str) -> None:
        """Write into the lock file which run it is held for, once that is known; LockFailed where it takes no more."""
        self._run = run
        if self.held:
            try:
                os.lseek(self._fd, 0, os.SEEK_SET)
                content = packed(own_info(run, self._ledger))
                files.write(self._fd, content)
                files.truncate(self._fd, len(content))
            except OSError as error:
                raise _cannot(self.workbook, error) from error

    # --- a lock that is there --------------------------------------------------------------------------------------

    def _challenge(self) -> LockInfo:
        """Look at the lock file that is there; if its holder is dead, take it away for the next try."""
        try:
            fd = open_lock_file(self.path)
        except FileNotFoundError:
            return _FREED
        try:
            free, info = os_lock(fd), read_open(fd)
            if free is False:
                return info or UNREADABLE
            if not is_named(self.path, fd):
                return _FREED
            if not _proven_dead(info, free, local=not hosts.is_network_path(self.path)):
                return info or UNREADABLE
            if info is not None:
                log.info("the lock of %s is taken over from %s", self.workbook, info)
                if self._on_dead is not None:
                    self._on_dead(info)
                    if not is_named(self.path, fd):
                        return _FREED  # settling took a while, and another one was faster
            put_away(self.path, fd)
        finally:
            os.close(fd)
        unlink_closed(self.path)
        return _FREED

    # --- letting go ------------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Let go of the lock and remove its file; another holder's file is left alone."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        if self._pid != os.getpid():
            os.close(fd)
            return
        _held.discard(self)
        self._withdraw(fd)

    def _withdraw(self, fd: int) -> None:
        """Remove the lock file if it still is the one we made, then close it, which frees the OS lock."""
        try:
            if WINDOWS:
                files.truncate(fd, 0)
            elif is_named(self.path, fd):
                files.unlink(self.path)
        except OSError as error:
            log.warning("the lock file %s could not be removed: %s", self.path, error)
        finally:
            os.close(fd)
        unlink_closed(self.path)


_held: weakref.WeakSet[WorkbookLock] = weakref.WeakSet()


def _let_go_in_child() -> None:
    # A child made by fork shares the OS lock: it must not keep it when the parent dies.
    for lock in list(_held):
        fd, lock._fd = lock._fd, -1
        with suppress(OSError):
            os.close(fd)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go_in_child)


def read_lock(workbook: Path) -> LockInfo | None:
    """Who holds the workbook's lock, alive or not; None where there is no lock file."""
    try:
        fd = open_lock_file(lock_path(workbook))
    except FileNotFoundError:
        return None
    except OSError:
        return UNREADABLE
    try:
        return read_open(fd) or UNREADABLE
    finally:
        os.close(fd)


def break_lock(workbook: Path, reason: str) -> LockInfo | None:
    """Take a lock away for a reason that a person gives; says whose it was, None where there was none.

    Raises WorkbookLocked where its holder is alive on this machine. What the holder left undone is settled first.
    """
    if not reason.strip():
        raise UsageError("A lock is not taken away without a reason.", "Say why its holder cannot be alive.")
    try:
        return _broken(followed(workbook), reason)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot(workbook, error) from error


def _broken(workbook: Path, reason: str) -> LockInfo:
    path = lock_path(workbook)
    fd = open_lock_file(path)
    try:
        free, info = os_lock(fd), read_open(fd) or UNREADABLE
        elsewhere = hosts.is_network_path(path) and info.known and not info.process.here
        if info.alive or (free is False and not elsewhere):
            raise WorkbookLocked(workbook.name, info)
        _settle(workbook, info)
        put_away(path, fd)
        log.warning("the lock of %s, held by %s, was taken away: %s", workbook, info, reason)
    finally:
        os.close(fd)
    unlink_closed(path)
    return info


def _settle(workbook: Path, info: LockInfo) -> None:
    from batchbook.storage.settling import settle_dead_holder  # the ledger is loaded only where it is needed

    settle_dead_holder(workbook, info, warn=log.warning)


def _proven_dead(info: LockInfo | None, free: bool | None, *, local: bool) -> bool:
    """Whether the holder is dead; `free` is whether the OS lock could be had (None: there are none here)."""
    if local and free:
        return True
    if info is None:
        return False
    return info.process.gone or (local and info.process.earlier_boot)
