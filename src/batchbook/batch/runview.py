"""A run as a report sees it: what it found and changed, row by row, beside what the workbook holds now.

The ledger says what the run did, whatever happened to the workbook since; people's columns are read from the workbook
as it is. Rows stream, and what is looked up for each of them lies in temporary tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchbook.batch.checkpoints import shown_key
from batchbook.batch.details import DetailRows, has_sheet, must_be_ours, read_details
from batchbook.batch.history import CellDifference, counts_of, diff_run, must_have_details, what_waits
from batchbook.batch.processors import DetailSheet
from batchbook.batch.readagain import READ, spec_read
from batchbook.batch.recorded import changes_in
from batchbook.batch.report import conflicts_in, problems_of, warnings_of
from batchbook.batch.selection import row_key
from batchbook.batch.standing import standing_of
from batchbook.config import Marks
from batchbook.errors import BatchbookError, ConfigurationError
from batchbook.storage.celltexts import folded
from batchbook.storage.ledger import PENDING, Ledger, RunRecord
from batchbook.storage.mending import must_know_changes
from batchbook.storage.pruning import pruned_run
from batchbook.storage.runchanges import RunChanges
from batchbook.storage.runlog import RunLog
from batchbook.storage.runrows import RunRows
from batchbook.storage.savelog import count_conflicts
from batchbook.storage.scratch import Scratch
from batchbook.storage.turns import turn_of
from batchbook.tables.codec import decanonical, unpack_rows
from batchbook.tables.header import HeaderError
from batchbook.tables.keys import key_text
from batchbook.tables.records import RecordChange
from batchbook.tables.table import Table, TableRow, TableSpec
from batchbook.xlsx import Book
from batchbook.xlsx.values import CellValue

Rows = list[list[CellValue]]
_LOOK_EVERY = 500
"""Rows between two looks at whether the report is to be given up."""
_MOST_EARLIER = 30
"""How many earlier runs are asked which rows they had."""


class ReportStopped(Exception):
    """The run was asked to stop while its report was being made."""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The run of the same job over the same workbook that came before."""

    run_id: str
    started: str
    status: str
    pruned: bool


@dataclass(frozen=True, slots=True)
class RowView:
    """One row: what it holds now, and what the run did to it. Columns go by their own names."""

    id: str
    """Its key as the ledger has it."""
    key: str
    """The same as it is shown to people."""
    number: int | None
    """Where it stands in the sheet now; None where it no longer does, or the workbook cannot be read."""
    now: Mapping[str, CellValue] = field(default_factory=dict)
    """What its cells hold, results that wait for a closed workbook too; empty where it is not in the sheet."""
    before: Mapping[str, CellValue] = field(default_factory=dict)
    """What the columns that the run changed held before it."""
    after: Mapping[str, CellValue] = field(default_factory=dict)
    """What the run wrote there."""
    details: Mapping[str, tuple[Rows, Rows]] = field(default_factory=dict)
    """By detail sheet that the run changed: this row's rows before and after it."""
    outcome: str | None = None
    """How the row ended in the run; None where the run did not take it, or has not done it yet."""
    reason: str = ""
    edited_since: bool = False
    """Whether what the run read in this row is not what stands there now."""
    new_input: bool = False
    """Whether the run read something else in this row than the run before it."""
    new: bool = False
    """Whether no earlier run that the ledger has in full took this row."""


class RunView:
    """What a report can ask of one run. Close it after use; the ledger stays open.

    Raises UsageError where the run's details were pruned, LedgerDamaged where its record of changes is damaged.
    """

    def __init__(
        self,
        ledger: Ledger,
        run: RunRecord,
        headers: Mapping[str, Sequence[str]] | None = None,
        marks: Marks | None = None,
    ) -> None:
        """`headers` are the job's, by own name: what is looked for in the sheet, as far as it is there."""
        self._ledger = ledger
        self.run = run
        self.marks = marks or Marks()
        """The job's own names of the columns that say how a row ended, why, and when it was checked."""
        self._log = RunLog(ledger, run)
        waits = run.status == PENDING
        self._changes = RunChanges(ledger, run.id, states=("saved", "pending") if waits else ("saved",))
        # Asked when all was read: what is pruned meanwhile says so before the first of it goes.
        must_have_details(ledger, run, "what it changed is no longer known")
        must_know_changes(ledger, run.id)
        with ledger.temporary():
            self._rows = RunRows(self._log)
        self._headers = dict(headers or {})
        self.stopping: Callable[[], bool] = lambda: False
        """Whether the report is to be given up; asked now and then."""
        self._earlier: Scratch | None = None
        self._held: dict[str, DetailRows] = {}
        self._strange: dict[str, str] = {}
        self._sheets = [sheet for sheet in self._changes.sheets() if sheet != run.sheet]
        self._book: Book | None = None
        self._table: Table | None = None
        self._as_read: Table | None = None
        self.trouble: str | None = None
        """Why the workbook cannot be read, where that is so; its columns are missing then."""
        self.before = self._run_before()
        self._names = {folded(title): name for name, titles in self._known_headers().items() for title in titles}
        try:
            self._open()
        except BatchbookError as error:
            self.trouble = error.what

    def close(self) -> None:
        """Let go of the workbook."""
        if self._book is not None:
            self._book.close()

    # --- the run as a whole ----------------------------------------------------------------------------------------

    @property
    def workbook(self) -> Path:
        """The workbook that the run wrote."""
        return self._ledger.path_of(self.run.workbook)

    @property
    def status(self) -> str:
        """How the run stands."""
        return standing_of(self._ledger, self.run).status

    @property
    def counts(self) -> Mapping[str, int]:
        """How many rows ended in each outcome."""
        return counts_of(self._ledger, self.run)

    def _run_before(self) -> EarlierRun | None:
        for one in self._runs_before():
            pruned = pruned_run(self._ledger, one.id) is not None
            return EarlierRun(one.id, one.started, standing_of(self._ledger, one).status, pruned)
        return None

    def _runs_before(self) -> Iterator[RunRecord]:
        """Earlier runs of the job over the workbook that did some row, newest first."""
        for one in self._ledger.runs(workbook=self.run.workbook, job=self.run.job):
            earlier = (one.started, one.id) < (self.run.started, self.run.id)
            if earlier and any(counts_of(self._ledger, one).values()):
                yield one

    def remarks(self) -> list[str]:
        """What a reader has to know before believing the report, in sentences."""
        said = [
            *self._unfinished(),
            *filter(None, [what_waits(self._ledger, self.run.id)]),
            *(f"this run was {one}" for one in self._turned()),
        ]
        if self.trouble is not None:
            said.append(f"the workbook could not be read, so that its own columns are missing here: {self.trouble}")
        said += [
            f"what a sheet holds is missing here, but for what the run changed: {s}" for s in self._strange.values()
        ]
        said += (self.run.summary or {}).get("remarks", ())
        if self.run.settings.get("partial") and not self.of_records:
            said.append("the run took some rows only; of the others it says nothing")
        return [f"{text[:1].upper()}{text[1:]}" for text in said]

    def _unfinished(self) -> Iterator[str]:
        left = self.run.selected - sum(self.counts.values())
        if left > 0:
            yield f"the run is {self.status} and {left:,} of its {self.run.selected:,} rows have no result yet"
        if (unsaved := self._log.unsaved()) and self.run.status != PENDING:
            yield f"{unsaved:,} results of the run are not in the workbook yet and are not in this report"

    def _turned(self) -> Iterator[str]:
        """Undone and reapplied, oldest first."""
        for one in reversed(self._ledger.runs(workbook=self.run.workbook)):
            turn = turn_of(one.job, one.settings)
            if turn is not None and turn.run == self.run.id and one.status == "completed":
                word = "undone" if turn.verb == "undo" else "reapplied"
                yield f"{word} by run {one.id}: what it changed is told here as it did it"

    def problems(self) -> Iterator[dict[str, Any]]:
        """Every row that did not end well: row, key, outcome, reason."""
        return problems_of(self._log)

    @property
    def warning_count(self) -> int:
        """How many rows ended well with a remark."""
        return self._log.remarked_count()

    def warnings(self) -> Iterator[dict[str, Any]]:
        """Every row that ended well with a remark: row, key, warning."""
        return warnings_of(self._log)

    @property
    def conflict_count(self) -> int:
        """In how many cells a person's value and the run's differ."""
        return count_conflicts(self._ledger, self.run.id)

    def conflicts(self) -> Iterator[dict[str, Any]]:
        """Every cell in which a person's value and the run's differ (see `report.conflicts_in`)."""
        return conflicts_in(self._log)

    @property
    def of_records(self) -> bool:
        """Whether the run changed records of a system, whole rows of several sheets."""
        return "tables" in self.run.settings

    def cell_changes(self) -> Iterator[CellDifference]:
        """Every cell that the run changed, of whatever sheet."""
        for count, change in enumerate(diff_run(self._ledger, self.run.id)):
            if count % _LOOK_EVERY == 0 and self.stopping():
                raise ReportStopped
            yield change

    def record_changes(self) -> Iterator[tuple[int, list[RecordChange]]]:
        """What rows changed in the records of a system, in the order in which they were done: row number, changes."""
        for count, outcome in enumerate(self._log.outcomes(by_ordinal=True)):
            if count % _LOOK_EVERY == 0 and self.stopping():
                raise ReportStopped
            if changes := changes_in(outcome.details):
                yield outcome.number, changes

    # --- the workbook ----------------------------------------------------------------------------------------------

    def _read(self) -> Mapping[str, Any] | None:
        plan: Mapping[str, Any] = self.run.settings.get("table") or {}
        return plan.get(READ)

    def _known_headers(self) -> dict[str, tuple[str, ...]]:
        """By own name: the headers of the job now, and those that the run knew."""
        found = {name: tuple(titles) for name, titles in self._headers.items()}
        read = self._read() or {}
        for name, titles in (read.get("headers") or {}).items():
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *titles)))
        for title in (self.run.settings.get("table") or {}).get("key", ()):
            if not any(title in titles for titles in found.values()):
                found[title] = (title,)
        return found

    def _open(self) -> None:
        read = self._read()
        if self.of_records and read is None:
            return  # its rows were those of an input, or it was a command: no sheet has them
        self._book = Book.open(self.workbook)
        key = tuple(read["key"]) if read else tuple((self.run.settings.get("table") or {}).get("key", ()))
        row = read["header_row"] if read else None
        self._table = _with_what_is_there(self._book, self.run.sheet, row, key, self._known_headers())
        if read:
            try:
                self._as_read = Table(self._book, spec_read(self.run.sheet, read))
            except HeaderError:
                self._as_read = None  # then nobody can tell whether inputs were changed

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of the job that the sheet has, in its order: own name to header."""
        if self._table is None:
            return {}
        places = self._table.header.columns
        return {name: self._table.title(name) for name in sorted(self._table.reads, key=places.__getitem__)}

    def rows(self) -> Iterator[RowView]:
        """All rows of the sheet in its order, then those of the run that are not there any more."""
        self._changes.begin()
        self._ledger.execute("UPDATE temp.run_rows SET found = 0 WHERE found")
        if self._table is not None:
            problems = self._table.keys().problems()
            for count, (row, as_read) in enumerate(self._table.rows_beside(self._as_read or self._table)):
                if count % _LOOK_EVERY == 0 and self.stopping():
                    raise ReportStopped
                yield self._row(row_key(row, problems), row, as_read if self._as_read is not None else None)
        yield from self._left()

    def _row(self, key: str, row: TableRow, as_read: TableRow | None) -> RowView:
        now = dict(row.row)
        known = self._rows.find(key)
        before, after = self._cells(key)
        if self.run.status == PENDING:
            now |= after
        outcome = known.outcome if known is not None else None
        inputs = outcome.inputs if outcome is not None else ""
        earlier = self._earlier_inputs(key) if outcome is not None else None
        return RowView(
            id=key, key=shown_key(key), number=row.number, now=now, before=before, after=after,
            details=self._details(key),
            outcome=outcome.outcome if outcome else None, reason=outcome.reason if outcome else "",
            edited_since=bool(inputs and as_read is not None and as_read.row.digest() != inputs),
            new_input=bool(inputs and earlier and earlier != inputs),
            new=outcome is not None and earlier is None,
        )  # fmt: skip

    def _left(self) -> Iterator[RowView]:
        """Rows of the run, and changes, that were not found in the sheet."""
        missing = Scratch("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID;")
        missing.execute_many("INSERT OR IGNORE INTO keys VALUES (?)", ((key,) for key in self._rows.missing_keys()))
        for sheet in self._changes.sheets():
            keys = ((key,) for key in self._changes.missing(sheet))
            missing.execute_many("INSERT OR IGNORE INTO keys VALUES (?)", keys)
        for (key,) in missing.query("SELECT key FROM keys ORDER BY key"):
            known = self._rows.find(key)
            before, after = self._cells(key)
            outcome = known.outcome if known is not None else None
            earlier = self._earlier_inputs(key) if outcome is not None else None
            yield RowView(
                id=key, key=shown_key(key), number=None, before=before, after=after, details=self._details(key),
                outcome=outcome.outcome if outcome else None, reason=outcome.reason if outcome else "",
                new_input=bool(outcome and outcome.inputs and earlier and earlier != outcome.inputs),
                new=outcome is not None and earlier is None,
            )  # fmt: skip

    def _cells(self, key: str) -> tuple[dict[str, CellValue], dict[str, CellValue]]:
        change = self._changes.find(self.run.sheet, key)
        if change is None:
            return {}, {}
        before, after = decanonical(change.before), decanonical(change.after)
        return self._own(before), self._own(after)

    def _own(self, cells: Mapping[str, CellValue]) -> dict[str, CellValue]:
        return {self._names.get(folded(title), title): value for title, value in cells.items()}

    def _details(self, key: str) -> dict[str, tuple[Rows, Rows]]:
        found: dict[str, tuple[Rows, Rows]] = {}
        for sheet in self._sheets:
            change = self._changes.find(sheet, key)
            if change is not None:
                texts = (change.before, change.after)
                before, after = (unpack_rows(json.loads(text).get("rows", [])) for text in texts)
                found[sheet] = before, after
        return found

    def _is_ours(self, sheet: str, spec: DetailSheet) -> bool:
        """Whether a detail sheet, if it is there, has the columns that the job writes."""
        if self._book is None or sheet in self._strange:
            return False
        try:
            must_be_ours(self._book, sheet, spec)
        except ConfigurationError as error:
            self._strange[sheet] = error.what
            return False
        return True

    def detail_rows(self, sheet: str, spec: DetailSheet) -> Iterator[list[CellValue]]:
        """All rows of a detail sheet as it is now; results that wait for a closed workbook count as there."""
        waits = self.run.status == PENDING
        if self._book is not None and has_sheet(self._book, sheet) and self._is_ours(sheet, spec):
            width = len(spec.columns)
            for number, cells in self._book.rows(sheet):
                values = [cells[c].value if c in cells else None for c in range(1, width + 1)]
                if number == 1 or all(value is None for value in values):
                    continue
                parts = tuple("" if value is None else str(value) for value in values[: spec.key])
                if not waits or self._changes.find(sheet, key_text(parts)) is None:
                    yield values
        if waits:
            for change in self._changes.of(sheet):
                yield from unpack_rows(json.loads(change.after).get("rows", []))

    def details_of(self, row: RowView, sheet: str, spec: DetailSheet) -> Rows:
        """The rows of one row in a detail sheet: those that the run left there, else those that are there now."""
        if sheet in row.details:
            return row.details[sheet][1]
        if sheet not in self._held:
            book = self._book if self._table is not None else None
            ours = book is not None and self._is_ours(sheet, spec)
            self._held[sheet] = read_details(book, sheet, spec) if book is not None and ours else DetailRows()
        return unpack_rows(self._held[sheet].of(row.id))

    # --- the runs before -------------------------------------------------------------------------------------------

    def _earlier_inputs(self, key: str) -> str | None:
        """What the last run before this one that took the row had read there (its hash); None where none is known.

        Blank where an input cannot be compared: another definition or processor may read other columns.
        """
        if self._earlier is None:
            self._earlier = Scratch("CREATE TABLE earlier (key TEXT PRIMARY KEY, inputs TEXT NOT NULL) WITHOUT ROWID;")
            for place, one in enumerate(self._runs_before()):
                same = (one.definition, one.processor) == (self.run.definition, self.run.processor)
                sql = "SELECT key, CASE ? WHEN 1 THEN inputs ELSE '' END FROM outcomes WHERE run = ? AND superseded = 0"
                rows = (tuple(row) for row in self._ledger.query(sql, [int(same), one.id]))
                self._earlier.execute_many("INSERT OR IGNORE INTO earlier VALUES (?, ?)", rows)
                if not one.settings.get("partial") or place >= _MOST_EARLIER:
                    break
        row = self._earlier.one("SELECT inputs FROM earlier WHERE key = ?", (key,))
        if row is not None:
            return str(row[0])
        return "" if self.before is not None and self.before.pruned else None


def _with_what_is_there(
    book: Book, sheet: str, row: int | None, key: tuple[str, ...], headers: dict[str, tuple[str, ...]]
) -> Table:
    """The table with those columns of the job that the sheet has; HeaderError where its key is not there."""
    wanted = dict(headers)
    while True:
        try:
            return Table(book, TableSpec(sheet, row, key, wanted, tuple(wanted), ()))
        except HeaderError as error:
            missing = {one.column for one in error.findings}
            if not missing or missing & {None, *key}:
                raise
            wanted = {name: titles for name, titles in wanted.items() if name not in missing}
