"""One row of a table as rules see it: named columns, never positions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from batchbook.tables.codec import canonical
from batchbook.xlsx.values import CellValue

Key = tuple[str, ...]
"""What names a row: the text of its key columns, in the order of the job's `key`."""


class CellLike(Protocol):
    """What a row needs of a cell (`xlsx.Cell` is one)."""

    @property
    def value(self) -> CellValue:
        """The value, as Python."""
        ...

    @property
    def format(self) -> str:
        """The number format code."""
        ...

    def shown(self) -> str:
        """The text a person sees."""
        ...


class Row(Mapping[str, CellValue]):
    """A row's readable columns under the job's own names; blank cells are None.

    `number` is the row's place in the sheet (1-based) when it was read and `key` its name; both are for messages:
    rows are found again by key only.
    """

    __slots__ = ("_cells", "_written", "key", "number")

    def __init__(
        self, number: int, key: Key, cells: Mapping[str, CellLike | None], written: Collection[str] = ()
    ) -> None:
        """`written` names columns that the job writes itself: their change is no change of an input."""
        self._written = written
        self.number = number
        self.key = key
        self._cells = cells

    def __getitem__(self, name: str) -> CellValue:
        cell = self._cell(name)
        return None if cell is None else cell.value

    def _cell(self, name: str) -> CellLike | None:
        try:
            return self._cells[name]
        except KeyError:
            known = ", ".join(self._cells)
            raise KeyError(f"{name} is not among the columns that the job reads ({known}): see `reads:`") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def shown(self, name: str) -> str:
        """The text that Excel shows for the column: ``"1.10"`` for 1.1 under the format 0.00, ``""`` when blank."""
        cell = self._cell(name)
        return "" if cell is None else cell.shown()

    def format(self, name: str) -> str:
        """The number format code of the column's cell, ``"General"`` when blank."""
        cell = self._cell(name)
        return "General" if cell is None else cell.format

    def is_number(self, name: str) -> bool:
        """Whether the cell holds a number (a boolean is none)."""
        value = self[name]
        return isinstance(value, int | float) and not isinstance(value, bool)

    def digest(self) -> str:
        """Hash of what was read, by which a later edit of an input is noticed (hex, 128 bits)."""
        values = {name: self[name] for name in self._cells if name not in self._written}
        # A blank counts as absent: a new empty column is no new input.
        content = canonical({name: value for name, value in values.items() if value is not None and value != ""})
        # A cell of an .xlsx can hold half of a surrogate pair.
        return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def __repr__(self) -> str:
        return f"Row({self.number}, {dict(self)!r})"
