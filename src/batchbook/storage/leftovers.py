"""What a process that died left beside a workbook: what it is, and where it goes.

A temporary file is ours to throw away, with one exception. When a finished one has exchanged names with the workbook,
and the process dies there, its name may stand at what another program had saved in the last moment. The name of a
finished temporary file says which state it was to replace and which it holds (`Temporary.mark`): anything else found
at it is somebody's save. It goes back to its place, or where something else has been saved there since, to the backups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from batchbook.errors import SaveFailed, WorkbookError, WorkbookUnreadable
from batchbook.storage import files
from batchbook.storage.backups import BackupStore
from batchbook.storage.copying import digest_or_none, state_of
from batchbook.storage.links import followed
from batchbook.storage.owners import owner_of
from batchbook.storage.temporary import Exchange, exchange_of, is_temporary_of
from batchbook.storage.trouble import confirm, named_trouble
from batchbook.xlsx import digest_of, inspect

Settled = Literal["saved", "not saved", "changed"]
Warn = Callable[[str], None]


def settle(workbook: Path, old: str, new: str, temporary: str, warn: Warn = lambda _: None) -> Settled:
    """Find out how a save ended that nobody recorded, by the workbook's digest; its temporary file goes.

    The caller holds the lock. "changed" also where the workbook is gone or damaged; where the system does not let it
    be read nothing is known and nothing is settled: WorkbookUnreadable.
    """
    target = followed(workbook)
    left = target.with_name(temporary) if is_temporary_of(target, temporary) else None
    # The name itself does not say it where it was too long for that.
    give_back(target, warn, {left: Exchange(old, new)} if left is not None else {})
    try:
        found = digest_of(target)
    except WorkbookUnreadable:
        raise
    except WorkbookError:
        found = ""
    if left is not None and (_is_half(left) or not _is_somebodys(left, Exchange(old, new))):
        with named_trouble(target, SaveFailed):
            files.unlink(left, missing_ok=True)
    if found in (new, ""):
        confirm(target)
    if found == new:
        return "saved"
    return "not saved" if found == old else "changed"


def give_back(
    workbook: Path, warn: Warn = lambda _: None, made_for: Mapping[Path, Exchange] = MappingProxyType({})
) -> list[Path]:
    """Put back what another program had saved, where a save that died at its replace had taken its place.

    Not while somebody has the workbook open, who would save over it: it then waits. `made_for` says of files whose
    name does not what they were made for. The caller holds the workbook's lock. Raises SaveFailed where the disk does
    not take it.
    """
    target = followed(workbook)
    given: list[Path] = []
    for path in _temporaries(target):
        made = exchange_of(path.name) or made_for.get(path)
        if made is None or not _is_somebodys(path, made) or inspect(path) or owner_of(target) is not None:
            continue
        with named_trouble(target, SaveFailed):
            if digest_or_none(target).startswith(made.new):
                files.replace(path, target)
                confirm(target)
                given.append(path)
                warn(
                    f"what somebody saved as {target.name} while a save of it was interrupted is put back in its place"
                )
    return given


def sweep(workbook: Path, backups: BackupStore | None = None, warn: Warn = lambda _: None) -> list[Path]:
    """Remove the temporary files that dead processes left beside a workbook; gives those removed.

    The caller holds its lock. What another program saved goes back to its place, else becomes one of the `backups`;
    where there are none of those, it stays where it is. `warn` is told of either.
    """
    target = followed(workbook)
    swept = give_back(target, warn)
    for path in _temporaries(target):
        somebodys = _is_somebodys(path, exchange_of(path.name))
        if somebodys and (owner_of(target) is not None or not _kept(path, target, backups, warn)):
            continue
        with suppress(OSError):
            files.unlink(path, missing_ok=True)
            swept.append(path)
    return swept


def _kept(path: Path, target: Path, backups: BackupStore | None, warn: Warn) -> bool:
    """Make a backup of what another program saved; gives whether there is one now."""
    backup = None
    with suppress(OSError):
        backup = backups.adopt(path) if backups is not None else None
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


def _is_half(path: Path) -> bool:
    """Whether a temporary file that has no mark is not finished."""
    return exchange_of(path.name) is None and path.exists() and bool(inspect(path))


def _is_somebodys(path: Path, made: Exchange | None) -> bool:
    """Whether a finished temporary file's name stands at neither the file that was replaced nor the new one."""
    return made is not None and path.exists() and not made.tells(state_of(path))
