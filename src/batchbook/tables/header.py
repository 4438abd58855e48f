"""Finding a table's columns by their headers, never by position."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchbook.errors import ConfigurationError, Finding
from batchbook.storage.celltexts import folded
from batchbook.xlsx import Book, Cell, letters

SEARCHED_ROWS = 50
"""How far down a header row is looked for where the job names none."""


class HeaderError(ConfigurationError, code="header"):
    """A header that the job needs is missing or stands there more than once."""


@dataclass(frozen=True, slots=True)
class Header:
    """Where a table's columns are: 1-based row of the headers, and by own name the 1-based column and its header."""

    row: int
    columns: Mapping[str, int]
    titles: Mapping[str, str]


def find_header(
    book: Book,
    sheet: str,
    wanted: Mapping[str, Sequence[str]],
    *,
    row: int | None = None,
    others: bool = False,
) -> Header:
    """Find the columns of `wanted` (own name: its header and aliases) in a sheet.

    With `row` None the first of the top rows that has every wanted header is taken. With `others` every further
    column with a header is given too, under its header. Raises HeaderError with all places.
    """
    best: tuple[int, dict[int, str]] = (row or 1, {})
    score = -1
    for number, cells in _top_rows(book, sheet, row):
        texts = {column: cell.shown().strip() for column, cell in cells.items() if cell.shown().strip()}
        if row is not None:
            best = (number, texts)
            break
        present = {folded(text) for text in texts.values()}
        hits = sum(any(folded(alias) in present for alias in aliases) for aliases in wanted.values())
        if hits > score:
            best, score = (number, texts), hits
        if hits == len(wanted):
            break
    return _columns(book, sheet, wanted, *best, others=others)


def _top_rows(book: Book, sheet: str, row: int | None) -> list[tuple[int, dict[int, Cell]]]:
    rows = []
    for number, cells in book.rows(sheet):
        if number > (row or SEARCHED_ROWS):
            break
        if row is None or number == row:
            rows.append((number, cells))
    return rows


def _columns(
    book: Book, sheet: str, wanted: Mapping[str, Sequence[str]], row: int, texts: Mapping[int, str], *, others: bool
) -> Header:
    columns: dict[str, int] = {}
    findings: list[Finding] = []
    for own, aliases in wanted.items():
        names = {folded(alias) for alias in aliases}
        places = [column for column, text in texts.items() if folded(text) in names]
        if len(places) == 1:
            columns[own] = places[0]
            continue
        findings.append(Finding(_trouble(aliases, places, texts), book.path.name, sheet, row, own))
    if findings:
        count = (
            "a header that the job needs is"
            if len(findings) == 1
            else f"{len(findings)} headers that the job needs are"
        )
        raise HeaderError(
            f"In {book.path.name}, sheet {sheet}, row {row}, {count} missing or doubled.",
            "Mend the header row, or name the headers under `columns:` (and `header_row:`) in the job file.",
            findings=findings,
        )
    if others:
        taken = set(columns.values())
        for column, text in sorted(texts.items()):
            if column not in taken and text not in columns:
                columns[text] = column
    return Header(row, columns, {own: texts[column] for own, column in columns.items()})


def _trouble(aliases: Sequence[str], places: Sequence[int], texts: Mapping[int, str]) -> str:
    named = " or ".join(repr(alias) for alias in aliases)
    if places:
        return f"the header {named} stands in {len(places)} columns: {', '.join(map(letters, places))}"
    near = difflib.get_close_matches(aliases[0], texts.values(), n=3, cutoff=0.6)
    hint = f"; is {' or '.join(map(repr, near))} meant to be it?" if near else ""
    return f"there is no header {named}{hint}"
