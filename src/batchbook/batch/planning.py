"""From outcomes to a save: which cells change, which differ from a person's, which rows are gone.

The plan goes into the ledger's temporary tables, so that a save of a whole big sheet needs no memory for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from batchbook.batch.checkpoints import dumps
from batchbook.batch.details import PackedRows
from batchbook.batch.outcomes import Outcome
from batchbook.batch.selection import row_key
from batchbook.config import JobConfig
from batchbook.storage.ledger import Ledger, folded
from batchbook.storage.runlog import RunLog, Selected, StoredOutcome
from batchbook.storage.savelog import Change, ConflictRecord, SaveLog, last_written, unsure_cells
from batchbook.tables.codec import canonical, decanonical, pack, same
from batchbook.tables.keys import key_of_text
from batchbook.tables.merge import NEVER, Never, merge_cell
from batchbook.tables.table import Table, TableRow
from batchbook.xlsx.values import CellValue

_CHUNK = 500


@dataclass
class Reconciled:
    """What a look at a changed workbook says of the run's rows."""

    gone: list[StoredOutcome] = field(default_factory=list)
    """New outcomes for rows that a person deleted."""
    rejected: list[StoredOutcome] = field(default_factory=list)
    """New outcomes for rows that can no longer be named or written."""
    redo: list[int] = field(default_factory=list)
    """Places in the selection whose inputs changed: their results no longer hold."""
    new_rows: int = 0


class Planner:
    """Plans the saves of one run, or of a dry run."""

    def __init__(
        self,
        job: JobConfig,
        ledger: Ledger,
        workbook: str,
        saves: SaveLog,
        log: RunLog | None,
        reject: Callable[[TableRow, str], Mapping[str, CellValue]] = lambda _row, _reason: {},
    ) -> None:
        """`reject` gives what is written into a row that is rejected for a reason."""
        self._reject = reject
        self._unsure = unsure_cells(ledger, log.run.id) if log is not None else {}
        self._job = job
        self._ledger = ledger
        self._workbook = workbook
        self._saves = saves
        self._log = log

    # --- the file is the one that the run last saw -----------------------------------------------------------------

    def plan(self, table: Table, details: Mapping[str, dict[str, PackedRows]]) -> None:
        """Plan all unsaved outcomes: cells where they were when the rows were taken."""
        assert self._log is not None
        pairs = ((o, decanonical(o.taken)) for o in self._log.outcomes(unsaved=True))
        self.plan_pairs(table, pairs, details)

    def plan_pairs(
        self,
        table: Table,
        pairs: Iterable[tuple[StoredOutcome, Mapping[str, CellValue]]],
        details: Mapping[str, dict[str, PackedRows]],
    ) -> None:
        """Plan outcomes, each with what its row's cells hold now."""
        for chunk in _chunks(pairs, _CHUNK):
            keys = [outcome.key for outcome, _ in chunk]
            last = last_written(self._ledger, self._workbook, table.sheet, keys)
            changes: list[Change] = []
            conflicts: list[ConflictRecord] = []
            for outcome, current in chunk:
                self._merge_row(table, outcome, current, last.get(outcome.key), changes, conflicts)
                changes.extend(_detail_changes(outcome, details))
            self._saves.plan(changes)
            self._saves.plan_conflicts(conflicts)

    def _merge_row(
        self,
        table: Table,
        outcome: StoredOutcome,
        current: Mapping[str, CellValue],
        last_text: str | None,
        changes: list[Change],
        conflicts: list[ConflictRecord],
    ) -> None:
        taken, ours = decanonical(outcome.taken), decanonical(outcome.writes)
        last = {folded(title): value for title, value in decanonical(last_text).items()} if last_text else {}
        unsure = decanonical(self._unsure.get((table.sheet, outcome.key), "{}"))
        confirmed: dict[str, CellValue] = {}
        before: dict[str, CellValue] = {}
        after: dict[str, CellValue] = {}
        for name, value in ours.items():
            if outcome.outcome == Outcome.REJECTED and table.layout.locked(outcome.number, table.column(name)):
                continue  # why the row was rejected; its other cells can still say so
            title = table.title(name)
            # A header may have been exchanged for another one that the job allows.
            names = (folded(one) for one in (title, *self._job.headers(name)))
            written: CellValue | Never = next((last[one] for one in names if one in last), NEVER)
            overwrite = self._job.on_person_edit(name) == "overwrite"
            now, before_run = current.get(name), taken.get(name)
            if title in unsure and same(now, unsure[title]):
                # What a save was to write of which nobody knew whether it was made: it was, and the machine made it.
                before_run, written = now, now
            merged = merge_cell(taken=before_run, last=written, current=now, ours=value, overwrite=overwrite)
            if merged.write:
                before[title], after[title] = current.get(name), value
            elif not merged.conflict and title in unsure:
                confirmed[name] = value
            if merged.conflict:
                conflicts.append(
                    ConflictRecord(
                        table.sheet, outcome.key, outcome.number, title,
                        _packed(merged.base), _packed(current.get(name)), _packed(value),
                        "ours" if merged.write else "theirs",
                    )
                )  # fmt: skip
        if confirmed:
            cells = {table.title(name): value for name, value in confirmed.items()}
            self._saves.plan_confirmed(table.sheet, outcome.key, canonical(cells))
        if after:
            for name, part in table.key_cells(outcome.number, key_of_text(outcome.key)).items():
                before[table.title(name)], after[table.title(name)] = None, part
            changes.append(Change(table.sheet, outcome.key, outcome.number, canonical(before), canonical(after)))

    def _plan_rejection(self, table: Table, row: TableRow, key: str, reason: str) -> None:
        """A row that came to have no key of its own says so, as far as the machine wrote its cells."""
        writes = self._reject(row, reason)
        before = {name: row.taken.get(name) for name in writes}
        outcome = StoredOutcome(
            0, key, row.number, Outcome.REJECTED, reason, "", canonical(before), canonical(writes), "{}"
        )
        last = last_written(self._ledger, self._workbook, table.sheet, [row.key_text])
        changes: list[Change] = []
        conflicts: list[ConflictRecord] = []
        self._merge_row(table, outcome, row.taken, last.get(row.key_text), changes, conflicts)
        self._saves.plan(changes)
        self._saves.plan_conflicts(conflicts)

    # --- somebody changed the file ---------------------------------------------------------------------------------

    def reconcile(self, table: Table, details: Mapping[str, dict[str, PackedRows]]) -> Reconciled:
        """Find the run's rows again by key, plan what still holds, and say what does not."""
        assert self._log is not None
        known = {outcome.key: outcome for outcome in self._log.outcomes()}
        unsaved = {outcome.key for outcome in self._log.outcomes(unsaved=True)}
        waiting = {selected.key: selected for selected in self._log.selection(pending=True)}
        problems = table.keys().problems()
        found = Reconciled()
        missing = dict(known)
        whole = not self._log.run.settings.get("partial")

        def still_good() -> Iterator[tuple[StoredOutcome, Mapping[str, CellValue]]]:
            for row in table.rows():
                key = row_key(row, problems)
                outcome = missing.pop(key, None)
                if outcome is None:
                    # A row that waits is found; what is in neither list came after the selection.
                    new = waiting.pop(key, None) is None
                    found.new_rows += new
                    if new and whole and row.read_at in problems:
                        self._plan_rejection(table, row, key, problems[row.read_at])
                    continue
                if row.row.digest() != outcome.inputs and outcome.outcome != Outcome.GONE:
                    found.redo.append(outcome.ordinal)
                elif row.problem is not None and key in unsaved and outcome.outcome != Outcome.REJECTED:
                    found.rejected.append(_as(outcome, Outcome.REJECTED, row.problem))
                elif key in unsaved:
                    yield _moved(outcome, row), row.taken

        self.plan_pairs(table, still_good(), details)
        doubled = _doubled(table, problems)
        for key, outcome in missing.items():
            self._lost(found, outcome, doubled.get(key))
        for key, selected in waiting.items():
            if _unnamed(key, self._job):
                reason = f"the key was empty or doubled when the run began, in row {selected.number}"
                found.rejected.append(_as(_pending_as_stored(selected), Outcome.REJECTED, reason))
            else:
                self._lost(found, _pending_as_stored(selected), doubled.get(key))
        return found

    def _lost(self, found: Reconciled, outcome: StoredOutcome, doubled: str | None) -> None:
        if outcome.outcome == Outcome.GONE or _unnamed(outcome.key, self._job):
            return
        if doubled:
            found.rejected.append(_as(outcome, Outcome.REJECTED, doubled))
        else:
            held = f"; the result was {outcome.writes}" if outcome.writes != "{}" else ""
            found.gone.append(_as(outcome, Outcome.GONE, f"the row or its key was deleted during the run{held}"))


def _doubled(table: Table, problems: Mapping[int, str]) -> dict[str, str]:
    if not problems:
        return {}
    return {row.key_text: problems[row.read_at] for row in table.rows() if row.read_at in problems and all(row.key)}


def _unnamed(key: str, job: JobConfig) -> bool:
    """Whether a key text is that of a row without a key of its own (see `selection.row_key`)."""
    return len(json.loads(key)) > len(job.key)


def _as(outcome: StoredOutcome, kind: Outcome, reason: str) -> StoredOutcome:
    return StoredOutcome(
        outcome.ordinal, outcome.key, outcome.number, kind.value, reason, outcome.inputs, "{}", "{}", "{}"
    )


def _pending_as_stored(selected: Selected) -> StoredOutcome:
    return StoredOutcome(selected.ordinal, selected.key, selected.number, "", "", "", "{}", "{}", "{}")


def _moved(outcome: StoredOutcome, row: TableRow) -> StoredOutcome:
    return StoredOutcome(
        outcome.ordinal, outcome.key, row.number, outcome.outcome, outcome.reason, outcome.inputs, outcome.taken,
        outcome.writes, outcome.details,
    )  # fmt: skip


def _detail_changes(outcome: StoredOutcome, details: Mapping[str, dict[str, PackedRows]]) -> Iterator[Change]:
    for sheet, after in json.loads(outcome.details).items():
        before = {"rows": details.get(sheet, {}).get(outcome.key, [])}
        if before != after:
            yield Change(sheet, outcome.key, outcome.ordinal, dumps(before), dumps(after))


def _packed(value: CellValue) -> str:
    return dumps(pack(value))


def _chunks(
    pairs: Iterable[tuple[StoredOutcome, Mapping[str, CellValue]]], size: int
) -> Iterator[list[tuple[StoredOutcome, Mapping[str, CellValue]]]]:
    chunk: list[tuple[StoredOutcome, Mapping[str, CellValue]]] = []
    for pair in pairs:
        chunk.append(pair)
        if len(chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
