"""Rows that come from another file (CSV or XLSX) and are brought into a workbook's sheet by key."""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from batchbook.errors import ConfigurationError, Finding, WorkbookError
from batchbook.storage.celltexts import folded
from batchbook.storage.scratch import Scratch
from batchbook.tables.codec import canonical, decanonical
from batchbook.tables.header import HeaderError, find_header
from batchbook.tables.keys import KeyIndex, KeyOrder, key_text, named
from batchbook.tables.row import CellLike, Key, Row
from batchbook.tables.table import Table, TableRow, TableSpec, filled
from batchbook.xlsx import Book
from batchbook.xlsx.values import CellValue

_DELIMITERS = ",;\t"
_LONGEST_FIELD = 1 << 26
"""Characters. A cell holds no such text, but its row is refused by itself, and not the file."""
_CHUNK = 1 << 20
_MOST_FINDINGS = 50
_SHOWN = 80
"""Characters of a value that is not UTF-8, in findings."""
_SURPLUS_SHOWN = 500
"""Characters of what stands behind the last header, in a reason; the file of rejected rows has all of them."""


@dataclass(frozen=True, slots=True)
class TextCell:
    """A field of a CSV file: text, whatever it looks like."""

    value: CellValue
    format: str = "@"
    uncalculated: bool = False

    def shown(self) -> str:
        """The text."""
        return str(self.value)


class FileRow(NamedTuple):
    """A row of a file with a header."""

    number: int
    """Line or row number."""
    cells: Mapping[str, CellLike | None]
    """By own name."""
    surplus: tuple[str, ...] = ()
    """Fields behind the last header of a CSV file, from the first to the last that is not blank: it is not known what
    they belong to, nor whether those before them stand under their own headers."""

    @property
    def problem(self) -> str | None:
        """Why the row cannot be taken as it stands; None where it can."""
        if not self.surplus:
            return None
        count = "has a field" if len(self.surplus) == 1 else f"has {len(self.surplus)} fields"
        text = " | ".join(self.surplus)
        shown = text if len(text) <= _SURPLUS_SHOWN else f"{text[:_SURPLUS_SHOWN]}…"
        return (
            f"{count} more than there are headers: {shown!r}; if a field before has the delimiter in it, put that "
            "field between quotes"
        )


class RowFile(Protocol):
    """A file with a header and rows."""

    names: tuple[str, ...]
    """The own names of its columns."""
    unused: tuple[str, ...]
    """The headers of columns that nobody asked for."""
    header_row: int
    """The row of the headers, 1-based; always 1 in a CSV file."""
    delimiter: str
    """What stands between the fields of a CSV file; a comma for a workbook."""

    def rows(self) -> Iterator[FileRow]:
        """Its rows; those that are empty in all these columns, and have no surplus, are left out."""
        ...


class CsvRows:
    """A CSV file: UTF-8 with or without byte order mark; comma, semicolon or tab between fields."""

    header_row = 1

    def __init__(
        self,
        path: Path,
        wanted: Mapping[str, Sequence[str]],
        optional: Mapping[str, Sequence[str]] = {},
        *,
        others: bool,
    ) -> None:
        self._path = path
        with self._open() as lines, self._readable(1):
            self.delimiter = max(_DELIMITERS, key=lines.readline().count)
            lines.seek(0)  # a header may have line breaks of its own
            header = next(csv.reader(lines, delimiter=self.delimiter), [])
        texts = [(place, text) for place, text in enumerate(header) if text.strip()]
        self._width = texts[-1][0] + 1 if texts else 0
        self._columns = _columns_of(path, texts, wanted, optional, others=others)
        self.names = tuple(self._columns)
        self.unused = _unused(texts, self._columns)

    def _open(self) -> IO[str]:
        csv.field_size_limit(_LONGEST_FIELD)
        try:
            if self._path.open("rb").read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                raise ConfigurationError(
                    f"The input {self._path.name} is in UTF-16.", 'Save it as "CSV UTF-8", or as an .xlsx file.'
                )
            _must_be_utf8(self._path)
            return self._path.open(encoding="utf-8-sig", newline="")
        except OSError as error:
            raise ConfigurationError(
                f"The input {self._path} cannot be read: {error.strerror}.", "Check the path."
            ) from error

    @contextmanager
    def _readable(self, line: int) -> Iterator[None]:
        try:
            yield
        except (UnicodeDecodeError, csv.Error) as error:
            raise ConfigurationError(
                f"The input {self._path.name} cannot be read from line {line} on: {error}.", "Save it as CSV in UTF-8."
            ) from error

    def rows(self) -> Iterator[FileRow]:
        """The lines below the header."""
        with self._open() as lines:
            reader = csv.reader(lines, delimiter=self.delimiter)
            self._next(reader)
            while (fields := self._next(reader)) is not None:
                texts = {name: fields[i].strip() if i < len(fields) else "" for name, i in self._columns.items()}
                surplus = _surplus(fields, self._width)
                if surplus or any(texts.values()):
                    cells = {name: TextCell(text) if text else None for name, text in texts.items()}
                    yield FileRow(reader.line_num, cells, surplus)

    def _next(self, reader: Any) -> list[str] | None:
        with self._readable(reader.line_num + 1):
            return next(reader, None)


def _surplus(fields: Sequence[str], width: int) -> tuple[str, ...]:
    """The fields behind the last header, without blank ones at the end."""
    behind = [field.strip() for field in fields[width:]]
    while behind and not behind[-1]:
        behind.pop()
    return tuple(behind)


def _must_be_utf8(path: Path) -> None:
    """Raise ConfigurationError with the places where a CSV file has bytes that are not UTF-8.

    It is another encoding as a whole then: which letters such a byte stands for cannot be known, not even in the lines
    that can be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        findings = list(islice(_not_utf8(path), _MOST_FINDINGS))
        more = f" These are the first {_MOST_FINDINGS} places." if len(findings) == _MOST_FINDINGS else ""
        raise ConfigurationError(
            f"The input {path.name} is not in UTF-8; nothing was read from it.{more}",
            'Save it as "CSV UTF-8", or as an .xlsx file.',
            findings=findings,
        ) from error


def _not_utf8(path: Path) -> Iterator[Finding]:
    """Each field that has such bytes, under its header."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        delimiter = max(_DELIMITERS, key=lines.readline().count)
        lines.seek(0)
        reader = csv.reader(lines, delimiter=delimiter)
        header: list[str] = []
        with suppress(csv.Error):  # the places before it are told
            for fields in reader:
                header = header or [_replaced(text).strip() for text in fields]
                for place, text in enumerate(fields):
                    escaped = next((one for one in enumerate(text, 1) if "\udc80" <= one[1] <= "\udcff"), None)
                    if escaped is None:
                        continue
                    said = f"the byte 0x{ord(escaped[1]) - 0xDC00:02X} as character {escaped[0]} is not UTF-8"
                    title = header[place] if place < len(header) else None
                    value = _replaced(text)[:_SHOWN]
                    yield Finding(said, path.name, row=reader.line_num, column=title, value=value, rule="encoding")


def _replaced(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _columns_of(
    path: Path,
    header: Sequence[tuple[int, str]],
    wanted: Mapping[str, Sequence[str]],
    optional: Mapping[str, Sequence[str]],
    *,
    others: bool,
    row: int = 1,
) -> dict[str, int]:
    """The place of each column by own name. Raises HeaderError with all that are missing or doubled."""
    columns: dict[str, int] = {}
    findings = []
    for own, aliases in {**optional, **wanted}.items():
        names = {folded(alias) for alias in aliases}
        places = [place for place, text in header if folded(text) in names]
        if len(places) == 1:
            columns[own] = places[0]
        elif places or own in wanted:
            what = f"stands in {len(places)} columns" if places else "is missing"
            findings.append(Finding(f"the header {' or '.join(map(repr, aliases))} {what}", path.name, row=row))
    if findings:
        there = ", ".join(repr(text) for _, text in header[:30]) or "none"
        raise HeaderError(
            f"The input {path.name} lacks headers that the job needs.",
            f"Mend its first line; its headers are: {there}.",
            findings=findings,
        )
    if others:
        taken = set(columns.values())
        for place, text in header:
            if place not in taken and text not in columns:
                columns[text] = place
    return columns


def _unused(header: Sequence[tuple[int, str]], columns: Mapping[str, int]) -> tuple[str, ...]:
    taken = set(columns.values())
    return tuple(text.strip() for place, text in header if place not in taken)


class XlsxRows:
    """The first sheet of a workbook as input."""

    delimiter = ","

    def __init__(
        self,
        path: Path,
        wanted: Mapping[str, Sequence[str]],
        optional: Mapping[str, Sequence[str]] = {},
        *,
        others: bool,
        row: int | None = None,
    ) -> None:
        self._path = path
        with self._readable(), Book.open(path) as book:
            self._sheet = book.sheets[0].name
            found = find_header(book, self._sheet, wanted, row=row, others=True)
        self.header_row = found.row
        texts = sorted((place, found.titles[name]) for name, place in found.columns.items())
        self._columns = _columns_of(path, texts, wanted, optional, others=others, row=found.row)
        self.names = tuple(self._columns)
        self.unused = _unused(texts, self._columns)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """What is wrong with the input is no fault of the workbook that its rows go to: no backup would mend it."""
        try:
            yield
        except WorkbookError as error:
            raise ConfigurationError(
                f"The input {self._path.name} cannot be read. {error.what}",
                "Save it as an .xlsx workbook, or as CSV UTF-8 with the ending .csv.",
                findings=error.findings,
            ) from error

    def rows(self) -> Iterator[FileRow]:
        """The rows below the header."""
        columns = self._columns
        with self._readable(), Book.open(self._path) as book:
            for number, cells in book.rows(self._sheet, set(columns.values())):
                if number > self.header_row and any(map(filled, cells.values())):
                    yield FileRow(number, {name: cells.get(column) for name, column in columns.items()})


def open_rows(
    source: Path,
    wanted: Mapping[str, Sequence[str]],
    optional: Mapping[str, Sequence[str]] = {},
    *,
    others: bool = False,
    row: int | None = None,
) -> RowFile:
    """A file of rows: CSV by its ending, else the first sheet of a workbook.

    wanted, optional: own names with their headers, that must and that may be there; others: all further columns too,
    under their headers; row: that of a workbook's headers, found where it is None. Raises
    HeaderError with all headers that are missing or doubled, ConfigurationError where the file cannot be read.
    """
    if source.suffix.lower() in (".csv", ".tsv", ".txt"):
        return CsvRows(source, wanted, optional, others=others)
    return XlsxRows(source, wanted, optional, others=others, row=row)


class InputTable(Table):
    """A table whose rows come from an input file and whose results go to the workbook's sheet.

    An input row goes to the sheet's row with the same key; where there is none, a row is appended for it.
    """

    def __init__(self, book: Book, spec: TableSpec, source: Path) -> None:
        super().__init__(book, replace(spec, reads=()))
        wanted = {name: spec.headers.get(name) or (name,) for name in dict.fromkeys((*spec.key, *(spec.reads or ())))}
        self._file = open_rows(source, wanted, others=spec.reads is None)
        self._there = _SheetRows(super().rows())
        self._free = max(self.layout.last_row, self.header.row) + 1
        # Only now: what is read comes from the file, while the pass above was over the sheet.
        self.reads = spec.reads if spec.reads is not None else self._file.names

    def keys(self) -> KeyIndex:
        """Where each key stands in the input."""
        return KeyIndex((row.read_at, row.key) for row in self.rows())

    def order(self) -> KeyOrder:
        """All sound keys: those of the sheet in its order, then those that the input adds."""
        return _BothOrders(self._there, self.keys())

    def rows(self) -> Iterator[TableRow]:
        """The input's rows in order, each with the sheet's row that it goes to."""
        free = self._free
        nothing: Mapping[str, CellValue] = dict.fromkeys(self.spec.writes)
        used = Scratch("CREATE TABLE used (key TEXT PRIMARY KEY) WITHOUT ROWID;")
        for found in self._file.rows():
            line, cells = found.number, found.cells
            key = named(self.spec.key, {name: None if c is None else c.value for name, c in cells.items()})
            first = used.execute("INSERT OR IGNORE INTO used VALUES (?)", (key_text(key),))
            there = self._there.find(key_text(key)) if first else None
            row = Row(line, key, {name: cells[name] for name in self.reads}, self.spec.writes)
            problem = found.problem or self._uncalculated(line, cells)
            if there is not None:
                yield TableRow(there.number, key, row, there.taken, problem or there.problem)
            else:
                yield TableRow(free, key, row, nothing, problem)
                free += 1

    def _uncalculated(self, line: int, cells: Mapping[str, CellLike | None]) -> str | None:
        for name in dict.fromkeys((*self.spec.key, *self.reads)):
            if getattr(cells[name], "uncalculated", False):
                return f"{name!r} in row {line} of the input is a formula without a calculated value"
        return None

    def key_cells(self, number: int, key: Key) -> dict[str, CellValue]:
        """The key columns of a row that is appended, by own name; nothing for a row that is there."""
        # A row with a bad key goes by one part more (selection.row_key); only its own parts are written.
        return dict(zip(self.spec.key, key, strict=False)) if number >= self._free else {}


@dataclass(frozen=True, slots=True)
class _SheetRow:
    number: int
    taken: Mapping[str, CellValue]
    problem: str | None


class _SheetRows:
    """The sheet's rows by key, in scratch tables: the input's rows come in another order."""

    def __init__(self, rows: Iterable[TableRow]) -> None:
        self._scratch = Scratch(
            """CREATE TABLE there (position INTEGER PRIMARY KEY, key TEXT NOT NULL, number INTEGER NOT NULL,
                                   taken TEXT NOT NULL, problem TEXT);"""
        )
        keys = KeyIndex(self._kept(rows))
        self._scratch.execute("CREATE INDEX by_key ON there (key)")
        self._unclear = keys.problems()

    def _kept(self, rows: Iterable[TableRow]) -> Iterator[tuple[int, Key]]:
        for row in rows:
            yield row.number, row.key
            if all(row.key):
                self._scratch.execute(
                    "INSERT INTO there (key, number, taken, problem) VALUES (?, ?, ?, ?)",
                    (row.key_text, row.number, canonical(row.taken), row.problem),
                )

    def find(self, key: str) -> _SheetRow | None:
        """The row with this key text; of several the last, with what is wrong about that."""
        found = self._scratch.one(
            "SELECT number, taken, problem FROM there WHERE key = ? ORDER BY position DESC LIMIT 1", (key,)
        )
        if found is None:
            return None
        number, taken, problem = found
        return _SheetRow(number, decanonical(taken), self._unclear.get(number) or problem)

    def __iter__(self) -> Iterator[str]:
        for (key,) in self._scratch.query("SELECT key FROM there GROUP BY key ORDER BY min(position)"):
            yield key

    def __contains__(self, key: object) -> bool:
        return self._scratch.one("SELECT 1 FROM there WHERE key = ?", (key,)) is not None


class _BothOrders:
    """The keys of the sheet, then those that only the input has."""

    def __init__(self, there: _SheetRows, read: KeyIndex) -> None:
        self._there = there
        self._read = read

    def __iter__(self) -> Iterator[str]:
        yield from self._there
        yield from (key for key in self._read if key not in self._there)

    def __contains__(self, key: object) -> bool:
        return key in self._there or key in self._read


def file_digest(path: Path) -> str:
    """Short hash of an input file's content, by which a resumed run knows that it is the same."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise ConfigurationError(f"The input {path} cannot be read: {error.strerror}.", "Check the path.") from error
