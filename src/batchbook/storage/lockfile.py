"""The lock file beside a workbook: its name, and what stands in it."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import secrets
import stat
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import lock_descriptor

from batchbook.hiding import hide
from batchbook.storage import files, hosts
from batchbook.storage.links import followed

_FIELDS = {"machine": str, "boot": str, "namespace": str, "pid": int, "start": int, "host": str, "user": str,
           "since": str, "command": str}  # fmt: skip
MOST = 64 * 1024
WINDOWS = os.name == "nt"
_NO_OS_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.EBADF}
_COMMAND = 300


@dataclass(frozen=True, slots=True)
class LockInfo:
    """Who holds (or held, and left behind) a workbook's lock."""

    machine: str = ""
    boot: str = ""
    namespace: str = ""
    pid: int = 0
    start: int = 0
    host: str = ""
    user: str = ""
    run: str | None = None
    ledger: str | None = None
    since: str = ""
    command: str = ""
    alive: bool | None = field(default=None, compare=False)
    """Whether that process is alive, as far as it can be told from here; never written into the file."""

    @property
    def known(self) -> bool:
        """Whether the lock file could be read."""
        return bool(self.pid)

    @property
    def process(self) -> hosts.ProcessIdentity:
        """The process that wrote it."""
        return hosts.ProcessIdentity(self.machine, self.boot, self.namespace, self.pid, self.start)

    def __str__(self) -> str:
        if not self.known:
            return "an unknown process (its lock file cannot be read)"
        run = f", run {self.run}" if self.run else ""
        ended = ", which has ended" if self.alive is False else ""
        return f"process {self.pid} of {self.user} on {self.host} since {self.since} ({self.command}{run}){ended}"


UNREADABLE = LockInfo()


def lock_path(workbook: Path) -> Path:
    """Where the lock file of a workbook lies: beside the file itself, not beside a symbolic link to it."""
    target = followed(workbook)
    return target.with_name(f".{target.name}.batchbook-lock")


def own_info(run: str | None, ledger: Path | None) -> LockInfo:
    """What this process writes into a lock file."""
    me = hosts.current()
    return LockInfo(
        **asdict(me),
        host=hosts.host_name(),
        user=hosts.user_name(),
        run=run,
        ledger=str(ledger.absolute()) if ledger else None,
        since=dt.datetime.now().astimezone().isoformat(timespec="seconds"),
        command=_command(),
        alive=True,
    )


def _command() -> str:
    words = sys.argv or [""]
    name = Path(words[0]).name or "python"
    # The arguments of other programs are none of our business, and may hold a password.
    return hide(" ".join([name, *words[1:]]))[:_COMMAND] if name.startswith("batchbook") else name


def packed(info: LockInfo) -> bytes:
    """The content of a lock file. Its first byte is a line end, for Windows locks that byte away from readers."""
    plain = {name: value for name, value in asdict(info).items() if name != "alive"}
    return b"\n" + json.dumps(plain, ensure_ascii=False, indent=1).encode("utf-8", "surrogateescape") + b"\n"


def unpacked(content: bytes) -> LockInfo | None:
    """What a lock file says, or None where it is empty, cut off or something else."""
    try:
        plain = json.loads(content.decode("utf-8", "surrogateescape"))
    except ValueError:
        return None
    if not isinstance(plain, dict):
        return None
    values: dict[str, Any] = {name: plain.get(name) for name in _FIELDS}
    if any(type(values[name]) is not kind for name, kind in _FIELDS.items()) or values["pid"] <= 0:
        return None
    for name in ("run", "ledger"):
        values[name] = plain.get(name) if isinstance(plain.get(name), str) else None
    info = LockInfo(**values)
    return replace(info, alive=info.process.alive)


# --- the file --------------------------------------------------------------------------------------------------------


def open_lock_file(path: Path) -> int:
    """Open a lock file that is there, for writing where that is allowed. Nothing but a plain file is opened."""
    flags = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_BINARY", 0)
    try:
        fd = os.open(path, os.O_RDWR | flags)
    except PermissionError:
        fd = os.open(path, os.O_RDONLY | flags)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "something that is no lock file is in its place", str(path))
    return fd


def os_lock(fd: int) -> bool | None:
    """True if the OS lock is ours now, False if another process has it, None where there are no OS locks."""
    try:
        return lock_descriptor(fd, blocking=False)
    except OSError as error:
        if error.errno in _NO_OS_LOCKS:
            return None
        raise


def read_open(fd: int) -> LockInfo | None:
    """What an open lock file says, or None."""
    try:
        os.lseek(fd, 1, os.SEEK_SET)
        return unpacked(os.read(fd, MOST))
    except OSError:
        return None


def is_named(path: Path, fd: int) -> bool:
    """Whether a path still is the open file's."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(fd))
    except OSError:
        return False


def put_away(path: Path, fd: int) -> None:
    """Take a dead holder's file away by renaming it and looking again: what is not the judged file goes back."""
    if WINDOWS:  # an open file cannot be renamed there; once empty and closed it is removed
        files.truncate(fd, 0)
        return
    aside = path.with_name(f"{path.name}.{os.getpid():x}-{secrets.token_hex(4)}")
    try:
        files.replace(path, aside)
    except FileNotFoundError:
        return
    if not is_named(aside, fd):
        with suppress(FileExistsError):
            files.link(aside, path)
    files.unlink(aside)


def unlink_closed(path: Path) -> None:
    """Remove, on Windows, what could not be removed while it was open."""
    if WINDOWS:  # refused, and rightly so, if somebody has opened it meanwhile
        with suppress(OSError):
            files.unlink(path)
