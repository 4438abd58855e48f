"""The recommendation for a row: one word first, then the facts that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import Version

from batchbook.packages.kev import cves
from batchbook.packages.releases import Metadata, Project, Release, latest, step
from batchbook.packages.severity import NOT_GIVEN
from batchbook.packages.verdict import Hit, Status, Verdict
from batchbook.packages.wording import NOT_CHECKED, count, shorten, some

MOST_FACT = 1_050
"""Of one fact, so that those after it are still read."""


class Kind(StrEnum):
    """What a recommendation begins with."""

    SECURITY_RISK = "SECURITY RISK"
    MANUAL_REVIEW = "MANUAL REVIEW"
    UPDATE = "UPDATE"
    PROCEED = "PROCEED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What a source of releases says of a package and the version in use."""

    source: str
    """The source with its date."""
    project: Project
    in_use: Release | None
    latest: Release | None
    metadata: Metadata | None = None
    """That of the latest release; None where the source offers none."""
    no_metadata: str = ""
    """Why the source could not be asked for it."""

    @classmethod
    def of(cls, source: str, project: Project, version: Version | None, python: Version | None = None) -> ReleaseFacts:
        """The facts about a version of a project."""
        in_use = project.release(version) if version is not None else None
        return cls(source, project, in_use, latest(project, version, python))


@dataclass(frozen=True, slots=True)
class Exploited:
    """What a catalogue of known exploited vulnerabilities says of the hits."""

    source: str
    """The catalogue with its date."""
    ids: tuple[str, ...]
    not_asked: int
    """Hits without a CVE id, about which the catalogue cannot be asked."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, and the whole text as the workbook shows it."""

    kind: Kind
    text: str


def recommend(
    verdict: Verdict, releases: ReleaseFacts | None = None, exploited: Exploited | None = None
) -> Recommendation:
    """The recommendation that follows from a verdict and from what is known of releases; None: not asked."""
    if verdict.status is Status.AFFECTED:
        head = f"{Kind.SECURITY_RISK} ({len(verdict.hits)})"
        return _said(Kind.SECURITY_RISK, head, [*_risk(verdict, exploited), *_release(releases), *_by(verdict)])
    if verdict.status is Status.UNKNOWN:
        return _said(Kind.UNKNOWN, Kind.UNKNOWN, [verdict.reason, *_would(verdict), *_yanked(releases), *_by(verdict)])
    known = known_text(verdict)
    if releases is None:
        return _said(Kind.PROCEED, f"{Kind.PROCEED} (latest {NOT_CHECKED})", [known])
    doubts = _doubts(verdict, releases)
    if doubts or releases.latest is None or verdict.version is None:
        return _said(Kind.MANUAL_REVIEW, Kind.MANUAL_REVIEW, [*doubts, *_release(releases, yanked=False), known])
    if releases.latest.version > verdict.version:
        distance = f"{step(verdict.version, releases.latest.version)}, {_behind(releases)}"
        return _said(Kind.UPDATE, f"{Kind.UPDATE} ({distance})", [*_release(releases), known])
    return _said(Kind.PROCEED, Kind.PROCEED, [f"in use is the latest release ({releases.source})", known])


def known_text(verdict: Verdict) -> str:
    """What the sources know of a package that is not affected."""
    where = verdict.where
    if not verdict.known:
        return f"none known in {where}"
    return f"not affected by {count(verdict.known, 'advisory', 'advisories')} known in {where}"


def _said(kind: Kind, head: str, facts: Sequence[str]) -> Recommendation:
    return Recommendation(kind, shorten(f"{head}: {'; '.join(shorten(fact, MOST_FACT) for fact in facts if fact)}"))


def _risk(verdict: Verdict, exploited: Exploited | None) -> list[str]:
    facts = [_fixed(verdict), f"highest severity {_severity(verdict.hits)}", _exploited(exploited)]
    listed = [hit.id for hit in verdict.hits if verdict.version is not None and hit.only_listed(verdict.version)]
    if listed:
        facts.append(f"by the list of versions only, the range says otherwise: {some(listed)}")
    if verdict.reason:
        facts.append(f"besides, {verdict.reason}")
    return facts


def _fixed(verdict: Verdict) -> str:
    if verdict.first_fixed is not None:
        return f"first fixed version {verdict.first_fixed}"
    without = [hit.id for hit in verdict.hits if hit.first_fixed is None]
    if not without:
        return "no version is known that fixes all"
    if len(without) == len(verdict.hits):
        return "no fixed version known"
    return f"no fixed version known of {some(without)}"


def _severity(hits: Sequence[Hit]) -> str:
    given = [severity for hit in hits if (severity := hit.severity) is not None]
    if not given:
        return NOT_GIVEN
    worst = str(max(given, key=lambda one: one.rank()))
    missing = len(hits) - len(given)
    return f"{worst}, {NOT_GIVEN} for {missing} of {len(hits)}" if missing else worst


def _exploited(exploited: Exploited | None) -> str:
    if exploited is None:
        return f"known exploited {NOT_CHECKED}"
    if exploited.ids:
        return f"known exploited: {some(exploited.ids)} ({exploited.source})"
    without = f", {exploited.not_asked} without a CVE id {NOT_CHECKED}" if exploited.not_asked else ""
    return f"known exploited: none in {exploited.source}{without}"


def _would(verdict: Verdict) -> list[str]:
    """With a version that is not trusted: what would apply, were it as shown."""
    read_as = f"read as {verdict.question.version}, "
    if verdict.hits:
        number = len(verdict.hits)
        ids = some([hit.id for hit in verdict.hits])
        return [f"{read_as}{count(number, 'known advisory applies', 'known advisories apply')}: {ids}"]
    trusted = verdict.version is not None and not verdict.question.suspect
    return [] if trusted or verdict.version is None else [f"{read_as}no known advisory applies"]


def _by(verdict: Verdict) -> list[str]:
    return [f"source: {verdict.where}"] if verdict.asked else []


def _release(releases: ReleaseFacts | None, *, yanked: bool = True) -> list[str]:
    if releases is None:
        return [f"latest {NOT_CHECKED}"]
    facts = _yanked(releases) if yanked else []
    if releases.latest is not None:
        date = f" of {releases.latest.published}" if releases.latest.published else ""
        facts.append(f"latest is {releases.latest.version}{date} ({releases.source})")
    return facts


def _yanked(releases: ReleaseFacts | None) -> list[str]:
    if releases is None or releases.in_use is None or not releases.in_use.yanked:
        return []
    return [f"in use is a yanked release ({releases.in_use.yanked_reason or 'reason not given'})"]


def _doubts(verdict: Verdict, releases: ReleaseFacts) -> list[str]:
    """Why a person has to look at a package that no advisory speaks against."""
    doubts = _yanked(releases)
    if releases.in_use is None:
        doubts.append(f"{releases.source} has no release {verdict.version}")
    if releases.latest is None:
        doubts.append(f"{releases.source} has no release that could be used")
    elif verdict.version is not None and releases.latest.version < verdict.version and not doubts:
        doubts.append(f"in use is a later release than the latest that could be used, {releases.latest.version}")
    return doubts


def _behind(releases: ReleaseFacts) -> str:
    old = releases.in_use.published if releases.in_use else None
    new = releases.latest.published if releases.latest else None
    return f"{count((new - old).days, 'day', 'days')} behind" if old and new else "days behind not known"


def exploited_among(hits: Sequence[Hit], source: str, known: frozenset[str]) -> Exploited:
    """What a catalogue of CVE ids says of hits."""
    asked = [cves(hit.names) for hit in hits]
    ids = [one for names in asked for one in names if one in known]
    return Exploited(source, tuple(dict.fromkeys(ids)), sum(not names for names in asked))
