"""Record types as scratch tables hold them: records to stored values, to cells, and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeAlias

from batchbook.storage.scratch import Scratch
from batchbook.tables.codec import pack, unpack
from batchbook.tables.findings import Trouble, shortened
from batchbook.tables.keys import key_part, key_text
from batchbook.tables.kinds import Stored, Wrong
from batchbook.tables.records import Column, R, RecordType
from batchbook.xlsx.formats import shown
from batchbook.xlsx.values import CellValue, ErrorValue, Link

Values: TypeAlias = tuple[Stored, ...]
"""A record's values as they are stored, in the order of its columns."""


class Look(NamedTuple):
    """What a cell holds: the stored value, None where it is blank; or what is wrong with it."""

    stored: Stored
    trouble: Trouble | None = None


BLANK = Look(None)
_SAME_WHERE_EQUAL = (int, dt.date)
_REMEMBERED = 2_000
_LONGEST_REMEMBERED = 64
LEADING = 6
"""What a row of a type's table begins with: id, number in the sheet, sound, canonical key, texts of its key cells, and
the places of the columns (as bits) in which a person put a formula. Its values follow."""


@dataclass(frozen=True, slots=True)
class Held:
    """A row of a type's table; `fixed` are the places of the columns whose cells cannot be written, as bits."""

    id: int
    number: int | None
    sound: bool
    key: str
    raw: str
    fixed: int
    values: Values

    @property
    def row(self) -> tuple[Any, ...]:
        """The row as the table has it."""
        return self.id, self.number, int(self.sound), self.key, self.raw, self.fixed, *self.values


class ColumnShape:
    """One column: how its cells are read and written."""

    def __init__(self, column: Column, position: int) -> None:
        self.column = column
        self.name = column.name
        self.position = position
        self.kind = column.kind
        self.sql = f"c{position}"
        # What a kind makes of a value depends on that value alone, so what was made of it once is made of it again.
        self._looks: dict[CellValue | tuple[type, CellValue], Look] = {}
        self._cells: dict[Stored, CellValue] = {}

    @cached_property
    def _allowed(self) -> Mapping[str, Stored]:
        return {text.casefold(): self.kind.store(self.kind.parse(text)) for text in self.column.allowed}

    def read(self, value: CellValue, text: str) -> Look:
        """The value of a cell that is not empty, and the text that people see."""
        if isinstance(value, str):
            if not value or value.isspace():
                return BLANK
        elif isinstance(value, Link):
            return self.read(value.text, value.text)
        elif isinstance(value, ErrorValue):
            return Look(None, Trouble("error-value", f"holds the error value {value.code}", value))
        elif value is None:
            return BLANK
        try:
            read = self.kind.read(value, text)
        except Wrong as wrong:
            return Look(None, Trouble.of(wrong, value))
        if read == "":
            return BLANK
        return self._listed(read, value) if self.column.allowed else Look(self.kind.store(read))

    def _listed(self, read: Any, value: CellValue) -> Look:
        said = self.kind.show(read).casefold()
        if said in self._allowed:
            return Look(self._allowed[said])
        listed = ", ".join(self.column.allowed)
        return Look(None, Trouble("not-allowed", f"is none of {listed}", shortened(value)))

    def read_plain(self, value: CellValue) -> Look:
        """The value of a cell that was written by `write`, or comes from a ledger."""
        if value is None:
            return BLANK
        text = type(value) is str
        # 1, 1.0 and True are equal, but not the same; moments with a zone are equal in any.
        known = value if text else (type(value), value) if type(value) in _SAME_WHERE_EQUAL else None
        look = None if known is None else self._looks.get(known)
        if look is None:
            look = self.read(value, value if isinstance(value, str) else _shown(value, self.kind.format))
            if known is not None:
                _remember(self._looks, known, look)
        return look

    def check(self, value: Any) -> Look:
        """A field's value as its cell would give it back."""
        if value is None or value == "":
            return BLANK
        try:
            # A plain value is what is stored for it.
            cell = self.write(value) if self.kind.plain and type(value) is str else self.kind.write(value)
        except Wrong as wrong:
            return Look(None, Trouble.of(wrong, shortened(str(value))))
        return self.read_plain(cell)

    def write(self, stored: Stored) -> CellValue:
        """What the cell gets for a stored value."""
        if stored is None:
            return None
        if type(stored) is not str:
            return self.kind.write(self.kind.load(stored))
        cell = self._cells.get(stored)
        if cell is None:
            cell = self.kind.write(self.kind.load(stored))
            _remember(self._cells, stored, cell)
        return cell

    def load(self, stored: Stored) -> Any:
        """The field's value."""
        return None if stored is None else self.kind.load(stored)

    def store(self, value: Any) -> Stored:
        """What is stored for a field's value."""
        return None if value is None else self.kind.store(value)


class Shape(Generic[R]):
    """One record type in scratch tables: a table with its columns, the row's number, and what names it."""

    def __init__(self, kind: RecordType[R], index: int) -> None:
        self.kind = kind
        self.index = index
        self.table = f"records{index}"
        self.columns = tuple(ColumnShape(column, position) for position, column in enumerate(kind.columns))
        self.by_name = {column.name: column for column in self.columns}
        self.key = tuple(self.by_name[name] for name in kind.key)
        self._fields = tuple(column.name for column in self.columns)
        self._loads = [(column.name, column.kind.load) for column in self.columns if not column.kind.plain]

    def __getitem__(self, name: str) -> ColumnShape:
        try:
            return self.by_name[name]
        except KeyError:
            raise TypeError(f"{self.kind.record.__name__} has no field {name}") from None

    @property
    def schema(self) -> str:
        """The SQL that makes its table."""
        columns = ", ".join(f"{column.sql} {column.kind.sql}" for column in self.columns)
        return (
            f"CREATE TABLE {self.table} (id INTEGER PRIMARY KEY, number INTEGER, sound INTEGER NOT NULL, key TEXT, "
            f"raw TEXT, fixed INTEGER NOT NULL, {columns});"
        )

    @cached_property
    def names(self) -> str:
        """The SQL names of its columns."""
        return ", ".join(column.sql for column in self.columns)

    @cached_property
    def insertion(self) -> str:
        """The SQL that puts in a whole row."""
        return f"INSERT INTO {self.table} VALUES ({', '.join('?' * (LEADING + len(self.columns)))})"

    def record(self, values: Sequence[Stored]) -> R:
        """The record of stored values."""
        given: dict[str, Any] = dict(zip(self._fields, values, strict=True))
        for name, load in self._loads:
            if (stored := given[name]) is not None:
                given[name] = load(stored)
        return self.kind.record(**given)

    def cells(self, values: Sequence[Stored]) -> dict[str, CellValue]:
        """The cells of stored values that are not blank, by field."""
        return {c.name: c.write(values[c.position]) for c in self.columns if values[c.position] is not None}

    def values(self, record: R) -> dict[str, Any]:
        """A record's fields."""
        return {column.name: getattr(record, column.name) for column in self.columns}

    def key_of(self, values: Sequence[Stored]) -> str | None:
        """The canonical key of a record as scratch tables hold it; None where a part is blank."""
        parts = tuple(values[column.position] for column in self.key)
        return None if None in parts else key_text(tuple(map(str, parts)))

    def canonical(self, key: Sequence[Any]) -> tuple[str, ...]:
        """The canonical key of the values of the key's fields."""
        if len(key) != len(self.key):
            raise TypeError(f"a key of {self.kind.sheet} has {len(self.key)} values ({', '.join(self.kind.key)})")
        return tuple(str(column.store(value)) for column, value in zip(self.key, key, strict=True))

    def held(self, scratch: Scratch, key: tuple[str, ...]) -> Held | None:
        """The (first) row of a canonical key."""
        return self.held_as(scratch, key_text(key))

    def held_as(self, scratch: Scratch, key: str) -> Held | None:
        """The (first) row of a canonical key, given as scratch tables hold it."""
        row = scratch.one(self._by_key, (key,))
        return None if row is None else Held(row[0], row[1], bool(row[2]), row[3], row[4], row[5], row[LEADING:])

    @cached_property
    def _by_key(self) -> str:
        return f"SELECT * FROM {self.table} WHERE key = ?"

    def raw_key(self, values: Values) -> str:
        """The texts of the key cells of a new record as they are read back: a date has a time then."""
        cells = (column.write(values[column.position]) for column in self.key)
        return key_text(tuple(key_part(unpack(pack(value))) for value in cells))


def _remember(known: dict[Any, Any], value: Any, made: Any) -> None:
    """Keep what was made of a value, of some hundred short ones at a time."""
    if len(known) >= _REMEMBERED:
        known.clear()
    if not isinstance(value, str) or len(value) <= _LONGEST_REMEMBERED:
        known[value] = made


def _shown(value: CellValue, code: str) -> str:
    return value.text if isinstance(value, Link) else shown(value, code)
