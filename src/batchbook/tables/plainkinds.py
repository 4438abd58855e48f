"""The plain kinds of values: texts, choices, whole numbers, dates, moments."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar

from batchbook.tables.kinds import Kind, Stored, Wrong
from batchbook.xlsx.values import CellValue

MOST_CHARACTERS = 32_767
"""A cell holds no longer text."""


@dataclass(frozen=True)
class Text(Kind[str]):
    """Any text of up to so many characters; a number in a cell is the text that it shows."""

    name: ClassVar[str] = "text"
    most: int = MOST_CHARACTERS

    def read(self, value: CellValue, shown: str) -> str:
        """The text of a cell, without blanks around it."""
        return self.parse(value if isinstance(value, str) else shown)

    def parse(self, text: str) -> str:
        """The text without blanks around it."""
        text = text.strip()
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


@dataclass(frozen=True)
class Whole(Kind[int]):
    """A whole number in a range."""

    name: ClassVar[str] = "whole number"
    format: ClassVar[str] = "0"
    sql: ClassVar[str] = "INTEGER"
    low: int = 0
    high: int = 10**15 - 1

    def read(self, value: CellValue, shown: str) -> int:
        """The number of a cell, or of a text that is one."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self.parse(shown)
        return self._ranged(value)

    def parse(self, text: str) -> int:
        """The number of a text of digits."""
        try:
            return self._ranged(int(text.strip()))
        except ValueError as error:
            if isinstance(error, Wrong):
                raise
            raise Wrong("whole-number", "is no whole number") from None

    def _ranged(self, value: int | float) -> int:
        if value != int(value):
            raise Wrong("whole-number", "is no whole number")
        if not self.low <= value <= self.high:
            raise Wrong("range", f"is not from {self.low} to {self.high}")
        return int(value)

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
    """A day without a time."""

    name: ClassVar[str] = "date"
    format: ClassVar[str] = "yyyy-mm-dd"

    def read(self, value: CellValue, shown: str) -> dt.date:
        """The day of a cell that holds a date, or ISO text."""
        if isinstance(value, dt.datetime):
            if value.time() != dt.time():
                raise Wrong("date", "has a time of day; a day without one is wanted")
            return value.date()
        if isinstance(value, dt.date):
            return value
        return self.parse(shown)

    def parse(self, text: str) -> dt.date:
        """The day of ISO text such as ``2026-11-22``."""
        try:
            return dt.date.fromisoformat(text.strip())
        except ValueError:
            raise Wrong("date", "is no date such as 2026-11-22") from None

    def write(self, value: dt.date) -> CellValue:
        """The date."""
        return value

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
        return self.parse(shown if not isinstance(value, str) else value)

    def parse(self, text: str) -> dt.datetime:
        """The moment of ISO text with offset."""
        try:
            moment = dt.datetime.fromisoformat(text.strip())
        except ValueError:
            raise Wrong("moment", "is no time such as 2026-11-22T08:30:00+01:00") from None
        if moment.tzinfo is None:
            raise Wrong("offset", "has no offset from UTC, as in 2026-11-22T08:30:00+01:00")
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
