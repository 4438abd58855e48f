"""Rows of a result as people and programs want them: an aligned table, one JSON object, or CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from batchbook.cli.output import drop, manner, plain, say, show_json
from batchbook.errors import UsageError
from batchbook.hiding import hide

if TYPE_CHECKING:
    from batchbook.tables.kinds import Kind
    from batchbook.tables.records import RecordType

_LONGEST = 60
_LONGEST_AT_END = 400
"""Characters of a table's cell, and of one in the last column; JSON and CSV have all of them."""


class Formats(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


Format: TypeAlias = Annotated[
    Formats, typer.Option("--format", help="How the result is printed; json is one object, csv has a header line.")
]

Line: TypeAlias = Mapping[str, object]
"""A row: plain values (texts, numbers, None) by name."""


def line_of(kind: RecordType[Any], record: object) -> dict[str, object]:
    """A record of a workbook by its fields: whole numbers as they are, all else as the text that `Kind.show` gives."""
    return {column.name: _value_of(column.kind, getattr(record, column.name)) for column in kind.columns}


def _value_of(kind: Kind[Any], value: Any) -> object:
    return value if value is None or isinstance(value, int) else kind.show(value)


def headers_of(kind: RecordType[Any]) -> dict[str, str]:
    """The columns of a workbook's sheet with their headers, in its order."""
    return {column.name: column.header for column in kind.columns}


@dataclass(frozen=True, slots=True)
class Listing:
    """Any number of rows. `rows` gives them from the start each time it is called: tables are read twice."""

    name: str
    """What the list is called in JSON."""
    headers: dict[str, str]
    """The columns in order, and what a table calls them; JSON and CSV have the names."""
    rows: Callable[[], Iterable[Line]]
    none: str
    """What is said where there is no row."""
    shares: frozenset[str] = frozenset()
    """Columns that hold a number from 0 to 1, which a table shows as a percentage."""

    def cell(self, row: Line, name: str) -> str:
        """A value as a table shows it."""
        value = row.get(name)
        if name in self.shares and isinstance(value, int | float):
            return f"{value:.1%}"
        return _cell(value, _LONGEST_AT_END if name == next(reversed(self.headers)) else _LONGEST)


def check_format(chosen: Formats, json: bool) -> None:
    """Refuse ``--json`` beside another format."""
    if json and chosen is Formats.CSV:
        raise UsageError("--json and --format csv do not go together.", "Give one of them.")


def show_listing(listing: Listing, more: Line | None = None) -> int:
    """Print the rows in the manner of this call; gives their number.

    more: what the JSON object has beside them.
    """
    counted = _Counted()
    if manner.json:
        show_json({**(more or {}), listing.name: counted(listing.rows()), "error": None})
    elif manner.csv:
        write_csv(list(listing.headers), counted(listing.rows()))
    else:
        _show_table(listing, counted)
    return counted.count


class _Counted:
    """Passes rows on and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, rows: Iterable[Any]) -> Iterator[Any]:
        for row in rows:
            self.count += 1
            yield row


def write_csv(names: Sequence[str], rows: Iterable[Line]) -> None:
    """CSV on standard output as RFC 4180 has it, in UTF-8; no text in it can pass for a formula."""
    from batchbook.tables.csvexport import field

    try:
        writer = csv.writer(_Bytes())
        writer.writerow(names)
        for row in rows:
            writer.writerow([field(_single(row.get(name))) for name in names])
        sys.stdout.flush()
    except BrokenPipeError:
        drop(sys.stdout)


def _single(value: object) -> Any:
    """A value for one field: a list of findings, say, as lines."""
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value


class _Bytes:
    """What the csv module writes to: standard output in UTF-8, whatever its own encoding."""

    def write(self, text: str) -> int:
        data = text.encode("utf-8", "replace")
        raw = getattr(sys.stdout, "buffer", None)
        if raw is None:  # put in its place by a program
            return sys.stdout.write(text)
        return int(raw.write(data))


def _show_table(listing: Listing, counted: _Counted) -> None:
    widths = dict.fromkeys(listing.headers, 0)
    right = dict.fromkeys(listing.headers, True)
    for row in counted(listing.rows()):
        for name in listing.headers:
            if text := listing.cell(row, name):
                widths[name] = max(widths[name], len(text))
                right[name] &= isinstance(row.get(name), int | float)
    if not counted.count:
        say(listing.none)
        return
    # A column in which nothing stands says nothing.
    columns = {name: max(width, len(listing.headers[name])) for name, width in widths.items() if width}
    _say_line(columns, right, listing.headers.__getitem__)
    for row in listing.rows():
        _say_line(columns, right, lambda name, row=row: listing.cell(row, name))  # type: ignore[misc]


def _say_line(columns: Mapping[str, int], right: Mapping[str, bool], text_of: Callable[[str], str]) -> None:
    cells = ((text_of(name), width, right[name]) for name, width in columns.items())
    say("  ".join(text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in cells).rstrip())


def _cell(value: object, longest: int) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        value = f"{value:,.3g}"
    text = plain(hide(str(value))).replace("\n", " ").replace("\t", " ")
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
