"""Whole files copied so that the target is the old one or the new one, never half, and the last look before that."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from batchbook.errors import WorkbookError
from batchbook.storage import files
from batchbook.storage.links import followed
from batchbook.storage.temporary import Temporary, temporary_for
from batchbook.storage.trouble import WorkbookChanged, check_writable, confirm, named_trouble
from batchbook.xlsx import digest_of


def copy_durably(source: Path, target: Path) -> str:
    """Copy a workbook onto a target and give its digest. A target that is there keeps owner and permissions.

    The caller holds the target's lock. Raises SaveFailed, and WorkbookChanged if source or target change meanwhile.
    """
    target = followed(target)
    digest, before = digest_of(source), state_of(target)
    with named_trouble(target):
        check_writable(target)
        there = target.exists()
        files.make_folder(target.parent)
        mode = 0o600 if there else stat.S_IMODE(source.stat().st_mode) & 0o777
        with temporary_for(target, "copy", mode) as temporary:
            temporary.clone(source)
            if there:
                temporary.take_attributes(target)
            temporary.sync()
            if digest_of(temporary.path) != digest:
                raise WorkbookChanged(source.name, digest_of(source))
            replace_unchanged(temporary, target, before, digest)
    confirm(target)
    return digest


def digest_or_none(path: Path) -> str:
    """A workbook's digest; empty where there is no sound one."""
    try:
        return digest_of(path)
    except (WorkbookError, OSError):
        return ""


def state_of(workbook: Path) -> str:
    """What a file holds: its digest, or a hash of all its bytes where it is no sound workbook; empty if not there."""
    try:
        return digest_of(workbook)
    except WorkbookError:
        try:
            return content_hash(workbook)
        except FileNotFoundError:
            return ""
        except OSError:
            return "unreadable"


def last_look(workbook: Path, state: str) -> None:
    """Raise WorkbookChanged where a file that is about to be replaced no longer is in this state."""
    found = state_of(workbook)
    if found != state:
        raise WorkbookChanged(workbook.name, found)


def replace_unchanged(temporary: Temporary, target: Path, state: str, new: str) -> None:
    """Put a finished temporary file, whose digest is `new`, in the place of a file that still is in this state.

    Raises WorkbookChanged where it is not.

    Where the system can exchange two files, that holds to the last moment: what another program saves between the last
    look and the replace is put back. The folder is not yet synced.
    """
    try:
        looked_at = target.stat()
    except FileNotFoundError:
        looked_at = None
    last_look(target, state)
    if looked_at is None:
        temporary.publish()
        return
    temporary.mark(state, new)
    try:
        replaced = temporary.publish_over(looked_at, lambda path: state_of(path) == state)
    except FileNotFoundError:  # another program is just putting a new file there
        raise WorkbookChanged(target.name, "") from None
    if not replaced:
        raise WorkbookChanged(target.name, state_of(target))


def content_hash(path: Path) -> str:
    """A hash of all bytes of a file."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
