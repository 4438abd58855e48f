"""Rows of an input file that belong to no row of a sheet: what a processor of records turns into changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

from batchbook.storage.scratch import Scratch
from batchbook.tables.codec import pack, unpack
from batchbook.tables.header import Header
from batchbook.tables.inputs import RowFile, file_digest, open_rows
from batchbook.tables.keys import KeyIndex, KeyOrder
from batchbook.tables.row import CellLike, Row
from batchbook.tables.table import Table, TableRow, TableSpec
from batchbook.xlsx import Book
from batchbook.xlsx.values import CellValue

ROW_COLUMN, WHY_COLUMN = "Input Row", "Rejected Because"
"""What a file of rejected rows has beside the columns of the input; no reader minds them."""
LINE = "row"
"""The one key column of such a job: the row number in the input."""
Rank = tuple[str | int, ...]
"""What rows are sorted by: up to four parts; numbers come before texts."""
_PARTS = 4
_ORDER = ", ".join((*"abcd"[:_PARTS], "line"))


@dataclass(frozen=True, slots=True)
class HeldCell:
    """A cell of the input, kept."""

    value: CellValue
    format: str
    text: str
    uncalculated: bool = False

    def shown(self) -> str:
        """The text a person sees."""
        return self.text


class InputFeed(Table):
    """The rows of an input by their row numbers, in the order in which they are to be processed."""

    def __init__(
        self,
        book: Book,
        spec: TableSpec,
        source: Path,
        optional: tuple[str, ...],
        order: Callable[[Row], Rank | None],
    ) -> None:
        """`spec.reads` are the columns that the input must have, `optional` those that it may have."""
        self.book = book
        self.spec = spec
        self.sheet = book.sheet(spec.sheet).name if spec.sheet else book.sheets[0].name
        self.header = Header(0, {}, {})
        self._source = source
        self._optional = optional
        self._file = _opened(spec, source, optional)
        self.reads = self._file.names
        self.unused = tuple(title for title in self._file.unused if title not in (ROW_COLUMN, WHY_COLUMN))
        """Headers of columns that the processor does not know."""
        self._order = order
        self._scratch: Scratch | None = None

    def title(self, name: str) -> str:
        """The name: the column is not one of a sheet."""
        return name

    def keys(self) -> KeyIndex:
        """Every row has a key of its own: its row number."""
        lines = self._held().query(f"SELECT line FROM held ORDER BY {_ORDER}")
        return KeyIndex((line, (str(line),)) for (line,) in lines)

    def order(self) -> KeyOrder:
        """The keys in the order of the rows."""
        return self.keys()

    def rows(self) -> Iterator[TableRow]:
        """The rows in the order in which they are processed."""
        held = self._held()
        for line, text, problem in held.query(f"SELECT line, cells, problem FROM held ORDER BY {_ORDER}"):
            cells = {name: _unpacked(packed) for name, packed in zip(self.reads, json.loads(text), strict=True)}
            yield self._taken(line, cells, problem)

    def _taken(self, line: int, cells: Mapping[str, CellLike | None], problem: str | None = None) -> TableRow:
        key = (str(line),)
        return TableRow(line, key, Row(line, key, cells), {}, problem or self._without_result(line, cells))

    def _without_result(self, line: int, cells: Mapping[str, CellLike | None]) -> str | None:
        for name, cell in cells.items():
            if getattr(cell, "uncalculated", False):
                return f"{name!r} in row {line} of the input is a formula without a calculated value"
        return None

    def _held(self) -> Scratch:
        """The rows with their ranks: of an .xlsx, and by many rules, they cost too much to be had anew at each pass.

        Each opening of the workbook has a feed of its own; they share them as long as the file is as it was.
        """
        if self._scratch is None:
            kept = _kept_for(getattr(self._order, "__self__", self._order))
            state = self._source, file_digest(self._source), self.spec, self._optional
            if kept.scratch is None or kept.state != state:
                scratch = Scratch(
                    "CREATE TABLE held (line INTEGER PRIMARY KEY, a, b, c, d, cells TEXT NOT NULL, problem TEXT);"
                )
                scratch.execute_many("INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?)", self._ranked())
                kept.state, kept.scratch = state, scratch
            self._scratch = kept.scratch
        return self._scratch

    def _ranked(self) -> Iterator[tuple[object, ...]]:
        for found in self._file.rows():
            line, cells = found.number, found.cells
            rank = self._order(self._taken(line, cells).row) or ()
            packed = [_packed(cells.get(name)) for name in self.reads]
            yield (line, *rank, *(None,) * (_PARTS - len(rank)), json.dumps(packed), found.problem)

    def key_cells(self, number: int, key: tuple[str, ...]) -> dict[str, CellValue]:
        """None: no row of a sheet belongs to a row of the input."""
        return {}


@dataclass(slots=True)
class _Kept:
    """The rows of an input, and what they were made from."""

    state: object = None
    scratch: Scratch | None = None


_KEPT: WeakKeyDictionary[object, _Kept] = WeakKeyDictionary()
"""By whoever ranks the rows (a processor): gone with it."""


def _kept_for(ranker: object) -> _Kept:
    try:
        return _KEPT.setdefault(ranker, _Kept())
    except TypeError:  # of a class of its own kind, whose objects cannot be found again
        return _Kept()


def open_whole(spec: TableSpec, source: Path, optional: tuple[str, ...]) -> RowFile:
    """The file of an `InputFeed` with all its columns, under their headers as they stand there."""
    # By the feed's own header row: above it a title may stand, which is one too where no header is wanted.
    row = _opened(spec, source, optional).header_row
    return open_rows(source, {}, others=True, row=row)


def _opened(spec: TableSpec, source: Path, optional: tuple[str, ...]) -> RowFile:
    wanted, may = (
        {name: spec.headers.get(name) or (name,) for name in names} for names in (spec.reads or (), optional)
    )
    return open_rows(source, wanted, may, others=spec.reads is None)


def _packed(cell: CellLike | None) -> list[object] | None:
    if cell is None:
        return None
    return [pack(cell.value), cell.format, cell.shown(), bool(getattr(cell, "uncalculated", False))]


def _unpacked(packed: list[object] | None) -> HeldCell | None:
    if packed is None:
        return None
    value, code, text, uncalculated = packed
    return HeldCell(unpack(value), str(code), str(text), bool(uncalculated))
