"""Whether an advisory affects a version: the evaluation rule of the OSV schema, with PEP 440's order.

A version is affected if it is listed in `versions` or lies in a range. Versions are compared as versions, never by
specifiers, which treat pre-releases and local versions in ways of their own. What cannot be evaluated is undecided:
never affected, and never free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import groupby

from packaging.version import Version

from batchbook.packages.names import read_version
from batchbook.packages.records import Affected, Event, Range
from batchbook.packages.wording import MOST_QUOTED, quoted, shorten


class Outcome(StrEnum):
    """What an advisory means for a version."""

    AFFECTED = "affected"
    FREE = "not affected"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Span:
    """An unbroken run of affected versions; `start` None is the beginning of time, `end` None has no end.

    `closed_by` is the event that ends it: ``fixed`` and ``limit`` lie outside, ``last_affected`` lies inside.
    """

    start: Version | None
    end: Version | None = None
    closed_by: str = ""

    def __contains__(self, version: Version) -> bool:
        if self.start is not None and version < self.start:
            return False
        if self.end is None:
            return True
        return version <= self.end if self.closed_by == "last_affected" else version < self.end

    def __str__(self) -> str:
        bounds = [f">={self.start}"] if self.start is not None else []
        if self.end is not None:
            bounds.append(f"{'<=' if self.closed_by == 'last_affected' else '<'}{self.end}")
        return ", ".join(bounds) or "all versions"


class UnreadableRange(ValueError):
    """A range that cannot be laid out; the message says why."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an advisory means for a version, and why it is undecided where it is."""

    outcome: Outcome
    reason: str = ""


def judge(entries: Sequence[Affected], version: Version) -> Judgement:
    """Judge a version by what an advisory says about its package.

    A local version (``1.0+cpu``) counts as affected also where its public version is: advisories speak of these.
    """
    read_as = readings(version)
    if any(reading in entry.readable_versions for entry in entries for reading in read_as):
        return Judgement(Outcome.AFFECTED)
    problems: list[str] = []
    for entry in entries:
        spans, unreadable = _layout(entry)
        if any(reading in span for span in spans for reading in read_as):
            return Judgement(Outcome.AFFECTED)
        problems += unreadable
    if problems:
        return Judgement(Outcome.UNDECIDED, "; ".join(dict.fromkeys(problems)))
    return Judgement(Outcome.FREE)


def readings(version: Version) -> frozenset[Version]:
    """What a version is looked up as: itself, and its public version."""
    return frozenset((version, Version(version.public)))


def listed(entries: Sequence[Affected], text: str) -> bool:
    """Whether a version is listed exactly as written: all that can be asked of one that cannot be read."""
    return any(text in entry.versions for entry in entries)


def spans(entries: Sequence[Affected]) -> list[Span]:
    """The affected runs of all ranges that can be laid out, in their order."""
    found = {span for entry in entries for span in _layout(entry)[0]}
    return sorted(found, key=lambda span: (span.start is not None, span.start or _ANY, span.end is None, str(span)))


def fixes(entries: Iterable[Affected]) -> set[Version]:
    """The versions named as fixed in ranges that can be laid out."""
    ends = (span for entry in entries for span in _layout(entry)[0])
    return {span.end for span in ends if span.end is not None and span.closed_by == "fixed"}


def first_fixed(entries: Sequence[Affected], version: Version) -> Version | None:
    """The lowest version above, named as fixed, that the advisory does not affect; None where there is none."""
    above = sorted(fixed for fixed in fixes(entries) if fixed > version)
    return next((fixed for fixed in above if judge(entries, fixed).outcome is Outcome.FREE), None)


_ANY = Version("0")
_NO_LIMIT = "*"


@lru_cache(maxsize=1 << 15)
def _layout_of(ranges: tuple[Range, ...], has_versions: bool) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    """The spans of the ranges that count, and why the others cannot be evaluated."""
    found: list[Span] = []
    problems: list[str] = []
    counted = [one for one in ranges if one.type == "ECOSYSTEM"]
    for one in counted:
        try:
            found += _spans_of(one)
        except UnreadableRange as problem:
            problems.append(str(problem))
    others = sorted({one.type for one in ranges} - {"ECOSYSTEM"})
    if counted or has_versions:  # of commits the rest speaks as well, in versions
        others = [one for one in others if one != "GIT"]
    elif not others:
        problems.append("it names neither versions that can be read nor ranges")
    if others:
        kinds = ", ".join(shorten(one, MOST_QUOTED) or "untyped" for one in others)
        problems.append(f"it has ranges of type {kinds}, which cannot be compared")
    return tuple(found), tuple(problems)


def _layout(entry: Affected) -> tuple[tuple[Span, ...], tuple[str, ...]]:
    return _layout_of(entry.ranges, bool(entry.readable_versions))


def _spans_of(one: Range) -> list[Span]:
    limits = [event for event in one.events if event.kind == "limit"]
    timeline = [(event.kind, _when(event)) for event in one.events if event.kind != "limit"]
    if not any(kind == "introduced" for kind, _ in timeline):
        raise UnreadableRange("a range says nothing of where it begins")
    found = list(_walk(timeline))
    if limits and not any(event.version == _NO_LIMIT for event in limits):
        ceiling = max(when for event in limits if (when := _when(event)) is not None)
        found = [capped for span in found if (capped := _capped(span, ceiling)) is not None]
    return found


def _when(event: Event) -> Version | None:
    """An event's version; None for the beginning of time."""
    if event.kind == "introduced" and event.version == "0":
        return None
    version = read_version(event.version)
    if version is None:
        raise UnreadableRange(f"a range has {event.kind} {quoted(event.version)}, which is no version")
    return version


def _walk(timeline: Iterable[tuple[str, Version | None]]) -> Iterator[Span]:
    """Events as spans, in the order of their versions.

    Several events at one version keep the record's order, except where a span is open: there an end comes before a
    start, because what begins anew counts (records write their newest branch first as often as last).
    """
    is_open = False
    start: Version | None = None
    for _, group in groupby(sorted(timeline, key=_by_version), key=_by_version):
        ends_first = is_open
        for kind, when in sorted(group, key=lambda event: ends_first and event[0] == "introduced"):
            if kind == "introduced":
                is_open, start = True, start if is_open else when
            elif is_open:
                is_open = False
                if kind == "last_affected" or start is None or start != when:
                    yield Span(start, when, kind)
    if is_open:
        yield Span(start)


def _by_version(event: tuple[str, Version | None]) -> tuple[bool, Version]:
    return event[1] is not None, event[1] or _ANY


def _capped(span: Span, ceiling: Version) -> Span | None:
    if span.start is not None and span.start >= ceiling:
        return None
    reaches = span.end is None or span.end > ceiling or (span.end == ceiling and span.closed_by == "last_affected")
    return Span(span.start, ceiling, "limit") if reaches else span
