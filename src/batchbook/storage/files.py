"""Everything that changes files goes through here, one system call at a time.

Each system call is a method of `Operations`, and every function looks it up through the module's one object `ops`:
tests put another in its place and make the k-th call fail.
"""

from __future__ import annotations

import ctypes
import errno
import io
import os
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
REPLACE_SECONDS = 3.0
"""How long a replace is tried again while another Windows program has the file open for a moment."""

_SHARING = (5, 32, 33)
NO_CLONE = {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.EACCES}
_NO_COPY_RANGE = {*NO_CLONE, errno.ETXTBSY}
_NO_FOLDER_FSYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF}
_NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}
_FICLONE = 0x40049409
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_OPEN = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@cache
def _renameat2() -> Any:
    """The system's renameat2, or None where there is none."""
    try:
        return ctypes.CDLL(None, use_errno=True).renameat2 if sys.platform == "linux" else None
    except (AttributeError, OSError):
        return None


class Operations:
    """The system calls that change files; nothing else in the package makes them."""

    def create(self, path: Path, mode: int) -> int:
        """Create a file that must not be there yet; gives its descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _OPEN, mode)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Write some of the bytes; gives how many."""
        return os.write(fd, data)

    def copy_range(self, source: int, target: int, count: int, offset: int) -> int:
        """Copy some bytes within the system, from a place in one file to where another is written; gives how many."""
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        return os.copy_file_range(source, target, count, offset_src=offset)

    def truncate(self, fd: int, length: int) -> None:
        """Cut a file to a length."""
        os.ftruncate(fd, length)

    def fsync(self, fd: int) -> None:
        """Have the file's content on the disk, not only in a cache."""
        if sys.platform == "darwin":  # fsync alone leaves the drive's own cache there
            import fcntl

            with suppress(OSError):
                fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
                return
        os.fsync(fd)

    def fsync_folder(self, folder: Path) -> None:
        """Have the folder's entries on the disk."""
        if sys.platform == "win32":  # the journal of NTFS orders renames; a folder cannot be opened for this
            return
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def replace(self, source: Path, target: Path) -> None:
        """Rename, taking the place of what is there."""
        source.replace(target)

    def exchange(self, one: Path, other: Path) -> None:
        """Let two files take each other's name in one step."""
        renameat2 = _renameat2()
        if renameat2 is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(one), None, str(other))

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name that must not be there yet."""
        os.link(source, target)

    def clone(self, source: int, target: int) -> None:
        """Share the content of one file with another until one of them is written to (reflink)."""
        if sys.platform != "linux":
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        import fcntl

        fcntl.ioctl(target, _FICLONE, source)

    def unlink(self, path: Path) -> None:
        """Take a name away."""
        path.unlink()

    def make_folder(self, path: Path, mode: int) -> None:
        """Create one folder."""
        path.mkdir(mode)

    def chmod(self, fd: int, mode: int) -> None:
        """Set the permissions of an open file."""
        if sys.platform != "win32":
            os.fchmod(fd, mode)

    def chown(self, fd: int, owner: int, group: int) -> None:
        """Set owner and group of an open file; -1 leaves one as it is."""
        if sys.platform != "win32":
            os.fchown(fd, owner, group)

    def set_attribute(self, fd: int, name: str, value: bytes) -> None:
        """Set an extended attribute."""
        if sys.platform == "linux":
            os.setxattr(fd, name, value)

    def remove_attribute(self, fd: int, name: str) -> None:
        """Take an extended attribute away."""
        if sys.platform == "linux":
            os.removexattr(fd, name)


ops: Operations = Operations()
"""What the functions below call. Only tests exchange it."""


# --- one step ------------------------------------------------------------------------------------------------------


def create_exclusive(path: Path, mode: int = 0o600) -> int:
    """Create a file that must not be there yet; gives its descriptor, open for reading and writing."""
    return ops.create(path, mode)


def write(fd: int, data: bytes | memoryview) -> None:
    """Write all the bytes."""
    view = memoryview(data)
    while view:
        view = view[ops.write(fd, view) :]


def truncate(fd: int, length: int) -> None:
    """Cut a file to a length."""
    ops.truncate(fd, length)


def fsync(fd: int) -> None:
    """Have a file's content on the disk. After a failure the file must be thrown away: a second call may lie."""
    ops.fsync(fd)


def fsync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk, where its file system knows that."""
    try:
        ops.fsync_folder(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_FSYNC:
            raise


def replace(source: Path, target: Path) -> None:
    """Rename, taking the place of what is there; on Windows tried again while another program holds it for a moment."""
    deadline = time.monotonic() + REPLACE_SECONDS
    pause = 0.02
    while True:
        try:
            ops.replace(source, target)
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in _SHARING or time.monotonic() > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.5)


def exchange(one: Path, other: Path) -> bool:
    """Let two files take each other's name in one step; False where the system or the file system cannot do that."""
    try:
        ops.exchange(one, other)
    except OSError as error:
        if error.errno not in _NO_EXCHANGE:
            raise
        return False
    return True


def link(source: Path, target: Path) -> None:
    """Give a file a second name that must not be there yet."""
    ops.link(source, target)


def unlink(path: Path, *, missing_ok: bool = False) -> None:
    """Take a name away."""
    try:
        ops.unlink(path)
    except FileNotFoundError:
        if not missing_ok:
            raise


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Create a folder with a mode, and the folders above it with the usual one, durably; fine if it is there."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):
        ops.make_folder(path, mode)
        fsync_folder(path.parent)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


# --- content -------------------------------------------------------------------------------------------------------


def copy_content(source: int, target: int) -> None:
    """Copy all bytes of an open file into another one."""
    os.lseek(source, 0, os.SEEK_SET)
    while piece := os.read(source, CHUNK):
        write(target, piece)


def copy_range(source: int, target: int, offset: int, count: int) -> int:
    """Copy bytes from a place in one open file to where another one is written, without them coming by here.

    Gives how many: fewer than `count` where the systems of the two files do not do that.
    """
    done = 0
    while done < count:
        try:
            copied = ops.copy_range(source, target, count - done, offset + done)
        except OSError as error:
            if error.errno not in _NO_COPY_RANGE:
                raise
            break
        if not copied:
            break
        done += copied
    return done


def clone_or_copy(source: int, target: int) -> str:
    """Fill an empty open file with another one's content, sharing it where the file system can; gives which."""
    try:
        ops.clone(source, target)
        return "reflink"
    except OSError as error:
        if error.errno not in NO_CLONE:
            raise
    copy_content(source, target)
    return "copy"


class OutputStream(io.RawIOBase):
    """An open file as a stream to write into, by way of `ops`. After `abandon` nothing more reaches the file."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._abandoned = False

    def abandon(self) -> None:
        """Swallow what a buffer around this stream still holds when it is closed."""
        self._abandoned = True

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        return 0 if self._abandoned else os.lseek(self._fd, offset, whence)

    def tell(self) -> int:
        """The place."""
        return self.seek(0, os.SEEK_CUR)

    def write(self, data: object) -> int:
        """Write some bytes; gives how many."""
        view = memoryview(data)  # type: ignore[arg-type]
        return view.nbytes if self._abandoned else ops.write(self._fd, view)

    def copy_range(self, source: int, offset: int, count: int) -> int:
        """Bytes of another open file, copied to where this one is written; gives how many (see the function)."""
        return count if self._abandoned else copy_range(source, self._fd, offset, count)


class BufferedOutput(io.BufferedWriter):
    """A buffer around an `OutputStream`."""

    def __init__(self, raw: OutputStream, size: int) -> None:
        super().__init__(raw, size)
        self._under = raw

    def copy_range(self, source: int, offset: int, count: int) -> int:
        """As that of the stream below."""
        self.flush()
        copied = self._under.copy_range(source, offset, count)
        self.seek(self._under.tell())
        return copied
