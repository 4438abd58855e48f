"""Excel's serial numbers of days, in both date systems."""

from __future__ import annotations

import datetime as dt

DAY_MS = 86_400_000
_EPOCH_1900 = dt.datetime(1899, 12, 31)
_EPOCH_1904 = dt.datetime(1904, 1, 1)
_LAST = dt.datetime(9999, 12, 31, 23, 59, 59, 999_000)
MAX_SPAN = dt.timedelta(days=2_958_465)
"""As long as the last day that Excel shows; for what is longer it shows ####."""
_PHANTOM = 60
"""29 February 1900, a day that Excel counts although it never was."""


def _milliseconds(span: dt.timedelta) -> int:
    return (span.days * DAY_MS) + span.seconds * 1000 + (span.microseconds + 500) // 1000


def serial(value: dt.date | dt.datetime | dt.time | dt.timedelta, *, date1904: bool) -> int | float:
    """The number that a cell holds for a date or time. ValueError says why it has none.

    A cell keeps milliseconds, as Excel does; what is finer is rounded.
    """
    if value != value:  # NaT, which is a datetime to Python
        raise ValueError("it is no date (NaT)")
    if isinstance(value, dt.timedelta):
        if value > MAX_SPAN:
            raise ValueError(f"a cell shows durations of up to {MAX_SPAN.days} days")
        return _days(_milliseconds(value))
    if isinstance(value, dt.time):
        if value.tzinfo is not None:
            raise ValueError("a cell holds no time zone, and this time has one")
        span = dt.timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
        return _days(min(_milliseconds(span), DAY_MS - 1))
    if not isinstance(value, dt.datetime):
        value = dt.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        raise ValueError("a cell holds no time zone, and this time has one")
    if date1904:
        total = _milliseconds(value - _EPOCH_1904)
    else:
        total = _milliseconds(value - _EPOCH_1900)
        if total >= _PHANTOM * DAY_MS:
            total += DAY_MS
    if total < (0 if date1904 else DAY_MS) or value > _LAST:
        first = "1904-01-01" if date1904 else "1900-01-01"
        raise ValueError(f"dates in this workbook go from {first} to 9999-12-31")
    return _days(total)


def _days(milliseconds: int) -> int | float:
    whole, rest = divmod(milliseconds, DAY_MS)
    return whole if not rest else milliseconds / DAY_MS


def moment(number: float, *, date1904: bool) -> dt.datetime | None:
    """The date and time of a serial number, or None where there is none such."""
    if not -1 < number < 2_958_467:
        return None
    total = round(number * DAY_MS)
    if date1904:
        epoch = _EPOCH_1904
        if total < 0:
            return None
    else:
        epoch = _EPOCH_1900
        if total < DAY_MS or _PHANTOM * DAY_MS <= total < (_PHANTOM + 1) * DAY_MS:
            return None
        if total > _PHANTOM * DAY_MS:
            total -= DAY_MS
    try:
        return epoch + dt.timedelta(milliseconds=total)
    except OverflowError:
        return None


def clock(number: float) -> dt.time | None:
    """The time of day of a number from 0 up to 1, or None."""
    if not 0 <= number < 1:
        return None
    total = min(round(number * DAY_MS), DAY_MS - 1)
    return (dt.datetime.min + dt.timedelta(milliseconds=total)).time()


def span(number: float) -> dt.timedelta | None:
    """A duration in days, or None where it is out of range."""
    try:
        return dt.timedelta(milliseconds=round(number * DAY_MS))
    except (OverflowError, ValueError):
        return None
