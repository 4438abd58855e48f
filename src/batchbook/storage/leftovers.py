"""What a process that died left beside a workbook: what it is, and where it goes.

A temporary file is ours to throw away, with one exception. When a finished one has exchanged names with the workbook,
and the process dies there, its name may stand at what another program had saved in the last moment. The name of a
finished temporary file says which state it was to replace and which it holds (`Temporary.mark`): anything else found
at it is somebody's save. It goes back to its place, or where something else has been saved there since, to the backups.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from batchbook.errors import SaveFailed, WorkbookError, WorkbookUnreadable
from batchbook.storage import files
from batchbook.storage.backups import BackupStore
from batchbook.storage.copying import digest_or_none, state_of
from batchbook.storage.links import followed
from batchbook.storage.temporary import exchange_of, is_temporary_of
from batchbook.storage.trouble import confirm, named_trouble
from batchbook.xlsx import digest_of, inspect

Settled = Literal["saved", "not saved", "changed"]
_RUN = "displaced"
"""What backups of other programs' saves are named with, in the place of a run."""


def settle(workbook: Path, old: str, new: str, temporary: str) -> Settled:
    """Find out how a save ended that nobody recorded, by the workbook's digest; its temporary file goes.

    The caller holds the lock. "changed" also where the workbook is gone or damaged; where the system does not let it
    be read nothing is known and nothing is settled: WorkbookUnreadable.
    """
    target = followed(workbook)
    give_back(target)
    try:
        found = digest_of(target)
    except WorkbookUnreadable:
        raise
    except WorkbookError:
        found = ""
    if is_temporary_of(target, temporary) and not _is_somebodys(target.with_name(temporary)):
        with named_trouble(target, SaveFailed):
            files.unlink(target.with_name(temporary), missing_ok=True)
    if found in (new, ""):
        confirm(target)
    if found == new:
        return "saved"
    return "not saved" if found == old else "changed"


def give_back(workbook: Path) -> list[Path]:
    """Put back what another program had saved, where a save that died at its replace had taken its place.

    The caller holds the workbook's lock. Raises SaveFailed where the disk does not take it.
    """
    target = followed(workbook)
    given = []
    for path in _temporaries(target):
        made = exchange_of(path.name)
        if made is None or not _is_somebodys(path) or inspect(path):
            continue
        with named_trouble(target, SaveFailed):
            if digest_or_none(target).startswith(made.new):
                files.replace(path, target)
                confirm(target)
                given.append(path)
    return given


def sweep(
    workbook: Path, backups: BackupStore | None = None, warn: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Remove the temporary files that dead processes left beside a workbook; gives those removed.

    The caller holds its lock. What another program saved goes back to its place, else becomes one of the `backups`;
    where there are none of those, it stays where it is. `warn` is told of either.
    """
    target = followed(workbook)
    swept = give_back(target)
    for _ in swept:
        warn(f"what somebody saved as {target.name} while a save of it was interrupted is put back in its place")
    for path in _temporaries(target):
        if _is_somebodys(path) and not _kept(path, target, backups, warn):
            continue
        with suppress(OSError):
            files.unlink(path, missing_ok=True)
            swept.append(path)
    return swept


def _kept(path: Path, target: Path, backups: BackupStore | None, warn: Callable[[str], None]) -> bool:
    """Make a backup of what another program saved; gives whether there is one now."""
    backup = None
    with suppress(OSError):
        backup = backups.adopt(path, _RUN) if backups is not None else None
    where = path.name if backup is None else f"the backup {backup.path.name}"
    warn(
        f"somebody saved {target.name} while a save of it was interrupted, and it was changed again since; what they "
        f"saved is {where}"
    )
    return backup is not None


def _temporaries(target: Path) -> list[Path]:
    try:
        return [path for path in target.parent.iterdir() if is_temporary_of(target, path.name)]
    except OSError:
        return []


def _is_somebodys(path: Path) -> bool:
    """Whether a finished temporary file's name stands at neither the file that was replaced nor the new one."""
    made = exchange_of(path.name)
    return made is not None and path.exists() and not made.tells(state_of(path))
