"""Durable copies of whole files."""

from __future__ import annotations

import contextlib
from pathlib import Path

from batchbook.storage import files


def copy_durably(source: Path, target: Path, *, mode: int | None = None) -> None:
    """Make `target` a copy of `source`, as a whole: through a temporary file, synced, in the target's folder.

    mode: permission bits of the copy; the source's where none are given. Raises OSError, leaving nothing behind.
    """
    temporary = target.with_name(f".{target.name}.copy.batchbook-tmp")
    files.unlink(temporary, missing_ok=True)
    file = files.create_exclusive(temporary, files.mode_of(source) if mode is None else mode)
    try:
        with file, source.open("rb") as original:
            files.copy_into(original, file)
            files.fsync(file)
        files.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            files.unlink(temporary, missing_ok=True)
        raise
    files.fsync_folder(target.parent)
