"""Sheets of records in a workbook as rules see them: typed records by key, and changes that are staged on top.

Everything lies in scratch tables: memory does not grow with the sheets.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from batchbook.errors import Finding
from batchbook.storage.scratch import Scratch
from batchbook.tables import findings as kept
from batchbook.tables.applying import Applying
from batchbook.tables.checking import Checker
from batchbook.tables.findings import Findings
from batchbook.tables.querying import casefold
from batchbook.tables.reading import check_keys, check_references, find_places, read_sheet
from batchbook.tables.records import R, RecordChange, RecordType
from batchbook.tables.recordsheet import RecordSheet
from batchbook.tables.recordtable import RecordTable, Shared
from batchbook.tables.refusals import RecordRefused, Unsound
from batchbook.tables.shapes import Shape
from batchbook.tables.staging import Staging
from batchbook.xlsx import Book

__all__ = ["Findings", "RecordRefused", "RecordTable", "Unsound", "Workspace"]


class Workspace:
    """Some sheets of records, read from an opened workbook, with what is staged on top of them."""

    def __init__(self, types: Sequence[RecordType[Any]], file: str, digest: str) -> None:
        """Without records; see `read` and `empty`."""
        self.file = file
        """Name of the workbook."""
        self.digest = digest
        """Of the workbook that was read."""
        shapes = [Shape(kind, index) for index, kind in enumerate(types)]
        self._by_sheet = {shape.kind.sheet: shape for shape in shapes}
        if len({name.casefold() for name in self._by_sheet}) < len(shapes):
            raise TypeError("two of the types have the same sheet")
        _must_be_complete(self._by_sheet)
        scratch = Scratch(kept.SCHEMA + "".join(shape.schema for shape in shapes))
        scratch.function("casefold", 1, casefold)
        found = Findings(scratch, file, tuple(shape.kind.sheet for shape in shapes))
        staging = Staging(scratch, shapes)
        self._shared = Shared(scratch, found, staging, Checker(scratch, shapes, staging), file)
        self._tables: dict[str, RecordTable[Any]] = {
            shape.kind.sheet: RecordTable(shape, self._shared) for shape in shapes
        }
        self._lost: dict[str, Container[tuple[str, ...]]] = {}

    @classmethod
    def read(cls, book: Book, types: Sequence[RecordType[Any]]) -> Workspace:
        """Read all sheets of these types; one pass over each.

        What is wrong in rows becomes findings. Raises ConfigurationError with all sheets and headers that are missing.
        The book has to stay open as long as `RecordTable.location` is asked for what reads it.
        """
        workspace = cls(types, book.path.name, book.digest)
        shapes = list(workspace._by_sheet.values())
        workspace._fill(book, shapes, find_places(book, shapes))
        return workspace

    @classmethod
    def without_rows(cls, book: Book, types: Sequence[RecordType[Any]]) -> Workspace:
        """The sheets of these types as `read` finds them, but no row of them. Raises ConfigurationError as `read`."""
        workspace = cls(types, book.path.name, book.digest)
        shapes = list(workspace._by_sheet.values())
        for shape, place in zip(shapes, find_places(book, shapes), strict=True):
            workspace._tables[shape.kind.sheet].stands(place)
        return workspace

    def moves_to(self, book: Book) -> bool:
        """Go on with the same workbook, opened anew; gives whether that can be: it is in the state that was read (by
        its digest, which covers all that it holds), and nothing was ever staged.
        """
        if not self.digest or book.digest != self.digest or any(table.version for table in self._tables.values()):
            return False
        for table in self._tables.values():
            table.reopened(book)
        return True

    @classmethod
    def empty(cls, types: Sequence[RecordType[Any]], file: str = "") -> Workspace:
        """A workspace of no workbook, without any record: all that it ever has is staged."""
        workspace = cls(types, file, "")
        for shape in workspace._by_sheet.values():
            workspace._shared.index_keys(shape)
        return workspace

    def _fill(self, book: Book, shapes: Sequence[Shape[Any]], places: Sequence[RecordSheet]) -> None:
        scratch, found = self._shared.scratch, self._shared.findings
        for shape, place in zip(shapes, places, strict=True):
            found.name_sheet(shape.index, place.sheet)
            read_sheet(book, shape, place, scratch, found)
            self._shared.index_keys(shape)
            check_keys(shape, place, scratch, found)
            self._tables[shape.kind.sheet].stands(place)
        for shape, place in zip(shapes, places, strict=True):
            check_references(shape, self._by_sheet, place, scratch, found)

    def table(self, kind: RecordType[R]) -> RecordTable[R]:
        """The records of a type: of its sheet and class, under the columns and rules that they were read by."""
        table = self._tables.get(kind.sheet)
        if table is None or table.kind.record is not kind.record:
            raise TypeError(f"the sheet {kind.sheet} was not read as records of {kind.record.__name__}")
        return table

    @property
    def tables(self) -> Sequence[RecordTable[Any]]:
        """The records of all types."""
        return tuple(self._tables.values())

    @property
    def findings(self) -> Findings:
        """What is wrong in the rows that were read, in the order of sheets and rows."""
        return self._shared.findings

    def whole(self) -> AbstractContextManager[None]:
        """What is staged inside is staged as a whole, or, where an exception leaves it, not at all. May be nested."""
        return self._shared.staging.whole()

    def take(self) -> list[RecordChange]:
        """What was staged since the last `take`, one change a record, in the order of the first staging.

        The changes stay staged: later reads see them. What comes to nothing is left out: a record that is again what
        it was. Memory grows with the changes.
        """
        return self._shared.staging.take()

    def apply(self, changes: Iterable[RecordChange]) -> list[Finding]:
        """Stage changes that were decided elsewhere or earlier, where they still hold; gives why others do not.

        A change holds where the record is there and every cell of `before` is what it was (read as its kind reads it),
        or, for a new record, where there is none of its key; and where the record then follows its type's rules. One
        that is there already as wanted holds too, and stages nothing. Each change is staged or not for itself. They are
        among what `take` gives next, as any others.
        """
        applying = Applying(self._shared, self._by_sheet)
        return [finding for change in changes for finding in applying.one(change)]

    def all_new(self, changes: Sequence[RecordChange]) -> bool:
        """Whether some changes (a few hundred) are all of new records, and are staged here just so.

        Then they hold for the state of the workbook that was read: they were checked against it when they were staged,
        and nothing among the rest that is staged can matter to them. (Where types refer to records that were staged, it
        might: the answer is False.)
        """
        columns = (column.column for shape in self._by_sheet.values() for column in shape.columns)
        if any(self._tables[column.refers.sheet].version for column in columns if column.refers is not None):
            return False
        by_sheet: dict[str, list[RecordChange]] = {}
        for change in changes:
            by_sheet.setdefault(change.sheet, []).append(change)
        return all(self._tables[sheet].are_new(some) for sheet, some in by_sheet.items())

    def lost(self, kind: RecordType[Any]) -> Container[tuple[str, ...]]:
        """Canonical keys (see `RecordTable.key_of`) of records that were written once and have no row any more, or
        whose row shows them free again though nobody freed them by a command (see `RecordType.free`).
        """
        return self._lost.get(kind.sheet, ())

    def set_lost(self, kind: RecordType[Any], keys: Container[tuple[str, ...]]) -> None:
        """Say what `lost` is for a type; who has a ledger knows it."""
        self._lost[kind.sheet] = keys


def _must_be_complete(shapes: dict[str, Shape[Any]]) -> None:
    for shape in shapes.values():
        for column in shape.columns:
            refers = column.column.refers
            if refers is not None and refers.sheet not in shapes:
                raise TypeError(f"{shape.kind.sheet} refers to {refers.sheet}, which is not among the types")
