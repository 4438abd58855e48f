"""Cell values as JSON text for the ledger, and when two of them are the same value.

Texts, numbers, booleans and blanks are themselves; everything else is an object with one tag. The text is canonical:
equal values give equal text, so it can be hashed and compared.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from batchbook.xlsx.dates import serial
from batchbook.xlsx.values import CellValue, ErrorValue, Formula, Link

_DATED = (dt.date, dt.time, dt.timedelta)
_MILLISECOND = 1 / 86_400_000
"""In days, as a cell counts."""


def pack(value: CellValue) -> Any:
    """The value as plain JSON data."""
    if type(value) is str or value is None:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)  # a cell does not tell 2 from 2.0
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Decimal):
        return pack(float(value))
    if isinstance(value, Link):
        return {"link": [value.url, value.text]}
    if isinstance(value, ErrorValue):
        return {"error": value.code}
    if isinstance(value, Formula):
        return {"formula": [value.text, value.shown]}
    if isinstance(value, dt.datetime):
        return {"datetime": _whole_milliseconds(value).isoformat()}
    if isinstance(value, dt.date):
        return {"datetime": dt.datetime(value.year, value.month, value.day).isoformat()}
    if isinstance(value, dt.time):
        return {"time": value.isoformat("milliseconds")}
    return {"seconds": round(value.total_seconds(), 3)}


def _whole_milliseconds(moment: dt.datetime) -> dt.datetime:
    # A serial number of days holds about a tenth of a millisecond at present dates; what Excel shows ends at 1 ms.
    return (moment + dt.timedelta(microseconds=500)).replace(
        microsecond=(moment.microsecond + 500) // 1000 % 1000 * 1000
    )


def unpack(plain: Any) -> CellValue:
    """The inverse of `pack`."""
    if not isinstance(plain, dict):
        return plain  # type: ignore[no-any-return]
    ((tag, content),) = plain.items()
    if tag == "link":
        return Link(*content)
    if tag == "error":
        return ErrorValue(content)
    if tag == "formula":
        return Formula(*content)
    if tag == "datetime":
        return dt.datetime.fromisoformat(content)
    if tag == "time":
        return dt.time.fromisoformat(content)
    if tag == "seconds":
        return dt.timedelta(seconds=content)
    raise ValueError(f"not a stored cell value: {plain!r}")


def same(one: CellValue, other: CellValue) -> bool:
    """Whether a cell that holds one of them holds the other: 2 is 2.0, True is not 1, an empty text is a blank.

    A number is the date that it makes in a cell which shows dates: what was written is read back as that.
    """
    if isinstance(one, _DATED) != isinstance(other, _DATED):
        return _same_serial(one, other) if isinstance(one, _DATED) else _same_serial(other, one)
    a, b = pack(one), pack(other)
    if a == "":
        a = None
    if b == "":
        b = None
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, float) and isinstance(b, float | int):
        return a == b or abs(a - b) <= 1e-15 * max(abs(a), abs(b))  # programs round the 16th digit when they save
    return bool(a == b)


def same_cells(one: Mapping[str, CellValue], other: Mapping[str, CellValue]) -> bool:
    """Whether two rows of named cells are the same in the ledger."""
    return one.keys() == other.keys() and all(pack(value) == pack(other[name]) for name, value in one.items())


def _same_serial(moment: CellValue, number: CellValue) -> bool:
    """Whether a date or time is what a number looks like, in either of the date systems."""
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        return False
    for date1904 in (False, True):
        with suppress(ValueError):
            if abs(serial(moment, date1904=date1904) - float(number)) < _MILLISECOND:  # type: ignore[arg-type]
                return True
    return False


_encoded = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def dumps(plain: Any) -> str:
    """Plain data as compact JSON text; equal data gives equal text."""
    return _encoded(plain)


def canonical(values: Mapping[str, CellValue]) -> str:
    """The values of some named columns as canonical JSON text."""
    if not values:
        return "{}"
    return dumps({k: pack(v) for k, v in values.items()})


def decanonical(text: str) -> dict[str, CellValue]:
    """The inverse of `canonical`."""
    return {k: unpack(v) for k, v in json.loads(text).items()}


def pack_rows(rows: Sequence[Sequence[CellValue]]) -> list[list[Any]]:
    """Whole rows (of a detail sheet) as plain JSON data."""
    return [[pack(value) for value in row] for row in rows]


def unpack_rows(plain: Sequence[Sequence[Any]]) -> list[list[CellValue]]:
    """The inverse of `pack_rows`."""
    return [[unpack(value) for value in row] for row in plain]
