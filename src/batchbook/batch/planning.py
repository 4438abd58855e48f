"""From outcomes to a save: which cells change, which differ from a person's, which rows are gone.

The plan goes into the ledger's temporary tables, so that a save of a whole big sheet needs no memory for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from batchbook.batch.cellhistory import CellHistories, RowHistory
from batchbook.batch.details import Details
from batchbook.batch.outcomes import Outcome
from batchbook.batch.recorded import RECORDS
from batchbook.batch.selection import row_key
from batchbook.config import JobConfig
from batchbook.storage.ledger import Ledger
from batchbook.storage.runlog import RunLog, Selected, StoredOutcome, dropped
from batchbook.storage.runrows import RunRow, RunRows
from batchbook.storage.savelog import Change, ConflictRecord, SaveLog
from batchbook.tables.codec import canonical, decanonical, dumps, pack
from batchbook.tables.keys import KeyIndex, key_of_text, key_text
from batchbook.tables.merge import merge_cell
from batchbook.tables.table import Table, TableRow
from batchbook.xlsx.values import CellValue

_CHUNK = 500
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Reconciled:
    """How many of the run's rows a look at a changed workbook gave another outcome."""

    gone: int
    """Rows that a person deleted."""
    rejected: int
    """Rows that can no longer be named or written."""
    redo: int
    """Rows whose inputs changed: their results no longer hold."""
    new_rows: int
    """Rows with a key of their own that are not in the selection: in a run over all rows they came after it."""


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
        self._histories = CellHistories(ledger, workbook, log.run.id if log is not None else None)
        self._job = job
        self._ledger = ledger
        self._workbook = workbook
        self._saves = saves
        self._log = log

    # --- the file is the one that the run last saw -----------------------------------------------------------------

    def plan(self, table: Table, details: Details) -> None:
        """Plan all unsaved outcomes: cells where they were when the rows were taken."""
        assert self._log is not None
        pairs = ((o, decanonical(o.taken)) for o in self._log.outcomes(unsaved=True))
        self.plan_pairs(table, pairs, details)

    def plan_pairs(
        self,
        table: Table,
        pairs: Iterable[tuple[StoredOutcome, Mapping[str, CellValue]]],
        details: Details,
    ) -> None:
        """Plan outcomes, each with what its row's cells hold now."""
        for chunk in _chunks(pairs, _CHUNK):
            keys = [outcome.key for outcome, _ in chunk]
            real = [self._real_key(key) for key in keys if _unnamed(key, self._job)]
            history = self._histories.of(table.sheet, [*keys, *real])
            changes: list[Change] = []
            conflicts: list[ConflictRecord] = []
            for outcome, current in chunk:
                known = history.get(outcome.key, RowHistory())
                if _unnamed(outcome.key, self._job):
                    known = known.before(history.get(self._real_key(outcome.key), RowHistory()))
                self._merge_row(table, outcome, current, known, changes, conflicts)
                changes.extend(_detail_changes(outcome, details))
            self._saves.plan(changes)
            self._saves.plan_conflicts(conflicts)

    def _real_key(self, key: str) -> str:
        """The key text that stands in a row which goes by one part more (`selection.row_key`)."""
        return key_text(key_of_text(key)[: len(self._job.key)])

    def _merge_row(
        self,
        table: Table,
        outcome: StoredOutcome,
        current: Mapping[str, CellValue],
        known: RowHistory,
        changes: list[Change],
        conflicts: list[ConflictRecord],
    ) -> None:
        taken = decanonical(outcome.taken)
        confirmed: dict[str, CellValue] = {}
        before: dict[str, CellValue] = {}
        after: dict[str, CellValue] = {}
        for name, value in decanonical(outcome.writes).items():
            if outcome.outcome == Outcome.REJECTED and table.layout.locked(outcome.number, table.column(name)):
                continue  # why the row was rejected; its other cells can still say so
            title, now = table.title(name), current.get(name)
            # A header may have been exchanged for another one that the job allows.
            before_run, written = known.of((title, *self._job.headers(name)), now, taken.get(name))
            overwrite = self._job.on_person_edit(name) == "overwrite"
            merged = merge_cell(taken=before_run, last=written, current=now, ours=value, overwrite=overwrite)
            if merged.write:
                before[title], after[title] = now, value
            elif not merged.conflict and title in known.unsure:
                confirmed[title] = value
            if merged.conflict:
                kept = "ours" if merged.write else "theirs"
                cells = (_packed(merged.base), _packed(now), _packed(value))
                conflicts.append(ConflictRecord(table.sheet, outcome.key, outcome.number, title, *cells, kept))
        if confirmed:
            self._saves.plan_confirmed(table.sheet, outcome.key, canonical(confirmed))
        if after:
            for name, part in table.key_cells(outcome.number, key_of_text(outcome.key)).items():
                before[table.title(name)], after[table.title(name)] = None, part
            changes.append(Change(table.sheet, outcome.key, outcome.number, canonical(before), canonical(after)))

    def _plan_rejection(self, table: Table, row: TableRow, key: str, reason: str) -> None:
        """A row that came to have no key of its own says so, as far as its cells are blank or the machine's."""
        found = self._histories.of(table.sheet, [row.key_text]) if all(row.key) else {}
        history = found.get(row.key_text, RowHistory())
        writes = {
            name: value
            for name, value in self._reject(row, reason).items()
            if row.taken.get(name) is None or history.wrote(table.title(name))
        }
        before = {name: row.taken.get(name) for name in writes}
        outcome = StoredOutcome(
            0, key, row.number, Outcome.REJECTED, reason, "", canonical(before), canonical(writes), "{}"
        )
        changes: list[Change] = []
        conflicts: list[ConflictRecord] = []
        self._merge_row(table, outcome, row.taken, history, changes, conflicts)
        self._saves.plan(changes)
        for change in changes:
            if all(row.key):  # should the key be a sound one again, it was the machine that wrote this
                self._saves.plan_confirmed(table.sheet, row.key_text, change.after)
        self._saves.plan_conflicts(conflicts)

    # --- somebody changed the file ---------------------------------------------------------------------------------

    def reconcile(self, table: Table, details: Details, commit: Callable[[list[StoredOutcome]], None]) -> Reconciled:
        """Find the run's rows again by key, plan what still holds, and commit what does not.

        `commit` makes new outcomes durable: of rows that are gone, or can no longer be named or written. Rows whose
        inputs changed are pending again.
        """
        assert self._log is not None
        index = table.keys()
        with self._ledger.temporary():
            rows = RunRows(self._log)
            matching = _Matching(rows, index.problems(), whole=not self._log.run.settings.get("partial"))
            self.plan_pairs(table, matching.still_good(table, partial(self._plan_rejection, table)), details)
        rejected = self._commit_rejected(rows, commit)
        gone, doubled = self._commit_missing(rows, index, commit)
        redo = rows.count("redo")
        self._commit_redone(rows, commit)
        return Reconciled(gone, rejected + doubled, redo, matching.new_rows)

    def _commit_redone(self, rows: RunRows, commit: Callable[[list[StoredOutcome]], None]) -> None:
        after = 0
        while page := rows.judged("redo", after, _PAGE):
            after = page[-1][0].selected.ordinal
            commit([dropped(row.selected) for row, _ in page])

    def _commit_rejected(self, rows: RunRows, commit: Callable[[list[StoredOutcome]], None]) -> int:
        count = after = 0
        while page := rows.judged("rejected", after, _PAGE):
            after = page[-1][0].selected.ordinal
            new = [_as(row.outcome, Outcome.REJECTED, reason) for row, reason in page if row.outcome is not None]
            count += len(new)
            commit(new)
        return count

    def _commit_missing(
        self, rows: RunRows, index: KeyIndex, commit: Callable[[list[StoredOutcome]], None]
    ) -> tuple[int, int]:
        """Rows of the run that the sheet no longer has under their key: gone, or rejected for a doubled key."""
        counts = {Outcome.GONE: 0, Outcome.REJECTED: 0}
        after = 0
        while page := rows.missing(after, _PAGE):
            after = page[-1].selected.ordinal
            new = [one for row in page if (one := self._lost(row, index)) is not None]
            for one in new:
                counts[Outcome(one.outcome)] += 1
            if new:
                commit(new)
        return counts[Outcome.GONE], counts[Outcome.REJECTED]

    def _lost(self, row: RunRow, index: KeyIndex) -> StoredOutcome | None:
        """The new outcome of a row that was not found, None where it stays as it is."""
        outcome, selected = row.outcome, row.selected
        if _unnamed(selected.key, self._job):
            if outcome is not None:
                return None
            reason = f"the key was empty or doubled when the run began, in row {selected.number}"
            return _as(_without_result(selected), Outcome.REJECTED, reason)
        if outcome is not None and outcome.outcome == Outcome.GONE:
            return None
        doubled = index.doubled(selected.key)
        if doubled:
            if outcome is not None and (outcome.outcome, outcome.reason) == (Outcome.REJECTED, doubled):
                return None
            # Without inputs: should the key be a sound one again, the row is done again.
            return replace(_as(outcome or _without_result(selected), Outcome.REJECTED, doubled), inputs="")
        held = f"; the result was {outcome.writes}" if outcome is not None and outcome.writes != "{}" else ""
        reason = f"the row or its key was deleted during the run{held}"
        return _as(outcome or _without_result(selected), Outcome.GONE, reason)


class _Matching:
    """One pass over a changed sheet: each of its rows is matched with the run's row of the same key."""

    def __init__(self, rows: RunRows, problems: Mapping[int, str], *, whole: bool) -> None:
        """`whole`: the run selected every row, so that a row which it does not have came later."""
        self._rows = rows
        self._problems = problems
        self._whole = whole
        self.new_rows = 0

    def still_good(
        self, table: Table, reject: Callable[[TableRow, str, str], None]
    ) -> Iterator[tuple[StoredOutcome, Mapping[str, CellValue]]]:
        """Outcomes that still hold, each with what its row's cells hold now; the others are judged.

        Saved ones, too: people may have changed the results, or saved an old copy of the workbook over them.

        `reject` is told of rows (with key text and reason) that came to have no key of their own.
        """
        for row in table.rows():
            key = row_key(row, self._problems)
            known = self._rows.find(key)
            if known is None:
                self.new_rows += row.read_at not in self._problems
                if self._whole and row.read_at in self._problems:
                    reject(row, key, self._problems[row.read_at])
            elif known.outcome is not None:
                outcome = known.outcome
                if row.row.digest() != outcome.inputs and outcome.outcome != Outcome.GONE:
                    self._rows.judge(outcome.ordinal, "redo")
                elif known.saved:
                    if row.problem is None:
                        # It left its results there: what stands there instead by now is a person's, and is listed.
                        yield replace(outcome, number=row.number, taken=outcome.writes), row.taken
                elif row.problem is not None and outcome.outcome != Outcome.REJECTED:
                    self._rows.judge(outcome.ordinal, "rejected", row.problem)
                else:
                    yield replace(outcome, number=row.number), row.taken


def _unnamed(key: str, job: JobConfig) -> bool:
    """Whether a key text is that of a row without a key of its own (see `selection.row_key`)."""
    return len(json.loads(key)) > len(job.key)


def _as(outcome: StoredOutcome, kind: Outcome, reason: str) -> StoredOutcome:
    return StoredOutcome(
        outcome.ordinal, outcome.key, outcome.number, kind.value, reason, outcome.inputs, "{}", "{}", "{}"
    )


def _without_result(selected: Selected) -> StoredOutcome:
    return StoredOutcome(selected.ordinal, selected.key, selected.number, "", "", "", "{}", "{}", "{}")


def _detail_changes(outcome: StoredOutcome, details: Details) -> Iterator[Change]:
    for sheet, after in json.loads(outcome.details).items():
        if RECORDS in after:
            continue  # planned by `recordplan`
        before = {"rows": details[sheet].of(outcome.key) if sheet in details else []}
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
