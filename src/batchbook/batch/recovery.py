"""What has to be put in order before a run begins: saves of which nobody knows how they ended, damaged workbooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from batchbook.batch.checkpoints import is_run_id
from batchbook.batch.emptied import must_not_be_emptied
from batchbook.batch.interrupt import StopToken
from batchbook.batch.start import WorkbookDifference
from batchbook.batch.waiting import QUIET_SECONDS, REPLACE_QUIET_SECONDS, check_settled
from batchbook.batch.wording import shown_value
from batchbook.config import BaseConfig
from batchbook.errors import CannotResume, LedgerError, WorkbookDamaged, WorkbookError
from batchbook.storage.backups import Backup, BackupStore
from batchbook.storage.copying import digest_or_none, state_of
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.leftovers import sweep
from batchbook.storage.pending import settle_pending
from batchbook.storage.restored import Lost, intend_restore, remember_restore
from batchbook.storage.runlog import RunLog
from batchbook.storage.runrows import RunRows
from batchbook.storage.savelog import saves_of, unsave
from batchbook.storage.settling import settle_intents
from batchbook.tables.codec import decanonical, same
from batchbook.tables.keys import key_of_text
from batchbook.tables.table import Table, TableRow

Warn = Callable[[str], None]
_EXAMPLES = 5


def backup_store(base: BaseConfig, workbook: Path) -> BackupStore:
    """The backups of a workbook, kept as the base configuration says."""
    return BackupStore(base.backups_folder, workbook, keep=base.backups.keep, keep_daily_days=base.backups.daily_days)


def runs_not_known(ledger: Ledger, backups: BackupStore) -> list[str]:
    """Runs that have backups and that the ledger does not know: it is a new one, or one from before."""
    runs = {backup.run for backup in backups.list() if is_run_id(backup.run)}
    return sorted(run for run in runs if ledger.run(run) is None)


def restore_backup(base: BaseConfig, store: BackupStore, backup: Backup, warn: Warn) -> tuple[Lost, ...]:
    """Put a backup in its workbook's place because a person asked for it. The caller holds the workbook's lock.

    A save that waits to be published goes in first, so that its content is among the backups too. What the machine
    had written until then is gone on purpose: it is not listed as vanished later, but given, and `warn` is told. A
    ledger that cannot be opened is named and keeps nothing from being put back.
    """
    try:
        must_not_be_emptied(base)
        ledger = Ledger.open_existing(base.ledger, root=base.folder, allow_network=base.state.allow_network)
    except LedgerError as error:
        warn(f"{error.what} The backup is put back all the same.")
        ledger = None
    if ledger is None:
        sweep(store.workbook, store, warn)
        store.restore(backup)
        return ()
    with ledger:
        settle_intents(ledger, store.workbook, warn)
        settle_pending(ledger, store.workbook, store, warn, keep=[backup])
        sweep(store.workbook, store, warn)
        _, lost = put_back(ledger, store, backup, warn)
        return lost


def put_back(
    ledger: Ledger, store: BackupStore, backup: Backup, warn: Warn, *, but: str | None = None
) -> tuple[Backup | None, tuple[Lost, ...]]:
    """Put a backup in its workbook's place and say which runs' results are no longer in that.

    Gives what was there until then, as a backup, and what was taken back of which run; `but` names a run that needs not
    be told of. Needs the workbook's lock. Raises as `BackupStore.restore` does.
    """
    workbook, name = store.workbook, ledger.name_of(store.workbook)
    before = digest_or_none(workbook)
    intend_restore(ledger, name, backup.digest, before)
    left = store.restore(backup)
    found = remember_restore(ledger, name, backup.digest, before)
    if not found.known:
        warn(
            f"the ledger does not know the state {backup.path.name} of {workbook.name}: values in it that are not what "
            "was written last will be taken for people's, and kept"
        )
    for lost in found.lost:
        if lost.run != but:
            warn(_said(lost, workbook))
    return left, found.lost


def _said(lost: Lost, workbook: Path) -> str:
    if lost.turn is not None:
        turn = lost.turn
        return (
            f"what the {turn.verb} (run {lost.run}) of run {turn.run} did is taken back: {lost.cells} cells of "
            f"{workbook.name}; `batchbook runs {turn.verb} {turn.run}` does it again"
        )
    cells, are = ("1 cell", "is") if lost.cells == 1 else (f"{lost.cells} cells", "are")
    return (
        f"{cells} that run {lost.run} of {lost.job} wrote {are} no longer in {workbook.name}; "
        f"`batchbook runs reapply {lost.run}` puts back what is missing"
    )


def sound_or_backup(
    workbook: Path, backups: BackupStore, base: BaseConfig, warn: Warn, stop: StopToken | None = None
) -> Backup | None:
    """See that the workbook is sound to the last byte; a damaged one is named with its newest valid backup.

    One that somebody may just be writing is waited for (see `check_settled`).

    Gives the backup that is to take its place (by `put_back`), None where the workbook is sound. Raises
    WorkbookDamaged unless `backups: {auto_restore: true}` and there is a valid backup.
    """
    quiet = REPLACE_QUIET_SECONDS if base.backups.auto_restore else QUIET_SECONDS
    while True:
        try:
            check_settled(workbook, stop or StopToken(), warn, quiet=quiet)
            return None
        except WorkbookDamaged as error:
            state = state_of(workbook)
            newest = backups.newest_valid()
            if newest is None or not base.backups.auto_restore:
                raise with_backup(error, workbook, backups) from error
            if state_of(workbook) != state:
                continue  # somebody has begun to write it while the backups were read
            warn(f"{error.what} It is replaced by its newest valid backup, {newest.path.name}.")
            return newest


def with_backup(error: WorkbookError, workbook: Path, backups: BackupStore) -> WorkbookError:
    """The error of a workbook that cannot be used, with its newest sound backup in the advice."""
    advice = " ".join(filter(None, (error.advice, backup_offer(workbook, backups))))
    return type(error)(error.what, advice, findings=error.findings)


def backup_offer(workbook: Path, backups: BackupStore) -> str:
    """What to do about a damaged workbook: its newest sound backup and the command that puts it back."""
    newest = backups.newest_valid()
    if newest is not None:
        return (
            f"The newest valid backup is {newest.path.name}; put it back with "
            f"`batchbook backups restore {workbook} {newest.path.name}`."
        )
    kept = len(backups.list())
    return f"None of its {kept} backups is sound." if kept else "There is no backup of it."


def difference(log: RunLog, table: Table) -> WorkbookDifference:
    """How the workbook differs from what the run knows of it; two passes, one for the keys."""
    index = table.keys()
    with log.ledger.temporary():
        rows = RunRows(log)
        looked = _Look(table, rows)
        for row in table.rows():
            looked.at(row)
    # A row without a key of its own goes by one part more (selection.row_key) and cannot be looked for.
    gone = sum(len(key_of_text(key)) == len(table.spec.key) for key in rows.missing_keys())
    new = 0 if log.run.settings.get("partial") else sum(1 for key in index if key not in rows)
    return WorkbookDifference(gone, new, looked.inputs, looked.results, tuple(looked.examples))


class _Look:
    """What one pass over a changed sheet finds in the rows that have an outcome."""

    def __init__(self, table: Table, rows: RunRows) -> None:
        self._table = table
        self._rows = rows
        self.inputs = 0
        self.results = 0
        self.examples: list[str] = []

    def at(self, row: TableRow) -> None:
        """Compare one row of the sheet."""
        known = self._rows.find(row.key_text)
        if known is None or known.outcome is None:
            return
        shown = "|".join(row.key)
        if row.row.digest() != known.outcome.inputs:
            self.inputs += 1
            self._say(f"row {row.number} ({shown}): an input was changed")
        if known.saved:
            for name, value in decanonical(known.outcome.writes).items():
                if not same(row.taken.get(name), value):
                    self.results += 1
                    self._say(f"{self._table.place(row.number, name)} ({shown}): {shown_value(row.taken.get(name))}")

    def _say(self, example: str) -> None:
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


def restore_checkpoint(ledger: Ledger, run: RunRecord, backups: BackupStore, warn: Warn) -> str:
    """Put the workbook back to a state that the run made; gives its digest.

    What is in the file now is kept as a backup first. The newest backup of a run holds the state before its latest
    save; what that save had brought is unsaved again and follows with the next one. `warn` is told where that takes
    back what other runs wrote since. Raises CannotResume where there is no such backup.
    """
    saves = [save for save in saves_of(ledger, run.id) if save.state == "saved"]
    for save in reversed(saves):
        backup = backups.of(save.old) if save.old else None
        if backup is not None and not backups.verify(backup):
            left, _ = put_back(ledger, backups, backup, warn, but=run.id)
            if left is not None:
                warn(f"{backups.workbook.name} as it was until now is kept as the backup {left.path.name}")
            unsave(ledger, run.id, [later.id for later in saves if later.id >= save.id])
            # Rows may stand elsewhere in that file than where the ledger has them: no digest, so they are found by key.
            with ledger.transaction():
                ledger.update_run(run.id, digest="")
            return save.old
    raise CannotResume(
        f"The workbook's state at a checkpoint of run {run.id} is not kept: no backup of this run is there.",
        "Take what is there with `--on-change merge` (nothing of a person is lost) or `--on-change theirs`.",
    )
