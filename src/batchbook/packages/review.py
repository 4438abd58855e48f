"""The package review: for each row a package and a version, and what is known about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeAlias

from pydantic import BaseModel

from batchbook import Link
from batchbook.batch import (
    DetailSheet,
    JobContext,
    Processor,
    ReportSheet,
    ReportWish,
    RowResult,
    RunView,
    SheetColumn,
)
from batchbook.errors import ConfigurationError, Rejected
from batchbook.packages.kev import KnownExploited
from batchbook.packages.names import read_name, read_version
from batchbook.packages.options import PackageReviewOptions, SourceOptions
from batchbook.packages.recommendation import ReleaseFacts, exploited_among, recommend
from batchbook.packages.releases import Release, ReleaseSource
from batchbook.packages.report import package_report, wished
from batchbook.packages.results import cve_result, detail_row, github_result, package_link
from batchbook.packages.sources import AdvisorySource, FileAdvisories, SourceUnreachable
from batchbook.packages.verdict import Question, Status, Verdict, review
from batchbook.packages.wording import NOT_CHECKED, shorten
from batchbook.tables import Row

Value: TypeAlias = str | dt.date | Link | None

ADVISORIES = "Advisories"
_LINKED = {
    "latest_link": ("package_index", "Index"),
    "github_advisory_url": ("github_advisories", "GitHub"),
    "nvd_url": ("nvd", "NVD"),
    "mitre_cve_url": ("mitre_cve", "CVE"),
    "snyk_url": ("snyk", "Snyk"),
    "exploit_db_url": ("exploit_db", "Exploit-DB"),
}
_NEVER_ASKED = ("nvd_result", "snyk_result", "exploit_db_result")


class PackageReview(Processor):
    """Reviews one package a row: status by advisories, links, and a recommendation."""

    version = "1"
    Options: ClassVar[type[BaseModel]] = PackageReviewOptions
    reads = ("package_name", "version")
    writes = (
        "date_published",
        "latest_version",
        "latest_link",
        "latest_date",
        "requires",
        "development_status",
        "github_url",
        "github_advisory_url",
        "github_advisory_result",
        "nvd_url",
        "nvd_result",
        "mitre_cve_url",
        "mitre_cve_result",
        "snyk_url",
        "snyk_result",
        "exploit_db_url",
        "exploit_db_result",
        "recommendation",
    )
    columns: ClassVar[Mapping[str, str | list[str]]] = {
        "index": ["Index", "No."],
        "package_name": ["Package Name", "Package"],
        "version": ["Version in Use", "Version"],
        "package_link": "PyPI Link",
        "date_published": "Date Published",
        "latest_version": "Latest Version",
        "latest_link": "Latest Version Link",
        "latest_date": "Latest Release Date",
        "requires": "Requires",
        "development_status": "Development Status",
        "github_url": "GitHub URL",
        "github_advisory_url": "GitHub Advisory URL",
        "github_advisory_result": "GitHub Advisory Result",
        "notes": "Notes",
        "nvd_url": "NVD URL",
        "nvd_result": "NVD Result",
        "mitre_cve_url": "MITRE CVE URL",
        "mitre_cve_result": "MITRE CVE Result",
        "snyk_url": "Snyk URL",
        "snyk_result": "Snyk Result",
        "exploit_db_url": "Exploit-DB URL",
        "exploit_db_result": "Exploit-DB Result",
        "recommendation": "Recommendation",
    }
    details: ClassVar[Mapping[str, DetailSheet]] = {
        ADVISORIES: DetailSheet(
            columns=(
                SheetColumn("Package Name", 24),
                SheetColumn("Version", 12),
                SheetColumn("Status", 14),
                SheetColumn("Advisory", 20),
                SheetColumn("Aliases", 40),
                SheetColumn("Summary", 40),
                SheetColumn("Severity", 24),
                SheetColumn("Affected Range", 36),
                SheetColumn("First Fixed Version", 20),
                SheetColumn("Link", 24),
                SheetColumn("Known Exploited", 18),
                SheetColumn("Source and Date", 36),
            ),
            key=1,
        )
    }

    def __init__(self, options: PackageReviewOptions, context: JobContext) -> None:
        super().__init__(options, context)
        self.links = options.links
        self.sources = self.advisory_sources()
        self.kev = self.known_exploited()
        self.releases = self.release_source()

    def advisory_sources(self) -> list[AdvisorySource]:
        """The sources of advisories that the options name, read in full."""
        given: list[SourceOptions] = self.options.advisories
        only = self.options.advisories_name if len(given) == 1 else ""
        base, now = self.context.base, self.context.now
        found = [FileAdvisories(base / one.path, one.name or only, _day(one), now) for one in given]
        if len({source.name for source in found}) < len(found):
            raise ConfigurationError(
                "Several sources of advisories have the same name, so nobody could tell their dates apart.",
                "Give each its own name: `advisories: [{path: ..., name: ...}, ...]`, or in a sidecar file.",
            )
        return list(found)

    def known_exploited(self) -> KnownExploited | None:
        """The catalogue of known exploited vulnerabilities, where the options name one."""
        given: SourceOptions | None = self.options.kev
        return KnownExploited(self.context.base / given.path, given.name, _day(given)) if given else None

    def release_source(self) -> ReleaseSource | None:
        """The source of releases: none is asked, so the latest version is not checked."""
        return None

    def reference_dates(self) -> Mapping[str, str]:
        """The date of every source."""
        dates = {one.name: one.date for one in self.sources}
        if self.kev is not None:
            dates[self.kev.name] = self.kev.date
        if self.releases is not None:
            dates[self.releases.name] = self.releases.date
        return dates

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
        releases, not_found, unreachable = self._ask_releases(question)
        verdict = review(question, self.sources, not_found)
        columns: dict[str, Value] = {
            **dict.fromkeys(_NEVER_ASKED, NOT_CHECKED),
            **self._link_columns(question),
            **_release_columns(releases, unreachable),
            "github_advisory_result": github_result(verdict),
            "mitre_cve_result": cve_result(verdict),
            "recommendation": self._recommendation(verdict, releases),
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
        )

    def _recommendation(self, verdict: Verdict, releases: ReleaseFacts | None) -> str:
        exploited = None
        if self.kev is not None:
            exploited = exploited_among(verdict.hits, f"{self.kev.name} of {self.kev.date}", self.kev.ids)
        return recommend(verdict, releases, exploited).text

    def _ask_releases(self, question: Question) -> tuple[ReleaseFacts | None, str, str]:
        """The facts, or who knows no such package, or why nobody could be asked."""
        name = read_name(question.name)
        if self.releases is None or name is None:
            return None, "", ""
        source = f"{self.releases.name} of {self.releases.date}"
        try:
            project = self.releases.lookup(name)
        except SourceUnreachable as problem:
            return None, "", f"{NOT_CHECKED}: {self.releases.name} could not be asked ({problem})"
        if project is None:
            return None, source, f"not found in {source}"
        return ReleaseFacts.of(source, project, read_version(question.version)), "", ""

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
        return "the version is a number, not text: 1.10 is stored as 1.1"
    if isinstance(value, dt.date | dt.time | dt.timedelta):
        return "the version is a date, not text"
    return ""


def _release_columns(releases: ReleaseFacts | None, unreachable: str) -> dict[str, Value]:
    names = ("date_published", "latest_version", "latest_date", "requires", "development_status", "github_url")
    if releases is None:
        return dict.fromkeys(names, unreachable or NOT_CHECKED)
    project, last = releases.project, releases.latest
    return {
        "date_published": _published(releases.in_use),
        "latest_version": str(last.version) if last else "none that could be used",
        "latest_date": _published(last),
        "requires": ", ".join(project.requires) or "nothing",
        "development_status": project.development_status or "not given",
        "github_url": project.repository or "not given",
    }


def _published(release: Release | None) -> Value:
    return (release.published if release else None) or "not known"
