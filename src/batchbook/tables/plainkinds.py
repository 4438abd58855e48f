"""The plain kinds of values: texts, choices, whole numbers, dates, moments."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import ClassVar

from batchbook.tables.dates import Order, parse_date
from batchbook.tables.kinds import Kind, Stored, Wrong
from batchbook.xlsx.values import CellValue, ErrorValue, Link

MOST_CHARACTERS = 32_767
"""A cell holds no longer text."""
_EXACT = 10**15
"""Excel keeps 15 digits of a number."""
_DIGITS = re.compile(r"[+-]?[0-9]{1,30}(?:\.0*)?")
_FIRST_DAY = dt.date(1904, 1, 1)
"""The first day that cells of all workbooks can hold."""
_YYYYMMDD = 8
_NO_OFFSET = "has no offset from UTC, as in 2026-11-22T08:30:00+01:00"


@dataclass(frozen=True)
class Text(Kind[str]):
    """Any text of up to so many characters; a number in a cell is the text that it shows."""

    name: ClassVar[str] = "text"
    plain: ClassVar[bool] = True
    most: int = MOST_CHARACTERS

    def read(self, value: CellValue, shown: str) -> str:
        """The text of a cell, without blanks around it."""
        if isinstance(value, str):
            return self.parse(value)
        return self.parse(text_of(value, shown))

    def parse(self, text: str) -> str:
        """The text without blanks around it."""
        text = text.strip()
        if not text.isascii():
            _must_be_unicode(text)
        if len(text) > self.most:
            raise Wrong("length", f"has {len(text):,} characters; at most {self.most:,} are allowed")
        return text

    def write(self, value: str) -> CellValue:
        """The text."""
        return value

    def store(self, value: str) -> Stored:
        """The text."""
        return value

    def load(self, stored: Stored) -> str:
        """The text."""
        return str(stored)


def text_of(value: CellValue, shown: str) -> str:
    """The text that a cell means: what it shows, but a whole number always with all its digits. Raises Wrong."""
    if isinstance(value, ErrorValue):
        raise Wrong("error-value", f"holds the error value {value.code}")
    if isinstance(value, Link):
        return value.text
    if isinstance(value, bool) or not isinstance(value, int | float):
        return shown
    if abs(value) >= _EXACT:
        raise Wrong("digits-lost", "is a number of more than 15 digits, and Excel keeps only 15; type it as text")
    return str(int(value)) if "E" in shown and value == int(value) else shown


def _must_be_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Wrong("characters", "has characters that are no text; it was read in another encoding") from None


@dataclass(frozen=True)
class Whole(Kind[int]):
    """A whole number in a range."""

    name: ClassVar[str] = "whole number"
    format: ClassVar[str] = "0"
    sql: ClassVar[str] = "INTEGER"
    plain: ClassVar[bool] = True
    low: int = 0
    high: int = 10**15 - 1

    def read(self, value: CellValue, shown: str) -> int:
        """The number of a cell, or of a text that is one."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self.parse(text_of(value, shown))
        if not math.isfinite(value) or value != int(value):
            raise Wrong("whole-number", "is no whole number")
        return self._ranged(int(value))

    def parse(self, text: str) -> int:
        """The number of a text of digits; ``2.0`` is one too, as other programs write it."""
        text = text.strip()
        if not _DIGITS.fullmatch(text):
            raise Wrong("whole-number", "is no whole number")
        return self._ranged(int(text.partition(".")[0]))

    def _ranged(self, value: int) -> int:
        if not self.low <= value <= self.high:
            raise Wrong("range", f"is not from {self.low} to {self.high}")
        return value

    def write(self, value: int) -> CellValue:
        """The number."""
        return value

    def store(self, value: int) -> Stored:
        """The number."""
        return value

    def load(self, stored: Stored) -> int:
        """The number."""
        assert isinstance(stored, int)
        return stored


@dataclass(frozen=True)
class Date(Kind[dt.date]):
    """A day without a time, from 1904 on: cells of some workbooks hold none before that.

    order: how texts such as 03/04/2026 are read; refused as ambiguous where it is None.
    """

    name: ClassVar[str] = "date"
    format: ClassVar[str] = "yyyy-mm-dd"
    order: Order | None = None

    def read(self, value: CellValue, shown: str) -> dt.date:
        """The day of a cell that holds a date, or a text that is one (see `dates.parse_date`)."""
        if isinstance(value, dt.datetime):
            if value.time() != dt.time():
                raise Wrong("date", "has a time of day; a day without one is wanted")
            return self._ranged(value.date())
        if isinstance(value, dt.date):
            return self._ranged(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and len(shown) != _YYYYMMDD:
            raise Wrong("date", "is a number, not a date; give the cell a date format, or type it as 2026-11-22")
        return self.parse(text_of(value, shown))

    def parse(self, text: str) -> dt.date:
        """The day of a text such as ``2026-11-22`` (see `dates.parse_date`)."""
        return self._ranged(parse_date(text, self.order))

    def _ranged(self, value: dt.date) -> dt.date:
        if value < _FIRST_DAY:
            raise Wrong("range", "is before 1904, and cells of some workbooks hold no such date")
        return value

    def write(self, value: dt.date) -> CellValue:
        """The date."""
        return self._ranged(value)

    def store(self, value: dt.date) -> Stored:
        """ISO text, which sorts by time."""
        return value.isoformat()

    def load(self, stored: Stored) -> dt.date:
        """The date."""
        return dt.date.fromisoformat(str(stored))

    def show(self, value: dt.date) -> str:
        """ISO text."""
        return value.isoformat()


@dataclass(frozen=True)
class Moment(Kind[dt.datetime]):
    """A time that the machine recorded: ISO 8601 text with offset, to the second."""

    name: ClassVar[str] = "time with offset"
    format: ClassVar[str] = "@"

    def read(self, value: CellValue, shown: str) -> dt.datetime:
        """The moment of a text."""
        if isinstance(value, dt.datetime):
            raise Wrong("offset", _NO_OFFSET)
        return self.parse(value if isinstance(value, str) else text_of(value, shown))

    def parse(self, text: str) -> dt.datetime:
        """The moment of ISO text with offset; parts of a second do not count."""
        try:
            moment = dt.datetime.fromisoformat(text.strip()).replace(microsecond=0)
            if moment.tzinfo is None:
                raise Wrong("offset", _NO_OFFSET)
            moment.astimezone(dt.UTC)
        except (ValueError, OverflowError) as error:
            if isinstance(error, Wrong):
                raise
            raise Wrong("moment", "is no time such as 2026-11-22T08:30:00+01:00") from None
        return moment

    def write(self, value: dt.datetime) -> CellValue:
        """ISO text with offset."""
        return value.isoformat(timespec="seconds")

    def store(self, value: dt.datetime) -> Stored:
        """ISO text in UTC, which sorts by time, then the offset."""
        utc = value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="seconds")
        return f"{utc} {value.isoformat(timespec='seconds')}"

    def load(self, stored: Stored) -> dt.datetime:
        """The moment."""
        return dt.datetime.fromisoformat(str(stored).partition(" ")[2])
