"""Which rows a run does, and in which order it gets them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from batchbook.batch.outcomes import TakenRow
from batchbook.config import JobConfig
from batchbook.errors import ConfigurationError, Finding
from batchbook.storage.runlog import Selected
from batchbook.tables.codec import canonical
from batchbook.tables.keys import KeyIndex, key_text, matches
from batchbook.tables.row import Row
from batchbook.tables.table import Table, TableRow
from batchbook.xlsx.values import CellValue


def row_key(row: TableRow, problems: Mapping[int, str]) -> str:
    """The key text that a row goes by in the ledger.

    A row whose key is empty or doubled cannot be named by it; it goes by its key and its place, which no sound key
    (one part shorter) can equal.
    """
    return key_text((*row.key, f"row {row.read_at}")) if row.read_at in problems else row.key_text


def must_have_keys(job: JobConfig, table: Table, index: KeyIndex) -> None:
    """Raise ConfigurationError with all places where the job refuses empty and doubled keys and there are some."""
    problems = index.problems()
    if problems and job.on_bad_key == "refuse":
        name = table.book.path.name
        raise ConfigurationError(
            f"{len(problems)} rows of {name} have an empty or doubled key.",
            "Mend them, or set `on_bad_key: reject` to reject those rows only.",
            findings=[
                Finding(what, name, table.sheet, row, ", ".join(job.key)) for row, what in sorted(problems.items())
            ],
        )


@dataclass(frozen=True)
class Selector:
    """The rows that a job's `select:` and the caller's filters ask for."""

    job: JobConfig
    now: dt.datetime
    start_row: int | None = None
    end_row: int | None = None
    keys: tuple[str, ...] = ()
    only: Container[str] | None = None
    """Key texts; None: all."""
    has_to_do: Callable[[Row], bool] = lambda _row: True
    """Whether the processor has anything to do with a row (`Processor.selects`)."""

    def wants(self, row: TableRow, key: str) -> bool:
        """Whether the row, which goes by this key text in the ledger, is selected."""
        if self.start_row is not None and row.number < self.start_row:
            return False
        if self.end_row is not None and row.number > self.end_row:
            return False
        if self.keys and not matches(row.key, self.keys):
            return False
        if self.only is not None:
            return key in self.only
        return self._due(row) and self.has_to_do(row.row)

    def _due(self, row: TableRow) -> bool:
        select = self.job.select
        if select.mode == "blank":
            marks = set(self.job.marks.columns())
            return all(value is None for name, value in row.taken.items() if name not in marks)
        if select.mode == "stale" and select.older_than is not None and self.job.marks.checked_at is not None:
            checked = as_moment(row.taken[self.job.marks.checked_at], self.job.base.zone)
            return checked is None or self.now - checked > select.older_than
        return True

    def select(self, table: Table, index: KeyIndex) -> Iterator[Selected]:
        """The selected rows in the sheet's order, numbered from 1."""
        problems = index.problems()
        ordinal = 0
        for row in table.rows():
            key = row_key(row, problems)
            if self.wants(row, key):
                ordinal += 1
                yield Selected(ordinal, key, row.number, _held(row))


def _held(row: TableRow) -> str:
    filled = {name: value for name, value in row.taken.items() if value is not None}
    return canonical(filled) if filled else "{}"


def as_moment(value: CellValue, zone: dt.tzinfo) -> dt.datetime | None:
    """A checked-at cell as a moment: ISO 8601 text with offset, or a date that a person typed; None if neither."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, dt.datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=zone)


def taken_rows(
    table: Table, find: Callable[[str], Selected | None] | SideBySide, problems: Mapping[int, str]
) -> Iterator[TakenRow]:
    """The pending rows with what stands in the sheet now, in the sheet's order.

    `find` gives the pending row of a key text. While nobody moved rows, both sides come in the same order and can be
    walked side by side, which is faster.
    """
    for row in table.rows():
        key = row_key(row, problems)
        selected = find.at(row.number) if isinstance(find, SideBySide) else find(key)
        if selected is not None:
            yield TakenRow(selected.ordinal, key, row, problems.get(row.read_at) or row.problem)


class SideBySide:
    """Finds each row's selection when both come in order of the row number."""

    def __init__(self, pending: Iterable[Selected]) -> None:
        self._pending = iter(pending)
        self._next = next(self._pending, None)

    def at(self, number: int) -> Selected | None:
        """The pending row that was selected at a place in the sheet; places are asked for in rising order."""
        while self._next is not None and self._next.number < number:
            self._next = next(self._pending, None)
        if self._next is None or self._next.number != number:
            return None
        found, self._next = self._next, next(self._pending, None)
        return found
