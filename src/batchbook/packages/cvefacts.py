"""What a database of CVEs says of single CVE ids: status, severity, exploitation. It never decides a row's status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


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
