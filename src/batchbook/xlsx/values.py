"""What a cell can hold, as Python values."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Link:
    """A link in a cell: written as a HYPERLINK formula with its text as the value shown."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class ErrorValue:
    """An error value such as ``#N/A`` that a cell holds or a formula gave."""

    code: str

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True, slots=True)
class Formula:
    """What a cell holds in which a person put a formula over a result; told apart from the value it shows.

    `text` is without the equals sign, empty where the cell shares another one's formula.
    """

    text: str
    shown: str


CellValue: TypeAlias = (
    str
    | bool
    | int
    | float
    | Decimal
    | dt.date
    | dt.datetime
    | dt.time
    | dt.timedelta
    | Link
    | ErrorValue
    | Formula
    | None
)
"""What can be written to and read from a cell.

A Formula is only read. Reading gives no Decimal and no date: a cell with a date format is a datetime (a time or a
timedelta where its format shows only that).
"""
