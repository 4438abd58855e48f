"""What all sources of advisories together say of a package: each record once, with the sources that hold it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from batchbook.packages.grouping import groups, newest
from batchbook.packages.records import Advisory
from batchbook.packages.sources import AdvisorySource, NotAsked, SourceUnreachable
from batchbook.packages.wording import NOT_CHECKED, label


@dataclass(frozen=True, slots=True)
class Copy:
    """A record as one source or several hold it."""

    record: Advisory
    sources: tuple[str, ...]
    """The sources with their dates."""
    older: bool = False
    """Whether a newer copy of the same record is known: this one does not count."""

    @property
    def keys(self) -> frozenset[str]:
        """What the record is recognised by: id and aliases, the same in small letters and in capitals."""
        return frozenset(name.casefold() for name in self.record.names)


@dataclass(frozen=True, slots=True)
class Whole:
    """A source that gave all it has of a package, and may be silent on what others list."""

    where: str
    """The source with its date."""
    date: str
    live: bool
    """Whether it was asked for this package alone, and so later than any file of the same day."""

    def knows_of(self, day: str) -> bool:
        """Whether its silence on what others listed on a day (ISO) says something: that of an older one does not."""
        return self.date > day or (self.live and self.date == day)


@dataclass(frozen=True)
class Answers:
    """The copies of all records of a package, and which sources spoke."""

    copies: tuple[Copy, ...]
    asked: dict[str, str]
    """The day of the answer by source."""
    troubles: tuple[str, ...]
    """Which could not be asked, and why."""
    not_asked: tuple[str, ...]
    """Which were not asked on purpose, and why."""
    whole: tuple[Whole, ...] = ()
    """Those that answered in full."""

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why nobody can say that a package is not affected: a source in trouble, or none that was asked."""
        if self.asked or self.troubles:
            return self.troubles
        return ("; ".join(["no source of advisories was asked", *self.not_asked]),)

    @cached_property
    def active(self) -> list[list[Copy]]:
        """The copies that count and are not withdrawn, those of one advisory together."""
        return groups([(sorted(one.keys), one) for one in self.copies if not one.older and not one.record.withdrawn])

    @cached_property
    def _withdrawn(self) -> list[tuple[frozenset[str], Copy]]:
        return [(one.keys, one) for one in self.copies if not one.older and one.record.withdrawn]

    @cached_property
    def _older(self) -> list[tuple[str, Copy]]:
        return [(one.record.id.casefold(), one) for one in self.copies if one.older]

    def beside(self, group: Sequence[Copy]) -> list[Copy]:
        """What else is said of an advisory: withdrawn records that share an id or alias, and older copies."""
        if not self._withdrawn and not self._older:
            return []
        known = frozenset[str]().union(*(one.keys for one in group))
        withdrawn = [one for keys, one in self._withdrawn if keys & known]
        ids = {one.record.id.casefold() for one in (*group, *withdrawn)}
        return withdrawn + [one for identity, one in self._older if identity in ids]

    def silent(self, copies: Iterable[Copy]) -> list[str]:
        """The sources that answered in full, no earlier than those that list an advisory, and have no copy of it."""
        listed = {where for one in copies for where in one.sources}
        newest_day = max((day for name, day in self.asked.items() if label(name, day) in listed), default="")
        return [one.where for one in self.whole if one.where not in listed and one.knows_of(newest_day)]


def ask(name: str, sources: Sequence[AdvisorySource]) -> Answers:
    """Ask all sources about a package by its normalised name."""
    found: list[tuple[str, Advisory]] = []
    asked: dict[str, str] = {}
    troubles: list[str] = []
    not_asked: list[str] = []
    whole: list[Whole] = []
    for source in sources:
        try:
            answer = source.lookup(name)
        except SourceUnreachable as problem:
            troubles.append(f"{source.name} could not be asked: {problem}")
        except NotAsked as why:
            not_asked.append(f"{source.name} {NOT_CHECKED} ({why})")
        else:
            asked[source.name] = answer.date
            if answer.missing:
                troubles.append(f"{source.name} could not be asked for all: {answer.missing}")
            else:
                live = not source.reference_date
                whole.append(Whole(label(source.name, answer.date), answer.date, live))
            found += [(label(source.name, answer.date), record) for record in answer.records]
    return Answers(tuple(_copies(found)), asked, tuple(troubles), tuple(not_asked), tuple(whole))


def not_checked(source: str, problem: SourceUnreachable | NotAsked) -> str:
    """Why a source says nothing, as its columns say it."""
    asked = "could not be asked" if isinstance(problem, SourceUnreachable) else "was not asked"
    return f"{NOT_CHECKED}: {source} {asked} ({problem})"


def in_brief(source: str, told: str) -> str:
    """The same for the further columns of a source, where one has the whole text by `not_checked`."""
    start = f"{NOT_CHECKED}: {source} was not asked"
    return start if told.startswith(start) else f"{NOT_CHECKED}: {source} in trouble"


def _copies(found: Iterable[tuple[str, Advisory]]) -> Iterator[Copy]:
    """Each record once, however many sources hold it; those of which a newer copy is known are older."""
    held = _held(found)
    counting = set(newest([record for record, _ in held]))
    for place, (record, sources) in enumerate(held):
        yield Copy(record, tuple(sources), older=place not in counting)


def _held(found: Iterable[tuple[str, Advisory]]) -> list[tuple[Advisory, list[str]]]:
    """Equal records together, with all their sources; in the order in which they were first said."""
    by_id: dict[str, list[tuple[Advisory, list[str]]]] = {}
    order: list[tuple[Advisory, list[str]]] = []
    for where, record in found:
        same = by_id.setdefault(record.id.casefold(), [])
        held = next((sources for one, sources in same if one == record), None)
        if held is None:
            held = []
            same.append((record, held))
            order.append((record, held))
        if where not in held:
            held.append(where)
    return order
