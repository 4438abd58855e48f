"""What changed about a package between two runs, by facts: another date of a source, or another text, is no change."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from batchbook.packages.recommendation import Kind
from batchbook.packages.severity import LABELS
from batchbook.packages.wording import NOT_CHECKED, count, shorten, some

Cell = object
"""A cell's value; what is read here are texts."""


class Rank(IntEnum):
    """What kind of news a change is, the most pressing first."""

    NEW_ADVISORY = 0
    NEWLY_UNKNOWN = 1
    NO_LONGER_AFFECTED = 2
    RELEASE = 3
    OTHER = 4


RANK_WORDS = {
    Rank.NEW_ADVISORY: "with new advisories, or ones that are known exploited now",
    Rank.NEWLY_UNKNOWN: "newly unknown, rejected or failed",
    Rank.NO_LONGER_AFFECTED: "no longer affected",
    Rank.RELEASE: "with a release or yanking that is new",
    Rank.OTHER: "with other changes",
}
MOST_IDS = 5
MOST_REASON = 200

_KIND = re.compile(rf"({'|'.join(Kind)})(?: \(([^)]*)\))?(?=:|;|$)")
_FIXED = re.compile(r"first fixed version ([^;,\s]+)")
_YANKED = re.compile(r"in use is a yanked release(?: \(([^;]*?)\)(?=;|$))?")
_DAY = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_RELEASES_NOT_CHECKED = f"latest {NOT_CHECKED}"
_LABEL = re.compile(rf"({'|'.join(LABELS)})\b(?: (\d+(?:\.\d+)?))?")


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of the sheet Advisories."""

    id: str
    names: frozenset[str]
    """Id and aliases, in small letters."""
    version: str
    status: str
    severity: str
    exploited: str
    fixed: str
    cells: tuple[object, ...]

    @classmethod
    def of(cls, headers: Sequence[str], cells: Sequence[object]) -> Listed:
        """A row under these headers; one that is missing counts as blank."""
        said = {header: _text(cell) for header, cell in zip(headers, cells, strict=False)}
        names = [said.get("Advisory", ""), *said.get("Aliases", "").split(",")]
        return cls(
            id=said.get("Advisory", ""),
            names=frozenset(name.strip().casefold() for name in names if name.strip()),
            version=said.get("Version", ""),
            status=said.get("Status", ""),
            severity=said.get("Severity", ""),
            exploited=said.get("Known Exploited", ""),
            fixed=said.get("First Fixed Version", ""),
            cells=tuple(cells),
        )

    @property
    def applies(self) -> bool:
        """Whether it is known to affect the version; else that is not known."""
        return not self.status.startswith("unknown")

    @property
    def is_exploited(self) -> bool:
        """Whether it is known to be exploited."""
        return self.exploited.startswith("yes")

    def rank(self) -> tuple[int, float]:
        """How bad it is: label before score, higher is worse; (-1, 0) where that is not given."""
        found = _LABEL.match(self.severity)
        return (LABELS[found[1]], float(found[2] or 0)) if found else (-1, 0.0)

    def same_as_one_of(self, others: Sequence[Listed]) -> list[Listed]:
        """Those among others that share an id or alias with it."""
        return [other for other in others if self.names & other.names]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the review's columns say of a package, as far as they tell it."""

    kind: Kind | None = None
    """None where the recommendation is blank, or none of the review's."""
    qualifier: str = ""
    """Of an update its step; of PROCEED that the latest version was not checked."""
    first_fixed: str = ""
    yanked: bool | None = None
    """Whether the version in use is yanked; None where releases were not asked."""
    yanked_reason: str = ""
    latest: str = ""
    status: str = ""
    """The job's mark: how the row ended."""
    reason: str = ""
    head: str = ""
    """The recommendation's beginning, such as ``UPDATE (minor, 120 days behind)``."""

    @classmethod
    def of(cls, cells: Mapping[str, object], status: str | None, reason: str | None) -> Facts:
        """From columns by own name; `status` and `reason` are the names of the job's marks."""
        text = _text(cells.get("recommendation"))
        found = _KIND.match(text)
        kind = Kind(found[1]) if found else None
        latest = _text(cells.get("latest_version"))
        yanked = _YANKED.search(text)
        fixed = _FIXED.search(text)
        return cls(
            kind=kind,
            qualifier=(found[2] or "").split(",")[0] if found and kind is not Kind.SECURITY_RISK else "",
            first_fixed=fixed[1] if fixed and kind is Kind.SECURITY_RISK else "",
            yanked=None if kind is None or _nothing_asked(kind, text) else yanked is not None,
            yanked_reason=(yanked[1] or "") if yanked else "",
            latest=NOT_CHECKED if latest.startswith(NOT_CHECKED) else latest,
            status=_text(cells.get(status)) if status else "",
            reason=_text(cells.get(reason)) if reason else "",
            head=found[0] if found else "",
        )


def _nothing_asked(kind: Kind, text: str) -> bool:
    """Whether a recommendation cannot say that nothing is yanked, for nobody was asked for releases."""
    if _YANKED.search(text):
        return False
    return kind is Kind.UNKNOWN or _RELEASES_NOT_CHECKED in text


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Package:
    """One package before and after a run."""

    before: Facts
    after: Facts
    listed_before: Sequence[Listed] = ()
    listed: Sequence[Listed] = ()
    outcome: str | None = None
    """How the row ended in the run; None where the run did not take it."""
    reason: str = ""
    new: bool = False
    """Whether no earlier run took it."""
    new_input: bool = False
    """Whether the run read another version (or name) than the run before it."""

    # A recommendation tells it, unless the sheet has no such column or a person's text stands there.

    @property
    def was_unknown(self) -> bool:
        """Whether it was unknown before."""
        return self.before.kind is Kind.UNKNOWN or (self.before.kind is None and self.before.status == "unknown")

    @property
    def is_unknown(self) -> bool:
        """Whether it is unknown."""
        return self.after.kind is Kind.UNKNOWN or self.outcome == "unknown"

    @property
    def was_affected(self) -> bool:
        """Whether it was known to be affected before."""
        before = self.before.kind
        return before is Kind.SECURITY_RISK or (before is None and _any_applies(self.listed_before))

    @property
    def is_affected(self) -> bool:
        """Whether it is known to be affected."""
        return self.after.kind is Kind.SECURITY_RISK or (self.after.kind is None and _any_applies(self.listed))

    @property
    def judged(self) -> bool:
        """Whether what is listed of it is all there is."""
        return not self.is_unknown and self.outcome not in ("rejected", "failed", "gone")


@dataclass(frozen=True)
class News:
    """What changed about a package that matters."""

    said: tuple[tuple[Rank, str], ...]
    new: tuple[Listed, ...] = ()
    """Advisories that are new, or known to apply only now."""
    gone: tuple[Listed, ...] = ()
    """Advisories that are no longer listed."""
    exploited: tuple[Listed, ...] = field(default=())
    """Advisories that are known to be exploited only now."""

    @property
    def rank(self) -> Rank:
        """The most pressing of what is said."""
        return min(rank for rank, _ in self.said)

    @property
    def ranks(self) -> set[Rank]:
        """All kinds of news that it is."""
        return {rank for rank, _ in self.said}

    @property
    def words(self) -> str:
        """What changed, in words."""
        return "; ".join(text for _, text in self.said)


def news_of(package: Package) -> News | None:
    """What changed about a package, None where that is nothing that matters."""
    listed, before = package.listed, package.listed_before
    found = [one for one in listed if not one.same_as_one_of(before)]
    applies = [one for one in listed if one.applies and (old := one.same_as_one_of(before)) and not _any_applies(old)]
    gone = [one for one in before if not one.same_as_one_of(listed)]
    exploited = [one for one in listed if one.is_exploited and (old := one.same_as_one_of(before)) and not _known(old)]
    said = [
        *_said_of_advisories(found, applies, exploited),
        *_said_of_status(package),
        *_said_of_gone(package, gone),
        *_said_of_version(package),
        *_said_of_severity(package),
        *_said_of_releases(package),
    ]
    if not said:
        said = _said_of_recommendation(package)
    return News(tuple(said), (*found, *applies), tuple(gone), tuple(exploited)) if said else None


def _any_applies(listed: Sequence[Listed]) -> bool:
    return any(one.applies for one in listed)


def _known(listed: Sequence[Listed]) -> bool:
    return any(one.is_exploited for one in listed)


Said = list[tuple[Rank, str]]


def ids(listed: Sequence[Listed], most: int = MOST_IDS) -> str:
    """The ids of some advisories, the worst first."""
    return some([one.id for one in in_order(listed)], most)


def in_order(listed: Sequence[Listed]) -> list[Listed]:
    """Known exploited ones first, then by severity."""
    return sorted(listed, key=lambda one: (not one.is_exploited, *(-part for part in one.rank())))


def _said_of_advisories(found: Sequence[Listed], applies: Sequence[Listed], exploited: Sequence[Listed]) -> Said:
    said: Said = []
    certain, unsure = [one for one in found if one.applies], [one for one in found if not one.applies]
    if certain:
        said.append((Rank.NEW_ADVISORY, f"{count(len(certain), 'new advisory', 'new advisories')}: {ids(certain)}"))
        if known := [one for one in certain if one.is_exploited]:
            said.append((Rank.NEW_ADVISORY, f"known exploited among them: {ids(known)}"))
    if unsure:
        what = count(len(unsure), "new advisory of which it is", "new advisories of which it is")
        said.append((Rank.NEW_ADVISORY, f"{what} not known whether they apply: {ids(unsure)}"))
    if applies:
        said.append((Rank.NEW_ADVISORY, f"known to apply now: {ids(applies)}"))
    if exploited:
        said.append((Rank.NEW_ADVISORY, f"now known exploited: {ids(exploited)}"))
    return said


def _said_of_status(package: Package) -> Said:
    before, after = package.before, package.after
    if package.outcome in ("rejected", "failed"):
        known = before.status == package.outcome and not package.new
        return [] if known else [(Rank.NEWLY_UNKNOWN, f"{package.outcome}: {shorten(package.reason, MOST_REASON)}")]
    if package.outcome == "gone":
        return [(Rank.OTHER, "its row, or its key, was deleted during the run")]
    if package.is_unknown:
        reason = package.reason or after.reason
        if not package.was_unknown:
            return [(Rank.NEWLY_UNKNOWN, f"unknown now: {shorten(reason, MOST_REASON)}")]
        if before.reason and _DAY.sub("", before.reason) != _DAY.sub("", after.reason):
            return [(Rank.OTHER, f"unknown for another reason: {shorten(reason, MOST_REASON)}")]
    elif package.was_unknown and after.kind is not None:
        return [(Rank.OTHER, f"no longer unknown: {after.head}")]
    return []


def _said_of_gone(package: Package, gone: Sequence[Listed]) -> Said:
    over = package.was_affected and package.judged and not package.is_affected
    said: Said = [(Rank.NO_LONGER_AFFECTED, "no longer affected")] if over else []
    if gone and package.judged:
        said.append((Rank.OTHER, f"{count(len(gone), 'advisory', 'advisories')} no longer listed: {ids(gone)}"))
    elif gone:
        number = count(len(gone), "advisory", "advisories")
        said.append((Rank.OTHER, f"{number} that could not be judged any more: {ids(gone)}"))
    return said


def _said_of_version(package: Package) -> Said:
    old = {one.version for one in package.listed_before}
    new = {one.version for one in package.listed}
    if old and new and old != new:
        return [(Rank.OTHER, f"version in use {some(sorted(old))} -> {some(sorted(new))}")]
    if package.new_input and not (old and new):
        return [(Rank.OTHER, "the version in use was changed")]
    return []


def _said_of_severity(package: Package) -> Said:
    """Only where some advisory applied before and one does now: else it is told by that."""
    old, new = (_worst(listed) for listed in (package.listed_before, package.listed))
    if old is None or new is None or old.rank()[0] == new.rank()[0]:
        return []
    return [(Rank.OTHER, f"highest severity now {_label(new)} (was {_label(old)})")]


def _worst(listed: Sequence[Listed]) -> Listed | None:
    return max((one for one in listed if one.applies), key=Listed.rank, default=None)


def _label(one: Listed) -> str:
    return one.severity.partition(" ")[0] if one.rank()[0] >= 0 else "not given"


def worst_severity(listed: Sequence[Listed]) -> str:
    """The highest severity among the advisories that apply, as the sheet has it; blank without any."""
    worst = _worst(listed)
    return worst.severity if worst is not None else ""


def _said_of_releases(package: Package) -> Said:
    before, after = package.before, package.after
    said: Said = []
    if before.kind is Kind.SECURITY_RISK is after.kind and before.first_fixed != after.first_fixed:
        said.append(
            (Rank.OTHER, f"first fixed {before.first_fixed or 'not known'} -> {after.first_fixed or 'not known'}")
        )
    if after.yanked and not before.yanked and before.kind is not None:
        reason = f" ({shorten(after.yanked_reason, MOST_REASON)})" if after.yanked_reason else ""
        said.append((Rank.RELEASE, f"now yanked{reason}"))
    if before.yanked and after.yanked is False:
        said.append((Rank.RELEASE, "no longer a yanked release"))
    # That an index was in trouble is no news of a package; the report says it once.
    if before.latest and after.latest not in ("", NOT_CHECKED) and before.latest != after.latest:
        rank = Rank.OTHER if NOT_CHECKED in (before.latest, after.latest) else Rank.RELEASE
        said.append((rank, f"latest {before.latest} -> {after.latest}"))
    return said


def _said_of_recommendation(package: Package) -> Said:
    """What nothing else explains."""
    before, after = package.before, package.after
    if package.outcome is None or after.kind is None:
        return []
    if before.kind is None:
        return [(Rank.OTHER, f"reviewed for the first time: {after.head}")] if package.new else []
    if after.latest == NOT_CHECKED != before.latest:
        return []  # no releases, no word on an update
    if (before.kind, before.qualifier) != (after.kind, after.qualifier):
        return [(Rank.OTHER, f"recommendation {before.head} -> {after.head}")]
    return []
