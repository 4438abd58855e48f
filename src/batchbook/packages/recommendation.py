"""The recommendation for a row: one word first, then the facts that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import Version

from batchbook.packages.exploited import Exploited
from batchbook.packages.hits import Hit
from batchbook.packages.releases import Metadata, Project, Release, latest, step
from batchbook.packages.severity import NOT_GIVEN
from batchbook.packages.verdict import Status, Verdict
from batchbook.packages.wording import MOST_QUOTED, MOST_TEXT, NOT_CHECKED, count, shorten, some

NOT_IN_DAYS = "not behind in days"
"""What is said of a release that came out after the latest one."""
MOST_FACT = 1_050
"""Of one fact, so that those after it are still read."""
MOST_DIFFERENCE = 300
"""Of what others say at length within a fact."""


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

    @property
    def days_behind(self) -> int | None:
        """Days from the release in use to the latest; None where a date is not given.

        Less than 0 where an older branch got its release after the latest one.
        """
        old, new = (one.published if one is not None else None for one in (self.in_use, self.latest))
        return (new - old).days if old is not None and new is not None else None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, and the whole text as the workbook shows it."""

    kind: Kind
    text: str


def recommend(
    verdict: Verdict,
    releases: ReleaseFacts | None = None,
    exploited: Exploited | None = None,
    no_releases: str = "",
) -> Recommendation:
    """The recommendation that follows from a verdict and from what is known of releases.

    Without `releases`, `no_releases` says why (see `answers.not_checked`); blank: nobody was to be asked.
    """
    if verdict.status is Status.AFFECTED:
        head = f"{Kind.SECURITY_RISK} ({len(verdict.hits)})"
        facts = [*_risk(verdict, releases, exploited or Exploited()), *_release(verdict, releases), *_by(verdict)]
        return _said(Kind.SECURITY_RISK, head, facts)
    if verdict.status is Status.UNKNOWN:
        facts = [verdict.reason, *_would(verdict), *_superseded(verdict), *_warnings(releases), *_by(verdict)]
        return _said(Kind.UNKNOWN, Kind.UNKNOWN, facts)
    known = [*_superseded(verdict), known_text(verdict)]
    if releases is None:
        return _said(Kind.PROCEED, f"{Kind.PROCEED} (latest {NOT_CHECKED})", [*_unasked(no_releases), *known])
    doubts = _doubts(verdict, releases)
    if doubts or releases.latest is None or verdict.version is None:
        facts = [*doubts, *_release(verdict, releases, doubts), *known]
        return _said(Kind.MANUAL_REVIEW, Kind.MANUAL_REVIEW, facts)
    if releases.latest.version > verdict.version:
        distance = f"{step(verdict.version, releases.latest.version)}, {_behind(releases)}"
        return _said(Kind.UPDATE, f"{Kind.UPDATE} ({distance})", [*_release(verdict, releases), *known])
    return _said(Kind.PROCEED, Kind.PROCEED, [f"in use is the latest release ({releases.source})", *known])


def _unasked(problem: str) -> list[str]:
    """Where releases should have been asked for and were not, a reader must not take that for nothing to be known."""
    if not problem:
        return []
    who = problem.removeprefix(f"{NOT_CHECKED}: ")
    return [f"{who}, so that it is not known whether the release exists, is yanked or is behind"]


def known_text(verdict: Verdict) -> str:
    """What the sources know of a package that is not affected, and which sources were not asked."""
    if not verdict.known:
        return f"none known in {verdict.scope}"
    return f"not affected by {count(verdict.known, 'advisory', 'advisories')} known in {verdict.scope}"


def judged_latest(verdict: Verdict, releases: ReleaseFacts | None) -> Verdict | None:
    """The verdict on the latest release by the same answers; None where there is none to judge, or no answer."""
    if releases is None or releases.latest is None:
        return None
    return verdict.at(releases.latest.version)


def _said(kind: Kind, head: str, facts: Sequence[str]) -> Recommendation:
    """The last fact, which names the sources, stays whole however long the others are."""
    *others, last = (shorten(fact, MOST_FACT) for fact in facts if fact)
    text = shorten(f"{head}: {'; '.join(others)}", MOST_TEXT - len(last) - 2) if others else f"{head}:"
    return Recommendation(kind, f"{text}{';' if others else ''} {last}")


def _risk(verdict: Verdict, releases: ReleaseFacts | None, exploited: Exploited) -> list[str]:
    facts = [_fixed(verdict, releases), f"highest severity {severity_text(verdict.hits)}", _exploited(exploited)]
    listed = [hit.id for hit in verdict.hits if verdict.version is not None and hit.only_listed(verdict.version)]
    if listed:
        facts.append(f"by the list of versions only, the range says otherwise: {some(listed)}")
    facts += _disagreeing(verdict)
    if verdict.reason:
        facts.append(f"besides, {verdict.reason}")
    return facts


def _fixed(verdict: Verdict, releases: ReleaseFacts | None) -> str:
    if verdict.first_fixed is not None:
        return f"first fixed version {verdict.first_fixed}{not_to_be_had(verdict.first_fixed, releases)}"
    without = [hit.id for hit in verdict.hits if hit.first_fixed is None]
    if not without:
        return "no version is known that fixes all"
    if len(without) == len(verdict.hits):
        return "no fixed version known"
    return f"no fixed version known of {some(without)}"


def not_to_be_had(fixed: Version, releases: ReleaseFacts | None) -> str:
    """What the index has against a version that advisories name as fixed."""
    if releases is None:
        return ""
    release = releases.project.release(fixed)
    if release is None:
        return f" (which {releases.source} does not have)"
    return " (which is yanked)" if release.yanked else ""


def _disagreeing(verdict: Verdict) -> list[str]:
    """The advisories on which sources differ; of one alone also in what."""
    found = [(hit.id, said) for hit in verdict.hits if (said := hit.disagreement)]
    if len(found) == 1:
        return [f"sources disagree on {found[0][0]}: {shorten(found[0][1], MOST_DIFFERENCE)}", *_superseded(verdict)]
    told = f"sources disagree on {len(found)} of {len(verdict.hits)}: {some([one for one, _ in found])}"
    return [*([told] if found else []), *_superseded(verdict)]


def _superseded(verdict: Verdict) -> list[str]:
    return [shorten("; ".join(verdict.superseded), MOST_DIFFERENCE)] if verdict.superseded else []


def severity_text(hits: Sequence[Hit]) -> str:
    """The highest severity of some advisories, and for how many it is not given."""
    given = [severity for hit in hits if (severity := hit.severity) is not None]
    if not given:
        return NOT_GIVEN
    worst = str(max(given, key=lambda one: one.rank()))
    missing = len(hits) - len(given)
    return f"{worst}, {NOT_GIVEN} for {missing} of {len(hits)}" if missing else worst


def _exploited(exploited: Exploited) -> str:
    if exploited.said:
        return f"known exploited: {exploited.ids}"
    if not exploited.catalogue:
        return f"known exploited {NOT_CHECKED}"
    if not exploited.asked:
        return f"known exploited {NOT_CHECKED}, there is no CVE id to ask by"
    return f"known exploited: none in {exploited.catalogue}{exploited.without}"


def _would(verdict: Verdict) -> list[str]:
    """What applies, or would with a version that is not trusted, were it as shown."""
    read_as = f"read as {verdict.question.version}, "
    if verdict.hits:
        number = len(verdict.hits)
        ids = some([hit.id for hit in verdict.hits])
        return [f"{read_as}{count(number, 'known advisory applies', 'known advisories apply')}: {ids}"]
    complete = verdict.answers is not None and not verdict.answers.doubts and not verdict.undecided
    if verdict.version is None or not complete:
        return []  # whoever could not be asked, or judged, may know one
    return [f"{'' if verdict.trusted else read_as}no known advisory applies"]


def _by(verdict: Verdict) -> list[str]:
    return [f"source: {verdict.scope}"] if verdict.asked else []


def _release(verdict: Verdict, releases: ReleaseFacts | None, told: Sequence[str] = ()) -> list[str]:
    """The latest release and what advisories say of it, and what the index warns of; less what was told before."""
    if releases is None:
        return [f"latest {NOT_CHECKED}"]
    facts = _warnings(releases)
    if releases.latest is not None:
        date = f" of {releases.latest.published}" if releases.latest.published else ""
        facts.append(f"latest is {releases.latest.version}{date} ({releases.source})")
        facts += _of_latest(verdict, releases)
    return [fact for fact in facts if fact not in told]


def _of_latest(verdict: Verdict, releases: ReleaseFacts) -> list[str]:
    """Whether the latest release is affected as well, and if so what else could be used."""
    judged = judged_latest(verdict, releases)
    if judged is None or judged.version == verdict.version:
        return []
    if judged.status is Status.NOT_AFFECTED:
        return ["the latest is not affected"]
    if judged.status is Status.UNKNOWN:
        return [f"whether the latest is affected is unknown: {shorten(judged.reason, MOST_DIFFERENCE)}"]
    as_well = " as well" if verdict.status is Status.AFFECTED else ""
    also = f"the latest is affected{as_well}: {some([hit.id for hit in judged.hits])}"
    if as_well and verdict.first_fixed is not None:
        return [f"{also}; {verdict.first_fixed} is not"]
    later = judged.first_fixed
    if later is None:
        return [f"{also}; no version is known that fixes all"]
    return [f"{also}; first fixed after it is {later}{not_to_be_had(later, releases)}"]


def _warnings(releases: ReleaseFacts | None) -> list[str]:
    """What the index says against a package, whatever its version's advisories."""
    if releases is None:
        return []
    project = releases.project
    found = []
    if project.state not in ("", "active"):
        reason = shorten(project.state_reason, MOST_DIFFERENCE) or "reason not given"
        found.append(f"the package is {shorten(project.state, MOST_QUOTED)} ({reason}; {releases.source})")
    if releases.in_use is not None and releases.in_use.yanked:
        reason = shorten(releases.in_use.yanked_reason, MOST_DIFFERENCE) or "reason not given"
        found.append(f"in use is a yanked release ({reason})")
    return found


def _doubts(verdict: Verdict, releases: ReleaseFacts) -> list[str]:
    """Why a person has to look at a package that no advisory speaks against."""
    doubts = _warnings(releases)
    yanked = releases.in_use is not None and releases.in_use.yanked
    if releases.in_use is None:
        doubts.append(f"{releases.source} has no release {verdict.version}")
    if releases.latest is None:
        doubts.append(f"{releases.source} has no release that could be used")
    elif verdict.version is not None and releases.latest.version < verdict.version and releases.in_use and not yanked:
        doubts.append(f"in use is a later release than the latest that could be used, {releases.latest.version}")
    judged = judged_latest(verdict, releases)
    if judged is not None and judged.status is not Status.NOT_AFFECTED:
        doubts += _of_latest(verdict, releases)
    return doubts


def _behind(releases: ReleaseFacts) -> str:
    days = releases.days_behind
    if days is None:
        return "days behind not known"
    return NOT_IN_DAYS if days < 0 else f"{count(days, 'day', 'days')} behind"
