"""The verdict on a package: affected, not affected, or unknown with the reason. Unknown never looks like safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from packaging.version import Version

from batchbook.packages import affected as rule
from batchbook.packages.affected import Outcome
from batchbook.packages.grouping import groups, newest
from batchbook.packages.names import read_name, read_version
from batchbook.packages.records import Advisory, Affected
from batchbook.packages.severity import Severity, highest, read_severity
from batchbook.packages.sources import AdvisorySource, NotAsked, SourceUnreachable
from batchbook.packages.wording import MOST_QUOTED, NOT_CHECKED, quoted, shorten

MOST_REASON = 1_000
"""Of a reason, beside which a cell has to hold other facts."""
MOST_WHY = 200


class Status(StrEnum):
    """What is known of a package in the version in use."""

    AFFECTED = "affected"
    NOT_AFFECTED = "not affected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a package and a version as shown, and why the version is not to be trusted, if it is not."""

    name: str
    version: str
    suspect: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One advisory, however many records speak of it."""

    records: tuple[Advisory, ...]
    entries: tuple[Affected, ...]
    """What the records say of the package."""
    sources: tuple[str, ...]
    """The sources with their dates."""
    first_fixed: Version | None = None
    undecided: str = ""
    """Why it could not be judged; empty where it affects the version."""
    shared: tuple[str, ...] = ()
    """Ids and aliases of further records that speak of the same thing."""

    @property
    def id(self) -> str:
        """The id that it is called by: that of the first record."""
        return self.records[0].id

    @property
    def names(self) -> tuple[str, ...]:
        """All ids and aliases, each once however its letters are written."""
        ids = [record.id for record in self.records]
        aliases = [name for record in self.records for name in record.aliases]
        first: dict[str, str] = {}
        for name in [*ids, *aliases, *self.shared]:
            first.setdefault(name.casefold(), name)
        return tuple(first.values())

    @property
    def severity(self) -> Severity | None:
        """The highest severity that a record gives, None where none is given."""
        return highest(read_severity(*one) for record in self.records for one in record.severities)

    @property
    def summary(self) -> str:
        """The first summary there is."""
        return next((record.summary for record in self.records if record.summary), "")

    def only_listed(self, version: Version) -> bool:
        """Whether the record lists the version although its ranges do not hold it: list and ranges disagree."""
        spans = rule.spans(self.entries)
        held = any(reading in span for span in spans for reading in rule.readings(version))
        return bool(spans) and not self.undecided and not held

    @property
    def ranges(self) -> str:
        """The affected versions in words."""
        spans = [str(span) for span in rule.spans(self.entries)]
        versions = [version for entry in self.entries for version in entry.versions]
        return "; ".join(spans) or ", ".join(dict.fromkeys(versions)) or "not given"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a package, by which advisories, out of which sources."""

    status: Status
    question: Question
    reason: str = ""
    """Why the status is unknown."""
    version: Version | None = None
    hits: tuple[Hit, ...] = ()
    """The advisories that affect the version; with an untrusted version those that would, were it as shown."""
    undecided: tuple[Hit, ...] = ()
    known: int = 0
    """How many advisories the sources know of the package, whatever the version."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """The sources that answered, with the day of the answer (ISO)."""
    not_asked: tuple[str, ...] = ()
    """The sources that were not asked on purpose, and why."""
    first_fixed: Version | None = None
    """The lowest version above that every known advisory leaves free; one that cannot be judged leaves none free."""

    @property
    def where(self) -> str:
        """The sources that answered, with their dates, in words."""
        return " and ".join(label(name, date) for name, date in self.asked.items())

    @property
    def severity(self) -> Severity | None:
        """The highest severity among the hits."""
        return highest(hit.severity for hit in self.hits)


def label(name: str, date: str) -> str:
    """A source and the day of its answer, as results name them."""
    return f"{name} of {date}"


def review(question: Question, sources: Sequence[AdvisorySource], not_found: str = "") -> Verdict:
    """Ask all sources about a package; `not_found` says who knows that there is no such package, if somebody does."""
    name = read_name(question.name)
    if name is None:
        shown = f"the name {quoted(question.name)} is no package name" if question.name.strip() else "there is no name"
        return Verdict(Status.UNKNOWN, question, shown)
    answers = _ask(name, sources)
    reasons = list(answers.reasons)
    active = groups([(_keys(one), (where, one)) for where, one in answers.records if not one.withdrawn])
    version = read_version(question.version)
    if version is None:
        text = question.version.strip()
        reasons.insert(0, f"the version {quoted(text)} cannot be read" if text else "there is no version")
    elif question.suspect:
        reasons.insert(0, question.suspect)
    hits, undecided = _judge(name, question.version.strip(), version, active)
    if version is not None:
        reasons += [
            f"{shorten(hit.id, MOST_QUOTED)} could not be judged ({shorten(hit.undecided, MOST_WHY)})"
            for hit in undecided
        ]
    if not_found:
        reasons.append(f"{not_found} knows no such package")
    return Verdict(
        status=_status(trusted=version is not None and not question.suspect, hits=hits, reasons=reasons),
        question=question,
        reason=shorten("; ".join(reasons), MOST_REASON),
        version=version,
        hits=tuple(hits),
        undecided=tuple(undecided),
        known=len(active),
        asked=answers.asked,
        not_asked=tuple(answers.not_asked),
        first_fixed=_first_fixed(name, version, active) if hits and version else None,
    )


def _status(*, trusted: bool, hits: Sequence[Hit], reasons: Sequence[str]) -> Status:
    if hits and trusted:
        return Status.AFFECTED
    return Status.UNKNOWN if reasons else Status.NOT_AFFECTED


_Sourced = tuple[str, Advisory]


def _keys(record: Advisory) -> list[str]:
    """What a record is recognised by: id and aliases, which are the same in small letters and in capitals."""
    return [name.casefold() for name in record.names]


@dataclass(frozen=True, slots=True)
class _Answers:
    """What all sources together said of a package."""

    records: list[_Sourced]
    asked: dict[str, str]
    """The day of the answer by source."""
    reasons: list[str]
    """Why others could not be asked."""
    not_asked: list[str]
    """Which were not asked on purpose, and why."""


def _ask(name: str, sources: Sequence[AdvisorySource]) -> _Answers:
    found: list[_Sourced] = []
    asked: dict[str, str] = {}
    reasons: list[str] = []
    not_asked: list[str] = []
    for source in sources:
        try:
            answer = source.lookup(name)
        except SourceUnreachable as problem:
            reasons.append(f"{source.name} could not be asked: {problem}")
        except NotAsked as why:
            not_asked.append(f"{source.name} {NOT_CHECKED} ({why})")
        else:
            asked[source.name] = answer.date
            found += [(label(source.name, answer.date), record) for record in answer.records]
    if not asked and not reasons:
        reasons.append("; ".join(["no source of advisories was asked", *not_asked]))
    return _Answers([found[place] for place in newest([record for _, record in found])], asked, reasons, not_asked)


def _judge(
    name: str, text: str, version: Version | None, active: Sequence[Sequence[_Sourced]]
) -> tuple[list[Hit], list[Hit]]:
    """The advisories that affect the version, and those that cannot be judged; each may be several records.

    One record that affects the version settles what the others of its advisory leave open; one that does not, never.
    """
    hits, undecided = [], []
    for group in active:
        judged = [(sourced, _judgement(sourced[1].packages[name], text, version)) for sourced in group]
        shared = tuple(known for _, record in group for known in record.names)
        certain = [sourced for sourced, judgement in judged if judgement.outcome is Outcome.AFFECTED]
        unsure = [(sourced, one.reason) for sourced, one in judged if one.outcome is Outcome.UNDECIDED]
        if certain:
            hits.append(_hit(name, version, certain, shared))
        elif unsure:
            reasons = "; ".join(dict.fromkeys(reason for _, reason in unsure))
            undecided.append(_hit(name, None, [sourced for sourced, _ in unsure], shared, reasons))
    return hits, undecided


def _judgement(entries: Sequence[Affected], text: str, version: Version | None) -> rule.Judgement:
    if version is not None:
        return rule.judge(entries, version)
    return rule.Judgement(Outcome.AFFECTED if rule.listed(entries, text) else Outcome.FREE)


def _hit(
    name: str, version: Version | None, sourced: Sequence[_Sourced], shared: tuple[str, ...], undecided: str = ""
) -> Hit:
    records = tuple(dict.fromkeys((record.id, record.modified) for _, record in sourced))
    by_id = {(record.id, record.modified): record for _, record in sourced}
    entries = tuple(entry for _, record in sourced for entry in record.packages[name])
    return Hit(
        records=tuple(by_id[key] for key in records),
        entries=entries,
        sources=tuple(dict.fromkeys(where for where, _ in sourced)),
        first_fixed=rule.first_fixed(entries, version) if version is not None else None,
        undecided=undecided,
        shared=shared,
    )


def _first_fixed(name: str, version: Version, active: Sequence[Sequence[_Sourced]]) -> Version | None:
    """The lowest version named as fixed that every record leaves free; a final release before a pre-release."""
    entries = [record.packages[name] for group in active for _, record in group]
    above = {fixed for one in entries for fixed in rule.fixes(one) if fixed > version}
    for fixed in sorted(above, key=lambda one: (one.is_prerelease and not version.is_prerelease, one)):
        if all(rule.judge(one, fixed).outcome is Outcome.FREE for one in entries):
            return fixed
    return None
