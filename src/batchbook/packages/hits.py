"""One advisory about a version: the records that speak of it, by whom, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.version import Version

from batchbook.packages import affected as rule
from batchbook.packages.affected import Outcome
from batchbook.packages.answers import Answers, Copy
from batchbook.packages.cvefacts import CveAnswer
from batchbook.packages.disagreement import Opinion, disagreement, older_copies
from batchbook.packages.records import Advisory, Affected
from batchbook.packages.severity import Severity, highest, read_severity


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
    opinions: tuple[Opinion, ...] = ()
    """What all records say of the version, also those that do not affect it, withdrawn ones and older copies."""
    facts: tuple[CveAnswer, ...] = ()
    """What became of asking for its CVE ids."""
    silent: tuple[str, ...] = ()
    """The sources with their dates that answered in full and do not list it, though others did no later."""
    judged: bool = True
    """Whether the version can be read, so that records can be compared by what they say of it."""

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
        """The highest severity that a record or a source of CVE facts gives, None where none is given."""
        return highest((self.stated_severity, *(one.severity for one in self.facts)))

    @property
    def stated_severity(self) -> Severity | None:
        """The highest severity that a record gives."""
        return highest(read_severity(*one) for record in self.records for one in record.severities)

    @property
    def summary(self) -> str:
        """The first summary there is."""
        return next((record.summary for record in self.records if record.summary), "")

    @property
    def disagreement(self) -> str:
        """What its sources differ in, in words; blank where they agree."""
        return disagreement(self.opinions, self.facts, self.silent, judged=self.judged)

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
class Judged:
    """All advisories of a package, judged for one version."""

    hits: tuple[Hit, ...]
    """Those that affect it."""
    undecided: tuple[Hit, ...]
    """Those that cannot be judged."""
    superseded: tuple[str, ...]
    """Older copies that would affect it, of records whose newer copies do not."""


def judge_all(name: str, text: str, version: Version | None, answers: Answers) -> Judged:
    """The advisories that affect the version, and those that cannot be judged; each may be several records.

    One record that affects the version settles what the others of its advisory leave open; one that does not, never.
    """
    hits, undecided = [], []
    told: set[str] = set()
    for group in answers.active:
        opinions = [_opinion(name, text, version, one) for one in (*group, *answers.beside(group))]
        standing = opinions[: len(group)]
        certain = [one for one in standing if one.affects]
        unsure = [one for one in standing if one.outcome is Outcome.UNDECIDED]
        if certain:
            hits.append(_hit(version, certain, opinions, answers))
        elif unsure:
            undecided.append(_hit(version, unsure, opinions, answers))
        if certain or unsure:
            told |= {one.copy.record.id.casefold() for one in opinions}
    doubled = {one.record.id.casefold() for one in answers.copies if one.older} - told
    rest = [one for one in answers.copies if one.record.id.casefold() in doubled]
    return Judged(tuple(hits), tuple(undecided), tuple(_superseded(name, text, version, rest)))


def _opinion(name: str, text: str, version: Version | None, copy: Copy) -> Opinion:
    entries = copy.record.packages.get(name, ())  # a withdrawn record need not name the package any more
    if version is None:  # all that can be asked of one that cannot be read
        return Opinion(copy, entries, Outcome.AFFECTED if rule.listed(entries, text) else Outcome.FREE)
    found = rule.judge(entries, version)
    fixed = rule.first_fixed(entries, version) if found.outcome is Outcome.AFFECTED else None
    return Opinion(copy, entries, found.outcome, found.reason, fixed)


def _hit(version: Version | None, chosen: Sequence[Opinion], opinions: Sequence[Opinion], answers: Answers) -> Hit:
    records: dict[tuple[str, str], Advisory] = {}
    for one in chosen:
        records.setdefault((one.copy.record.id, one.copy.record.modified), one.copy.record)
    entries = tuple(entry for one in chosen for entry in one.entries)
    certain = any(one.affects for one in chosen)
    return Hit(
        records=tuple(records.values()),
        entries=entries,
        sources=_each(where for one in chosen for where in one.copy.sources),
        first_fixed=rule.first_fixed(entries, version) if version is not None and certain else None,
        undecided="" if certain else "; ".join(_each(one.reason for one in chosen)),
        shared=tuple(name for one in opinions if one.counts for name in one.copy.record.names),
        opinions=tuple(opinions),
        silent=tuple(answers.silent(one.copy for one in opinions)),
        judged=version is not None,
    )


def _superseded(name: str, text: str, version: Version | None, rest: Sequence[Copy]) -> list[str]:
    opinions = [_opinion(name, text, version, one) for one in rest]
    return list(older_copies([one for one in opinions if not one.copy.older or one.would_affect]))


def _each(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
