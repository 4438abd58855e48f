"""Pending saves: publishing them when the workbook is closed, or taking them back where somebody changed it meanwhile.

A pending save is a record in the ledger (state "pending") and a complete file beside the workbook. The record comes
first, the file by rename: a crash leaves no file or a whole one. The file is published only where the workbook still
is the one that it was made from; otherwise its results count as not saved, and the next run of the job merges them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from batchbook.storage import files
from batchbook.storage.backups import Backup, BackupStore
from batchbook.storage.copying import digest_or_none, replace_unchanged
from batchbook.storage.ledger import PENDING, Ledger
from batchbook.storage.owners import owner_of
from batchbook.storage.pendingfile import pending_path
from batchbook.storage.runlog import RunLog
from batchbook.storage.savelog import (
    SaveRecord,
    has_put_by,
    pending_saves,
    saves_of,
    settle_abandoned,
    settle_damaged,
    settle_saved,
    settle_unsure,
    was_put_by,
)
from batchbook.storage.seals import faults
from batchbook.storage.temporary import Temporary
from batchbook.storage.trouble import WorkbookChanged, check_writable, confirm, named_trouble
from batchbook.xlsx import inspect

Fate: TypeAlias = Literal["published", "taken back", "waiting"]


@dataclass(frozen=True, slots=True)
class SettledPending:
    """What became of a pending save: published, taken back (its results are unsaved again), or still waiting."""

    run: str
    fate: Fate
    why: str = field(default="", compare=False)
    """Why it was taken back."""


def settle_pending(
    ledger: Ledger,
    workbook: Path,
    backups: BackupStore,
    warn: Callable[[str], None] = lambda _: None,
    *,
    keep: Sequence[Backup] = (),
) -> list[SettledPending]:
    """Publish the pending save of a workbook, or take it back; it waits on while somebody has the workbook open.

    The caller holds the workbook's lock and has settled open intents. Raises SaveFailed where the disk does not take
    it; it then waits on. `warn` is told what was done. The backups in `keep` stay, whatever the retention rule says.
    """
    target = workbook.resolve()
    name = ledger.name_of(target)
    found = []
    for save in pending_saves(ledger, name):
        one = _Pending(ledger, target, backups, save, keep)
        fate = one.settle()
        found.append(SettledPending(save.run, fate, one.why))
        if fate == "published":
            warn(f"the save of run {save.run}, which waited for {target.name} to be closed, is published")
        elif fate == "taken back":
            warn(
                f"the save of run {save.run}, which waited for {target.name} to be closed, is not published: "
                f"{one.why}; its results are kept, and merged when its job runs again with --resume-auto"
            )
    _end_runs(ledger, name)
    _sweep_pending(ledger, target, name, backups, warn)
    return found


class _Pending:
    """One pending save on its way into the workbook."""

    def __init__(
        self, ledger: Ledger, workbook: Path, backups: BackupStore, save: SaveRecord, keep: Sequence[Backup]
    ) -> None:
        self._keep = keep
        self._ledger = ledger
        self._workbook = workbook
        self._backups = backups
        self._save = save
        self._file = pending_path(workbook)
        self.why = ""

    def settle(self) -> Fate:
        """Publish it, take it back, or leave it waiting."""
        save, found = self._save, digest_or_none(self._workbook)
        ours = digest_or_none(self._file) == save.new
        if faults(self._ledger, save.id, None):
            with self._ledger.transaction():
                settle_damaged(self._ledger, save.id, save.run)
            self.why = "its record in the ledger is damaged"
            if ours:
                self._remove()
            return "taken back"
        if found == save.new:
            return self._was_published()
        if found == save.old and ours and owner_of(self._workbook) is not None:
            return "waiting"
        if found == save.old and ours and not inspect(self._file):
            with suppress(WorkbookChanged):
                return self._published(self._publish())
        self.why = self._why_not(ours)
        if ours or found == save.old:
            settle_abandoned(self._ledger, save.id)
        else:
            # The file went somewhere: cells that hold what it was to write were written by the machine.
            settle_unsure(self._ledger, save.id)
        if ours:
            self._remove()
        return "taken back"

    def _why_not(self, ours: bool) -> str:
        if not os.path.lexists(self._file):
            return "the pending file is gone"
        if inspect(self._file):
            return "the pending file is damaged"
        return "the workbook was changed since" if ours else "the pending file is another one"

    def _was_published(self) -> Fate:
        """The process died before it could say so (or somebody moved the file there)."""
        left = digest_or_none(self._file)
        if left == self._save.old:
            self._remove()
        elif left not in ("", self._save.new) and files.exchange(self._file, self._workbook):
            # Somebody saved in the moment of the replace: theirs is given back.
            confirm(self._workbook)
            settle_abandoned(self._ledger, self._save.id)
            self._remove()
            return "taken back"
        confirm(self._workbook)
        return self._published(None)

    def _published(self, backup: Backup | None) -> Fate:
        settle_saved(self._ledger, self._save.id, str(backup.path) if backup else None)
        if backup is not None:
            with suppress(OSError):
                self._backups.prune([backup, *self._keep])
        return "published"

    def _publish(self) -> Backup | None:
        """The replace of a save, from its backup on; the record in the ledger is its intent."""
        self._backups.drop_live_links()
        backup = None
        try:
            with named_trouble(self._workbook):
                check_writable(self._workbook)
                backup = self._backups.take(self._save.old, self._save.run, "checkpoint" if self._later() else "before")
                self._replace()
        except BaseException:
            # Not where it was interrupted right after the replace: the next start finds the new digest.
            if backup is not None and backup.fresh and digest_or_none(self._workbook) != self._save.new:
                self._backups.drop(backup)
            raise
        confirm(self._workbook)
        return backup

    def _later(self) -> bool:
        """Whether the run has saved before: a backup from before it exists then."""
        return any(save.state == "saved" and save.backup for save in saves_of(self._ledger, self._save.run))

    def _replace(self) -> None:
        """As a save does it, so that what somebody saves in the last moment is seen."""
        temporary = Temporary.adopt(self._file, self._workbook)
        try:
            temporary.take_attributes(self._workbook)  # they may have been changed since the file was made
            temporary.sync()
            replace_unchanged(temporary, self._workbook, self._save.old, self._save.new)
        finally:
            temporary.close()

    def _remove(self) -> None:
        with suppress(OSError):  # else the next look at it does
            files.unlink(self._file, missing_ok=True)


def pending_runs(ledger: Ledger, workbook: str) -> list[str]:
    """The runs whose rows are all done and whose results are not in this workbook yet, oldest first."""
    rows = ledger.query("SELECT id FROM runs WHERE workbook = ? AND status = ? ORDER BY started", [workbook, PENDING])
    return [row[0] for row in rows]


def waiting_runs(ledger: Ledger, workbook: str) -> list[str]:
    """The runs whose results wait for this workbook, by their status or by a finished save beside it."""
    return list(
        dict.fromkeys([*pending_runs(ledger, workbook), *(save.run for save in pending_saves(ledger, workbook))])
    )


def _end_runs(ledger: Ledger, workbook: str) -> None:
    """Runs whose results are all in the workbook now have completed."""
    waiting = {save.run for save in pending_saves(ledger, workbook)}
    for name in pending_runs(ledger, workbook):
        run = ledger.run(name)
        assert run is not None
        log = RunLog(ledger, run)
        if name in waiting or log.unsaved():
            continue
        with ledger.transaction():
            ledger.update_run(name, status=(run.summary or {}).get("status", "completed"))
            log.clear_state()


def _sweep_pending(
    ledger: Ledger, workbook: Path, name: str, backups: BackupStore, warn: Callable[[str], None]
) -> None:
    """A pending file that belongs to no record: ours is a remnant and goes, another one is left and named."""
    file = pending_path(workbook)
    if pending_saves(ledger, name) or not os.path.lexists(file):
        return
    digest = digest_or_none(file)
    if digest and was_put_by(ledger, name, digest, file.name):
        with suppress(OSError):
            files.unlink(file, missing_ok=True)
        return
    if has_put_by(ledger, name, file.name, damaged=bool(digest)):
        # Damaged since; or a process died while it put it into the workbook's place, and its record is damaged: then
        # it may be somebody's.
        with suppress(OSError):
            kept = backups.adopt(file)
            files.unlink(file, missing_ok=True)
            warn(f"{file.name} is not the save that was put by; it is kept as the backup {kept.path.name}")
            return
    warn(f"{file.name} is a pending save that is not known here; a run of the folder that made it publishes it")
