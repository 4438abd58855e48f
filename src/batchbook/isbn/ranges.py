"""The range table: where in an ISBN the hyphens stand.

The International ISBN Agency gives registration groups, and these give registrants, numbers of different length. The
table says which. A number in a range that was never given out is an ISBN all the same, but its parts are not known.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import importlib.metadata
import importlib.resources
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise

from stdnum import numdb

CORE = 12
"""Digits of an ISBN-13 without its check digit."""
GROUP_LENGTHS = range(1, 6)


@dataclass(frozen=True, slots=True)
class Parts:
    """An ISBN-13 in its five parts."""

    prefix: str
    group: str
    registrant: str
    publication: str
    check: str

    def __str__(self) -> str:
        return "-".join((self.prefix, self.group, self.registrant, self.publication, self.check))

    @property
    def registrant_prefix(self) -> str:
        """Prefix, group and registrant, such as ``978-1-60888``."""
        return f"{self.prefix}-{self.group}-{self.registrant}"


@dataclass(frozen=True, slots=True)
class Group:
    """A registration group: its digits with the prefix (``978``, ``99901``), who runs it, and ranges of registrants.

    A range is the first and the last registrant number of one length, as digits: ``("00", "19")``.
    """

    prefix: str
    group: str
    agency: str
    registrants: tuple[tuple[str, str], ...]


class OverlappingRanges(ValueError):
    """Two ranges of registrants have numbers in common: no split is right."""


class RangeTable:
    """Ranges of registrants, and where they are from."""

    def __init__(
        self,
        groups: Iterable[Group],
        *,
        source: str,
        date: dt.datetime | None,
        serial: str = "",
        warnings: tuple[str, ...] = (),
    ) -> None:
        """Raise OverlappingRanges where a number would have two splits.

        source: what the table was read from, for people. date: when the agency made it (with zone), None where that
        is not known. serial: the agency's number of it. warnings: what people should know of it, in sentences.
        """
        self.source = source
        self.date = date
        self.serial = serial
        self.warnings = warnings
        self.groups: Mapping[tuple[str, str], Group] = {(one.prefix, one.group): one for one in groups}
        # (first core, last core, digits of the group, digits of the registrant); never overlapping, so that one
        # bisection answers.
        rows = sorted(row for group in self.groups.values() for row in _rows(group))
        for one, other in pairwise(rows):
            if one[1] >= other[0]:
                raise OverlappingRanges(f"the ranges at {one[0]} and {other[0]} overlap")
        self._rows = rows
        self._firsts = [row[0] for row in rows]

    def split(self, isbn: str) -> Parts | None:
        """The parts of an ISBN of 13 digits; None where its range is not known. The check digit is not looked at."""
        lengths = self._lengths(int(isbn[:CORE]))
        if lengths is None:
            return None
        group, registrant = lengths
        a, b = 3 + group, 3 + group + registrant
        return Parts(isbn[:3], isbn[3:a], isbn[a:b], isbn[b:CORE], isbn[CORE:])

    def hyphenate(self, isbn: str) -> str:
        """An ISBN of 13 digits with hyphens where its range is known, else as it is."""
        parts = self.split(isbn)
        return isbn if parts is None else str(parts)

    def registrant(self, digits: str) -> tuple[str, str, str] | None:
        """Prefix, group and registrant of the ISBNs that begin with these digits.

        None where the digits do not say the registrant: they are too few, or their range is not known.
        """
        if not 3 < len(digits) <= CORE:
            return None
        lengths = self._lengths(int(digits.ljust(CORE, "0")))
        if lengths is None or 3 + sum(lengths) > len(digits):
            return None
        a, b = 3 + lengths[0], 3 + sum(lengths)
        return digits[:3], digits[3:a], digits[a:b]

    def longer_registrant(self, digits: str) -> tuple[str, str, str] | None:
        """The first registrant of the table that begins with these digits and has more of them; None without one."""
        if len(digits) >= CORE:
            return None
        first, last = int(digits.ljust(CORE, "0")), int(digits.ljust(CORE, "9"))
        at = max(0, bisect_right(self._firsts, first) - 1)
        for low, high, group, registrant in islice(self._rows, at, None):
            if low > last:
                return None
            if high >= first and 3 + group + registrant > len(digits):
                return self.registrant(f"{max(low, first):0{CORE}d}")
        return None

    def agency(self, digits: str) -> str | None:
        """Who runs the registration group of an ISBN or of its first digits; None where that is not known."""
        for length in GROUP_LENGTHS:
            group = self.groups.get((digits[:3], digits[3 : 3 + length]))
            if group is not None:
                return group.agency or None
        return None

    def _lengths(self, core: int) -> tuple[int, int] | None:
        at = bisect_right(self._firsts, core) - 1
        if at < 0 or core > self._rows[at][1]:
            return None
        return self._rows[at][2:]

    def __str__(self) -> str:
        day = self.date.date().isoformat() if self.date else "of unknown date"
        return f"{self.source}, {day}"


def _rows(group: Group) -> Iterable[tuple[int, int, int, int]]:
    head = group.prefix + group.group
    for low, high in group.registrants:
        first, last = (head + low).ljust(CORE, "0"), (head + high).ljust(CORE, "9")
        yield int(first), int(last), len(group.group), len(low)


@cache
def shipped_ranges() -> RangeTable:
    """The table that comes with python-stdnum."""
    date, serial = _heading()
    return RangeTable(
        _stdnum_groups(),
        source=f"python-stdnum {importlib.metadata.version('python-stdnum')}",
        date=date,
        serial=serial,
    )


def _stdnum_groups() -> Iterable[Group]:
    for _, prefix, _, _, groups in numdb.get("isbn").prefixes:
        for _, group, _, about, registrants in groups:
            # An entry without either says of a range of groups how long they are; the groups follow one by one. Some
            # have an agency and no range of registrants yet.
            if about or registrants:
                ranges = tuple((first, last) for _, first, last, _, _ in registrants)
                yield Group(prefix, group, about.get("agency", ""), ranges)


def _heading() -> tuple[dt.datetime | None, str]:
    """Date and serial number from the comments at the beginning of python-stdnum's table."""
    date, serial = None, ""
    with importlib.resources.files("stdnum").joinpath("isbn.dat").open(encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                break
            if line.startswith("# file date "):
                date = message_date(line.removeprefix("# file date "))
            elif line.startswith("# file serial "):
                serial = line.removeprefix("# file serial ").strip()
    return date, serial


def message_date(text: str) -> dt.datetime | None:
    """The moment of a date as in mails (``Sun, 4 Jan 2026 16:49:25 GMT``), in UTC where it says no zone."""
    try:
        moment = email.utils.parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
