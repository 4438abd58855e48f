"""CSV files for people who open them in Excel or LibreOffice: texts stay texts; written whole or not at all.

A spreadsheet program takes a field that begins with ``=`` and the like for a formula, whoever wrote it into the
workbook, so such a text gets an apostrophe in front (OWASP, "CSV Injection"). Numbers, dates and booleans do not.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

from batchbook.errors import UsageError
from batchbook.hiding import hide
from batchbook.storage.exporting import export_file
from batchbook.storage.links import followed
from batchbook.xlsx.values import CellValue, ErrorValue, Formula, Link

DANGEROUS = "=+-@\t\r\n＝＋－＠"
"""What a text must not begin with, nor after blanks: some programs drop those. The last four are the wide forms."""
PREFIX = "'"
EXCEL_ROWS = 1_048_576
"""As many rows as Excel shows, the headers among them."""

_ZIP = b"PK\x03\x04"
_HOUR, _MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


def safe_text(text: str) -> str:
    """The text as a field: without secrets, and with an apostrophe in front where it could pass for a formula."""
    text = hide(text)
    begins = text.startswith(tuple(DANGEROUS)) or text.lstrip().startswith(tuple(DANGEROUS))
    return PREFIX + text if begins else text


def field(value: CellValue) -> str | int | float:
    """A cell's value as a field: numbers as they are, times as Excel reads them, all else as safe text.

    A blank is an empty field, a link its text and address, a formula its text.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dt.date | dt.time | dt.timedelta):
        return _time(value)
    return safe_text(_words(value))


def _time(value: dt.date | dt.time | dt.timedelta) -> str:
    if isinstance(value, dt.timedelta):
        sign, value = ("-", -value) if value < dt.timedelta() else ("", value)
        minutes, seconds = divmod(value % _HOUR, _MINUTE)
        text = f"{sign}{value // _HOUR}:{minutes:02}:{seconds.seconds:02}"
        return f"{text}.{seconds.microseconds // 1000:03}" if seconds.microseconds else text
    if isinstance(value, dt.datetime):
        if value.time() == dt.time():
            return value.date().isoformat()
        return value.isoformat(" ", "milliseconds" if value.microsecond else "seconds")
    if isinstance(value, dt.time):
        return value.isoformat("milliseconds" if value.microsecond else "seconds")
    return value.isoformat()


def _words(value: str | Link | ErrorValue | Formula) -> str:
    if isinstance(value, Link):
        return value.text if value.text == value.url else f"{value.text} ({value.url})"
    if isinstance(value, Formula):
        return f"={value.text}" if value.text else value.shown
    return value.code if isinstance(value, ErrorValue) else value


def csv_target(path: Path) -> Path:
    """The file that a person means by a path to export to. Raises UsageError where that cannot be a CSV file."""
    target = followed(path)
    for named in {path, target}:
        if named.suffix.lower() != ".csv":
            raise UsageError(
                f"{named} is not the name of a CSV file, so nothing was written.",
                "Give a file whose name ends in .csv; a workbook is never replaced by an export.",
            )
    if not target.parent.is_dir():
        raise UsageError(f"There is no folder {target.parent}.", "Make it first, or give a file in another folder.")
    if target.exists() and (not target.is_file() or _is_workbook(target)):
        kind = "a workbook" if target.is_file() else "no ordinary file"
        raise UsageError(f"{target} is {kind}, so it is not replaced.", "Give another name that ends in .csv.")
    return target


def _is_workbook(path: Path) -> bool:
    try:
        with path.open("rb") as opened:
            return opened.read(len(_ZIP)) == _ZIP
    except OSError:  # one that we may write but not read; nor could it be read as a workbook
        return False


def write_csv(path: Path, headers: Sequence[str], rows: Iterable[Sequence[CellValue]]) -> int:
    """Write headers and rows to a CSV file, in the place of what is there; gives the number of rows.

    UTF-8 with a mark at the start, by which Excel knows it; commas; texts in quotes. The rows are taken one by one and
    can be more than memory holds. Raises UsageError for a path that is not for this (`csv_target`), and SaveFailed
    where the disk does not take it; what was there before is then as it was.
    """
    return export_file(csv_target(path), lambda stream: _write(stream, headers, rows))


def _write(stream: BinaryIO, headers: Sequence[str], rows: Iterable[Sequence[CellValue]]) -> int:
    stream.write(codecs.BOM_UTF8)
    writer = csv.writer(_Encoded(stream), quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow([safe_text(header) for header in headers])
    count = 0
    for row in rows:
        writer.writerow([field(value) for value in row])
        count += 1
    return count


class _Encoded:
    """What the csv module writes texts to."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text as UTF-8. Half a surrogate pair, which that cannot hold, becomes a question mark."""
        return self._stream.write(text.encode("utf-8", "replace"))
