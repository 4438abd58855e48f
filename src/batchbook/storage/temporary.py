"""A new file that is built beside its target and takes the target's place when it is complete."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from batchbook.errors import SaveFailed
from batchbook.storage import files
from batchbook.storage.attributes import copy_attributes

Made = TypeVar("Made")

BUFFER = 1 << 20
SUFFIX = ".batchbook-tmp"
_MARKED_WITH = 12
"""Characters of a state that a marked name has."""
_UNKNOWN = "0" * _MARKED_WITH
_MARK = re.compile(rf"-x([0-9a-f]{{{_MARKED_WITH}}})-([0-9a-f]{{{_MARKED_WITH}}}){re.escape(SUFFIX)}")


def temporary_name(target: Path, label: str) -> str:
    """The name of a temporary file for a target. Labels get no dots, or it could pass for another target's."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", label) or "save"
    return f".{target.name}.{plain[:40]}{SUFFIX}"


def is_temporary_of(target: Path, name: str) -> bool:
    """Whether a name is that of a temporary file, or of a lock put aside, for this target and no other."""
    pattern = rf"\.{re.escape(target.name)}\.(?:[A-Za-z0-9_-]+{re.escape(SUFFIX)}|batchbook-lock\.[0-9a-f-]+)"
    return re.fullmatch(pattern, name) is not None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the name of a finished temporary file says: the state that it was to replace, and its own."""

    old: str
    new: str

    def tells(self, state: str) -> bool:
        """Whether a state is one of the two, and so no third one that somebody else had saved."""
        return state.startswith((self.old, self.new))


def exchange_of(name: str) -> Exchange | None:
    """What the name of a temporary file says of the exchange that it was made for; None before it was finished."""
    found = _MARK.search(name)
    return Exchange(found[1], found[2]) if found is not None and found.end() == len(name) else None


def _marked(state: str) -> str:
    short = state[:_MARKED_WITH]
    return short if re.fullmatch(r"[0-9a-f]+", short) and len(short) == _MARKED_WITH else _UNKNOWN


class Temporary:
    """One temporary file. The steps: `fill`, `sync`, `publish`; or `discard`, which is right at any moment."""

    def __init__(self, target: Path, label: str) -> None:
        self.target = target
        self.path = target.with_name(temporary_name(target, label))
        self.warnings: list[str] = []
        self.renewed = False
        """Whether an fsync failed and the file was written anew; it then has to be checked to the last byte."""
        self._fd = -1
        self._ours = False
        self._mode = 0o600
        self._attributes: Path | None = None
        self._identity: os.stat_result | None = None
        self._is_old: Callable[[Path], bool] = lambda _: False

    def create(self, mode: int = 0o600) -> None:
        """Create the file; a stray one of the same name (the caller holds the lock) goes first."""
        self._mode = mode
        self._ours = True
        try:
            self._fd = files.create_exclusive(self.path, mode)
        except FileExistsError:
            files.unlink(self.path)
            self._fd = files.create_exclusive(self.path, mode)

    @classmethod
    def adopt(cls, path: Path, target: Path) -> Temporary:
        """A finished file that lies beside its target already; `discard` leaves it there."""
        made = cls(target, "")
        made.path = path
        made._fd = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        return made

    def fill(self, build: Callable[[BinaryIO], Made]) -> Made:
        """Let a function write the content into a stream that can seek."""
        with self._stream() as stream:
            return build(stream)

    @contextmanager
    def _stream(self) -> Iterator[BinaryIO]:
        raw = files.OutputStream(self._fd)
        buffered = files.BufferedOutput(raw, BUFFER)
        try:
            yield buffered
            buffered.flush()
        except BaseException:
            raw.abandon()
            raise
        finally:
            buffered.close()

    def clone(self, source: Path) -> None:
        """Take over another file's content."""
        with source.open("rb") as opened:
            files.clone_or_copy(opened.fileno(), self._fd)

    def take_attributes(self, source: Path) -> None:
        """Give the file the owner, group, access list and permissions of another."""
        self._attributes = source
        lost = copy_attributes(source, self._fd)
        if lost:
            self.warnings = [f"{self.target.name} could not keep {', '.join(lost)}"]

    def sync(self) -> None:
        """Have the content on the disk. If that fails, the file is thrown away and written anew, once."""
        try:
            files.fsync(self._fd)
        except OSError:
            # The kernel may have dropped what it could not write and call the pages clean: a second fsync would lie.
            self._renew()
            files.fsync(self._fd)

    def _renew(self) -> None:
        old, self._fd = self._fd, -1
        try:
            files.unlink(self.path)
            self._fd = files.create_exclusive(self.path, self._mode)
            files.copy_content(old, self._fd)
            if self._attributes is not None:
                self.take_attributes(self._attributes)
        finally:
            os.close(old)
        self.renewed = True

    def mark(self, old: str, new: str) -> None:
        """Write into its name which state it is to replace, and which it holds.

        When it has exchanged names with the target, and the process dies there, the name tells what is left at it
        (see `leftovers`): the old file, or what another program had saved in the last moment. Once is enough.
        """
        if not self._ours or exchange_of(self.path.name) is not None:
            return
        self._finish()
        stem = self.path.name.removesuffix(SUFFIX)
        before = self.path
        self.path = before.with_name(f"{stem}-x{_marked(old)}-{_marked(new)}{SUFFIX}")
        try:
            files.replace(before, self.path)
        except BaseException as error:  # an interrupt may come before or after
            if os.path.lexists(before):
                self.path = before
            # A name that is too long with it goes without.
            if not isinstance(error, OSError) or error.errno != errno.ENAMETOOLONG:
                raise

    def _finish(self) -> None:
        """Close the file, for Windows renames none that is open, but know it again."""
        if self._fd >= 0:
            self._identity = os.fstat(self._fd)
        self.close()

    def publish(self, place: Path | None = None) -> None:
        """Take the target's place, or another one in its folder; the folder is not yet synced."""
        self.close()
        files.replace(self.path, place or self.target)
        self._ours = False

    def publish_over(self, looked_at: os.stat_result, same: Callable[[Path], bool]) -> bool:
        """Take the target's place only if that still is the file that was looked at; gives whether it was.

        The two files exchange their names, so that what another program put there in the last moment is seen and put
        back; `same` says of a file whether it holds what was looked at. Where files cannot be exchanged this is
        `publish`. The folder is not yet synced.
        """
        self._finish()
        self._is_old = same
        if not files.exchange(self.path, self.target):
            files.replace(self.path, self.target)
            self._ours = False
            return True
        self._ours = False  # what is there now is not to be thrown away by `discard`
        if _unchanged(self.path, looked_at) or same(self.path):
            self._put_old_away()
            return True
        try:
            files.exchange(self.path, self.target)
            if not self._is_ours(self.path):
                # Saved once more between the two: the newest is the one to stay.
                files.exchange(self.path, self.target)
        except OSError as error:
            raise SaveFailed(
                f"Somebody else saved {self.target.name} in the moment in which it was replaced, and what they saved "
                f"cannot be put back: {error.strerror or error}. It lies beside it as {self.path.name}.",
                "Leave it there: the next run or command puts it in its place.",
            ) from error
        self._ours = True
        return False

    def _put_old_away(self) -> None:
        """The save is made: the old file's second name is no reason to fail, the next sweep takes it too."""
        try:
            files.unlink(self.path)
        except OSError:
            with suppress(OSError):
                files.unlink(self.path)

    @property
    def published(self) -> bool:
        """Whether it took the target's place, also where that was interrupted."""
        return not self._ours or not os.path.lexists(self.path) or self._is_ours(self.target)

    def _is_ours(self, path: Path) -> bool:
        try:
            return self._identity is not None and os.path.samestat(self._identity, os.lstat(path))
        except OSError:
            return False

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def discard(self) -> None:
        """Close and remove the file, if it is still there; trouble in that is left to the next sweep."""
        with suppress(OSError):
            self.close()
        # Where it was exchanged and interrupted right there, its name may stand at what somebody else had saved.
        if self._ours and (not self._is_ours(self.target) or self._is_old(self.path)):
            with suppress(OSError):
                files.unlink(self.path, missing_ok=True)


def _unchanged(path: Path, looked_at: os.stat_result) -> bool:
    """Whether a file is the one that was looked at and nobody has written into it since."""
    now = os.lstat(path)
    return os.path.samestat(now, looked_at) and (now.st_size, now.st_mtime_ns) == (
        looked_at.st_size,
        looked_at.st_mtime_ns,
    )


@contextmanager
def temporary_for(target: Path, label: str, mode: int = 0o600) -> Iterator[Temporary]:
    """A created temporary file that is gone in the end, unless it was published."""
    temporary = Temporary(target, label)
    try:
        temporary.create(mode)
        yield temporary
    finally:
        temporary.discard()
