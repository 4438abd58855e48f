"""Where sources differ on an advisory, in words. It changes no status: affected is what any of them calls affected.

An older copy of a record is not another opinion: the newer one counts, and what the older one says otherwise is told
with both sources, so that a stale file beside a fresh answer is seen for what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.version import Version

from batchbook.packages import affected as rule
from batchbook.packages.affected import Outcome
from batchbook.packages.answers import Copy
from batchbook.packages.cvefacts import CveAnswer
from batchbook.packages.records import Affected
from batchbook.packages.severity import Severity, highest, read_severity
from batchbook.packages.wording import MOST_QUOTED, shorten, some

MOST_WHO = 300
"""Of who says one thing, beside which the others have to be read."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """One record about an advisory, and what it means for a version."""

    copy: Copy
    entries: tuple[Affected, ...]
    """What it says of the package."""
    outcome: Outcome
    reason: str = ""
    """Why it is undecided, where it is."""
    fixed: Version | None = None
    """The first fixed version, where it affects the version and names one."""

    @property
    def counts(self) -> bool:
        """Whether it is neither withdrawn nor an older copy."""
        return not self.copy.older and not self.copy.record.withdrawn

    @property
    def affects(self) -> bool:
        """Whether the version is affected by what it lists."""
        return self.outcome is Outcome.AFFECTED

    @property
    def would_affect(self) -> bool:
        """Whether it would affect the version, were it the copy that counts."""
        return self.affects and not self.copy.record.withdrawn

    @property
    def who(self) -> str:
        """The record with its sources."""
        return f"{shorten(self.copy.record.id, MOST_QUOTED)} ({' and '.join(self.copy.sources)})"

    @property
    def severity(self) -> Severity | None:
        """The highest severity that the record gives."""
        return highest(read_severity(*one) for one in self.copy.record.severities)


def disagreement(
    opinions: Sequence[Opinion], facts: Sequence[CveAnswer] = (), silent: Sequence[str] = (), *, judged: bool = True
) -> str:
    """What records and CVE facts of one advisory differ in; blank where they agree.

    `silent` are sources that could know it and do not list it: it may have been withdrawn there. `judged` is false for
    a version that cannot be read: whether it is affected is then no opinion of anybody.
    """
    standing = [one for one in opinions if one.counts]
    found = [
        *(_outcomes(standing) if judged else ()),
        *_unlisted(silent),
        *_withdrawn(opinions),
        *_severities(standing, facts),
        *(_fixes(standing) if judged else ()),
        *(f"{one.id} is {one.fact.status} by {one.where}" for one in facts if one.fact and one.fact.is_rejected),
        *(older_copies(opinions) if judged else ()),
    ]
    return "; ".join(found)


def older_copies(opinions: Sequence[Opinion]) -> Iterator[str]:
    """Older copies that say otherwise than the newer ones, with the sources of both."""
    for old in (one for one in opinions if one.copy.older):
        same = old.copy.record.id.casefold()
        newer = [one for one in opinions if not one.copy.older and one.copy.record.id.casefold() == same]
        if newer and _says(old) not in {_says(one) for one in newer}:
            by = some(list(dict.fromkeys(where for one in newer for where in one.copy.sources)))
            yield f"the older copy of {old.who} says {_says(old)}, the newer one of {by} counts: {_says(newer[0])}"


def _says(one: Opinion) -> str:
    return "withdrawn" if one.copy.record.withdrawn else str(one.outcome)


def _outcomes(standing: Sequence[Opinion]) -> Iterator[str]:
    yes = [one.who for one in standing if one.affects]
    no = [one.who for one in standing if one.outcome is Outcome.FREE]
    if yes and no:
        yield f"affected by {_named(yes)}, not by {_named(no)}"


def _unlisted(silent: Sequence[str]) -> Iterator[str]:
    if silent:
        yield f"{' and '.join(silent)} {'does' if len(silent) == 1 else 'do'} not list it"


def _withdrawn(opinions: Sequence[Opinion]) -> Iterator[str]:
    gone = [one.who for one in opinions if one.copy.record.withdrawn and not one.copy.older]
    left = [one.who for one in opinions if one.counts]
    if gone and left:
        yield f"withdrawn: {_named(gone)}, not withdrawn: {_named(left)}"


def _severities(standing: Sequence[Opinion], facts: Sequence[CveAnswer]) -> Iterator[str]:
    """By label: scores differ by their scale alone. Who gives none does not disagree."""
    given = [(one.severity, one.who) for one in standing]
    given += [(one.severity, f"{one.id} ({one.where})") for one in facts]
    by_label: dict[str, list[str]] = {}
    for severity, who in given:
        if severity is not None:
            by_label.setdefault(severity.label, []).append(who)
    if len(by_label) > 1:
        yield "severity " + ", ".join(f"{label} by {_named(who)}" for label, who in sorted(by_label.items()))


def _fixes(standing: Sequence[Opinion]) -> Iterator[str]:
    """Several first fixed versions, or one that another record calls affected. Who names none does not disagree."""
    by_fix: dict[Version, list[str]] = {}
    for one in standing:
        if one.affects and one.fixed is not None:
            by_fix.setdefault(one.fixed, []).append(one.who)
    if len(by_fix) > 1:
        yield "first fixed version " + ", ".join(f"{fix} by {_named(who)}" for fix, who in sorted(by_fix.items()))
    for fix, who in sorted(by_fix.items()):
        held = [one.who for one in standing if one.fixed is None and _holds(one, fix)]
        if held:
            yield f"{fix} is fixed by {_named(who)}, affected by {_named(held)}"


def _holds(one: Opinion, version: Version) -> bool:
    return rule.judge(one.entries, version).outcome is Outcome.AFFECTED


def _named(who: Iterable[str]) -> str:
    return shorten(some(list(dict.fromkeys(who))), MOST_WHO)
