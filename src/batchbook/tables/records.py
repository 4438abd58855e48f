"""Record types: what a sheet of records looks like, declared once.

From a declaration come the reading of a sheet with all findings, the checks of a transaction, new workbooks with
tables, drop-downs and colours, and the sheet that explains them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from batchbook.tables.kinds import Kind
from batchbook.xlsx.values import CellValue

R = TypeVar("R")
"""A record: a frozen dataclass whose fields are the columns' names."""

Owner: TypeAlias = Literal["both", "machine", "person"]
Colour: TypeAlias = Literal["bad", "warn", "good", "quiet"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A column whose values have to stand in a key column of another sheet (own names)."""

    sheet: str
    column: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a record type."""

    name: str
    """The record's field."""
    header: str
    kind: Kind[Any]
    help: str
    """What people should know about it; shown on the Read me sheet."""
    aliases: tuple[str, ...] = ()
    """Further headers that it may have."""
    required: bool = False
    allowed: tuple[str, ...] = ()
    """The values that it may have, as texts that `Kind.show` gives; any where empty. They become a drop-down."""
    refers: Reference | None = None
    owner: Owner = "both"
    """Who writes it: commands never change a person's column of a row that is there; people leave a machine's alone."""
    width: float = 14.0
    """Characters."""
    colours: Mapping[str, Colour] = field(default_factory=dict)
    """How a row looks by this column's value."""

    @property
    def headers(self) -> tuple[str, ...]:
        """The header and its aliases."""
        return (self.header, *self.aliases)


@dataclass(frozen=True, slots=True)
class Computed:
    """A column that Excel computes from the others in the row: in new workbooks only, never read, never written."""

    header: str
    formula: str
    """Without the equals sign; ``[@Total]`` is a cell of the row, ``ISBN_Blocks[Total]`` a whole column of a table."""
    help: str
    format: str = "General"
    width: float = 12.0


@dataclass(frozen=True, slots=True)
class Broken:
    """What a rule finds wrong in a record: at which field, which rule (for programs), and what is said of it."""

    column: str
    rule: str
    said: str
    warning: bool = False
    """Whether it is only told: the record is sound all the same."""


Rule: TypeAlias = Callable[[R], Iterable[Broken]]
"""What has to hold between the fields of one record. Called for records whose single cells are all in order."""


@dataclass(frozen=True)
class RecordType(Generic[R]):
    """A sheet of records of one class."""

    record: type[R]
    sheet: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """The columns that name a record."""
    help: str
    """What the sheet is for, in a sentence or two."""
    append_only: bool = False
    """Records are added, never changed; undoing a run leaves them."""
    computed: tuple[Computed, ...] = ()
    table: str = ""
    """Name of the Excel table; from the sheet's name where empty."""
    free: tuple[str, str] | None = None
    """A column and its value by which a record counts as free to be given anew. A record that shows it although a
    command wrote another value last is `lost` (see `Workspace.lost`): an older copy may have set it back.
    """
    label: str = ""
    """A column that tells people what a record is, such as a title: lists of runs name records by key and label."""
    rules: tuple[Rule[R], ...] = ()
    """Rules of a whole record, for its row when the sheet is read and for what is staged."""

    def __post_init__(self) -> None:
        own = tuple(one.name for one in fields(self.record))  # type: ignore[arg-type]
        names = tuple(column.name for column in self.columns)
        if own != names:
            raise TypeError(f"{self.record.__name__} has the fields {own}, but its sheet the columns {names}")
        if not set(self.key) <= set(names):
            raise TypeError(f"{self.record.__name__} has no columns {set(self.key) - set(names)} for its key")
        if self.label and self.label not in names:
            raise TypeError(f"{self.record.__name__} has no column {self.label!r} for its label")

    def column(self, name: str) -> Column:
        """The column of a field."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def table_name(self) -> str:
        """Name of its Excel table."""
        return self.table or "".join(c if c.isalnum() else "_" for c in self.sheet)


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What is to happen to one record, in values of cells under the columns' own names.

    key: the canonical key (`RecordTable.key_of`), by which the record is found again wherever it stands by then.
    before: what the decision rests on, the changed columns at least (see `RecordTable.rests_on`); None where the record
    is new. after: what is to be written: of a new record all that is not blank, of another what changes; every column
    as None where the record is taken out again.
    """

    sheet: str
    key: tuple[str, ...]
    before: Mapping[str, CellValue] | None
    after: Mapping[str, CellValue]
