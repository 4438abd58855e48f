"""Undoing a run: cells that still hold what it wrote get back what they held before; the rest is listed."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from batchbook.batch.checkpoints import shown_key
from batchbook.batch.details import content, has_sheet, planned_rows, read_details
from batchbook.batch.history import find_run
from batchbook.batch.processors import DetailSheet
from batchbook.batch.recovery import backup_store
from batchbook.config import BaseConfig
from batchbook.errors import BatchbookError, CannotSave, ConfigurationError, UsageError
from batchbook.storage.ledger import Ledger, RunRecord, folded
from batchbook.storage.lock import WorkbookLock
from batchbook.storage.owners import check_not_open
from batchbook.storage.pending import settle_pending
from batchbook.storage.runchanges import RunChanges
from batchbook.storage.savelog import Change, ConflictRecord, SaveLog
from batchbook.storage.saver import AtomicSaver, WorkbookChanged, sweep
from batchbook.storage.settling import settle_dead_holder, settle_intents
from batchbook.tables.codec import canonical, decanonical, dumps, pack
from batchbook.tables.merge import NEVER, merge_cell
from batchbook.tables.table import Table, TableSpec
from batchbook.xlsx import BlocksUnusable, Book, BookEdits, SheetColumn, SheetContent, SpliceReceipt, splice
from batchbook.xlsx.values import CellValue, Formula

Warn = Callable[[str], None]


@dataclass
class Undone:
    """What an undo did; `kept` are the cells that were left alone, with the reason."""

    run: str
    undo_run: str
    restored: int = 0
    kept: list[str] = field(default_factory=list)


def undo_run(
    base: BaseConfig, ledger: Ledger, name: str, *, wait: float, clock: Callable[[], dt.datetime], warn: Warn
) -> Undone:
    """Undo a run by its id; UsageError where there is nothing to undo, CannotSave where its columns are gone."""
    run = find_run(ledger, name)
    if run.unfinished:
        raise UsageError(
            f"Run {run.id} is unfinished: what is undone now, its resume would not do again.",
            f"Finish it with --resume-auto, or give it up with `batchbook checkpoints clear {run.id}`; then undo it.",
        )
    if not RunChanges(ledger, run.id):
        raise UsageError(f"Run {run.id} changed nothing in the workbook.", "`batchbook runs list` shows the runs.")
    workbook = ledger.path_of(run.workbook)
    with WorkbookLock(
        workbook, run=None, ledger=base.ledger, wait=wait, on_dead=partial(settle_dead_holder, workbook, warn=warn)
    ):
        settle_intents(ledger, workbook)
        settle_pending(ledger, workbook, backup_store(base, workbook), warn)
        sweep(workbook)
        check_not_open(workbook)
        return _Undo(base, ledger, run, RunChanges(ledger, run.id), clock).apply(workbook)


class _Undo:
    def __init__(
        self,
        base: BaseConfig,
        ledger: Ledger,
        run: RunRecord,
        changes: RunChanges,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._ledger = ledger
        self._run = run
        self._changes = changes
        self._now = clock().isoformat(timespec="milliseconds")
        self._id = f"{clock():%Y%m%d-%H%M%S}-undo-{secrets.token_hex(2)}"
        self._backups = backup_store(base, ledger.path_of(run.workbook))
        self._saves = SaveLog(ledger, self._id, run.workbook, lambda: self._now)
        self._done = Undone(run.id, self._id)

    def apply(self, workbook: Path) -> Undone:
        self._add_run()
        try:
            return self._applied(workbook)
        except BatchbookError:
            self._end("cleared")
            raise

    def _applied(self, workbook: Path) -> Undone:
        saver = AtomicSaver(workbook, self._saves, self._backups, self._id)
        for _ in range(20):
            with Book.open(workbook) as book:
                edits = self._plan(book)
                digest = book.digest
            if edits is None:
                self._saves.settled_without_change()
                return self._end()
            try:
                saver.save(digest, _builder(edits), full_verify=True, backup_kind="before")
            except BlocksUnusable:
                self._saves.indexes.forget()  # whole sheets are written then
                continue
            except WorkbookChanged:
                continue
            return self._end()
        raise CannotSave(f"{workbook.name} keeps changing.", "Find what writes to it, then undo again.")

    def _add_run(self) -> None:
        plain = {name: getattr(self._run, name) for name in RunRecord.__dataclass_fields__}
        plain.update(
            id=self._id, job=f"undo of {self._run.id}", started=self._now, active=self._now, ended=self._now,
            status="running", selected=0, note=f"undoes run {self._run.id}", summary=None,
        )  # fmt: skip
        with self._ledger.transaction():
            self._ledger.add_run(RunRecord(**plain))

    def _end(self, status: str = "completed") -> Undone:
        with self._ledger.transaction():
            self._ledger.update_run(self._id, status=status, ended=self._now)
        return self._done

    # --- the plan --------------------------------------------------------------------------------------------------

    def _plan(self, book: Book) -> BookEdits | None:
        self._saves.clear_plan()
        self._changes.begin()
        self._done.restored, self._done.kept = 0, []
        table = self._table(book)
        with self._ledger.temporary():
            self._plan_cells(table)
        contents = self._plan_details(book, table)
        self._not_found(table)
        rows, _ = self._saves.plan_size()
        if not rows:
            return None
        return BookEdits(cells={table.sheet: self._cells(table)}, contents=contents)

    def _table(self, book: Book) -> Table:
        plan = self._run.settings.get("table") or {}
        titles = self._changes.columns(self._run.sheet)
        spec = TableSpec(self._run.sheet, None, tuple(plan.get("key", ())), {}, (), tuple(titles))
        try:
            return Table(book, spec)
        except ConfigurationError as error:
            raise CannotSave(
                f"The workbook no longer has what run {self._run.id} wrote. {error.what}",
                "Put the sheet or header back, then undo again; nothing was changed.",
                findings=error.findings,
            ) from error

    def _plan_cells(self, table: Table) -> None:
        for row in table.rows():
            change = self._changes.find(table.sheet, row.key_text)
            if change is None:
                continue
            before: dict[str, CellValue] = {}
            after: dict[str, CellValue] = {}
            # Somebody may have written a header in another way while the run was going.
            was = {folded(column): value for column, value in decanonical(change.before).items()}
            wrote = decanonical(change.after)
            for column, ours in wrote.items():
                current = row.taken[column]
                merged = merge_cell(taken=ours, last=NEVER, current=current, ours=was.get(folded(column)))
                held = was.get(folded(column))
                if isinstance(held, Formula):
                    self._done.kept.append(
                        f"{table.place(row.number, column)} ({shown_key(row.key_text)}) held a formula, "
                        f"which is not put back: ={held.text}"
                    )
                    continue
                if merged.conflict:
                    self._keep(table, row.number, row.key_text, column, ours, current, was.get(folded(column)))
                else:
                    self._done.restored += 1
                if merged.write:
                    before[column], after[column] = current, was.get(folded(column))
            if after:
                self._saves.plan([Change(table.sheet, row.key_text, row.number, canonical(before), canonical(after))])

    def _keep(
        self, table: Table, number: int, key: str, column: str, base: CellValue, theirs: CellValue, ours: CellValue
    ) -> None:
        was, now, wanted = (dumps(pack(value)) for value in (base, theirs, ours))
        self._saves.plan_conflicts([ConflictRecord(table.sheet, key, number, column, was, now, wanted, "theirs")])
        self._done.kept.append(
            f"{table.place(number, column)} ({shown_key(key)}, {column}) holds {theirs!r}, not the run's {base!r}"
        )

    def _not_found(self, table: Table) -> None:
        for key in self._changes.missing(table.sheet):
            self._done.kept.append(f"the row {shown_key(key)} is no longer there, or its key is not unique")

    def _cells(self, table: Table) -> Iterator[tuple[int, dict[int, CellValue]]]:
        for change in self._saves.planned(table.sheet):
            yield change.number, {table.column(c): value for c, value in decanonical(change.after).items()}

    def _plan_details(self, book: Book, table: Table) -> dict[str, SheetContent]:
        contents: dict[str, SheetContent] = {}
        names = [sheet for sheet in self._changes.sheets() if sheet != table.sheet and has_sheet(book, sheet)]
        order = table.order() if names else ()
        for name in names:
            spec = _spec_of(book, name, len(table.spec.key))
            held = read_details(book, name, spec)
            for change in self._changes.of(name):
                before, after = (json.loads(text).get("rows", []) for text in (change.before, change.after))
                if held.of(change.key) == after:
                    self._done.restored += 1
                    self._saves.plan([Change(name, change.key, 0, dumps({"rows": after}), dumps({"rows": before}))])
                else:
                    self._done.kept.append(f"the rows of {shown_key(change.key)} in {name} were changed since")
            contents[name] = content(spec, partial(planned_rows, self._saves, name, held), order)
        return contents


def _spec_of(book: Book, name: str, key: int) -> DetailSheet:
    """A detail sheet's columns as its first row tells them."""
    for _, cells in book.rows(name):
        headers = [str(cells[column].value) for column in sorted(cells)]
        return DetailSheet(tuple(SheetColumn(header) for header in headers), key)
    return DetailSheet((), key)


def _builder(edits: BookEdits) -> Callable[[Book, BinaryIO], SpliceReceipt]:
    return lambda book, out: splice(book, edits, out)
