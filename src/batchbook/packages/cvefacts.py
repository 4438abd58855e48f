"""What a database of CVEs says of single CVE ids: status, severity, exploitation. It never decides a row's status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from batchbook.packages.answers import not_checked
from batchbook.packages.severity import Severity, highest, read_severity
from batchbook.packages.sources import NotAsked, SourceUnreachable
from batchbook.packages.wording import label, shorten

MOST_TROUBLES = 3
MOST_PROBLEM = 300


@dataclass(frozen=True, slots=True)
class CveFact:
    """What a source says of one CVE id."""

    id: str
    """The CVE id, in capitals."""
    status: str = ""
    """As the source words it, such as ``Analyzed`` or ``Rejected``; blank where it gives none."""
    severities: tuple[tuple[str, str], ...] = ()
    """Type and score as an advisory has them: ``("CVSS_V3", "CVSS:3.1/AV:N/...")`` or ``("LABEL", "HIGH")``."""
    exploited_since: str = ""
    """The day since which it is known to be exploited, ISO; blank where the source does not say that it is."""
    summary: str = ""
    url: str = ""
    """Where a person reads more."""

    @property
    def is_rejected(self) -> bool:
        """Whether the source calls the CVE rejected: nobody should have been given this id."""
        return self.status.casefold() == "rejected"


@dataclass(frozen=True, slots=True)
class CveFound:
    """The answer about a CVE id; `fact` is None where the source knows no such id."""

    fact: CveFact | None
    date: str
    """The day of the answer, ISO."""


class CveSource(Protocol):
    """Where CVE ids are looked up."""

    @property
    def name(self) -> str:
        """What the source is called in results."""
        ...

    @property
    def reference_date(self) -> str:
        """The date of what it knows, ISO; blank for a source whose answers each have a date of their own."""
        ...

    def lookup(self, cve: str) -> CveFound:
        """What is known of a CVE id in capitals; may raise SourceUnreachable or NotAsked."""
        ...


@dataclass(frozen=True, slots=True)
class CveAnswer:
    """What became of asking for one CVE id."""

    id: str
    source: str
    date: str = ""
    """The day of the answer; blank where there was none."""
    fact: CveFact | None = None
    """None also where the source answered that it knows no such id."""
    problem: str = ""
    """Why there was no answer, as a result column says it."""

    @property
    def where(self) -> str:
        """The source with the date of its answer."""
        return label(self.source, self.date)

    @property
    def severity(self) -> Severity | None:
        """The highest severity that the fact gives."""
        return highest(read_severity(*one) for one in self.fact.severities) if self.fact is not None else None


def ask_facts(source: CveSource, ids: Iterable[str]) -> list[CveAnswer]:
    """Ask for CVE ids in turn; after some troubles in a row the rest is not asked: a source that is down is slow."""
    found: list[CveAnswer] = []
    in_a_row, problem = 0, ""
    for one in ids:
        if in_a_row >= MOST_TROUBLES:
            found.append(CveAnswer(one, source.name, problem=problem))
            continue
        try:
            answer = source.lookup(one)
        except (SourceUnreachable, NotAsked) as trouble:
            problem = shorten(not_checked(source.name, trouble), MOST_PROBLEM)
            in_a_row = in_a_row + 1 if isinstance(trouble, SourceUnreachable) else 0
            found.append(CveAnswer(one, source.name, problem=problem))
        else:
            in_a_row = 0
            found.append(CveAnswer(one, source.name, answer.date, answer.fact))
    return found
