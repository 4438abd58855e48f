"""The package review: for each row a package and a version, and what is known about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import BaseModel

from batchbook.batch import DetailSheet, JobContext, Processor, ReportSheet, ReportWish, RowResult, RunView
from batchbook.errors import ConfigurationError, Rejected
from batchbook.packages.answers import not_checked
from batchbook.packages.asking import online_sources
from batchbook.packages.columns import ADVISORIES, ADVISORIES_SHEET, COLUMNS, MAY_WRITE, WRITES
from batchbook.packages.cvefacts import CveSource
from batchbook.packages.factcolumns import fact_columns, nvd_result
from batchbook.packages.kev import KnownExploited
from batchbook.packages.names import read_name, read_version
from batchbook.packages.options import PackageReviewOptions, SourceOptions
from batchbook.packages.recommendation import ReleaseFacts, recommend
from batchbook.packages.releasecolumns import Value, further_release_columns, release_columns
from batchbook.packages.releases import ReleaseSource
from batchbook.packages.report import package_report, wished
from batchbook.packages.results import cve_result, detail_row, github_result, package_link
from batchbook.packages.reviewed import IndexAnswer, Reviewed, with_facts
from batchbook.packages.sources import AdvisorySource, FileAdvisories, NotAsked, SourceUnreachable
from batchbook.packages.tally import Tally
from batchbook.packages.verdict import Question, Status, review
from batchbook.packages.wording import NOT_CHECKED, label, shorten
from batchbook.tables import Row

_LINKED = {
    "latest_link": ("package_index", "Index"),
    "github_advisory_url": ("github_advisories", "GitHub"),
    "nvd_url": ("nvd", "NVD"),
    "mitre_cve_url": ("mitre_cve", "CVE"),
    "snyk_url": ("snyk", "Snyk"),
    "exploit_db_url": ("exploit_db", "Exploit-DB"),
}
EACH_ANSWER = "each answer's own"
"""The reference date of a source that is asked row by row: a resumed run may go past midnight."""
_NEVER_ASKED = ("snyk_result", "exploit_db_result")


class PackageReview(Processor):
    """Reviews one package a row: status by advisories, links, and a recommendation."""

    version = "2"
    Options: ClassVar[type[BaseModel]] = PackageReviewOptions
    reads = ("package_name", "version")
    writes = WRITES
    may_write = MAY_WRITE
    columns: ClassVar[Mapping[str, str | list[str]]] = COLUMNS
    details: ClassVar[Mapping[str, DetailSheet]] = {ADVISORIES: ADVISORIES_SHEET}

    def __init__(self, options: PackageReviewOptions, context: JobContext) -> None:
        super().__init__(options, context)
        self.links = options.links
        self.online = online_sources(options, context)
        self.sources = self.advisory_sources()
        self.kev = self.known_exploited()
        self.releases = self.release_source()
        self.cve_facts = self.cve_source()
        self.python = read_version(options.python) if options.python else None
        self._must_have_names_of_their_own()
        self.tally = Tally([source.name for source in self.sources])

    def advisory_sources(self) -> list[AdvisorySource]:
        """The sources of advisories that the options name, read in full."""
        given: list[SourceOptions] = self.options.advisories
        only = self.options.advisories_name if len(given) == 1 else ""
        base, now = self.context.base, self.context.now
        files = [FileAdvisories(base / one.path, one.name or only, _day(one), now) for one in given]
        found: list[AdvisorySource] = [*files, *self.online.advisories]
        return found

    def known_exploited(self) -> KnownExploited | None:
        """The catalogue of known exploited vulnerabilities, where the options name one."""
        given: SourceOptions | None = self.options.kev
        return KnownExploited(self.context.base / given.path, given.name, _day(given)) if given else None

    def release_source(self) -> ReleaseSource | None:
        """The package index, where the options name one; else the latest version is not checked."""
        return self.online.releases

    def close(self) -> None:
        """Close the ways to the sources."""
        self.online.held.close()

    def cve_source(self) -> CveSource | None:
        """The database of CVEs, where the options name one; else its facts are not checked."""
        return self.online.cves

    def coming(self, rows: Sequence[Row]) -> None:
        """Let the sources that take several names at once know which ones come."""
        names = [name for row in rows if (name := read_name(row.shown("package_name").strip()))]
        for source in self.online.advisories:
            source.expect(names)

    def _must_have_names_of_their_own(self) -> None:
        sources = (*self.sources, self.kev, self.releases, self.cve_facts)
        names = [source.name for source in sources if source is not None]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ConfigurationError(
                f"Several sources have the same name, {', '.join(doubled)}, so nobody could tell their dates apart.",
                "Give each its own name: `advisories: [{path: ..., name: ...}, ...]`, or in a sidecar file.",
            )

    def reference_dates(self) -> Mapping[str, str]:
        """The date of every source."""
        others = [one for one in (self.releases, self.cve_facts) if one is not None]
        dates = {one.name: one.reference_date or EACH_ANSWER for one in (*self.sources, *others)}
        if self.kev is not None:
            dates[self.kev.name] = self.kev.date
        return dates

    def remarks(self) -> Sequence[str]:
        """Which sources were in trouble."""
        return list(self.tally.remarks())

    def report_wish(self) -> ReportWish | None:
        """The report that the options ask for."""
        return wished(self.options)

    @classmethod
    def report(cls, run: RunView, *, changes_only: bool) -> Sequence[ReportSheet]:
        """The report for analysts."""
        return package_report(run, ADVISORIES, cls.details[ADVISORIES], changes_only=changes_only)

    def process(self, row: Row) -> RowResult:
        """Review one package."""
        if len(row.key) != 1:
            raise Rejected(
                "the package review needs a key of one column, such as [package_name]: its details hang on it"
            )
        question = Question(row.shown("package_name").strip(), row.shown("version").strip(), _suspect(row))
        reviewed = self.reviewed(question)
        self.tally.add(reviewed)
        verdict = reviewed.verdict
        columns: dict[str, Value] = {
            **dict.fromkeys(_NEVER_ASKED, NOT_CHECKED),
            **self._link_columns(question),
            **release_columns(reviewed),
            **further_release_columns(reviewed),
            **fact_columns(reviewed),
            "github_advisory_result": github_result(verdict),
            "nvd_result": nvd_result(reviewed),
            "mitre_cve_result": cve_result(verdict),
            "recommendation": recommend(verdict, reviewed.index.facts, reviewed.exploited, reviewed.index.problem).text,
        }
        hits = (*verdict.hits, *verdict.undecided)
        return RowResult(
            columns={
                name: shorten(value) if isinstance(value, str) else value
                for name, value in columns.items()
                if name in self.context.writes
            },
            details={ADVISORIES: [detail_row(verdict, hit, row.key[0], self.links.advisory, self.kev) for hit in hits]},
            unknown=verdict.reason if verdict.status is Status.UNKNOWN else None,
            checked=verdict.status is not Status.UNKNOWN or verdict.answers is None or not verdict.answers.doubts,
        )

    def reviewed(self, question: Question) -> Reviewed:
        """Ask all sources about a package."""
        index = self._ask_index(question)
        verdict = review(question, self.sources, index.not_found)
        if self.cve_facts is None:
            return Reviewed(verdict, index, self.kev, python=self.python)
        verdict, facts = with_facts(verdict, self.cve_facts)
        return Reviewed(verdict, index, self.kev, self.cve_facts.name, facts, self.python)

    def _ask_index(self, question: Question) -> IndexAnswer:
        """The facts, or who knows no such package, or why nobody could be asked."""
        name = read_name(question.name)
        if self.releases is None or name is None:
            return IndexAnswer()
        index = self.releases.name
        try:
            listing = self.releases.lookup(name)
        except (SourceUnreachable, NotAsked) as problem:
            return IndexAnswer(index, problem=not_checked(index, problem))
        source = label(index, listing.date)
        if listing.project is None:
            return IndexAnswer(index, listing.date, not_found=source)
        facts = ReleaseFacts.of(source, listing.project, read_version(question.version), self.python)
        return IndexAnswer(index, listing.date, self._described(facts, self.releases))

    def _described(self, facts: ReleaseFacts, source: ReleaseSource) -> ReleaseFacts:
        """The facts with the metadata of the latest release."""
        if facts.latest is None or not facts.latest.metadata:
            return facts
        try:
            return replace(facts, metadata=source.metadata(facts.latest))
        except (SourceUnreachable, NotAsked) as problem:
            return replace(facts, no_metadata=not_checked(source.name, problem))

    def _link_columns(self, question: Question) -> dict[str, Value]:
        """The links to the places where more is known; none for a blank address, nor for a name that is none."""
        name = read_name(question.name)
        found: dict[str, Value] = {}
        for column, (option, place) in _LINKED.items():
            template: str = getattr(self.links, option)
            if template:
                found[column] = package_link(template, place, name) if name else None
        return found


def _day(source: SourceOptions) -> str:
    return source.date.isoformat() if source.date else ""


def _suspect(row: Row) -> str:
    """Why a version cell is not to be trusted, empty where it is text."""
    value = row["version"]
    if row.is_number("version"):
        return "the version is a number, not text, and a number loses its end: 1.10 becomes 1.1"
    if isinstance(value, dt.date | dt.time | dt.timedelta):
        return "the version is a date, not text"
    return ""
