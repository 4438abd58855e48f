"""A sheet as a table: rows by key, columns by header."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from batchbook.tables.header import Header, find_header
from batchbook.tables.keys import KeyIndex, KeyOrder, key_text, named
from batchbook.tables.row import Key, Row
from batchbook.xlsx import Book, Cell, letters
from batchbook.xlsx.values import CellValue, Formula, Link


@dataclass(frozen=True, slots=True)
class TableSpec:
    """Which columns of which sheet a job works on, under its own names."""

    sheet: str | None
    header_row: int | None
    key: tuple[str, ...]
    headers: Mapping[str, tuple[str, ...]]
    """Own name: its header and aliases; a name that is missing here is its own header."""
    reads: tuple[str, ...] | None
    """None: every column with a header that is not written."""
    writes: tuple[str, ...]
    """The columns that may be written, marks included."""
    changes: tuple[str, ...] = ()
    """Columns that are read, and written by changes of records: they count as no input."""

    def wanted(self) -> dict[str, tuple[str, ...]]:
        """Every column that has to be there, with its headers."""
        names = dict.fromkeys((*self.key, *(self.reads or ()), *self.writes))
        return {name: self.headers.get(name) or (name,) for name in names}


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row as a run takes it: its key, what was read, what the written columns held, and what is wrong with it."""

    number: int
    key: Key
    row: Row
    taken: Mapping[str, CellValue]
    problem: str | None = None

    @property
    def key_text(self) -> str:
        """The key as the ledger stores it."""
        return key_text(self.key)

    @property
    def read_at(self) -> int:
        """Where the row was read: its number in the sheet, or its line in the input that it comes from."""
        return self.row.number


class Table:
    """One sheet of an opened workbook, read by a job's names. Rows stream; any number of passes may be made."""

    def __init__(self, book: Book, spec: TableSpec) -> None:
        self.book = book
        self.spec = spec
        self.sheet = book.sheet(spec.sheet).name if spec.sheet else book.sheets[0].name
        self.header: Header = find_header(
            book, self.sheet, spec.wanted(), row=spec.header_row, others=spec.reads is None
        )
        written = set(spec.writes)
        self.reads: tuple[str, ...] = (
            spec.reads if spec.reads is not None else tuple(n for n in self.header.columns if n not in written)
        )
        self.layout = book.layout(self.sheet)
        self._no_inputs = frozenset((*spec.writes, *spec.changes))

    def column(self, name: str) -> int:
        """The 1-based column of an own name."""
        return self.header.columns[name]

    def title(self, name: str) -> str:
        """The header of an own name as it stands in the sheet."""
        return self.header.titles[name]

    def place(self, number: int, name: str) -> str:
        """A cell in words, such as ``F12``."""
        return f"{letters(self.column(name))}{number}"

    def _body(self, names: tuple[str, ...]) -> Iterator[tuple[int, dict[int, Cell]]]:
        columns = {self.column(name) for name in names}
        for number, cells in self.book.rows(self.sheet, columns):
            if number > self.header.row and any(map(filled, cells.values())):
                yield number, cells

    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.spec.key, *self.reads, *self.spec.writes)))

    def keys(self) -> KeyIndex:
        """Where each key stands; one pass over the sheet. Rows empty in all columns that the job knows are gaps."""
        return KeyIndex((number, self._key(cells)) for number, cells in self._body(self._names()))

    def order(self) -> KeyOrder:
        """The texts of all sound keys in the sheet's order; one pass."""
        return self.keys()

    def _key(self, cells: Mapping[int, Cell]) -> Key:
        values = {name: _value(cells.get(self.column(name))) for name in self.spec.key}
        return named(self.spec.key, values)

    def rows(self) -> Iterator[TableRow]:
        """All rows in the sheet's order; one pass."""
        for number, cells in self._body(self._names()):
            yield self._row(number, cells)

    def rows_beside(self, other: Table) -> Iterator[tuple[TableRow, TableRow]]:
        """All rows, each also as another table over the same sheet has it; one pass."""
        columns = {self.column(name) for name in self._names()} | {other.column(name) for name in other._names()}
        for number, cells in self.book.rows(self.sheet, columns):
            if number > self.header.row and any(map(filled, cells.values())):
                yield self._row(number, cells), other._row(number, cells)

    def _row(self, number: int, cells: Mapping[int, Cell]) -> TableRow:
        key = self._key(cells)
        inputs = {name: cells.get(self.column(name)) for name in self.reads}
        taken = {name: held_in(cells.get(self.column(name))) for name in self.spec.writes}
        row = Row(number, key, inputs, self._no_inputs)
        return TableRow(number, key, row, taken, self._problem(number, cells))

    def key_cells(self, number: int, key: Key) -> dict[str, CellValue]:
        """The key columns that have to be written with a row, by own name: none, the rows are there."""
        return {}

    def _problem(self, number: int, cells: Mapping[int, Cell]) -> str | None:
        for name in (*self.spec.key, *self.reads):
            cell = cells.get(self.column(name))
            if cell is not None and cell.uncalculated:
                return (
                    f"{self.place(number, name)} ({self.title(name)}) is a formula without a calculated value; "
                    "open the workbook in Excel or LibreOffice and save it"
                )
        for name in self.spec.writes:
            reason = self.layout.locked(number, self.column(name))
            if reason:
                return f"{self.place(number, name)} ({self.title(name)}) cannot be written: {reason}"
        return None


def filled(cell: Cell) -> bool:
    """Whether a cell holds anything, a formula that was never calculated too."""
    return cell.uncalculated or cell.formula is not None or cell.value not in (None, "")


def held_in(cell: Cell | None) -> CellValue:
    """What a written column holds: a formula that a person put there is no value, whatever it shows."""
    if cell is not None and cell.formula is not None and not isinstance(cell.value, Link):
        return Formula(cell.formula, cell.shown())
    return _value(cell)


def _value(cell: Cell | None) -> CellValue:
    return None if cell is None or cell.value == "" else cell.value
