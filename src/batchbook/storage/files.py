"""Every operation that changes files, in one place, so that a test can make each of them fail in turn.

The functions go through `ops`; a test replaces it by an object whose k-th operation raises.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import time
from pathlib import Path
from typing import BinaryIO

_REPLACE_TRIES = 20
_REPLACE_WAIT = 0.1  # seconds; virus scanners and previewers hold a file on Windows for a moment
_FICLONE = 0x40049409


class FileOperations:
    """The operating system's file operations, as far as batchbook changes files."""

    def open_exclusive(self, path: Path, mode: int) -> BinaryIO:
        """A new file for reading and writing; FileExistsError where there is one."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, mode)
        if sys.platform != "win32":
            os.fchmod(descriptor, mode)  # the umask does not count: the file takes another one's place
        return os.fdopen(descriptor, "w+b")

    def write(self, file: BinaryIO, data: bytes) -> int:
        """Write all of the bytes."""
        return file.write(data)

    def fsync(self, file: BinaryIO) -> None:
        """Flush a file's content to the disk."""
        file.flush()
        os.fsync(file.fileno())

    def fsync_folder(self, folder: Path) -> None:
        """Flush a folder's entries to the disk (where the system knows such a thing)."""
        if sys.platform == "win32":
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Put a file in another one's place, at once."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """A hard link."""
        os.link(source, target)

    def clone(self, source: BinaryIO, target: BinaryIO) -> None:
        """A copy that shares its blocks (reflink); OSError where the file system has none."""
        if sys.platform != "linux":
            raise OSError(errno.EOPNOTSUPP, "no reflink here")
        import fcntl  # only where there is one

        fcntl.ioctl(target.fileno(), _FICLONE, source.fileno())

    def unlink(self, path: Path) -> None:
        """Take a file away."""
        path.unlink()

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name."""
        source.rename(target)

    def make_folder(self, path: Path, mode: int) -> None:
        """One new folder."""
        path.mkdir(mode=mode)


ops = FileOperations()


def create_exclusive(path: Path, mode: int = 0o600) -> BinaryIO:
    """A new file for reading and writing with exactly this mode; FileExistsError where there is one."""
    return ops.open_exclusive(path, mode)


def fsync(file: BinaryIO) -> None:
    """Flush a file's content to the disk. After an error the file must not be trusted, nor synced again."""
    ops.fsync(file)


def fsync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk."""
    ops.fsync_folder(folder)


def replace(source: Path, target: Path) -> None:
    """Put a file in another one's place; tried again for a while where Windows says that somebody has it open."""
    for attempt in range(_REPLACE_TRIES):
        try:
            ops.replace(source, target)
            return
        except PermissionError:
            if sys.platform != "win32" or attempt == _REPLACE_TRIES - 1:
                raise
            time.sleep(_REPLACE_WAIT)


def link(source: Path, target: Path) -> None:
    """A hard link."""
    ops.link(source, target)


def rename(source: Path, target: Path) -> None:
    """Give a file another name."""
    ops.rename(source, target)


def unlink(path: Path, *, missing_ok: bool = False) -> None:
    """Take a file away."""
    try:
        ops.unlink(path)
    except FileNotFoundError:
        if not missing_ok:
            raise


def make_folder(path: Path, mode: int = 0o700) -> None:
    """A folder and those above it; new ones have this mode and are flushed to the disk."""
    if path.is_dir():
        return
    make_folder(path.parent, mode)
    with contextlib.suppress(FileExistsError):
        ops.make_folder(path, mode)
        ops.fsync_folder(path.parent)


def create_private(path: Path) -> None:
    """An empty file that only its owner can read, where there is none yet."""
    with contextlib.suppress(FileExistsError):
        ops.open_exclusive(path, 0o600).close()


def write_private(path: Path, content: bytes) -> None:
    """A small file that only its owner can read, written as a whole: the old content or the new."""
    write_whole(path, content, 0o600)


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """A small file, written through a temporary one beside it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.batchbook-tmp")
    file = create_exclusive(temporary, mode)
    try:
        with file:
            ops.write(file, content)
            fsync(file)
        replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unlink(temporary, missing_ok=True)
        raise
    fsync_folder(path.parent)


def copy_into(source: BinaryIO, target: BinaryIO) -> None:
    """The whole content of one open file into another: shared blocks where the file system can, else bytes."""
    try:
        ops.clone(source, target)
    except OSError:
        source.seek(0)
        shutil.copyfileobj(source, _Writer(target), 1 << 20)


class _Writer:
    """A file whose writes go through `ops`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write through `ops`."""
        return ops.write(self._file, data)


class OpsFile:
    """A file as a stream for other floors to write into; every write goes through `ops`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write bytes."""
        return ops.write(self._file, data)

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the position."""
        return self._file.seek(offset, whence)

    def flush(self) -> None:
        """Flush buffers."""
        self._file.flush()

    def fileno(self) -> int:
        """The descriptor."""
        return self._file.fileno()


def mode_of(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def take_over_owner(descriptor: int, original: Path) -> list[str]:
    """Give a new file the group, owner and extended attributes of the one it replaces; what could not be, in words."""
    if sys.platform == "win32":
        return []
    missing = []
    before, now = original.stat(), os.fstat(descriptor)
    mode = stat.S_IMODE(before.st_mode)
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        try:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        except OSError:
            try:
                os.fchown(descriptor, -1, before.st_gid)
            except OSError:
                missing.append("the group of the workbook could not be kept")
            else:
                missing.append("the owner of the workbook could not be kept")
        os.fchmod(descriptor, mode)  # a change of owner clears bits
    if hasattr(os, "listxattr"):
        for name in _attributes(original):
            try:
                os.setxattr(descriptor, name, os.getxattr(original, name))
            except OSError:
                missing.append(f"the attribute {name} of the workbook could not be kept")
    return missing


def _attributes(path: Path) -> list[str]:
    try:
        return [name for name in os.listxattr(path) if name.startswith(("user.", "system.posix_acl"))]
    except OSError:
        return []
