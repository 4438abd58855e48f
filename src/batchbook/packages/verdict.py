"""The verdict on a package: affected, not affected, or unknown with the reason. Unknown never looks like safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from packaging.version import Version

from batchbook.packages import affected as rule
from batchbook.packages.affected import Outcome
from batchbook.packages.answers import Answers, Copy, ask
from batchbook.packages.hits import Hit, judge_all
from batchbook.packages.names import read_name, read_version
from batchbook.packages.severity import Severity, highest
from batchbook.packages.sources import AdvisorySource
from batchbook.packages.wording import MOST_QUOTED, label, quoted, shorten

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
    superseded: tuple[str, ...] = ()
    """Older copies that would affect the version, of records whose newer copies do not."""
    answers: Answers | None = field(default=None, repr=False, compare=False)
    """What was answered; None where nobody was asked, for the name is none."""

    @property
    def where(self) -> str:
        """The sources that answered, with their dates, in words."""
        return " and ".join(label(name, date) for name, date in self.asked.items())

    @property
    def scope(self) -> str:
        """The sources that answered, and those that were not asked on purpose."""
        return "; ".join(filter(None, (self.where, *self.not_asked)))

    @property
    def severity(self) -> Severity | None:
        """The highest severity among the hits."""
        return highest(hit.severity for hit in self.hits)

    @property
    def trusted(self) -> bool:
        """Whether the version can be read and was typed as one."""
        return self.version is not None and not self.question.suspect

    def at(self, version: Version) -> Verdict | None:
        """The same answers judged for another version, None where there are no answers."""
        if self.answers is None:
            return None
        return judge(Question(self.question.name, str(version)), self.answers)


def review(question: Question, sources: Sequence[AdvisorySource], not_found: str = "") -> Verdict:
    """Ask all sources about a package; `not_found` says who knows that there is no such package, if somebody does."""
    name = read_name(question.name)
    if name is None:
        shown = f"the name {quoted(question.name)} is no package name" if question.name.strip() else "there is no name"
        return Verdict(Status.UNKNOWN, question, shown)
    return judge(question, ask(name, sources), not_found)


def judge(question: Question, answers: Answers, not_found: str = "") -> Verdict:
    """The verdict on a readable name by what the sources answered."""
    name = read_name(question.name) or ""
    version = read_version(question.version)
    judged = judge_all(name, question.version.strip(), version, answers)
    reasons = [*_distrust(question, version), *answers.doubts]
    if version is not None:
        reasons += [
            f"{shorten(hit.id, MOST_QUOTED)} could not be judged ({shorten(hit.undecided, MOST_WHY)})"
            for hit in judged.undecided
        ]
    if not_found:
        reasons.append(f"{not_found} knows no such package")
    return Verdict(
        status=_status(trusted=version is not None and not question.suspect, hits=judged.hits, reasons=reasons),
        question=question,
        reason=shorten("; ".join(reasons), MOST_REASON),
        version=version,
        hits=judged.hits,
        undecided=judged.undecided,
        known=len(answers.active),
        asked=answers.asked,
        not_asked=answers.not_asked,
        first_fixed=_first_fixed(name, version, answers.active) if judged.hits and version else None,
        superseded=judged.superseded,
        answers=answers,
    )


def _distrust(question: Question, version: Version | None) -> list[str]:
    if version is None:
        text = question.version.strip()
        return [f"the version {quoted(text)} cannot be read" if text else "there is no version"]
    return [question.suspect] if question.suspect else []


def _status(*, trusted: bool, hits: Sequence[Hit], reasons: Sequence[str]) -> Status:
    if hits and trusted:
        return Status.AFFECTED
    return Status.UNKNOWN if reasons else Status.NOT_AFFECTED


def _first_fixed(name: str, version: Version, active: Sequence[Sequence[Copy]]) -> Version | None:
    """The lowest version named as fixed that every record leaves free; a final release before a pre-release."""
    entries = [one.record.packages[name] for group in active for one in group]
    above = {fixed for one in entries for fixed in rule.fixes(one) if fixed > version}
    for fixed in sorted(above, key=lambda one: (one.is_prerelease and not version.is_prerelease, one)):
        if all(rule.judge(one, fixed).outcome is Outcome.FREE for one in entries):
            return fixed
    return None
