"""An agency's list as rows: CSV or XLSX, its columns found by their headers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from batchbook.errors import Finding
from batchbook.isbn.adopt import HEADERS, AgencyRow
from batchbook.isbn.bulk import Place
from batchbook.isbn.errors import WrongValues
from batchbook.tables.inputs import row_file


def agency_rows(path: Path) -> Iterator[AgencyRow]:
    """The rows of a list, one by one, columns under own names; other columns are left out.

    Raises WrongValues where a header is there twice, and ConfigurationError where the file cannot be read or has no
    column of ISBNs.
    """
    file = row_file(path, {"isbn": HEADERS["isbn"]}, others=True)
    own = {"isbn": "isbn", **_others(path, tuple(name for name in file.names if name != "isbn"))}
    titles = {name: title for title, name in own.items()} | {"isbn": HEADERS["isbn"][0]}
    for number, cells in file.rows():
        found = {own[name]: cell for name, cell in cells.items() if name in own and cell is not None}
        yield AgencyRow(
            {name: cell.value for name, cell in found.items()},
            Place(path.name, None, number, titles),
            {name: cell.shown() for name, cell in found.items()},
        )


def _others(path: Path, headers: tuple[str, ...]) -> dict[str, str]:
    """Header -> own name, for the columns beside the ISBN."""
    meant = {_plain(title): name for name, titles in HEADERS.items() for title in (name, *titles)}
    found: dict[str, str] = {}
    twice = []
    for header in headers:
        name = meant.get(_plain(header))
        if name is None:
            continue
        if name in found.values() or name == "isbn":
            twice.append(Finding(f"a second column for {name}", path.name, column=header, rule="header"))
        found[header] = name
    if twice:
        raise WrongValues(
            f"{path.name} has several columns for the same.", "Leave one of them its header.", findings=twice
        )
    return found


def _plain(header: str) -> str:
    return "".join(c for c in header.casefold() if c not in " _-\t\n")
