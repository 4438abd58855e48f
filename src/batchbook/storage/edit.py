"""edit_workbook: the splice alone, for anyone."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from batchbook.errors import UsageError
from batchbook.storage import files
from batchbook.storage.lock import WorkbookLock
from batchbook.storage.owners import check_not_open
from batchbook.storage.saver import AtomicSaver, failure, sweep
from batchbook.xlsx import Book, BookEdits, SpliceReceipt, parse_cell, splice, verify
from batchbook.xlsx.values import CellValue

SheetEdits: TypeAlias = Mapping[str, CellValue] | Iterable[tuple[str, CellValue]]


@dataclass(frozen=True, slots=True)
class EditReceipt:
    """What an edit did: the parts of the file copied as they were, rewritten, added and removed."""

    copied: tuple[str, ...]
    rewritten: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    cells: int
    digest: str
    """Digest of the new workbook (over the zip's directory)."""


def edit_workbook(source: str | Path, target: str | Path, edits: Mapping[str, SheetEdits]) -> EditReceipt:
    """Change cells of a workbook and nothing else.

    source, target: paths; they may be the same, then the workbook is locked and saved by the full save protocol.
    edits: by sheet name, cells such as ``"B7"`` to values, or an iterable of (cell, value) ordered by rows. None
    clears a cell's value and keeps its style. A text that begins with ``=`` is text.

    Edits fully, or raises WorkbookError (damaged, not supported, in use; CellRefused for a cell that cannot be
    written) or SaveFailed and leaves no target, or the old one.
    """
    source, target = Path(source), Path(target)
    plan = BookEdits(cells={sheet: _rows(given) for sheet, given in edits.items()}, contents={})
    if target.exists() and source.exists() and target.samefile(source):
        return _receipt(_in_place(source.resolve(), plan))
    return _receipt(_to_other(source, target, plan))


def _receipt(receipt: SpliceReceipt) -> EditReceipt:
    return EditReceipt(receipt.copied, receipt.rewritten, receipt.added, receipt.removed, receipt.cells, receipt.digest)


def _in_place(workbook: Path, plan: BookEdits) -> SpliceReceipt:
    with WorkbookLock(workbook):
        sweep(workbook)
        check_not_open(workbook)
        saver = AtomicSaver(workbook, None, None, f"edit-{secrets.token_hex(4)}")
        return saver.save(None, lambda book, out: splice(book, plan, out), full_verify=True, backup_kind=None).receipt


def _to_other(source: Path, target: Path, plan: BookEdits) -> SpliceReceipt:
    temporary = target.with_name(f".{target.name}.edit-{secrets.token_hex(4)}.batchbook-tmp")
    with Book.open(source) as book:
        try:
            file = files.create_exclusive(temporary, files.mode_of(source))
            try:
                with file:
                    receipt = splice(book, plan, cast(BinaryIO, files.OpsFile(file)))
                    files.fsync(file)
                verify(temporary, receipt, full=True)
                files.replace(temporary, target)
            except BaseException:
                with contextlib.suppress(OSError):
                    files.unlink(temporary, missing_ok=True)
                raise
            files.fsync_folder(target.parent)
        except OSError as error:
            raise failure(target, error) from error
    return receipt


def _place(name: str) -> tuple[int, int]:
    place = parse_cell(name) if isinstance(name, str) else None
    if place is None:
        raise UsageError(f"{name!r} is not a cell.", "Cells are named A1 to XFD1048576.")
    return place


def _rows(given: SheetEdits) -> Iterator[tuple[int, Mapping[int, CellValue]]]:
    """The edits of a sheet, a row at a time; a mapping is put in order, an iterable has to be."""
    pairs = _by_place(given) if isinstance(given, Mapping) else ((_place(name), value) for name, value in given)
    yield from _grouped(pairs)


def _by_place(given: Mapping[str, CellValue]) -> list[tuple[tuple[int, int], CellValue]]:
    return sorted(((_place(name), value) for name, value in given.items()), key=lambda pair: pair[0])


def _grouped(
    pairs: Iterable[tuple[tuple[int, int], CellValue]],
) -> Iterator[tuple[int, Mapping[int, CellValue]]]:
    number = 0
    cells: dict[int, CellValue] = {}
    for (row, column), value in pairs:
        if row < number:
            raise UsageError(
                f"The edits are not ordered by rows: row {row} comes after row {number}.",
                "Sort them, or give a mapping.",
            )
        if row != number and cells:
            yield number, cells
            cells = {}
        number = row
        cells[column] = value
    if cells:
        yield number, cells
