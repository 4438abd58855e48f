"""Sheets of records in a workbook as rules see them: typed records by key, and changes that are staged on top.

Everything lies in scratch tables: memory does not grow with the sheets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic

from batchbook.errors import EXIT_USAGE, BatchbookError, Finding
from batchbook.tables.records import R, RecordChange, RecordType
from batchbook.xlsx import Book


class RecordRefused(BatchbookError):
    """A record breaks the rules of its sheet; nothing of it was staged."""

    code = "record-refused"
    exit_code = EXIT_USAGE


class Unsound(BatchbookError):
    """Rows of the workbook break the rules of their sheet; nothing is built on them."""

    code = "unsound"
    exit_code = EXIT_USAGE


class Workspace:
    """Some sheets of records, read from an opened workbook, with what is staged on top of them."""

    file: str
    """Name of the workbook."""
    digest: str
    """Of the workbook that was read."""

    @classmethod
    def read(cls, book: Book, types: Sequence[RecordType[Any]]) -> Workspace:
        """Read all sheets of these types; one pass over each.

        What is wrong in rows becomes findings. Raises ConfigurationError with all sheets and headers that are missing.
        """
        raise NotImplementedError

    def table(self, kind: RecordType[R]) -> RecordTable[R]:
        """The records of a type."""
        raise NotImplementedError

    @property
    def findings(self) -> Findings:
        """What is wrong in the rows that were read, in the order of sheets and rows."""
        raise NotImplementedError

    @contextmanager
    def whole(self) -> Iterator[None]:
        """What is staged inside is staged as a whole, or, where an exception leaves it, not at all. May be nested."""
        raise NotImplementedError
        yield

    def take(self) -> list[RecordChange]:
        """What was staged since the last `take`, one change a record, in the order of the first staging.

        The changes stay staged: later reads see them.
        """
        raise NotImplementedError

    def apply(self, changes: Iterable[RecordChange]) -> list[Finding]:
        """Stage changes that were decided elsewhere or earlier, where they still hold; gives why others do not.

        A change holds where the record is there and every cell of `before` is what it was (`tables.same`), or, for a
        new record, where there is none of its key; and where the record then follows its type's rules. One that is
        there already as wanted holds too, and stages nothing.
        """
        raise NotImplementedError


class Findings:
    """Any number of findings, in scratch tables."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Finding]:
        raise NotImplementedError

    @property
    def errors(self) -> int:
        """How many of them are no mere warnings."""
        raise NotImplementedError


class RecordTable(Generic[R]):
    """The records of one type, those that are staged included. Keys are given as values of the key's fields.

    Rows that break a rule are `unsound`: they are counted and named by findings, but given as records only on request.
    """

    kind: RecordType[R]

    def get(self, *key: Any) -> R | None:
        """The record of a key, None where there is none. Raises Unsound where its row breaks a rule."""
        raise NotImplementedError

    def where(self, *, order: Sequence[str] = (), **wanted: Any) -> Iterator[R]:
        """Sound records whose fields equal these values (or fit a filter, see `filters`), in the sheet's order.

        order: fields to sort by instead; ``-field`` descending; blanks last.
        """
        raise NotImplementedError

    def count(self, **wanted: Any) -> int:
        """How many sound records `where` gives."""
        raise NotImplementedError

    def tally(self, *by: str, **wanted: Any) -> Mapping[tuple[Any, ...], int]:
        """How many sound records `where` gives, by the values of some fields."""
        raise NotImplementedError

    @property
    def unsound(self) -> int:
        """How many rows break a rule."""
        raise NotImplementedError

    def must_be_sound(self) -> None:
        """Raise Unsound with all findings where rows break a rule."""
        raise NotImplementedError

    def place(self, *key: Any) -> int | None:
        """The sheet's row of a record; None where there is none, or it is staged as a new one."""
        raise NotImplementedError

    def insert(self, record: R) -> R:
        """Stage a new record; RecordRefused with everything that is wrong with it (its key may be taken)."""
        raise NotImplementedError

    def update(self, *key: Any, **changes: Any) -> R:
        """Stage changes of a record, and give it as it is then.

        Raises RecordRefused with everything that is wrong with them, KeyError where there is no such record, Unsound.
        """
        raise NotImplementedError
