"""Files that are made for people, beside the workbooks: written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from batchbook.errors import SaveFailed, UsageError
from batchbook.storage import files
from batchbook.storage.private import share_new_file
from batchbook.storage.temporary import temporary_for
from batchbook.storage.trouble import advice_for, check_writable

Made = TypeVar("Made")

_NEW_FILE = 0o666  # less what the umask takes, as for any file that a person has made


def export_file(target: Path, build: Callable[[BinaryIO], Made], *, label: str = "export", state: bool = False) -> Made:
    """Let a function write a file's content, which then takes the place of what is there; gives what it gave.

    A file that is replaced hands on its owner, group and permissions. state: a new one can be read by those alone who
    share the state (see `private`). Raises SaveFailed where the disk does not take it; what was there is then as it
    was. The temporary file beside it has the label in its name.
    """
    try:
        # A name of its own: two exports to one file must not write into each other's.
        mode = 0o600 if state or target.exists() else _NEW_FILE
        with temporary_for(target, f"{label}-{secrets.token_hex(4)}", mode) as temporary:
            check_writable(target)
            made = temporary.fill(build)
            if target.exists():
                temporary.take_attributes(target)
            elif state:
                share_new_file(temporary.path)
            temporary.sync()
            temporary.publish()
    except OSError as error:
        raise _failed(f"{target} could not be written and is as it was before", error) from error
    try:
        files.fsync_folder(target.parent)
    except OSError as error:
        raise _failed(f"{target} was written, but the disk did not confirm it", error) from error
    return made


def export_new(target: Path, build: Callable[[BinaryIO], Made]) -> Made:
    """As `export_file` where nothing is there yet. Raises UsageError, and leaves it alone, where something is."""
    taken = UsageError(f"{target} is there already; nothing was written.", "Give another name, or move it away.")
    if os.path.lexists(target):
        raise taken
    try:
        with temporary_for(target, f"new-{secrets.token_hex(4)}", _NEW_FILE) as temporary:
            made = temporary.fill(build)
            temporary.sync()
            try:
                files.link(temporary.path, target)
            except FileExistsError:
                raise taken from None
            except OSError:  # a file system without second names
                if os.path.lexists(target):
                    raise taken from None
                temporary.publish()
        files.fsync_folder(target.parent)
    except OSError as error:
        raise _failed(f"{target} could not be written", error) from error
    return made


def _failed(what: str, error: OSError) -> SaveFailed:
    advice = advice_for(error)
    if isinstance(error, PermissionError):
        advice = "Close it where it is open, or give a file in a folder that you may write to."
    return SaveFailed(f"{what}: {error.strerror or error}.", advice)
