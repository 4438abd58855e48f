"""Detail sheets: machine-owned sheets that hold any number of rows for each row of the job's sheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from batchbook.batch.processors import DetailSheet
from batchbook.errors import ConfigurationError
from batchbook.tables.codec import pack_rows, unpack_rows
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


def read_details(book: Book, name: str, spec: DetailSheet) -> dict[str, PackedRows]:
    """What a detail sheet holds, by key text in the sheet's order; nothing where there is no such sheet.

    Raises ConfigurationError where a sheet of that name holds something else: it is a person's then.
    """
    must_be_ours(book, name, spec)
    if not has_sheet(book, name):
        return {}
    found: dict[str, PackedRows] = {}
    width = len(spec.columns)
    for number, cells in book.rows(name):
        values: list[CellValue] = [cells[c].value if c in cells else None for c in range(1, width + 1)]
        if number == 1 or all(value is None for value in values):
            continue
        key = key_text(tuple(key_part(value) for value in values[: spec.key]))
        found.setdefault(key, []).extend(pack_rows([values]))
    return found


def must_be_ours(book: Book, name: str, spec: DetailSheet) -> None:
    """See that a sheet is absent, empty or one that this job writes; ConfigurationError otherwise."""
    if not has_sheet(book, name):
        return
    headers = [column.header for column in spec.columns]
    number, cells = next(book.rows(name), (0, {}))
    values = [cells[c].value if c in cells else None for c in range(1, len(headers) + 1)]
    if number > 1 or (number == 1 and values != headers):
        raise ConfigurationError(
            f"The sheet {name!r} of {book.path.name} is not the one that this job writes: its first row holds "
            f"{', '.join(repr(v) for v in values if v is not None) or 'nothing'}.",
            f"Rename that sheet; the job needs {name!r} for itself (headers: {', '.join(headers)}).",
        )


def content(spec: DetailSheet, groups: Mapping[str, PackedRows], order: Iterable[str]) -> SheetContent:
    """The whole content of a detail sheet: groups in the order of the job's rows, those without a row left out."""

    def rows() -> Iterator[list[CellValue]]:
        for key in order:
            yield from unpack_rows(groups.get(key, ()))

    return SheetContent(columns=spec.columns, rows=rows())
