from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from pydantic import ValidationError

from batchbook import Link
from batchbook.errors import ConfigurationError, Rejected
from batchbook.packages import PackageReview, PackageReviewOptions
from batchbook.packages.columns import ADVISORIES
from batchbook.packages.cvefacts import CveFact
from batchbook.packages.releases import Listing, Metadata, Project, Release, ReleaseSource
from batchbook.packages.sources import NotAsked, SourceUnreachable
from batchbook.packages.wording import MOST_TEXT
from batchbook.tables import Row

Make = Callable[..., dict[str, Any]]
Reviewer = Callable[..., PackageReview]
RowMaker = Callable[..., Any]
BEFORE_2 = [{"introduced": "0"}, {"fixed": "2.0"}]
WHERE = "made-up advisories of 2024-10-01"


def test_an_affected_package_has_its_ids_in_the_result_columns(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    both = record("PYSEC-1", events=BEFORE_2, aliases=["CVE-2024-0001", "GHSA-aaaa-bbbb-cccc"])
    result = reviewer(both, record("PYSEC-2", events=BEFORE_2)).process(row("thing", "1.0"))
    assert result.unknown is None
    columns = result.columns
    assert columns["github_advisory_result"] == f"1 known: GHSA-aaaa-bbbb-cccc; 1 without a GHSA id (in {WHERE})"
    assert columns["mitre_cve_result"] == f"1 known: CVE-2024-0001; 1 without a CVE id (in {WHERE})"
    assert str(columns["recommendation"]).startswith("SECURITY RISK (2): first fixed version 2.0;")


def test_advisories_without_ids_of_a_kind_are_not_none_found(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    columns = reviewer(record(events=BEFORE_2)).process(row("thing", "1.0")).columns
    assert columns["github_advisory_result"] == f"affected: no GHSA id given for 1 advisory in {WHERE}"


def test_what_was_not_asked_says_not_checked(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    columns = reviewer(record()).process(row("other", "1.0")).columns
    not_asked = {name for name, value in columns.items() if value == "not checked"}
    assert not_asked == {
        *("date_published", "latest_version", "latest_date", "requires", "development_status", "github_url"),
        *("nvd_result", "snyk_result", "exploit_db_result"),
        *("known_exploited", "latest_affected", "behind_by", "yanked", "python_fits"),
    }
    assert columns["recommendation"] == f"PROCEED (latest not checked): none known in {WHERE}"
    assert "none found" not in json.dumps(columns)


@pytest.mark.parametrize("version", ["23.0.", "NEW", None])
def test_an_unreadable_version_is_unknown_in_every_column_that_judges(
    record: Make, reviewer: Reviewer, row: RowMaker, version: str | None
) -> None:
    result = reviewer(record(events=BEFORE_2)).process(row("thing", version))
    assert result.unknown
    assert result.columns["github_advisory_result"] == f"unknown: {result.unknown}"
    assert result.columns["mitre_cve_result"] == f"unknown: {result.unknown}"
    assert str(result.columns["recommendation"]).startswith(f"UNKNOWN: {result.unknown}")
    assert not result.details[ADVISORIES]


@pytest.mark.parametrize(("value", "text"), [(1.1, "1.10"), (1, "1"), (dt.datetime(2023, 7, 22), "2023.7.22")])
def test_a_version_that_is_no_text_is_judged_as_shown_and_not_trusted(
    record: Make, reviewer: Reviewer, row: RowMaker, value: Any, text: str
) -> None:
    result = reviewer(record(versions=[text])).process(row("thing", value, format="0.00", text=text))
    assert result.unknown and "not text" in result.unknown
    assert f"read as {text}, 1 known advisory applies: PYSEC-2024-1" in str(result.columns["recommendation"])
    ((_, shown, status, *_),) = result.details[ADVISORIES]
    assert (shown, status) == (text, "unknown: would be affected, were the version as shown")


def test_a_number_that_nothing_applies_to_is_still_unknown(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    assert reviewer(record()).process(row("other", 1.1)).unknown


def test_the_details_have_one_row_per_advisory(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    first = record("PYSEC-1", events=BEFORE_2, aliases=["CVE-2024-0001"], summary="It  breaks")
    second = record("GHSA-x", events=BEFORE_2, aliases=["CVE-2024-0001"])
    second["severity"] = [{"type": "CVSS_V3", "score": vector}]
    odd = record("ODD-1", events=[{"introduced": "0"}, {"fixed": "trunk"}])
    listed = record("LISTED-1", events=[{"introduced": "3.0"}, {"fixed": "3.1"}], versions=["1.0"])
    links = {"advisory": {"CVE-": "https://cve.example/{id}"}}
    review = reviewer(first, second, odd, listed, links=links)
    details = review.process(row("Thing", "1.0")).details[ADVISORIES]
    assert [len(one) for one in details] == [len(PackageReview.details[ADVISORIES].columns)] * 3
    assert details[0] == [
        *("Thing", "1.0", "affected", "PYSEC-1", "GHSA-x, CVE-2024-0001", "It breaks", "CRITICAL 9.8 (CVSS 3.1)"),
        *("<2.0", "2.0", Link("https://cve.example/CVE-2024-0001", "CVE-2024-0001"), "not checked", WHERE, None),
    ]
    assert details[1][2:10] == [
        *("affected", "LISTED-1", None, None, "not given", ">=3.0, <3.1; 1.0 by its list of versions", "3.1", None)
    ]
    assert str(details[2][2]).startswith("unknown: a range has fixed 'trunk'")
    assert details[2][8] == "not checked"


def test_known_exploited_is_yes_no_or_not_checked(
    tmp_path: Path, record: Make, reviewer: Reviewer, row: RowMaker
) -> None:
    entries = [{"cveID": "CVE-2024-0001"}]
    (tmp_path / "kev.json").write_text(json.dumps({"vulnerabilities": entries}))
    review = reviewer(
        record("A", events=BEFORE_2, aliases=["CVE-2024-0001"]),
        record("B", events=BEFORE_2, aliases=["CVE-2024-0002"]),
        record("C", events=BEFORE_2),
        kev={"path": "kev.json", "date": "2024-10-09"},
    )
    result = review.process(row("thing", "1.0"))
    assert [one[10] for one in result.details[ADVISORIES]] == ["yes", "no", "not checked"]
    assert "known exploited: CVE-2024-0001 (CISA KEV of 2024-10-09)" in str(result.columns["recommendation"])
    assert review.reference_dates() == {"made-up advisories": "2024-10-01", "CISA KEV": "2024-10-09"}


def test_links_are_written_where_they_have_an_address_and_others_are_left_alone(
    record: Make, reviewer: Reviewer, row: RowMaker
) -> None:
    links = {"nvd": "https://nvd.example/?q={name}&all", "snyk": "https://snyk.example/"}
    columns = reviewer(record(), links=links).process(row("Jw.Util", "1.0")).columns
    assert columns["nvd_url"] == Link("https://nvd.example/?q=jw-util&all", "NVD: jw-util")
    assert columns["snyk_url"] == Link("https://snyk.example/jw-util", "Snyk: jw-util")
    assert not {"latest_link", "github_advisory_url", "mitre_cve_url", "exploit_db_url"} & set(columns)


def test_a_name_that_is_none_leaves_no_link_of_another_night(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    result = reviewer(record(), links={"nvd": "https://nvd.example/"}).process(row("no name", "1.0"))
    assert result.columns["nvd_url"] is None
    assert result.unknown == "the name 'no name' is no package name"


def test_only_columns_that_the_job_writes_are_returned(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    review = reviewer(record(), writes=["recommendation", "snyk_url"])
    assert set(review.process(row("thing", "1.0")).columns) == {"recommendation"}


def test_people_s_columns_are_never_written() -> None:
    assert not {"index", "package_name", "version", "package_link", "notes"} & set(PackageReview.writes)
    assert set(PackageReview.writes) < set(PackageReview.columns)
    assert len(PackageReview.columns) == 35
    assert not set(PackageReview.writes) & set(PackageReview.may_write)
    peoples = set(PackageReview.columns) - {*PackageReview.writes, *PackageReview.may_write}
    assert peoples == {"index", "package_name", "version", "package_link", "notes", "decision", "justification"}


def test_a_key_of_two_columns_is_refused_because_details_would_be_lost(record: Make, reviewer: Reviewer) -> None:
    with pytest.raises(Rejected, match="key of one column"):
        reviewer(record()).process(Row(4, ("thing", "1.0"), {}))


class WithReleases(PackageReview):
    source: ReleaseSource

    def release_source(self) -> ReleaseSource:
        return self.source


def with_releases(releases: ReleaseSource) -> type[PackageReview]:
    return type("WithGivenReleases", (WithReleases,), {"source": releases})


def test_releases_fill_their_columns(record: Make, reviewer: Reviewer, row: RowMaker, index: Any) -> None:
    first = Release(Version("1.0"), dt.date(2024, 1, 1))
    releases = index(Project("thing", (first, Release(Version("1.2"), dt.date(2024, 3, 1), metadata="1.2"))))
    releases.described["1.2"] = Metadata(("a>=1", "b"), "5 - Production/Stable", "https://github.com/x/thing")
    review = reviewer(record(versions=["0.1"]), kind=with_releases(releases))
    columns = review.process(row("thing", "1.0")).columns
    assert columns["date_published"] == dt.date(2024, 1, 1)
    assert (columns["latest_version"], columns["latest_date"]) == ("1.2", dt.date(2024, 3, 1))
    assert (columns["requires"], columns["development_status"]) == ("a>=1, b", "5 - Production/Stable")
    assert columns["github_url"] == "https://github.com/x/thing"
    assert str(columns["recommendation"]).startswith("UPDATE (minor, 60 days behind): latest is 1.2 of 2024-03-01")
    assert review.reference_dates()["made-up index"] == "2024-10-11"


def test_a_package_that_the_index_does_not_know_is_unknown(
    record: Make, reviewer: Reviewer, row: RowMaker, index: Any
) -> None:
    result = reviewer(record(), kind=with_releases(index())).process(row("othre", "1.0"))
    assert result.unknown == "made-up index of 2024-10-11 knows no such package"
    assert result.columns["latest_version"] == "not found in made-up index of 2024-10-11"


class Silent:
    name, reference_date = "far away", ""

    def lookup(self, name: str) -> Listing:
        raise SourceUnreachable("no answer")

    def metadata(self, release: Release) -> Metadata | None:
        raise SourceUnreachable("no answer")


def test_releases_that_cannot_be_asked_are_not_checked(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    result = reviewer(record(), kind=with_releases(Silent())).process(row("other", "1.0"))
    assert result.unknown is None
    assert result.columns["latest_version"] == "not checked: far away could not be asked (no answer)"
    assert str(result.columns["recommendation"]).startswith("PROCEED (latest not checked)")


FURTHER_OF_INDEX = ("date_published", "latest_date", "requires", "development_status", "github_url")
FURTHER_OF_INDEX += ("latest_affected", "behind_by", "yanked", "python_fits")


@pytest.mark.parametrize(
    ("problem", "why", "brief"),
    [
        (SourceUnreachable("down, 4 times"), "could not be asked (down, 4 times)", "in trouble"),
        (NotAsked("offline, no stored answer"), "was not asked (offline, no stored answer)", "was not asked"),
    ],
)
def test_why_an_index_says_nothing_is_told_once_in_a_row(
    record: Make, reviewer: Reviewer, row: RowMaker, problem: Exception, why: str, brief: str
) -> None:
    class Away(Silent):
        def lookup(self, name: str) -> Listing:
            raise problem

    columns = reviewer(record(), kind=with_releases(Away())).process(row("other", "1.0")).columns
    assert columns["latest_version"] == f"not checked: far away {why}"
    assert {columns[one] for one in FURTHER_OF_INDEX} == {f"not checked: far away {brief}"}
    assert str(columns["data_dates"]).endswith(f"not checked: far away {why}"), "the dates have it whole"


def test_why_there_is_no_metadata_is_told_once_in_a_row(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    class Half(Silent):
        def lookup(self, name: str) -> Listing:
            return Listing(Project(name, (Release(Version("1.0"), metadata="somewhere"),)), "2024-10-11")

    columns = reviewer(record(), kind=with_releases(Half())).process(row("other", "1.0")).columns
    assert columns["latest_version"] == "1.0"
    assert columns["requires"] == "not checked: far away could not be asked (no answer)"
    assert {columns[one] for one in ("development_status", "github_url")} == {"not checked: far away in trouble"}


def test_the_configured_python_counts_for_the_latest_release(
    record: Make, reviewer: Reviewer, row: RowMaker, index: Any
) -> None:
    old = Release(Version("1.0"), requires_python=(">=3.8",))
    releases = index(Project("thing", (old, Release(Version("2.0"), requires_python=(">=3.13",)))))
    kind = with_releases(releases)
    latest = {
        python: reviewer(record(versions=["0.1"]), kind=kind, python=python).process(row("thing", "1.0")).columns
        for python in ("3.12", "3.13.1", "")
    }
    assert {python: columns["latest_version"] for python, columns in latest.items()} == {
        "3.12": "1.0",
        "3.13.1": "2.0",
        "": "2.0",
    }


@pytest.mark.parametrize("name", ["django", "Django", "DJANGO", " django "])
def test_a_name_with_other_letters_or_separators_is_the_same_package(
    record: Make, reviewer: Reviewer, row: RowMaker, name: str
) -> None:
    columns = reviewer(record(package="Django", events=BEFORE_2)).process(row(name, "1.0")).columns
    assert columns["security_status"] == "affected"


@pytest.mark.parametrize("name", ["jaraco.text", "jaraco-text", "Jaraco_Text", "jaraco--text"])
def test_separators_do_not_matter(record: Make, reviewer: Reviewer, row: RowMaker, index: Any, name: str) -> None:
    kind = with_releases(index(Project("jaraco-text", (Release(Version("1.0")),))))
    result = reviewer(record(package="jaraco.text", versions=["0.1"]), kind=kind).process(row(name, "1.0"))
    assert result.unknown is None
    assert result.columns["behind_by"] == "up to date"


@pytest.mark.parametrize(
    ("version", "status"),
    [
        *(("1!0.5", "affected"), ("1!2.0", "not affected"), ("2.0", "affected"), ("1!1.0rc1", "affected")),
        *(("1!0.5+local.7", "affected"), ("1!1.0.post1", "not affected"), ("1!1.0.dev1", "affected")),
        *(("2024.1.15", "affected"), ("v1!0.5", "affected"), ("1.0-1", "affected"), ("1.0.0-alpha", "affected")),
    ],
)
def test_epochs_local_post_and_dev_versions_are_read(
    record: Make, reviewer: Reviewer, row: RowMaker, version: str, status: str
) -> None:
    events = [{"introduced": "0"}, {"fixed": "1!1.0"}]
    assert reviewer(record(events=events)).process(row("thing", version)).columns["security_status"] == status


def test_a_source_of_cve_facts_is_asked_and_dated(
    record: Make, reviewer: Reviewer, row: RowMaker, facts: Callable[..., Any]
) -> None:
    given = facts(CveFact("CVE-2024-0001", "Analyzed", (("LABEL", "HIGH"),)))
    kind = type("WithFacts", (PackageReview,), {"cve_source": lambda self: given})
    review = reviewer(record(events=BEFORE_2, aliases=["CVE-2024-0001"]), kind=kind)
    columns = review.process(row("thing", "1.0")).columns
    assert columns["nvd_result"] == "CVE-2024-0001: HIGH, Analyzed (made-up NVD of 2024-10-12)"
    assert columns["highest_severity"] == "HIGH"
    assert review.reference_dates()["made-up NVD"] == "2024-10-12"


def test_several_sources_are_all_asked(tmp_path: Path, record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    (tmp_path / "more.json").write_text(json.dumps(record("MORE-1", events=BEFORE_2)))
    options = {"advisories": ["advisories.jsonl", {"path": "more.json", "name": "more", "date": "2024-09-01"}]}
    result = reviewer(record(package="other"), **{**options, "advisories_name": ""}).process(row("thing", "1.0"))
    assert "source: advisories of 2024-10-01 and more of 2024-09-01" in str(result.columns["recommendation"])
    assert result.details[ADVISORIES][0][-2] == "more of 2024-09-01"


def test_two_sources_of_one_name_are_refused_because_their_dates_would_be_mixed(
    tmp_path: Path, record: Make, reviewer: Reviewer
) -> None:
    (tmp_path / "more.json").write_text(json.dumps(record()))
    with pytest.raises(ConfigurationError, match="same name"):
        reviewer(record(), advisories=["advisories.jsonl", "more.json"], advisories_name="")


def test_a_source_that_cannot_be_read_stops_the_run_at_its_start(reviewer: Reviewer) -> None:
    with pytest.raises(ConfigurationError) as error:
        reviewer({"id": ""})
    assert "advisories.jsonl" in str(error.value.findings[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "advisories"),
        ({"advisories": []}, "advisories"),
        ({"advisories": ""}, "advisories"),
        ({"advisories": "a", "advisory": "b"}, "advisory"),
        ({"advisories": {"path": "a", "date": "yesterday"}}, "date"),
        ({"advisories": "a", "links": {"nvd": "nvd.example"}}, "begins with https"),
        ({"advisories": "a", "links": {"nvd": "https://x/{package}"}}, "{package} is not known in a link"),
        ({"advisories": "a", "links": {"advisory": {"CVE-": "https://x/{name}"}}}, "{name} is not known"),
        ({"advisories": "a", "kev": 7}, "kev"),
        ({"advisories": "a", "python": 3.1}, "write it in quotes"),
        ({"advisories": "a", "python": "3.x"}, "'3.x' is no version of Python"),
        ({"advisories": "a", "python": ">=3.12"}, "is no version of Python"),
        ({"advisories": "a", "python": "0.9"}, "is no version of Python"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        PackageReviewOptions.model_validate(options)
    assert said in str(error.value)


def test_no_result_is_longer_than_a_cell_holds(record: Make, reviewer: Reviewer, row: RowMaker) -> None:
    events = [{"introduced": "0"}, {"fixed": "trunk" * 500}]
    result = reviewer(*(record(f"{'A' * 300}-{number}", events=events) for number in range(99))).process(
        row("thing", "1.0")
    )
    assert result.unknown is not None and len(result.unknown) <= MOST_TEXT
    assert max(len(value) for value in result.columns.values() if isinstance(value, str)) <= MOST_TEXT
    assert max(len(str(cell)) for detail in result.details["Advisories"] for cell in detail) <= MOST_TEXT


@pytest.mark.parametrize("version", ["23.0.", None, 1.1])
def test_of_a_version_that_is_not_trusted_no_date_is_told(
    record: Make, reviewer: Reviewer, row: RowMaker, index: Any, version: Any
) -> None:
    releases = index(Project("thing", (Release(Version("1.1"), dt.date(2024, 1, 1)),)))
    columns = reviewer(record(), kind=with_releases(releases)).process(row("thing", version)).columns
    assert (columns["date_published"], columns["latest_version"]) == ("unknown", "1.1")
