"""Where the records of one type stand in an opened workbook: sheet, headers, cells, and what a change makes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from batchbook.storage.celltexts import folded
from batchbook.storage.savelog import Change
from batchbook.tables.codec import canonical, decanonical, pack, unpack
from batchbook.tables.header import Header, find_header
from batchbook.tables.keys import key_of_text, key_part, key_text
from batchbook.tables.records import Column, RecordType
from batchbook.tables.table import held_in
from batchbook.xlsx import Book, Cell, SheetLayout, letters
from batchbook.xlsx.values import CellValue


@dataclass(frozen=True)
class RecordSheet:
    """The sheet of one type in a workbook; columns go by their own names, rows by their numbers from 1.

    The book has to be open for what reads it: `layout`, and so `next_row` and `why_locked`, and `rows_at`.
    """

    book: Book
    kind: RecordType[Any]
    sheet: str
    """Its name as it is in the workbook."""
    header: Header

    @classmethod
    def find(cls, book: Book, kind: RecordType[Any], also: Iterable[str] = ()) -> RecordSheet:
        """The sheet of a type; `also` names further headers that are wanted. Raises ConfigurationError."""
        sheet = book.sheet(kind.sheet).name
        wanted: dict[str, tuple[str, ...]] = {column.name: column.headers for column in kind.columns}
        wanted.update((title, (title,)) for title in also)
        return cls(book, kind, sheet, find_header(book, sheet, wanted))

    # --- headers ---------------------------------------------------------------------------------------------------

    def title(self, name: str) -> str:
        """The header of a column as it stands in the sheet."""
        return self.header.titles[name]

    def column(self, name: str) -> int:
        """The 1-based number of a column."""
        return self.header.columns[name]

    @property
    def key_titles(self) -> list[str]:
        """The headers of the key columns, as they stand in the sheet."""
        return [self.title(name) for name in self.kind.key]

    @property
    def columns(self) -> set[int]:
        """The numbers of all columns that are known."""
        return set(self.header.columns.values())

    @cached_property
    def by_title(self) -> Mapping[str, int]:
        """The numbers of all columns that are known, by their headers as they stand in the sheet."""
        return {title: self.column(name) for name, title in self.header.titles.items()}

    def name_of(self, title: str) -> str | None:
        """The own name of a column by a header that it has or may have; None where the type has no such column."""
        return next((column.name for column in self.kind.columns if _has_title(column, title)), None)

    # --- in words --------------------------------------------------------------------------------------------------

    def headed(self, name: str) -> str:
        """A column in words, such as ``F (Scheduled Date)``."""
        return f"{letters(self.column(name))} ({self.title(name)})"

    def place(self, number: int, name: str) -> str:
        """A cell in words, such as ``F12 (Title)``."""
        return f"{letters(self.column(name))}{number} ({self.title(name)})"

    # --- cells -----------------------------------------------------------------------------------------------------

    @cached_property
    def layout(self) -> SheetLayout:
        """What is around its cells."""
        return self.book.layout(self.sheet)

    @property
    def next_row(self) -> int:
        """The row behind the last one of the sheet, whatever that one holds."""
        return max(self.layout.last_row, self.header.row) + 1

    def why_locked(self, number: int | None, name: str) -> str | None:
        """Why a cell cannot be written, None where it can (and of a row that is not there yet)."""
        return None if number is None else self.layout.locked(number, self.column(name))

    def rows_at(self, numbers: Collection[int]) -> dict[int, dict[int, Cell]]:
        """The known cells of some rows, by row number."""
        return self.book.rows_at(self.sheet, numbers, self.columns)

    def held(self, cells: Mapping[int, Cell], name: str) -> CellValue:
        """What a cell of a row holds; a formula that a person put there is no value, whatever it shows."""
        return held_in(cells.get(self.column(name)))

    # --- changes ---------------------------------------------------------------------------------------------------

    def key_text(self, cells: Mapping[int, Cell], after: Mapping[str, CellValue]) -> str:
        """The key of a row as the ledger has it, once `after` is written into it (a new row has no `cells`)."""
        parts = []
        for name in self.kind.key:
            if name in after:
                value = unpack(pack(after[name]))  # as it is read back from a cell: a date there has a time
            else:
                cell = cells.get(self.column(name))
                value = cell.value if cell is not None else None
            parts.append(key_part(value))
        return key_text(tuple(parts))

    def change(self, number: int, key: str, before: Mapping[str, CellValue], after: Mapping[str, CellValue]) -> Change:
        """What the ledger keeps of a change of a row, whose key it has as a text: values before and after by header."""
        titles = self.header.titles
        held, wanted = ({titles[name]: value for name, value in side.items()} for side in (before, after))
        return Change(self.kind.sheet, key, number, canonical(held), canonical(wanted))

    def written(self, change: Change) -> dict[int, CellValue]:
        """The cells that a change of this sheet writes, by column."""
        columns = self.by_title
        return {columns[title]: value for title, value in decanonical(change.after).items()}


def canonical_key(kind: RecordType[Any], text: str) -> tuple[str, ...]:
    """The canonical key of the texts of key cells (`keys.key_text`); the texts themselves where they are none."""
    parts = key_of_text(text)
    try:
        columns = [kind.column(name) for name in kind.key]
        return tuple(
            str(column.kind.store(column.kind.parse(part))) for column, part in zip(columns, parts, strict=True)
        )
    except ValueError:  # of a kind (`Wrong`), or of another number of parts
        return parts


def tables_of(sheets: Iterable[RecordSheet]) -> dict[str, dict[str, Any]]:
    """What a run's settings keep under ``tables``: how the rows of each sheet are named, and whether they stay."""
    return {one.kind.sheet: {"key": one.key_titles, "append_only": one.kind.append_only} for one in sheets}


def _has_title(column: Column, title: str) -> bool:
    return folded(title) in map(folded, column.headers)
