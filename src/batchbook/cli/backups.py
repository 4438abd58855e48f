"""`batchbook backups`: earlier states of a workbook."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from batchbook.cli.options import Json, Wait
from batchbook.cli.output import manner, note, say, show_json, show_table
from batchbook.cli.places import WAIT_SECONDS, base_for
from batchbook.errors import EXIT_OK, EXIT_WORKBOOK, UsageError, WorkbookDamaged

if TYPE_CHECKING:
    from batchbook.storage import Backup, BackupStore

app = typer.Typer(help="List, verify and put back earlier states of a workbook.", no_args_is_help=True)

Workbook: TypeAlias = Annotated[Path, typer.Argument(help="The workbook.", show_default=False)]


@app.command("list")
def list_backups(workbook: Workbook, json: Json = False) -> None:
    """List the backups of a workbook, newest first."""
    kept = _store(workbook).list()
    if manner.json:
        show_json({"workbook": str(workbook), "backups": [_plain(backup) for backup in kept], "error": None})
        return
    if not kept:
        say(f"There is no backup of {workbook}.")
        return
    rows = [list(_plain(backup).values()) for backup in kept]
    show_table([name.replace("_", " ") for name in _plain(kept[0])], rows)


@app.command("verify")
def verify(workbook: Workbook, json: Json = False) -> int:
    """Open every backup of a workbook and check it to the last byte."""
    store = _store(workbook)
    checked = {backup.path.name: [str(finding) for finding in store.verify(backup)] for backup in store.list()}
    if manner.json:
        show_json({"workbook": str(workbook), "backups": checked, "error": None})
    for name, findings in checked.items():
        say(f"{name}: {'sound' if not findings else 'damaged'}")
        for finding in findings if not manner.json else ():
            note(f"  {finding}")
    if not checked:
        say(f"There is no backup of {workbook}.")
    sound = next((name for name, findings in checked.items() if not findings), None)
    if any(checked.values()) and not manner.json:
        note(
            "A damaged backup is never put back, and can be deleted. "
            + (f"The newest sound one is {sound}." if sound else "No backup is sound: the next run takes a new one.")
        )
    return EXIT_WORKBOOK if any(checked.values()) else EXIT_OK


@app.command("restore")
def restore(
    workbook: Workbook,
    backup: Annotated[
        str | None, typer.Argument(help="The backup's name; without one, the newest that is sound.", show_default=False)
    ] = None,
    wait: Wait = WAIT_SECONDS,
    json: Json = False,
) -> None:
    """Put a backup in the workbook's place; what is there now becomes a backup first."""
    from functools import partial

    from batchbook.batch.recovery import restore_backup
    from batchbook.storage import WorkbookLock, check_not_open
    from batchbook.storage.links import followed
    from batchbook.storage.settling import settle_dead_holder

    store = _store(workbook)
    target = followed(workbook)
    base = base_for(workbook)
    with WorkbookLock(
        target, run=None, ledger=base.ledger, wait=wait, on_dead=partial(settle_dead_holder, target, warn=note)
    ):
        check_not_open(target)
        store.drop_live_links()  # what a save that died left is no earlier state
        chosen = _chosen(store, workbook, backup)
        lost = restore_backup(base, store, chosen, warn=note)
    if manner.json:
        taken = [one.as_dict() for one in lost]
        show_json({"workbook": str(workbook), "restored": _plain(chosen), "lost": taken, "error": None})
    say(f"{workbook} is again what it was: {chosen.path.name}")


def _store(workbook: Path) -> BackupStore:
    from batchbook.batch.recovery import backup_store
    from batchbook.storage.links import followed

    # The workbook itself may be damaged or gone: that is when its backups are wanted.
    return backup_store(base_for(workbook), followed(workbook))


def _chosen(store: BackupStore, workbook: Path, name: str | None) -> Backup:
    kept = store.list()
    if name is None:
        newest = store.newest_valid()
        if newest is None and kept:
            raise WorkbookDamaged(
                f"None of the {len(kept)} backups of {workbook} is sound.",
                f"`batchbook backups verify {workbook}` says what is wrong with each; look for a copy elsewhere.",
            )
        if newest is None:
            raise UsageError(
                f"There is no backup of {workbook}.", f"`batchbook backups list {workbook}` shows what there is."
            )
        return newest
    found = [backup for backup in kept if backup.path.name == name or backup.path == Path(name).absolute()]
    if not found:
        known = ", ".join(backup.path.name for backup in kept) or "none"
        raise UsageError(f"There is no backup {name} of {workbook}.", f"There are: {known}.")
    return found[0]


def _plain(backup: Backup) -> dict[str, object]:
    """A backup as one line."""
    size = backup.path.stat().st_size if backup.path.exists() else None
    at = backup.time.isoformat(timespec="seconds")
    return {"name": backup.path.name, "at": at, "kind": backup.kind, "run": backup.run, "bytes": size}
