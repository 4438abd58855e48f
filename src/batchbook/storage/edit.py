"""edit_workbook: cells of a workbook changed fully or not at all, for anyone, without a job or a ledger."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, takewhile
from operator import lt
from pathlib import Path
from string import ascii_uppercase
from typing import BinaryIO, TypeAlias

from batchbook.errors import ConfigurationError, SaveFailed, WorkbookDamaged, WorkbookNotSupported
from batchbook.storage.copying import replace_unchanged, state_of
from batchbook.storage.leftovers import sweep
from batchbook.storage.links import followed
from batchbook.storage.lock import WorkbookLock
from batchbook.storage.lockfile import LockInfo
from batchbook.storage.owners import check_not_open
from batchbook.storage.saver import AtomicSaver
from batchbook.storage.temporary import temporary_for
from batchbook.storage.trouble import EditFailed, check_writable, confirm, does_not_read_back, named_trouble
from batchbook.xlsx import Book, BookEdits, CellValue, SpliceReceipt, digest_of, parse_cell, splice, verify
from batchbook.xlsx.edits import RowEdit, RowsAlike
from batchbook.xlsx.places import COLUMN_NUMBERS, MAX_COLUMN, MAX_ROW

SheetEdits: TypeAlias = Mapping[str, CellValue] | Iterable[tuple[str, CellValue]]

WAIT_SECONDS = 30.0
TOGETHER = 2048
"""So many pairs are looked at together: with more of them they no longer fit the processor's cache."""
_LABEL = "edit"


class EditRefused(WorkbookNotSupported, code="edit-refused"):
    """The edits name something that is not there, or come in an order that cannot be written."""


@dataclass(frozen=True, slots=True)
class EditReceipt:
    """What an edit did: parts copied as they were, rewritten, added, removed; cells written; the result's digest."""

    copied: tuple[str, ...]
    rewritten: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    cells: int
    digest: str
    warnings: tuple[str, ...] = ()


def edit_workbook(
    source: Path | str, target: Path | str, edits: Mapping[str, SheetEdits], *, wait: float = WAIT_SECONDS
) -> EditReceipt:
    """Write a workbook with some cells changed and everything else as it was.

    `edits` maps the name of a sheet to its cells: a mapping such as ``{"B7": 12345, "C7": None}``, or an iterable of
    such pairs ordered by rows, which is consumed as the sheet is written. A value is a str, int, float, bool,
    Decimal, date, datetime, time, timedelta, Link or None (clears the value, keeps the style).

    The target may be the source, which then is replaced in a full save; another target is replaced if it is there.
    Either everything is written, or a WorkbookError is raised and the target is as it was. `wait` is how many
    seconds to wait while another process of batchbook has the target locked.
    """
    source, target = Path(source), followed(Path(target))
    with Book.open(source) as book:
        same = target.exists() and target.samefile(source)
        planned = BookEdits(cells=_planned(book, edits))
        lock = WorkbookLock(target, run=None, ledger=None, wait=wait, on_dead=partial(_settle, target))
        with lock:
            told: list[str] = []
            sweep(target, warn=told.append)
            if target.exists():
                check_not_open(target)
            if not same:
                return _with(told, _write(book, planned, target))
            book.close()
            # As it is now: whoever had the lock until now has changed it, and these edits come after that.
            return _with(told, _save(target, planned, digest_of(target)))


def _with(told: Sequence[str], receipt: EditReceipt) -> EditReceipt:
    return replace(receipt, warnings=(*told, *receipt.warnings))


def _settle(target: Path, holder: LockInfo) -> None:
    from batchbook.storage.settling import settle_dead_holder  # the ledger is loaded only where it is needed

    settle_dead_holder(target, holder)


def _save(target: Path, edits: BookEdits, digest: str) -> EditReceipt:
    try:
        done = AtomicSaver(target, None, None, _LABEL).save(
            digest, lambda book, out: splice(book, edits, out), full_verify=True, backup_kind=None
        )
    except SaveFailed as error:
        raise EditFailed(error.what, error.advice) from error
    return _receipt(done.receipt, done.warnings)


def _write(book: Book, edits: BookEdits, target: Path) -> EditReceipt:
    def build(out: BinaryIO) -> SpliceReceipt:
        return splice(book, edits, out)

    with named_trouble(target, EditFailed):
        check_writable(target)
        there, state = target.exists(), state_of(target)
        mode = 0o600 if there else stat.S_IMODE(book.path.stat().st_mode) & 0o777
        with temporary_for(target, _LABEL, mode) as temporary:
            receipt = temporary.fill(build)
            if there:
                temporary.take_attributes(target)
            temporary.sync()
            try:
                verify(temporary.path, receipt, full=True)
            except WorkbookDamaged as error:
                raise does_not_read_back(target, error, EditFailed) from error
            replace_unchanged(temporary, target, state, receipt.digest)
    try:
        confirm(target)
    except SaveFailed as error:
        raise EditFailed(error.what, error.advice) from error
    return _receipt(receipt, tuple(temporary.warnings))


def _receipt(done: SpliceReceipt, warnings: tuple[str, ...]) -> EditReceipt:
    return EditReceipt(done.copied, done.rewritten, done.added, done.removed, done.cells, done.digest, warnings)


# --- what is to be written -----------------------------------------------------------------------------------------


def _planned(book: Book, edits: Mapping[str, SheetEdits]) -> dict[str, Iterator[RowEdit | RowsAlike]]:
    planned: dict[str, Iterator[RowEdit | RowsAlike]] = {}
    for given, cells in edits.items():
        try:
            name = book.sheet(given).name
        except ConfigurationError as error:
            raise EditRefused(error.what, error.advice) from error
        if name in planned:
            raise EditRefused(f"The sheet {name!r} is named twice in the edits.", "Name each sheet once.")
        planned[name] = _sorted_rows(name, cells) if isinstance(cells, Mapping) else _rows(name, cells)
    return planned


def _sorted_rows(sheet: str, cells: Mapping[str, CellValue]) -> Iterator[RowEdit | RowsAlike]:
    rows: dict[int, dict[int, CellValue]] = {}
    for reference, value in cells.items():
        row, column = _place(sheet, reference)
        rows.setdefault(row, {})[column] = value
    return iter(sorted(rows.items()))


def _rows(sheet: str, cells: Iterable[tuple[str, CellValue]]) -> Iterator[RowEdit | RowsAlike]:
    """Cells gathered by rows, some thousand cells at a time; of one cell given twice the later value counts."""
    pairs = iter(cells)
    waiting: list[tuple[str, CellValue]] = []
    # Where a row goes on and on, ever more pairs are taken: else what waits would be looked at again and again.
    while some := list(islice(pairs, max(TOGETHER, len(waiting)))):
        waiting += some
        rows, waiting = _alike(waiting) or _one_by_one(sheet, waiting)
        yield from rows
    rows, waiting = _one_by_one(sheet, waiting)
    yield from rows
    if waiting:
        last = _place(sheet, waiting[0][0])[0]
        yield last, {_place(sheet, reference)[1]: value for reference, value in waiting}


Gathered: TypeAlias = tuple[Sequence[RowEdit | RowsAlike], list[tuple[str, CellValue]]]
"""Whole rows, and the pairs behind them, of rows that may go on; those are never none."""


def _alike(pairs: list[tuple[str, CellValue]]) -> Gathered | None:
    """The rows of pairs that name the same columns in each row, looked at column by column; None where they do not."""
    if not {tuple, list}.issuperset(map(type, pairs)):
        return None
    try:
        references = [reference for reference, _ in pairs]
        values = [value for _, value in pairs]
        end = references[0].lstrip(ascii_uppercase)
        names = [name[: -len(end)] for name in takewhile(lambda name: name.endswith(end), references[: MAX_COLUMN + 1])]
    except (AttributeError, TypeError, ValueError):  # not pairs, or not of a text and its value
        return None
    places = {COLUMN_NUMBERS.get(name, 0): i for i, name in enumerate(names)}  # of one given twice the later counts
    width = len(names)
    whole = (len(pairs) - 1) // width * width
    skipped = len(names[0])
    if not end or 0 in places:
        return None
    try:
        numbers = [name[skipped:] for name in references[:whole:width]]
        rows = _ascending(numbers)
    except TypeError:
        return None
    if not rows or any(references[i:whole:width] != list(map(name.__add__, numbers)) for i, name in enumerate(names)):
        return None
    rest = parse_cell(references[whole]) if isinstance(references[whole], str) else None
    if rest is None or rest[0] <= rows[-1]:
        return None  # the last one of these rows has more cells than the others, or the order is wrong
    columns = tuple(sorted(places))
    return [RowsAlike(rows, columns, [values[places[c] : whole : width] for c in columns])], pairs[whole:]


def _ascending(numbers: list[str]) -> list[int]:
    """The numbers of rows, if they are written as they should be and ascend; else nothing."""
    try:
        rows = list(map(int, numbers))
    except ValueError:
        return []
    if not rows or list(map(str, rows)) != numbers:
        return []
    good = rows[0] > 0 and rows[-1] <= MAX_ROW and all(map(lt, rows, rows[1:]))
    return rows if good else []


def _one_by_one(sheet: str, pairs: Sequence[object]) -> Gathered:
    """As `_alike`, for any pairs. Raises EditRefused."""
    rows: list[RowEdit] = []
    gathered: dict[int, CellValue] = {}
    last: dict[str, CellValue] = {}
    number = 0
    for given in pairs:
        pair = _pair(sheet, given)
        row, column = _place(sheet, pair[0])
        if row < number:
            raise EditRefused(
                f"The edits of sheet {sheet!r} are not in the order of rows: {pair[0]} comes after row {number}.",
                "Sort them by row, or give a mapping of cell to value.",
            )
        if row > number and gathered:
            rows.append((number, gathered))
            gathered, last = {}, {}
        number = row
        gathered[column] = pair[1]
        last.pop(pair[0], None)
        last[pair[0]] = pair[1]
    return rows, list(last.items())


def _pair(sheet: str, pair: object) -> tuple[str, CellValue]:
    if isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2:
        return pair[0], pair[1]
    raise EditRefused(
        f"The edits of sheet {sheet!r} hold {pair!r}, which is not a cell and its value.",
        'Give pairs such as ("B7", 12345), or a mapping of them.',
    )


def _place(sheet: str, reference: object) -> tuple[int, int]:
    place = parse_cell(reference) if isinstance(reference, str) else None
    if place is None:
        raise EditRefused(
            f"{reference!r} in the edits of sheet {sheet!r} is not a cell.",
            'A cell is written like "B7"; the last one of a sheet is XFD1048576.',
        )
    return place
