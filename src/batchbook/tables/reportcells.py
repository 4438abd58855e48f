"""Values as the cells of a report show them: texts stay texts, secrets are hidden, what no cell can hold is a text."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from batchbook.hiding import hide
from batchbook.xlsx.values import CellValue, ErrorValue, Formula, Link

MOST_CHARACTERS = 32_767
"""A cell holds no longer text."""

Tone: TypeAlias = Literal["bad", "warn", "good"]

_EXACT = 2**53
_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Toned:
    """A value that is to be seen at a glance, by a colour."""

    value: CellValue
    tone: Tone


@dataclass(frozen=True, slots=True)
class Formatted:
    """A number with the number format that it is shown by, such as ``0.0%``."""

    value: int | float | Decimal
    format: str
    tone: Tone | None = None


ReportCell: TypeAlias = CellValue | Toned | Formatted


def taken_apart(given: ReportCell) -> tuple[CellValue, str | None, str]:
    """The value of a report's cell, its tone, and its number format (empty where the value has the say)."""
    if isinstance(given, Toned):
        return given.value, given.tone, ""
    if isinstance(given, Formatted):
        return given.value, given.tone, given.format
    return given, None, ""


def shown_as(value: CellValue) -> tuple[str | bool | int | float | dt.date | dt.time | dt.timedelta | None, str]:
    """A value as openpyxl takes it, with its number format."""
    if isinstance(value, bool) or value is None:
        return value, "General"
    if isinstance(value, Decimal | float | int):
        number = float(value) if isinstance(value, Decimal) else value
        exact = number == number and abs(number) < _EXACT
        return (number, "General") if exact else (plain_text(str(value)), "General")
    if isinstance(value, dt.date):
        return _date(value)
    if isinstance(value, dt.time):
        return value, "hh:mm:ss"
    if isinstance(value, dt.timedelta):
        return value, "[h]:mm:ss"
    return plain_text(_words(value)) or None, "General"


def _date(value: dt.date) -> tuple[str | dt.date, str]:
    if value.year < 1901 or (isinstance(value, dt.datetime) and value.tzinfo is not None):
        return value.isoformat(), "General"  # no date of a cell
    timed = isinstance(value, dt.datetime) and value.time() != dt.time()
    return value, "yyyy-mm-dd hh:mm:ss" if timed else "yyyy-mm-dd"


def _words(value: str | Link | ErrorValue | Formula) -> str:
    if isinstance(value, Formula):
        return f"={value.text}" if value.text else value.shown
    if isinstance(value, Link):
        return value.text
    return value.code if isinstance(value, ErrorValue) else value


def plain_text(text: str) -> str:
    """The text as a cell can hold it: without secrets, and without characters that are none in XML."""
    text = _NOT_IN_XML.sub("\ufffd", hide(text))
    text = text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
    # Excel reads _x0041_ as the letter A; with its first character escaped it is what it is.
    return _ESCAPED.sub("_x005F_", text)
