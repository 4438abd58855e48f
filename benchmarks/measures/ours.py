"""The cases as batchbook does them."""

from __future__ import annotations

import shutil
from collections import deque
from pathlib import Path
from typing import Any, BinaryIO

from batchbook.storage.backups import BackupKind, BackupStore
from batchbook.storage.edit import edit_workbook
from batchbook.storage.ledger import Ledger, RunRecord
from batchbook.storage.lock import WorkbookLock
from batchbook.storage.savelog import Change, SaveLog
from batchbook.storage.saver import AtomicSaver, Build
from batchbook.xlsx import Book, BookEdits, CellValue, SpliceReceipt, digest_of, inspect, splice
from measures import shape
from measures.timing import Stopwatch, figures, repeated, warm

NOW = "2026-01-01T00:00:00+00:00"
RUN = "run-1"


# --- every row -----------------------------------------------------------------------------------------------------


def update(source: Path, target: Path, rows: int, repeat: int) -> dict[str, Any]:
    """Six columns of every row written into a copy: spliced, durable, verified to the last byte."""
    warm(source)
    written = []
    watch = repeated(
        lambda: written.append(edit_workbook(source, target, {shape.SHEET: shape.cells(rows, 1)}).cells), repeat
    )
    done = figures(watch)
    assert set(written) == {rows * len(shape.UPDATED)}, written
    check(target, rows + 1, shape.new_values(rows + 1, 1))
    return done


def edits(rows: int, repeat: int) -> dict[str, Any]:
    """What the caller does for the full update: the cells with their new values made, one after the other."""
    return figures(repeated(lambda: deque(shape.cells(rows, 1), maxlen=0), repeat))


def check(workbook: Path, row: int, values: tuple[object, ...]) -> None:
    """A sound workbook, in which a row holds what was written."""
    findings = inspect(workbook)
    assert not findings, findings
    with Book.open(workbook) as book:
        cells = next(found for number, found in book.rows(shape.SHEET, shape.UPDATED) if number == row)
    assert tuple(cells[column].value for column in shape.UPDATED) == values, cells


# --- one batch -----------------------------------------------------------------------------------------------------


def spliced(edits: BookEdits) -> Build:
    """How a save puts its batch into the workbook: the one place to change for another form of the splice."""

    def build(book: Book, out: BinaryIO) -> SpliceReceipt:
        return splice(book, edits, out)

    return build


def save(source: Path, folder: Path, rows: int, batch: int, saves: int) -> dict[str, Any]:
    """Batch after batch saved as a run saves them, with lock, ledger and backups; the first save stands by itself.

    What is timed is the whole save, from the digest of the old file to the ledger's record that it was replaced; not
    the planning of the changes, which a run does before it.
    """
    folder.mkdir()
    workbook = folder / "book.xlsx"
    shutil.copyfile(source, workbook)
    path = folder / "data" / "checkpoints" / "ledger.db"
    with Ledger.open(path, root=folder) as ledger:
        name = ledger.name_of(workbook)
        with ledger.transaction():
            ledger.add_run(run_record(name))
        log = SaveLog(ledger, RUN, name, lambda: NOW)
        saver = AtomicSaver(workbook, log, BackupStore(folder / "data" / "backups", workbook), RUN)
        with WorkbookLock(workbook, run=RUN, ledger=path):
            watch = Stopwatch()
            for turn in range(saves + 1):
                one_save(saver, log, shape.batch_rows(rows, batch, turn), turn, watch)
        first, rest = watch.split(1)
        done = figures(rest, first=first.seconds, first_cpu=first.cpu)
        assert ledger.one("SELECT count(*) FROM saves WHERE state = 'saved'")[0] == saves + 1  # type: ignore[index]
    last = shape.batch_rows(rows, batch, saves)[-1]
    check(workbook, last, shape.new_values(last, saves))
    return done


def one_save(saver: AtomicSaver, log: SaveLog, rows: range, turn: int, watch: Stopwatch) -> None:
    """Plan a save, then make it against the clock."""
    digest = digest_of(saver.workbook)
    edits: list[tuple[int, dict[int, CellValue]]] = [
        (row, dict(zip(shape.UPDATED, shape.new_values(row, turn), strict=True))) for row in rows
    ]
    log.clear_plan()
    for row in rows:
        after = shape.written(row, turn)
        log.plan([Change(shape.SHEET, f'["K{row - 2:07d}"]', row, after, after)])
    build = spliced(BookEdits(cells={shape.SHEET: edits}))
    kind: BackupKind = "checkpoint" if turn else "before"
    with watch:
        receipt = saver.save(digest, build, full_verify=False, backup_kind=kind)
    assert receipt.receipt.cells == len(rows) * len(shape.UPDATED) and not receipt.warnings, receipt


def run_record(workbook: str) -> RunRecord:
    """The run that the saves belong to."""
    return RunRecord(
        id=RUN, job="bench", workbook=workbook, source="", sheet=shape.SHEET, definition="", processor="", reference={},
        settings={}, started=NOW, active=NOW, ended=None, status="running", selected=0, selection_hash="", digest="",
        note="", summary=None,
    )  # fmt: skip


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Path, rows: int, columns: list[int] | None, repeat: int) -> dict[str, Any]:
    """Every row of the sheet, its cells decoded, some columns or all."""
    warm(source)
    counted: list[tuple[int, int]] = []

    def all_rows() -> None:
        count = cells = 0
        with Book.open(source) as book:
            for _, found in book.rows(shape.SHEET, columns):
                count += 1
                cells += len(found)
        counted.append((count, cells))

    watch = repeated(all_rows, repeat)
    done = figures(watch)
    assert set(counted) == {(rows + 1, (rows + 1) * len(columns or shape.COLUMNS))}, counted
    return done
