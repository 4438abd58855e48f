"""What a source says about a CVE id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CveFact:
    """What is known of a CVE id."""

    id: str
    status: str
    severities: tuple[tuple[str, str], ...]
    """Type and vector, as an advisory gives them: ``("CVSS_V3", "CVSS:3.1/...")``."""
    exploited_since: str
    """The day (ISO) since when it is known to be exploited; blank where it is not."""
    summary: str
    """The English description, in one line."""
    url: str = ""


@dataclass(frozen=True, slots=True)
class CveFound:
    """The answer of a source about a CVE id; `fact` is None where it knows no such CVE."""

    fact: CveFact | None
    date: str
    """The day of the answer, ISO."""


class CveSource(Protocol):
    """Where facts about CVE ids are looked up."""

    @property
    def name(self) -> str:
        """What the source is called in results."""
        ...

    @property
    def reference_date(self) -> str:
        """The date of what it knows, ISO; blank for a source whose answers each have a date of their own."""
        ...

    def lookup(self, cve: str) -> CveFound:
        """What is known of a CVE id; may raise SourceUnreachable or NotAsked."""
        ...
