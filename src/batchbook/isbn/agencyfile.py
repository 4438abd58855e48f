"""An agency's list as rows: CSV or XLSX, its columns found by their headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from batchbook.isbn.adopt import HEADERS, AgencyRow
from batchbook.isbn.bulk import Place
from batchbook.isbn.headers import spelled
from batchbook.tables.inputs import open_rows


def agency_rows(path: Path) -> Iterator[AgencyRow]:
    """The rows of a list, one by one, columns under own names; other columns are left out.

    Raises HeaderError where a column of ISBNs is missing or a column is there twice, and ConfigurationError where the
    file cannot be read.
    """
    headers = spelled(HEADERS)
    needed = {"isbn": headers.pop("isbn")}
    file = open_rows(path, needed, headers)
    titles = {name: HEADERS[name][0] for name in file.names}
    for row in file.rows():
        found = {name: cell for name, cell in row.cells.items() if cell is not None}
        yield AgencyRow(
            {name: cell.value for name, cell in found.items()},
            Place(path.name, None, row.number, titles),
            {name: cell.shown() for name, cell in found.items()},
            row.problem,
        )
