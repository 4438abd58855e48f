"""Changes of records that an unfinished job has decided and that are not in the workbook yet.

They lie in the ledger until the job is resumed. Whoever reads the records meanwhile has them staged on top: what they
take counts as taken. The records that they change are the job's until then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from batchbook.batch.recorded import changes_in, stage_whole
from batchbook.batch.systems import System
from batchbook.errors import CannotSave
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.runlog import RunLog
from batchbook.storage.scratch import Scratch
from batchbook.tables.codec import dumps
from batchbook.tables.keys import key_shown
from batchbook.tables.records import RecordChange
from batchbook.tables.workspace import Workspace

SYSTEM = "system"
"""In the settings of a run that changes records: the name of its system."""


class WaitingRecords:
    """What unfinished runs over one workbook are still to bring into it."""

    def __init__(self, ledger: Ledger, workbook: str, system: System, *, but: str = "") -> None:
        """`workbook` is its name in the ledger; `but` is a run that brings its own in itself."""
        self._ledger = ledger
        self._runs = [
            run for run in ledger.unfinished(workbook) if run.id != but and run.settings.get(SYSTEM) == system.name
        ]
        self._touched = Scratch("CREATE TABLE touched (record TEXT PRIMARY KEY, run TEXT NOT NULL) WITHOUT ROWID;")
        for run in self._runs:
            self._touched.execute_many(
                "INSERT OR IGNORE INTO touched VALUES (?, ?)",
                ((_name(change), run.id) for changes in self._of(run) for change in changes),
            )

    def _of(self, run: RunRecord) -> Iterator[list[RecordChange]]:
        """What each row of a run's changes."""
        for details in RunLog(self._ledger, run).unsaved_details():
            yield changes_in(details)

    def stage(self, workspace: Workspace) -> None:
        """Stage them, the oldest run's first. Of a row of which one no longer holds none is: its job does it again."""
        for run in reversed(self._runs):
            for changes in self._of(run):
                stage_whole(workspace, changes)
        workspace.take()

    def run_of(self, change: RecordChange) -> str | None:
        """The run that is to change the same record, None where there is none."""
        if not self._runs:
            return None
        row = self._touched.one("SELECT run FROM touched WHERE record = ?", (_name(change),))
        return None if row is None else str(row[0])

    def must_leave(self, changes: Iterable[RecordChange]) -> None:
        """Raise CannotSave where a change is of a record that an unfinished run is to change."""
        for change in changes:
            run = self.run_of(change)
            if run is not None:
                raise CannotSave(
                    f"{key_shown(change.key)} ({change.sheet}) is changed by run {run}, whose results are not in the "
                    "workbook yet; nothing was changed.",
                    "Finish that run: run its job with --resume-auto. Or give it up with "
                    f"`batchbook checkpoints clear {run}`. Then do this again.",
                )


def _name(change: RecordChange) -> str:
    return dumps([change.sheet, *change.key])
