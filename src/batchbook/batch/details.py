"""Detail sheets: machine-owned sheets that hold any number of rows for each row of the job's sheet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from batchbook.batch.processors import DetailSheet
from batchbook.errors import ConfigurationError
from batchbook.storage.savelog import SaveLog
from batchbook.storage.scratch import Scratch
from batchbook.tables.codec import dumps, pack_rows, unpack_rows
from batchbook.tables.keys import key_part, key_text
from batchbook.xlsx import Book, SheetColumn, SheetContent
from batchbook.xlsx.values import CellValue

PackedRows = list[list[Any]]
CONFLICTS = "Conflicts"
CONFLICT_SHEET = DetailSheet(
    tuple(
        SheetColumn(header, width)
        for header, width in (("Run", 20), ("Key", 24), ("Column", 20), ("Machine's last", 24), ("Yours", 24),
                              ("Machine's now", 24), ("Kept", 10))
    )
)  # fmt: skip
"""The sheet that lists a run's conflicts, where the job wants one."""


def has_sheet(book: Book, name: str) -> bool:
    """Whether the workbook has such a sheet (case does not count, as in Excel)."""
    return any(sheet.name.casefold() == name.casefold() for sheet in book.sheets)


class DetailRows:
    """What a detail sheet holds, by key text; in scratch tables, so that memory does not grow with the sheet."""

    def __init__(self, rows: Iterable[tuple[str, PackedRows]] = ()) -> None:
        """`rows` are pairs of key text and packed rows, in the sheet's order."""
        self._scratch = Scratch("CREATE TABLE held (key TEXT NOT NULL, cells TEXT NOT NULL);")
        self._scratch.execute_many("INSERT INTO held VALUES (?, ?)", ((key, dumps(packed)) for key, packed in rows))
        self._scratch.execute("CREATE INDEX by_key ON held (key)")

    def of(self, key: str) -> PackedRows:
        """The packed rows of a key in the sheet's order, none where there are none."""
        found: PackedRows = []
        for (text,) in self._scratch.query("SELECT cells FROM held WHERE key = ? ORDER BY rowid", (key,)):
            found.extend(json.loads(text))
        return found

    def keys(self) -> Iterator[str]:
        """The keys that have rows."""
        for (key,) in self._scratch.query("SELECT DISTINCT key FROM held"):
            yield key


Details = Mapping[str, DetailRows]
"""What the detail sheets of a job hold, by sheet."""


def read_details(book: Book, name: str, spec: DetailSheet) -> DetailRows:
    """What a detail sheet holds; nothing where there is no such sheet.

    Raises ConfigurationError where a sheet of that name holds something else: it is a person's then.
    """
    must_be_ours(book, name, spec)
    return DetailRows(_packed_rows(book, name, spec) if has_sheet(book, name) else ())


def _packed_rows(book: Book, name: str, spec: DetailSheet) -> Iterator[tuple[str, PackedRows]]:
    width = len(spec.columns)
    for number, cells in book.rows(name):
        values: list[CellValue] = [cells[c].value if c in cells else None for c in range(1, width + 1)]
        if number == 1 or all(value is None for value in values):
            continue
        yield key_text(tuple(key_part(value) for value in values[: spec.key])), pack_rows([values])


def must_be_ours(book: Book, name: str, spec: DetailSheet) -> None:
    """See that a sheet is absent, empty or one that this job writes; ConfigurationError otherwise."""
    if not has_sheet(book, name):
        return
    headers = [column.header for column in spec.columns]
    number, cells = next(book.rows(name), (0, {}))
    values = [cells[c].value if c in cells else None for c in range(1, len(headers) + 1)]
    forms = [[*headers[:most], *[None] * (len(headers) - most)] for most in (len(headers), *spec.earlier)]
    if number > 1 or (number == 1 and values not in forms):
        raise ConfigurationError(
            f"The sheet {name!r} of {book.path.name} is not the one that this job writes: its first row holds "
            f"{', '.join(repr(v) for v in values if v is not None) or 'nothing'}.",
            f"Rename that sheet; the job needs {name!r} for itself (headers: {', '.join(headers)}).",
        )


def planned_rows(saves: SaveLog, sheet: str, held: DetailRows, key: str) -> PackedRows:
    """A key's rows as a planned save will have them: the planned ones, else those that the sheet holds."""
    change = saves.planned_for(sheet, key)
    return held.of(key) if change is None else json.loads(change.after)["rows"]


def content(spec: DetailSheet, rows_of: Callable[[str], PackedRows], order: Iterable[str]) -> SheetContent:
    """The whole content of a detail sheet: each key's rows in the order of the job's rows."""

    def rows() -> Iterator[list[CellValue]]:
        for key in order:
            yield from unpack_rows(rows_of(key))

    return SheetContent(columns=spec.columns, rows=rows())
