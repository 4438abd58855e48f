"""Giving cells that hold one state of a run its other state: the one before it (undo), or the one after it (reapply).

Cells that hold neither were changed by somebody since; they are left alone and listed. What is done is a run in the
ledger itself, so that it can be undone.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from batchbook.batch.checkpoints import new_run_id, shown_key
from batchbook.batch.details import PackedRows, content, has_sheet, planned_rows, read_details
from batchbook.batch.processors import DetailSheet
from batchbook.batch.readagain import InputsOf
from batchbook.batch.recordlook import Step
from batchbook.batch.recordturn import RecordTurn
from batchbook.batch.recovery import backup_store
from batchbook.batch.systems import Actor, System
from batchbook.batch.wording import shown_value
from batchbook.config import BaseConfig
from batchbook.errors import BatchbookError, CannotSave, ConfigurationError
from batchbook.storage.celltexts import folded
from batchbook.storage.hosts import this_process
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.runchanges import RunChange, RunChanges
from batchbook.storage.savelog import Change, ConflictRecord, SaveLog, saves_of
from batchbook.storage.saver import AtomicSaver, WorkbookChanged
from batchbook.storage.scratch import Spool
from batchbook.storage.turns import LEFT_ALONE, TURN, drop_turn
from batchbook.tables.codec import canonical, decanonical, dumps, pack, same
from batchbook.tables.merge import NEVER, merge_cell
from batchbook.tables.table import Table, TableRow, TableSpec
from batchbook.xlsx import BlocksUnusable, Book, BookEdits, SheetColumn, SheetContent, SpliceReceipt, splice
from batchbook.xlsx.values import CellValue, Formula


@dataclass(frozen=True, slots=True)
class Direction:
    """Which of a run's two states cells must hold, and which one they get."""

    verb: str
    back: bool
    """From what the run left to what was there before it; else the other way."""

    def pair(self, before: str, after: str) -> tuple[str, str]:
        """The state expected and the state wanted."""
        return (after, before) if self.back else (before, after)


UNDO = Direction("undo", back=True)
REAPPLY = Direction("reapply", back=False)


@dataclass
class Turned:
    """What was done: cells that got the wanted state, and those that were left alone, with the reason."""

    id: str | None
    """The run that this is recorded as; None where nothing was to be changed."""
    cells: int = 0
    kept: Spool = field(default_factory=Spool)
    """Texts."""
    records: Spool = field(default_factory=Spool)
    """Of a run that changed records: what was done to each (`turned_record`)."""
    records_unchanged: int = 0
    """Records that were in the wanted state already."""


class Turn:
    """One undo or reapply of a run. The caller holds the workbook's lock and has put the ledger in order."""

    def __init__(
        self,
        base: BaseConfig,
        ledger: Ledger,
        run: RunRecord,
        direction: Direction,
        clock: Callable[[], dt.datetime],
        warn: Callable[[str], None],
        *,
        system: System | None = None,
        user: str = "",
        already: str | None = None,
    ) -> None:
        """`system` is that of the records which the run changed; `user` turns it; `already`: see `RecordTurn`."""
        self._ledger = ledger
        self._run = run
        self._way = direction
        self._changes = RunChanges(ledger, run.id)
        now = clock()
        self._now = now.isoformat(timespec="milliseconds")
        self._id = new_run_id(ledger, now, direction.verb)
        self._backups = backup_store(base, ledger.path_of(run.workbook))
        self._saves = SaveLog(ledger, self._id, run.workbook, lambda: self._now)
        self._done = Turned(self._id)
        self._records: RecordTurn | None = None
        if system is not None:
            actor = Actor(user, now, self._id, base.zone)
            self._records = RecordTurn(
                ledger, run, system, actor, direction.verb, direction.pair, back=direction.back, already=already
            )
        # What is taken out again does not depend on what stands beside it. Records are looked at as a whole.
        self._inputs = None if direction.back or system is not None else InputsOf(ledger, run)
        if self._inputs is not None and self._inputs.unknown:
            warn(
                f"what run {run.id} read is not known (it is of an older batchbook, or its details were pruned): "
                "whether inputs were changed since could not be compared"
            )

    def apply(self, workbook: Path) -> Turned:
        """Do it. Raises CannotSave where the run's columns are gone, and what a save raises."""
        self._add_run()
        try:
            return self._applied(workbook)
        except BatchbookError:
            if any(save.state == "saved" for save in saves_of(self._ledger, self._id)):
                self._end()  # what failed came after it
            else:
                self._end_without_change()
            raise

    def _applied(self, workbook: Path) -> Turned:
        saver = AtomicSaver(workbook, self._saves, self._backups, self._id)
        for _ in range(20):
            with Book.open(workbook, self._saves.indexes) as book:
                edits = self._plan(book) if self._records is None else self._plan_records(self._records, book)
                digest = book.digest
            if edits is None:
                if self._saves.confirms():
                    self._saves.settled_without_change()
                return self._end_without_change()
            try:
                saver.save(digest, _builder(edits), full_verify=True, backup_kind="before")
            except BlocksUnusable:
                self._saves.indexes.forget()  # whole sheets are written then
                continue
            except WorkbookChanged:
                continue
            return self._end()
        raise CannotSave(f"{workbook.name} keeps changing.", f"Find what writes to it, then {self._way.verb} again.")

    def _add_run(self) -> None:
        plain = {name: getattr(self._run, name) for name in RunRecord.__dataclass_fields__}
        plain.update(
            id=self._id, job=f"{self._way.verb} of {self._run.id}", started=self._now, active=self._now,
            ended=self._now, status="running", selected=0, note=self._note(), summary=None,
            settings={**self._run.settings, TURN: self._way.verb},
        )  # fmt: skip
        with self._ledger.transaction():
            self._ledger.add_run(RunRecord(**plain))
            self._attempt = self._ledger.add_attempt(self._id, self._now, this_process(), self._way.verb)

    def _note(self) -> str:
        return f"undoes run {self._run.id}" if self._way.back else f"puts back what run {self._run.id} wrote"

    def _end_without_change(self) -> Turned:
        """What changed nothing is no run: `last` means what somebody could want back, or put back."""
        self._done.id = None
        return self._done if drop_turn(self._ledger, self._id) else self._end("cleared")

    def _end(self, status: str = "completed") -> Turned:
        with self._ledger.transaction():
            self._ledger.update_run(self._id, status=status, ended=self._now)
            if status == "completed":
                self._ledger.update_run(self._id, summary=self._summary())
            self._ledger.end_attempt(self._id, self._attempt, self._now, status)
        return self._done

    def _summary(self) -> dict[str, Any]:
        """How many records of each sheet were turned, or how many cells."""
        records: dict[str, dict[str, int]] = {}
        for one in self._done.records:
            counts = records.setdefault(one["sheet"], {})
            counts[_COUNTED[one["did"]]] = counts.get(_COUNTED[one["did"]], 0) + 1
        turned = {"records": records} if self._records else {"cells": self._done.cells}
        return {"status": "completed", **turned, LEFT_ALONE: len(self._done.kept)}

    # --- the plan --------------------------------------------------------------------------------------------------

    def _plan(self, book: Book) -> BookEdits | None:
        self._saves.clear_plan()
        self._changes.begin()
        self._done.cells = 0
        self._done.kept.clear()
        table = self._table(book)
        inputs = self._read(book)
        with self._ledger.temporary():
            self._plan_cells(table, inputs)
        contents = self._plan_details(book, table, must_be_there=inputs is not None)
        self._not_found(table)
        rows, _ = self._saves.plan_size()
        if not rows:
            return None
        return BookEdits(cells={table.sheet: self._cells(table)}, contents=contents)

    def _plan_records(self, records: RecordTurn, book: Book) -> BookEdits | None:
        self._done.kept.clear()
        self._done.records.clear()
        with self._there("wrote"):
            turned = records.plan(book, self._changes, self._done.kept.append)
        self._done.cells = turned.cells
        self._done.records_unchanged = turned.unchanged
        for step in turned.steps:
            if not step.wish.sheet.kind.append_only:
                self._done.records.append(turned_record(step))
        turned.edits.plan(self._saves)
        return BookEdits(cells=turned.edits.rows()) if turned.edits.changes else None

    def _table(self, book: Book) -> Table:
        plan = self._run.settings.get("table") or {}
        titles = self._changes.columns(self._run.sheet)
        spec = TableSpec(self._run.sheet, None, tuple(plan.get("key", ())), {}, (), tuple(titles))
        with self._there("wrote"):
            return Table(book, spec)

    def _read(self, book: Book) -> Table | None:
        with self._there("read"):
            return self._inputs.begin(book) if self._inputs is not None else None

    @contextmanager
    def _there(self, what: str) -> Iterator[None]:
        try:
            yield
        except ConfigurationError as error:
            raise CannotSave(
                f"The workbook no longer has what run {self._run.id} {what}. {error.what}",
                f"Put the sheet or header back, then {self._way.verb} again; nothing was changed.",
                findings=error.findings,
            ) from error

    def _plan_cells(self, table: Table, inputs: Table | None) -> None:
        if inputs is None:
            for row in table.rows():
                change = self._changes.find(table.sheet, row.key_text)
                if change is not None:
                    self._plan_row(table, row, change)
            return
        sheets = self._changes.sheets()
        for row, read in table.rows_beside(inputs):
            found = [one for sheet in sheets if (one := self._changes.find(sheet, row.key_text)) is not None]
            if found and self._of_other_inputs(row, read):
                self._changes.leave(row.key_text, sheets)
                self._leave(table, row, found)
            else:
                for change in found:
                    if change.sheet == table.sheet:
                        self._plan_row(table, row, change)

    def _of_other_inputs(self, row: TableRow, read: TableRow) -> bool:
        return self._inputs is not None and self._inputs.differ(row.key_text, read.row)

    def _leave(self, table: Table, row: TableRow, changes: Sequence[RunChange]) -> None:
        """List a row that is left alone, unless it holds what the run wrote all the same."""
        assert self._inputs is not None
        for change in changes:
            if change.sheet == table.sheet and not self._differing(row, change):
                continue
            self._done.kept.append(
                f"row {row.number} ({shown_key(row.key_text)}): its inputs are not those that the run read; "
                f"the next run of {self._inputs.job} does it again"
            )
            return

    def _differing(self, row: TableRow, change: RunChange) -> bool:
        """Whether cells of a row that is left alone hold anything else than the run wrote.

        What they hold again from before the run is no person's: the job's next run may write there.
        """
        held, wants = _folded(change.before), _folded(change.after)
        columns = [c for c in json.loads(change.after) if not same(row.taken[c], wants.get(folded(c)))]
        again = {column: row.taken[column] for column in columns if same(row.taken[column], held.get(folded(column)))}
        if again:
            self._saves.plan_confirmed(change.sheet, change.key, canonical(again))
        return bool(columns)

    def _plan_row(self, table: Table, row: TableRow, change: RunChange) -> None:
        before: dict[str, CellValue] = {}
        after: dict[str, CellValue] = {}
        # Somebody may have written a header in another way while the run was going.
        expects, wants = (_folded(text) for text in self._way.pair(change.before, change.after))
        for column in json.loads(change.after):
            current = row.taken[column]
            base, ours = expects.get(folded(column)), wants.get(folded(column))
            merged = merge_cell(taken=base, last=NEVER, current=current, ours=ours)
            if isinstance(ours, Formula):
                self._done.kept.append(
                    f"{table.place(row.number, column)} ({shown_key(row.key_text)}) held a formula, "
                    f"which is not put back: ={ours.text}"
                )
                continue
            if merged.conflict:
                self._keep(table, row, column, base, ours)
            elif merged.write or self._way.back:
                self._done.cells += 1
            if merged.write:
                before[column], after[column] = current, ours
        if after:
            self._saves.plan([Change(table.sheet, row.key_text, row.number, canonical(before), canonical(after))])

    def _keep(self, table: Table, row: TableRow, column: str, base: CellValue, ours: CellValue) -> None:
        theirs = row.taken[column]
        held, now, wanted = (dumps(pack(value)) for value in (base, theirs, ours))
        self._saves.plan_conflicts(
            [ConflictRecord(table.sheet, row.key_text, row.number, column, held, now, wanted, "theirs")]
        )
        was = shown_value(base)
        expected = f"the run's {was}" if self._way.back else f"{was}, which it held before the run"
        place = f"{table.place(row.number, column)} ({shown_key(row.key_text)}, {column})"
        self._done.kept.append(f"{place} holds {shown_value(theirs)}, not {expected}")

    def _not_found(self, table: Table) -> None:
        for key in self._changes.missing(table.sheet):
            self._done.kept.append(f"the row {shown_key(key)} is no longer there, or its key is not unique")

    def _cells(self, table: Table) -> Iterator[tuple[int, dict[int, CellValue]]]:
        for change in self._saves.planned(table.sheet):
            yield change.number, {table.column(c): value for c, value in decanonical(change.after).items()}

    def _plan_details(self, book: Book, table: Table, *, must_be_there: bool) -> dict[str, SheetContent]:
        """`must_be_there`: rows of a key that the table no longer has are left alone, for nobody can compare inputs."""
        contents: dict[str, SheetContent] = {}
        names = [sheet for sheet in self._changes.sheets() if sheet != table.sheet and has_sheet(book, sheet)]
        order = table.order() if names else ()
        for name in names:
            spec = _spec_of(book, name, len(table.spec.key))
            held = read_details(book, name, spec)
            for change in self._changes.of(name):
                if not (must_be_there and change.lost):
                    self._plan_detail(name, change, held.of(change.key))
            for key in self._changes.missing(name) if must_be_there else ():
                self._done.kept.append(f"the rows of {shown_key(key)} in {name}: its row is no longer there")
            if self._saves.plans_for(name):
                contents[name] = content(spec, partial(planned_rows, self._saves, name, held), order)
        self._name_lost_sheets(book)
        return contents

    def _plan_detail(self, name: str, change: RunChange, held: PackedRows) -> None:
        expected, wanted = (json.loads(text).get("rows", []) for text in self._way.pair(change.before, change.after))
        if held == expected:
            self._done.cells += 1
            self._saves.plan([Change(name, change.key, 0, dumps({"rows": held}), dumps({"rows": wanted}))])
        elif held != wanted:
            self._done.kept.append(f"the rows of {shown_key(change.key)} in {name} were changed since")
        elif self._way.back:
            self._done.cells += 1

    def _name_lost_sheets(self, book: Book) -> None:
        """Putting rows of a sheet back that is not there takes the job, which knows its columns."""
        for name in self._changes.sheets() if not self._way.back else ():
            if name != self._run.sheet and not has_sheet(book, name):
                self._done.kept.append(f"the sheet {name} is not there; the job's next run makes it again")


_COUNTED = {"changed": "changed", "taken out": "taken out", "put in": "new"}
"""What was done to a record, and what it counts as in the summary of a run."""


def turned_record(step: Step) -> dict[str, Any]:
    """What was done to a record as plain data: sheet, key, label (such as a title, None where it has none), did
    (changed, taken out, put in), columns with their values.

    Values before and after are JSON data (`tables.codec`); columns that are blank before and after are left out.
    """
    header = step.wish.sheet.header
    columns = [
        {"column": header.titles[name], "before": pack(step.before[name]), "after": pack(step.after[name])}
        for name in sorted(step.after, key=header.columns.__getitem__)
        if not same(step.before[name], step.after[name])
    ]
    did = {"change": "changed", "take out": "taken out", "put in": "put in"}[step.wish.does]
    wish = step.wish
    return {
        "sheet": wish.sheet.sheet, "key": shown_key(wish.text), "label": wish.label, "did": did, "columns": columns,
    }  # fmt: skip


def _folded(text: str) -> dict[str, CellValue]:
    return {folded(column): value for column, value in decanonical(text).items()}


def _spec_of(book: Book, name: str, key: int) -> DetailSheet:
    """A detail sheet's columns as its first row tells them."""
    for _, cells in book.rows(name):
        headers = [str(cells[column].value) for column in sorted(cells)]
        return DetailSheet(tuple(SheetColumn(header) for header in headers), key)
    return DetailSheet((), key)


def _builder(edits: BookEdits) -> Callable[[Book, BinaryIO], SpliceReceipt]:
    return lambda book, out: splice(book, edits, out)
