"""What a failed save says: which errors there are, and what to do about each kind of trouble with the disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from batchbook.errors import EXIT_CANNOT_RESUME, EXIT_FAILED, RunFailed, SaveFailed, WorkbookDamaged, WorkbookError
from batchbook.storage import files

_FULL = "Make room on the disk or raise the quota (`df -h`), then do it again."
_RIGHTS = "Whoever runs this needs to be allowed to write {}: check that, then do it again."
_FAULTY = "Look at the disk and at the system's log before anything else: the device reports errors."
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC: _FULL,
    errno.EROFS: "The file system is mounted read-only: put the workbook on a disk that can be written to.",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EIO: _FAULTY,
    errno.ENAMETOOLONG: "Give the workbook a shorter name: the names of the temporary files beside it are longer.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`), then do it again.",
    errno.EFBIG: "The file system, or a limit (`ulimit -f`), does not allow a file of this size.",
    errno.ENOENT: "Check whether the folder is still there.",
}
_SHARING = "Close the workbook in every program that has it open, then do it again."
_ELSE = "Mend that, then do it again."


class WorkbookChanged(WorkbookError, code="workbook-changed", exit_code=EXIT_CANNOT_RESUME):
    """The workbook is no longer what it was thought to be: somebody changed it. Nothing was written."""

    def __init__(self, workbook: str, found_digest: str) -> None:
        super().__init__(
            f"{workbook} was changed by someone else meanwhile; nothing was written.",
            "Do it again: it then starts from what is there now.",
        )
        self.workbook = workbook
        self.found_digest = found_digest

    def __reduce__(self) -> tuple[Any, ...]:
        return (WorkbookChanged, (self.workbook, self.found_digest))


class EditFailed(SaveFailed, WorkbookError, code="save-failed", exit_code=EXIT_FAILED):
    """An edit could not be written to the disk; the target is as it was before."""


class LockFailed(WorkbookError, code="lock-failed", exit_code=EXIT_FAILED):
    """The workbook cannot be locked, because its folder or disk does not allow it; nothing was done."""


def advice_for(error: OSError) -> str:
    """What to do about an error of the system."""
    if getattr(error, "winerror", None) in (5, 32, 33):
        return _SHARING
    return _ADVICE.get(error.errno or 0, _ELSE).format(_refused(error))


def refused(error: OSError, then: str) -> RunFailed:
    """The error to raise where the system refused what a run needs, beside its saves; `then` says what to do next."""
    place = f" ({error.filename})" if error.filename else ""
    return RunFailed(
        f"The system refused what the run needs: {error.strerror or error}{place}.", f"{advice_for(error)} {then}"
    )


def _refused(error: OSError) -> str:
    """What may not be written, as far as the system says: a file that is there, or the folder that takes no new one."""
    path = _path_of(error)
    if path is None:
        return "the workbook and its folder"
    # Of a folder that may not be entered, not even what lies in it is known.
    there = os.path.exists(path)  # noqa: PTH110 - that of a Path raises there
    return str(path) if there and not os.access(path, os.W_OK) else f"the folder {path.parent}"


def _path_of(error: OSError) -> Path | None:
    return Path(error.filename).absolute() if isinstance(error.filename, str | os.PathLike) else None


class ReadOnly(PermissionError):
    """A file that is write-protected for us."""


def disk_trouble(workbook: Path, error: OSError, kind: type[SaveFailed] = SaveFailed) -> SaveFailed:
    """The error to raise where the system refused a step; the old file is untouched."""
    if isinstance(error, ReadOnly):
        return kind(f"{workbook.name} could not be saved and is as it was before: it is read-only.", advice_for(error))
    reason = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    path = _path_of(error)
    if path is not None and path.parent != workbook.parent.absolute():
        reason += f" ({path})"
    return kind(f"{workbook.name} could not be saved and is as it was before: {reason}.", advice_for(error))


def unconfirmed(workbook: Path, error: OSError) -> SaveFailed:
    """The error to raise where the file was replaced, but the disk did not confirm that this will last."""
    return SaveFailed(
        f"{workbook.name} was saved, but the disk did not confirm it: {error.strerror or error}.",
        f"{advice_for(error)} The next start finds out which state the workbook is in.",
    )


def check_writable(workbook: Path) -> None:
    """Raise ReadOnly (a PermissionError) for a file that is read-only for us; a replace would not ask."""
    if workbook.exists() and not os.access(workbook, os.W_OK):
        raise ReadOnly(errno.EACCES, os.strerror(errno.EACCES), str(workbook))


def confirm(workbook: Path) -> None:
    """Have the folder of a workbook that was just replaced on the disk. Raises SaveFailed that says what is known."""
    try:
        files.fsync_folder(workbook.parent)
    except OSError as error:
        raise unconfirmed(workbook, error) from error


def does_not_read_back(workbook: Path, error: WorkbookDamaged, kind: type[SaveFailed] = SaveFailed) -> SaveFailed:
    """The error to raise where what was written is not what is read again."""
    return kind(
        f"{workbook.name} was not saved, for what was written does not read back: {error.what}",
        f"Try `batchbook check {workbook}`: either the workbook was damaged before, or the disk or memory is faulty.",
    )


@contextmanager
def named_trouble(workbook: Path, kind: type[SaveFailed] = SaveFailed) -> Iterator[None]:
    """Turn errors of the system into SaveFailed with advice."""
    try:
        yield
    except OSError as error:
        raise disk_trouble(workbook, error, kind) from error
