"""State files and folders: who can read them. Only their owner, unless the configuration names a group."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from batchbook.storage import files


@dataclass(frozen=True, slots=True)
class Access:
    """The group (its number) that shares the state, None where it is the owner's alone."""

    group: int | None = None

    @classmethod
    def of(cls, group: str | None) -> Access:
        """For a group's name, which is that of a group of this machine."""
        if group is None or sys.platform == "win32":
            return cls()
        import grp  # does not exist on Windows

        return cls(grp.getgrnam(group).gr_gid)

    @property
    def file_mode(self) -> int:
        """The permissions of a state file."""
        return 0o600 if self.group is None else 0o660

    @property
    def folder_mode(self) -> int:
        """The permissions of a state folder; what is made in a shared one gets its group."""
        return 0o700 if self.group is None else 0o2770


_current: ContextVar[Access | None] = ContextVar("batchbook_access", default=None)


def use_access(access: Access) -> None:
    """Let an access hold for what follows in this context (see `contextvars`)."""
    _current.set(access)


@contextmanager
def accessible(access: Access) -> Iterator[None]:
    """Let an access hold for a block."""
    token = _current.set(access)
    try:
        yield
    finally:
        _current.reset(token)


def _access() -> Access:
    return _current.get() or Access()


def make_state_folder(path: Path) -> None:
    """Create a folder for state; one that is there stays as it is.

    Folders above it that are missing get the usual permissions, or are shared too: another user of the group may be
    the next who needs a folder there.
    """
    access = _access()
    if path.is_dir():
        return
    if access.group is not None:
        make_state_folder(path.parent)
    files.make_folder(path, access.folder_mode & 0o777)
    if access.group is not None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            _share(fd, access.group, access.folder_mode)
        finally:
            os.close(fd)


def create_private(path: Path) -> None:
    """Create an empty state file; one that is there stays as it is."""
    with suppress(FileExistsError):
        os.close(_create(path))


def write_private(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a state file whole or not at all; its content comes in pieces."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.batchbook-tmp")
    try:
        fd = _create(temporary)
        try:
            for piece in pieces:
                files.write(fd, piece)
            files.fsync(fd)
        finally:
            os.close(fd)
        files.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            files.unlink(temporary)
        raise
    files.fsync_folder(path.parent)


def _create(path: Path) -> int:
    access = _access()
    fd = files.create_exclusive(path, access.file_mode)
    if access.group is not None:
        try:
            _share(fd, access.group, access.file_mode)
        except BaseException:
            os.close(fd)
            with suppress(OSError):
                files.unlink(path)
            raise
    return fd


def share_new_file(path: Path) -> None:
    """Let those who share the state read and write a new file, which only its owner can as yet."""
    access = _access()
    if access.group is not None:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            _share(fd, access.group, access.file_mode)
        finally:
            os.close(fd)


def _share(fd: int, group: int, mode: int) -> None:
    if os.fstat(fd).st_gid != group:
        files.ops.chown(fd, -1, group)
    files.ops.chmod(fd, mode)  # after the group, which takes set-group-id away; and whatever the umask took


def not_shared(path: Path) -> str | None:
    """Why the configured group could not work with a state file or folder that is there; None where it can."""
    access = _access()
    if access.group is None:
        return None
    found = path.stat()
    if found.st_gid != access.group:
        return f"{path} belongs to another group ({found.st_gid}, not {access.group})"
    if access.folder_mode & ~stat.S_IMODE(found.st_mode) & (0o2070 if stat.S_ISDIR(found.st_mode) else 0o060):
        return f"{path} has the permissions {stat.S_IMODE(found.st_mode):o}"
    return None
