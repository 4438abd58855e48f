"""The lock on a workbook: a file beside it that names its holder, on which the holder keeps an OS lock.

It fails closed: a lock is broken only on proof that its holder is dead. On a local file system a free OS lock is
proof, because the system takes it from a process that ends. Elsewhere the OS lock may not reach other machines, so
what is written in the file counts: an earlier boot of this machine, or a process of this boot that is gone.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import filelock

from batchbook.errors import BatchbookError, SaveFailed, WorkbookInUse
from batchbook.storage import files
from batchbook.storage.hosts import boot_id, is_network_path, machine_id, pid_namespace, start_ticks, this_process

_POLL_SECONDS = 0.1
_LARGEST = 1 << 16


@dataclass(frozen=True, slots=True)
class LockInfo:
    """Who holds a lock, as the lock file tells."""

    machine: str
    boot: str
    namespace: str
    host: str
    user: str
    pid: int
    ticks: int | None
    run: str | None
    ledger: str | None
    since: str
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}"

    def is_dead(self) -> bool:
        """Whether the holder is proved dead by what it wrote (the OS lock aside)."""
        if self.machine != machine_id():
            return False
        if self.boot != boot_id():
            return True
        if self.namespace != pid_namespace():
            return False
        return start_ticks(self.pid) != self.ticks


def lock_path(workbook: Path) -> Path:
    """Where a workbook's lock file lies."""
    return workbook.with_name(f".{workbook.name}.batchbook-lock")


def _parse(content: bytes) -> LockInfo | None:
    try:
        plain = json.loads(content)
        return LockInfo(**{name: plain[name] for name in LockInfo.__dataclass_fields__})
    except (ValueError, TypeError, KeyError):
        return None


def read_lock(workbook: Path) -> LockInfo | None:
    """Who holds, or held, the lock of a workbook; None where there is no lock file or nobody is named in it."""
    try:
        with lock_path(workbook).open("rb") as file:
            return _parse(file.read(_LARGEST))
    except OSError:
        return None


class _Held:
    """A lock file on which this process has the OS lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._lock = filelock.FileLock(
            path, timeout=0, fallback_to_soft=False, preserve_lock_file=True, on_acquired=self._lent, thread_local=False
        )

    def _lent(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def acquire(self) -> bool:
        """Take the OS lock on the file that has this name; False where another one has it."""
        try:
            self._lock.acquire()
        except filelock.Timeout:
            return False
        if self.is_in_place():
            return True
        self._lock.release()
        return False

    def is_in_place(self) -> bool:
        """Whether the file locked is the one that bears the name: another holder may have taken it away meanwhile."""
        try:
            named = self.path.stat()
        except FileNotFoundError:
            return False
        own = os.fstat(self._descriptor)
        return (named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)

    def read(self) -> bytes:
        """The file's content."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return os.read(self._descriptor, _LARGEST)

    def write(self, content: bytes) -> None:
        """Replace the file's content."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, content)

    def drop(self) -> None:
        """Give back the OS lock and leave the file."""
        self._lock.release()

    def remove(self) -> None:
        """Take the file away, if it still is ours, and give back the OS lock."""
        try:
            if self.is_in_place():
                if sys.platform == "win32":  # an open file cannot be taken away there
                    self._lock.release()
                files.unlink(self.path, missing_ok=True)
        finally:
            if self._lock.is_locked:
                self._lock.release()


class WorkbookLock:
    """Holds a workbook's lock as a context manager.

    Entering raises WorkbookInUse, naming the holder, where another process has it and `wait` seconds have passed.
    `on_dead` is called with a dead holder's info, under the lock, before the new holder goes on.
    """

    def __init__(
        self,
        workbook: Path,
        *,
        run: str | None = None,
        ledger: Path | None = None,
        wait: float = 0.0,
        on_dead: Callable[[LockInfo], None] | None = None,
    ) -> None:
        self._workbook = workbook
        self._run = run
        self._ledger = ledger
        self._wait = wait
        self._on_dead = on_dead
        self._held: _Held | None = None

    def __enter__(self) -> WorkbookLock:
        deadline = time.monotonic() + self._wait
        local = not is_network_path(self._workbook.parent)
        while True:
            held = self._try(local)
            if held is not None:
                self._held = held
                return self
            if time.monotonic() >= deadline:
                raise in_use(self._workbook, read_lock(self._workbook))
            time.sleep(_POLL_SECONDS)

    def _try(self, local: bool) -> _Held | None:
        held = _Held(lock_path(self._workbook))
        try:
            if not held.acquire():
                return None
        except (OSError, NotImplementedError) as error:
            raise SaveFailed(
                f"{self._workbook.name} cannot be locked: {error}.",
                f"The folder {self._workbook.parent} must be writable for the lock, the save and its temporary file.",
            ) from error
        try:
            content = held.read()
            dead = _parse(content)
            if content and not local and (dead is None or not dead.is_dead()):
                held.drop()
                return None
            if dead is not None and self._on_dead is not None:
                self._on_dead(dead)
            held.write(self._content())
        except BaseException:
            # What the dead one left is still there, and so is its name: the next one settles it.
            with contextlib.suppress(OSError):
                held.drop()
            raise
        return held

    def _content(self) -> bytes:
        info = LockInfo(
            **this_process(),
            run=self._run,
            ledger=str(self._ledger) if self._ledger else None,
            since=dt.datetime.now().astimezone().isoformat(timespec="seconds"),
            command=" ".join(sys.argv)[:500],
        )
        return json.dumps(asdict(info), ensure_ascii=False).encode()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            held.remove()


def in_use(workbook: Path, holder: LockInfo | None) -> WorkbookInUse:
    """The error for a workbook that another process has."""
    if holder is None:
        return WorkbookInUse(
            f"{workbook.name} is locked by another process.", "Wait for it to end (--wait S waits here)."
        )
    run = f" for run {holder.run}" if holder.run else ""
    foreign = "" if holder.machine == machine_id() else " It ran on another machine, so it is not assumed to be dead."
    return WorkbookInUse(
        f"{workbook.name} is locked by {holder}{run}.{foreign}",
        f"Wait for it to end (--wait S waits here); if it cannot be alive, `batchbook unlock {workbook} --reason ...`.",
    )


def break_lock(workbook: Path, reason: str) -> LockInfo | None:
    """Take away a lock whose holder cannot be alive; gives who held it.

    Raises WorkbookInUse where a live process of this machine has it. The file is renamed, looked at again, and put
    back if it has become another one's.
    """
    if not reason.strip():
        raise BatchbookError("A lock is broken only for a reason.", "Give one with --reason.")
    path = lock_path(workbook)
    before = read_lock(workbook)
    held = _Held(path)
    if not held.acquire():
        raise in_use(workbook, before)
    try:
        if before is not None and before.machine == machine_id() and not before.is_dead() and before.pid != os.getpid():
            raise in_use(workbook, before)
        aside = path.with_name(f"{path.name}-broken-{os.getpid()}")
        files.rename(path, aside)
        if _parse(aside.read_bytes()) != before:
            files.rename(aside, path)
            raise in_use(workbook, _parse(held.read()))
        files.unlink(aside)
    finally:
        held.drop()
    return before
