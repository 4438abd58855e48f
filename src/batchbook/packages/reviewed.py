"""All that was learned about one row: what the result columns are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from packaging.version import Version

from batchbook.packages.answers import in_brief
from batchbook.packages.cvefacts import CveAnswer, CveSource, ask_facts
from batchbook.packages.exploited import Exploited, exploited_among
from batchbook.packages.kev import KnownExploited, cves
from batchbook.packages.recommendation import ReleaseFacts
from batchbook.packages.verdict import Verdict


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """What became of asking for a package's releases."""

    name: str = ""
    """What the source is called; blank where there is none."""
    date: str = ""
    """The day of the answer; blank where there was none."""
    facts: ReleaseFacts | None = None
    """None also where the source answered that it knows no such package."""
    not_found: str = ""
    """The source with its date, where it knows no such package."""
    problem: str = ""
    """Why it could not be asked, as a result column says it."""

    @property
    def in_brief(self) -> str:
        """The same in brief, for all columns but the one that says it; blank where it was asked."""
        return in_brief(self.name, self.problem) if self.problem else ""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """All that was learned about one row."""

    verdict: Verdict
    index: IndexAnswer = IndexAnswer()
    kev: KnownExploited | None = None
    cve_source: str = ""
    """What the source of CVE facts is called; blank where there is none."""
    facts: tuple[CveAnswer, ...] = ()
    python: Version | None = None
    """The Python that packages have to run on; None where none is configured."""

    @property
    def exploited(self) -> Exploited:
        """What is known of the exploitation of the advisories that affect the version."""
        return exploited_among(self.verdict.hits, self.kev)


def with_facts(verdict: Verdict, source: CveSource) -> tuple[Verdict, tuple[CveAnswer, ...]]:
    """The verdict with what a source says of the CVE ids of its advisories; the status stays as it is."""
    hits = (*verdict.hits, *verdict.undecided)
    answers = {one.id: one for one in ask_facts(source, _each(one for hit in hits for one in cves(hit.names)))}
    told = [replace(hit, facts=tuple(answers[one] for one in cves(hit.names))) for hit in hits]
    first = len(verdict.hits)
    return replace(verdict, hits=tuple(told[:first]), undecided=tuple(told[first:])), tuple(answers.values())


def _each(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
