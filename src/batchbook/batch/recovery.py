"""What has to be put in order before a run begins: saves of which nobody knows how they ended, damaged workbooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from batchbook.batch.start import WorkbookDifference
from batchbook.config import BaseConfig
from batchbook.errors import CannotResume, WorkbookDamaged
from batchbook.storage.backups import BackupStore
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.runlog import RunLog
from batchbook.storage.savelog import saves_of, unsave
from batchbook.tables.codec import decanonical, same
from batchbook.tables.keys import key_of_text
from batchbook.tables.table import Table
from batchbook.xlsx import Book

Warn = Callable[[str], None]
_EXAMPLES = 5


def backup_store(base: BaseConfig, workbook: Path) -> BackupStore:
    """The backups of a workbook, kept as the base configuration says."""
    return BackupStore(base.backups_folder, workbook, keep=base.backups.keep, keep_daily_days=base.backups.daily_days)


def open_or_restore(workbook: Path, backups: BackupStore, base: BaseConfig, warn: Warn) -> None:
    """See that the workbook can be read; a damaged one is named with its newest valid backup, or replaced by it.

    Raises WorkbookDamaged unless `backups: {auto_restore: true}` and there is a valid backup.
    """
    try:
        with Book.open(workbook):
            return
    except WorkbookDamaged as error:
        newest = backups.newest_valid()
        if newest is None:
            raise
        if not base.backups.auto_restore:
            raise WorkbookDamaged(
                error.what,
                f"The newest valid backup is {newest.path.name}; put it back with "
                f"`batchbook backups restore {workbook} {newest.path.name}`.",
            ) from error
        warn(f"{error.what} It is replaced by its newest valid backup, {newest.path.name}.")
        backups.restore(newest)


def difference(log: RunLog, table: Table) -> WorkbookDifference:
    """How the workbook differs from what the run knows of it; one pass."""
    index = table.keys()
    outcomes = {outcome.key: outcome for outcome in log.outcomes()}
    selected = {selected.key for selected in log.selection()}
    saved = {o.key for o in outcomes.values()} - {o.key for o in log.outcomes(unsaved=True)}
    inputs = results = 0
    examples: list[str] = []
    for row in table.rows():
        outcome = outcomes.get(row.key_text)
        if outcome is None:
            continue
        if row.row.digest() != outcome.inputs:
            inputs += 1
            examples.append(f"row {row.number} ({'|'.join(row.key)}): an input was changed")
        if outcome.key in saved:
            for name, value in decanonical(outcome.writes).items():
                if not same(row.taken.get(name), value):
                    results += 1
                    examples.append(f"{table.place(row.number, name)} ({'|'.join(row.key)}): {row.taken.get(name)!r}")
    known = index.rows.keys() | index.doubled.keys()
    # A row without a key of its own goes by one part more (selection.row_key) and cannot be looked for.
    named = [key for key in selected if len(key_of_text(key)) == len(table.spec.key)]
    gone = sum(key not in known for key in named)
    new = sum(key not in selected for key in index.rows) if not log.run.settings.get("partial") else 0
    return WorkbookDifference(gone, new, inputs, results, tuple(examples[:_EXAMPLES]))


def restore_checkpoint(ledger: Ledger, run: RunRecord, backups: BackupStore) -> str:
    """Put the workbook back to a state that the run made; gives its digest.

    What is in the file now is kept as a backup first. The newest backup of a run holds the state before its latest
    save; what that save had brought is unsaved again and follows with the next one. Raises CannotResume where there
    is no such backup.
    """
    saves = [save for save in saves_of(ledger, run.id) if save.state == "saved"]
    for save in reversed(saves):
        backup = backups.of(save.old) if save.old else None
        if backup is not None and not backups.verify(backup):
            backups.restore(backup)
            unsave(ledger, run.id, [later.id for later in saves if later.id >= save.id])
            # Rows may stand elsewhere in that file than where the ledger has them: no digest, so they are found by key.
            with ledger.transaction():
                ledger.update_run(run.id, digest="")
            return save.old
    raise CannotResume(
        f"The workbook's state at a checkpoint of run {run.id} is not kept: no backup of this run is there.",
        "Take what is there with `--on-change merge` (nothing of a person is lost) or `--on-change theirs`.",
    )
