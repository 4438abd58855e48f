"""Rows of a report that are found in one order and shown in another; on disk, so that there can be any number."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from batchbook.storage.scratch import Scratch
from batchbook.tables.codec import pack, unpack
from batchbook.tables.reportbook import Formatted, ReportCell, Toned

_PLACES = 4


class OrderedRows:
    """Rows, each with up to four numbers or texts by which they are put in order; equal ones stay as they came."""

    def __init__(self) -> None:
        columns = ", ".join(f"o{place}" for place in range(_PLACES))
        self._order = f"{columns}, place"
        self._scratch = Scratch(f"CREATE TABLE kept (place INTEGER PRIMARY KEY, {columns}, cells TEXT NOT NULL);")
        self._add = f"INSERT INTO kept ({columns}, cells) VALUES ({', '.join('?' * (_PLACES + 1))})"
        self._page: list[tuple[Any, ...]] = []
        self._count = 0

    def add(self, order: Sequence[float | str], cells: Sequence[ReportCell]) -> None:
        """Add a row."""
        places = (*order, *(0,) * (_PLACES - len(order)))
        self._page.append((*places, json.dumps([_packed(cell) for cell in cells])))
        self._count += 1
        if len(self._page) >= 500:
            self._write()

    def _write(self) -> None:
        page, self._page = self._page, []
        self._scratch.execute_many(self._add, page)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[ReportCell]]:
        self._write()
        for (text,) in self._scratch.query(f"SELECT cells FROM kept ORDER BY {self._order}"):
            yield [_unpacked(cell) for cell in json.loads(text)]


def _packed(cell: ReportCell) -> list[Any]:
    if isinstance(cell, Formatted):
        return [pack(cell.value), cell.tone, cell.format]
    return [pack(cell.value), cell.tone] if isinstance(cell, Toned) else [pack(cell)]


def _unpacked(plain: list[Any]) -> ReportCell:
    value = unpack(plain[0])
    if len(plain) > 2:
        assert isinstance(value, int | float)
        return Formatted(value, plain[2], plain[1])
    return Toned(value, plain[1]) if len(plain) > 1 else value


class RowSet:
    """Any number of rows of texts, to be asked whether one is among them."""

    def __init__(self) -> None:
        self._scratch = Scratch("CREATE TABLE rows (row TEXT PRIMARY KEY) WITHOUT ROWID;")

    def add(self, *texts: str) -> None:
        """Add a row."""
        self._scratch.execute("INSERT OR IGNORE INTO rows VALUES (?)", (json.dumps(texts),))

    def __contains__(self, texts: object) -> bool:
        """Whether a tuple of texts is among them."""
        return self._scratch.one("SELECT 1 FROM rows WHERE row = ?", (json.dumps(texts),)) is not None
