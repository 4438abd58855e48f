"""Reading sheets of records into scratch tables, with all that is wrong in their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from batchbook.errors import ConfigurationError, Finding
from batchbook.storage.scratch import Scratch
from batchbook.tables.findings import Findings, Trouble, shortened
from batchbook.tables.header import HeaderError
from batchbook.tables.keys import key_of_text, key_part, key_shown, key_text
from batchbook.tables.kinds import Stored
from batchbook.tables.recordsheet import RecordSheet
from batchbook.tables.shapes import ColumnShape, Look, Shape
from batchbook.xlsx import Book, Cell
from batchbook.xlsx.values import CellValue, Link

_REMEMBERED = 2_000
"""So many values of a column are remembered: days, states and names are the same in many rows."""
_LONGEST_REMEMBERED = 64
_MOST_PLACES = 20
_ADVICE = "Give the sheets and headers these names again (in whatever case), or take a workbook that has them."


def find_places(book: Book, shapes: Sequence[Shape[Any]]) -> list[RecordSheet]:
    """Where the records of all types stand. Raises ConfigurationError with every sheet and header that is missing."""
    places: list[RecordSheet] = []
    findings: list[Finding] = []
    for shape in shapes:
        try:
            places.append(RecordSheet.find(book, shape.kind))
        except HeaderError as error:
            findings += error.findings
        except ConfigurationError as error:
            findings.append(Finding(error.what, book.path.name, rule="sheet"))
    if findings:
        what = "a sheet or header is" if len(findings) == 1 else f"{len(findings)} sheets or headers are"
        raise ConfigurationError(f"In {book.path.name} {what} missing or doubled.", _ADVICE, findings=findings)
    return places


def read_sheet(book: Book, shape: Shape[Any], place: RecordSheet, scratch: Scratch, findings: Findings) -> None:
    """Put all rows of a sheet into the type's table; one pass. A row of totals is no record."""
    header = place.header
    totals = book.totals_row(place.sheet, header.row, header.columns[shape.kind.key[0]])
    reader = _SheetReader(shape, place, findings)
    rows = (
        reader.row(number, cells)
        for number, cells in book.rows(place.sheet, set(header.columns.values()))
        if number > header.row and number != totals
    )
    scratch.execute_many(shape.insertion, (row for row in rows if row is not None))


class _SheetReader:
    """The rows of one sheet."""

    def __init__(self, shape: Shape[Any], place: RecordSheet, findings: Findings) -> None:
        self._locked = None if place.layout.free else place.layout.locked
        self._shape = shape
        self._findings = findings
        self._place = place
        self._columns = [
            (place.header.columns[column.name], column, _ColumnReader(column).look) for column in shape.columns
        ]
        self._needed = [column for column in shape.columns if column.column.required or column in shape.key]
        self._key = [(column.position, place.header.columns[column.name]) for column in shape.key]

    def row(self, number: int, cells: Mapping[int, Cell]) -> tuple[Any, ...] | None:
        """The row as the type's table holds it; None where it is a gap."""
        values: list[Stored] = []
        fixed = 0 if self._locked is None else self._locked_in(number)
        troubles: list[tuple[ColumnShape, Trouble]] = []
        for at, column, look_at in self._columns:
            cell = cells.get(at)
            if cell is None:
                values.append(None)
                continue
            if cell.formula is not None and not isinstance(cell.value, Link):
                fixed |= 1 << column.position
            stored, trouble = look_at(cell)
            values.append(stored)
            if trouble is not None:
                troubles.append((column, trouble))
        if not troubles and not any(value is not None for value in values):
            return None
        troubles += self._missing(values, troubles)
        if not troubles and self._shape.kind.rules:
            troubles += broken_rules(self._shape, values)
        for column, trouble in troubles:
            self._findings.add(self._shape.index, number, column.position, self._place.headed(column.name), trouble)
        sound = all(trouble.warning for _, trouble in troubles)
        return None, number, sound, self._shape.key_of(values), self._raw(cells), fixed, *values

    def _locked_in(self, number: int) -> int:
        """The places of the columns that are locked in a row, as bits."""
        assert self._locked is not None
        return sum(1 << column.position for at, column, _ in self._columns if self._locked(number, at) is not None)

    def _raw(self, cells: Mapping[int, Cell]) -> str:
        held = (cells.get(at) for _, at in self._key)
        return key_text(tuple("" if cell is None else key_part(cell.value) for cell in held))

    def _missing(
        self, values: Sequence[Any], troubles: Sequence[tuple[ColumnShape, Trouble]]
    ) -> list[tuple[ColumnShape, Trouble]]:
        blank = [column for column in self._needed if values[column.position] is None]
        wrong = {column.position for column, _ in troubles}
        return [(column, missing(self._shape, column)) for column in blank if column.position not in wrong]


class _ColumnReader:
    """The cells of one column; what was read before is remembered."""

    def __init__(self, column: ColumnShape) -> None:
        self._read = column.read
        self._known: dict[CellValue | tuple[Any, ...], Look] = {}

    def look(self, cell: Cell) -> Look:
        """What a cell holds."""
        value = cell.value
        if type(value) is str:
            look = self._known.get(value)
            if look is None:
                look = self._read(value, value)
                if len(value) <= _LONGEST_REMEMBERED:
                    self._remember(value, look)
            return look
        if cell.uncalculated:
            return UNCALCULATED
        key = (type(value), value, cell.format)  # 1, 1.0 and True are equal as keys but not as values
        look = self._known.get(key)
        if look is None:
            look = self._read(value, cell.shown())
            self._remember(key, look)
        return look

    def _remember(self, key: CellValue | tuple[Any, ...], look: Look) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = look


UNCALCULATED = Look(
    None,
    Trouble(
        "uncalculated",
        "is a formula without a calculated value; open the workbook in Excel or LibreOffice and save it",
    ),
)


def missing(shape: Shape[Any], column: ColumnShape) -> Trouble:
    """What is wrong with a blank cell of a column that has to be filled."""
    if column in shape.key:
        return Trouble("empty-key", "is empty, but it names the row")
    return Trouble("required", "is empty, but has to be filled")


def broken_rules(shape: Shape[Any], values: Sequence[Any]) -> Iterator[tuple[ColumnShape, Trouble]]:
    """What the rules of a whole record find."""
    record = shape.record(values)
    for rule in shape.kind.rules:
        for broken in rule(record):
            column = shape[broken.column]
            value = shortened(column.write(values[column.position]))
            yield column, Trouble(broken.rule, broken.said, value, broken.warning)


def check_keys(shape: Shape[Any], place: RecordSheet, scratch: Scratch, findings: Findings) -> None:
    """Name the rows that have a key in common; they are unsound."""
    table = shape.table
    doubled = f"SELECT key FROM {table} WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1"
    rows = scratch.query(f"SELECT key, number FROM {table} WHERE key IN ({doubled}) ORDER BY key, id")
    for key, group in groupby(rows, lambda row: row[0]):
        said = _all_places(scratch, table, key)
        trouble = Trouble("doubled-key", said, shortened(key_shown(key_of_text(key))))
        column = shape.key[0]
        for _, number in group:
            findings.add(shape.index, number, column.position, place.headed(column.name), trouble)
    scratch.execute(f"UPDATE {table} SET sound = 0 WHERE key IN ({doubled})")


def _all_places(scratch: Scratch, table: str, key: str) -> str:
    held = scratch.one(f"SELECT count(*) FROM {table} WHERE key = ?", (key,))
    count = held[0] if held else 0
    first = scratch.query(f"SELECT number FROM {table} WHERE key = ? ORDER BY id LIMIT {_MOST_PLACES}", (key,))
    places = ", ".join(str(number) for (number,) in first)
    more = f" and {count - _MOST_PLACES} more" if count > _MOST_PLACES else ""
    return f"stands in {count} rows, but names one record: {places}{more}"


def check_references(
    shape: Shape[Any], target_of: Mapping[str, Shape[Any]], place: RecordSheet, scratch: Scratch, findings: Findings
) -> None:
    """Name the values that refer to nothing; their rows are unsound."""
    for column in shape.columns:
        refers = column.column.refers
        if refers is None:
            continue
        target = target_of[refers.sheet]
        there = target[refers.column].sql
        nothing = (
            f"{column.sql} IS NOT NULL AND {column.sql} NOT IN "
            f"(SELECT {there} FROM {target.table} WHERE {there} IS NOT NULL)"
        )
        for number, stored in scratch.query(f"SELECT number, {column.sql} FROM {shape.table} WHERE {nothing}"):
            trouble = refers_to_nothing(column, target, stored)
            findings.add(shape.index, number, column.position, place.headed(column.name), trouble)
        scratch.execute(f"UPDATE {shape.table} SET sound = 0 WHERE {nothing}")


def refers_to_nothing(column: ColumnShape, target: Shape[Any], stored: Any) -> Trouble:
    """What is wrong with a value that does not stand in the sheet that it refers to."""
    refers = column.column.refers
    assert refers is not None
    header = target[refers.column].column.header
    said = f"stands in no row of the sheet {target.kind.sheet} (column {header})"
    return Trouble("reference", said, shortened(column.write(stored)))
