"""Days as people and programs write them: read where only one day can be meant, refused by name where not."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Literal, TypeAlias

from batchbook.tables.kinds import Wrong

Order: TypeAlias = Literal["dmy", "mdy", "ymd"]
"""What stands first where numbers alone do not tell, as in 03/04/2026."""

_LONGEST = 64
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH_NUMBERS = {name: n for names in (_MONTHS, _FULL) for n, name in enumerate(names, 1)} | {"sept": 9}
_NAME = rf"(?P<name>{'|'.join(sorted(_MONTH_NUMBERS, key=len, reverse=True))})\.?"
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? )?"
_DAY = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th|\.)?"
_TIME = (
    r"(?:(?:t|,? )(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?::[0-5][0-9](?:[.,][0-9]+)?)?"
    r"(?: ?(?P<half>[ap])m)?"
    r"(?: ?(?P<offset>z|utc|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):?(?P<minutes>[0-5][0-9])?))?)?"
)


def _form(pattern: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(pattern + _TIME, re.IGNORECASE | re.ASCII).fullmatch


_YEAR_FIRST = _form(r"(?P<year>[0-9]{4})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})")
_TOGETHER = _form(r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})")
_YEAR_LAST = _form(r"(?P<one>[0-9]{1,2})(?P<mark>[-/.])(?P<other>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4})")
_SHORT_YEAR = _form(r"[0-9]{1,2}(?P<mark>[-/.])[0-9]{1,2}(?P=mark)[0-9]{2}")
_DAY_NAMED = _form(rf"{_WEEKDAY}{_DAY}[ -]?{_NAME},?[ -]?(?P<year>[0-9]{{4}})")
_NAMED_DAY = _form(rf"{_WEEKDAY}{_NAME}[ -]?{_DAY}(?:, ?| |-)(?P<year>[0-9]{{4}})")
_YEAR_NAMED = _form(rf"(?P<year>[0-9]{{4}})[ -]{_NAME}[ -]{_DAY}")


def parse_date(text: str, order: Order | None = None, zone: dt.tzinfo | None = None) -> dt.date:
    """The day that a text means.

    Known are 2026-11-22 (also with ``/`` or ``.``), 20261122, 22.11.2026, 22/11/2026 and 11/22/2026, and forms with an
    English month such as 22 Nov 2026 or November 22, 2026. A time behind it does not count; one with an offset that is
    on another day in `zone` (of people's dates; not looked at where None) makes the date ambiguous. With an order,
    03/04/2026 is read by it, and a date that fits only another order is impossible. Raises Wrong: ``date-ambiguous``
    where two days can be meant, ``date-impossible`` where the calendar has no such day, ``date`` for everything else.
    """
    said = " ".join(text.split())
    if len(said) <= _LONGEST:
        if found := _YEAR_FIRST(said) or _TOGETHER(said):
            return _at(_day(int(found["year"]), int(found["month"]), int(found["day"])), found, zone)
        if found := _DAY_NAMED(said) or _NAMED_DAY(said) or _YEAR_NAMED(said):
            day = _day(int(found["year"]), _MONTH_NUMBERS[found["name"].lower()], int(found["day"]))
            return _at(day, found, zone)
        if found := _YEAR_LAST(said):
            return _at(_year_last(int(found["one"]), int(found["other"]), int(found["year"]), order), found, zone)
        if _SHORT_YEAR(said):
            raise Wrong("date-ambiguous", "has a year of two digits; write all four, as in 2026-11-22")
    raise Wrong("date", "is no date such as 2026-11-22")


def _at(day: dt.date, found: re.Match[str], zone: dt.tzinfo | None) -> dt.date:
    """The day, where the time behind it is on no other one in the zone."""
    if zone is None or found["offset"] is None:
        return day
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"] in "pP" else 0)
    offset = dt.timedelta(hours=int(found["hours"] or 0), minutes=int(found["minutes"] or 0))
    here = dt.timezone(-offset if found["sign"] == "-" else offset)
    try:
        there = dt.datetime.combine(day, dt.time(hour, int(found["minute"])), here).astimezone(zone).date()
    except OverflowError:  # on the first or last day of all
        return day
    if there != day:
        said = f"is {day} by its own offset, but {there} in {zone}; write the day without a time"
        raise Wrong("date-ambiguous", said)
    return day


def _year_last(one: int, other: int, year: int, order: Order | None) -> dt.date:
    if order == "dmy":
        return _day(year, other, one)
    if order == "mdy":
        return _day(year, one, other)
    by_day, by_month = _possible(year, other, one), _possible(year, one, other)
    if by_day and by_month and by_day != by_month:
        first, second = sorted((by_day, by_month))
        said = f"can mean {first} or {second}; write it as one of these, or say which order dates have"
        raise Wrong("date-ambiguous", said)
    return by_day or by_month or _day(year, *sorted((one, other)))


def _possible(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None


def _day(year: int, month: int, day: int) -> dt.date:
    found = _possible(year, month, day)
    if found is None:
        raise Wrong("date-impossible", f"is no day of the calendar (day {day} of month {month} in {year})")
    return found
