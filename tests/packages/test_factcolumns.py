"""The columns that a job may ask for: what they say of rows that are affected, not affected and unknown."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from packaging.version import Version

from batchbook.packages import PackageReview
from batchbook.packages.columns import MAY_WRITE
from batchbook.packages.cvefacts import CveFact
from batchbook.packages.releases import Project, Release
from batchbook.packages.sources import Found, NotAsked, SourceUnreachable
from batchbook.packages.wording import MOST_TEXT

Make = Callable[..., dict[str, Any]]
BEFORE_2 = [{"introduced": "0"}, {"fixed": "2.0"}]
WHERE = "made-up advisories of 2024-10-01"
INDEX = "made-up index of 2024-10-11"


def release(version: str, published: str = "", **more: Any) -> Release:
    return Release(Version(version), dt.date.fromisoformat(published) if published else None, **more)


@pytest.fixture
def columns(reviewer: Callable[..., PackageReview], row: Callable[..., Any]) -> Callable[..., dict[str, str]]:
    """The further columns of a row, by records, an index, a source of CVE facts and options."""

    def ask(
        version: Any,
        *records: Any,
        name: str = "thing",
        index: Any = None,
        nvd: Any = None,
        more: Any = (),
        **options: Any,
    ) -> dict[str, str]:
        kind = type(
            "With",
            (PackageReview,),
            {
                "release_source": lambda self: index,
                "cve_source": lambda self: nvd,
                "advisory_sources": lambda self: [*PackageReview.advisory_sources(self), *more],
            },
        )
        result = reviewer(*records, kind=kind, **options).process(row(name, version))
        return {name: str(result.columns[name]) for name in MAY_WRITE}

    return ask


def test_an_affected_row(record: Make, columns: Callable[..., dict[str, str]], index: Any, tmp_path: Any) -> None:
    (tmp_path / "kev.json").write_text('{"vulnerabilities": [{"cveID": "CVE-2024-0001"}]}')
    first = record("A", events=BEFORE_2, aliases=["CVE-2024-0001"], database_specific={"severity": "HIGH"})
    releases = index(
        Project("thing", (release("1.0", "2024-01-01", requires_python=(">=3.8",)), release("2.0", "2024-03-01")))
    )
    assert columns(
        "1.0",
        first,
        record("B", events=BEFORE_2),
        index=releases,
        kev={"path": "kev.json", "date": "2024-10-09"},
        python="3.12",
    ) == {
        "security_status": "affected",
        "advisory_ids": "A, CVE-2024-0001, B",
        "highest_severity": "HIGH, not given for 1 of 2",
        "known_exploited": "yes: CVE-2024-0001 (CISA KEV of 2024-10-09)",
        "first_fixed": "2.0",
        "latest_affected": f"not affected by 2 advisories known in {WHERE}",
        "behind_by": "major, 60 days",
        "yanked": "no",
        "python_fits": "yes",
        "data_dates": "made-up advisories 2024-10-01; made-up index 2024-10-11; CISA KEV 2024-10-09",
    }


@pytest.mark.parametrize(
    ("releases", "told"),
    [
        ([release("1.0"), release("2.0")], "2.0"),
        ([release("1.0"), release("2.0", yanked=True)], "2.0 (which is yanked)"),
        ([release("1.0")], f"2.0 (which {INDEX} does not have)"),
    ],
)
def test_a_first_fixed_version_that_cannot_be_had_is_told_to_be_so(
    record: Make, columns: Callable[..., dict[str, str]], index: Any, releases: Any, told: str
) -> None:
    found = columns("1.0", record(events=BEFORE_2), index=index(Project("thing", tuple(releases))))
    assert found["first_fixed"] == told


def test_a_row_that_is_not_affected_and_up_to_date(
    record: Make, columns: Callable[..., dict[str, str]], index: Any
) -> None:
    releases = index(Project("thing", (release("3.0", requires_python=("<3",), yanked=False),)))
    found = columns("3.0", record(events=BEFORE_2), index=releases, python="3.12")
    known = f"not affected by 1 advisory known in {WHERE}"
    assert found == {
        "security_status": "not affected",
        "advisory_ids": known,
        "highest_severity": "not affected",
        "known_exploited": "not checked",
        "first_fixed": "not affected",
        "latest_affected": f"unknown: {INDEX} has no release that could be used",
        "behind_by": f"unknown: {INDEX} has no release that could be used",
        "yanked": "no",
        "python_fits": "no: <3",
        "data_dates": "made-up advisories 2024-10-01; made-up index 2024-10-11",
    }
    found = columns("3.0", record(events=BEFORE_2), index=releases)
    assert (found["latest_affected"], found["behind_by"]) == (known, "up to date")
    assert found["python_fits"] == "not checked: the job names no Python"


@pytest.mark.parametrize("version", ["23.0.", "NEW", None, 1.1])
def test_a_row_that_is_unknown_never_looks_safe(
    record: Make, columns: Callable[..., dict[str, str]], index: Any, version: Any
) -> None:
    known = index(Project("other", (release("1.1"), release("1.2"))))
    for releases, nothing in ((None, "not checked"), (known, "unknown")):
        found = columns(version, record(), name="other", index=releases, python="3.12")
        dates = found.pop("data_dates")
        assert "made-up advisories 2024-10-01" in dates
        assert set(found.values()) <= {"unknown", nothing}


def test_what_speaks_against_a_row_that_is_unknown_is_told(
    record: Make, columns: Callable[..., dict[str, str]], index: Any
) -> None:
    odd = record("ODD", events=[{"introduced": "0"}, {"fixed": "trunk"}])
    releases = index(Project("thing", (release("1.0", yanked=True, yanked_reason="broken"), release("1.5"))))
    found = columns("1.0", odd, record("A", versions=["1.5"]), index=releases)
    assert found["security_status"] == "unknown"
    assert found["yanked"] == "yes: broken"
    assert found["latest_affected"] == "affected by 1: A"
    assert found["behind_by"] == "unknown"
    found = columns(1.5, record("A", versions=["1.5"]), index=releases)
    assert found["advisory_ids"] == "unknown; read as 1.5: A"
    yanked = index(Project("thing", (release("1.1", yanked=True),)))
    assert columns(1.1, record("A", versions=["1.5"]), index=yanked)["yanked"] == "unknown", "as shown is not trusted"


def test_a_package_that_the_index_does_not_know(
    record: Make, columns: Callable[..., dict[str, str]], index: Any
) -> None:
    found = columns("1.0", record(), name="othre", index=index(), python="3.12")
    assert set(found.values()) == {"unknown", "made-up advisories 2024-10-01; made-up index 2024-10-11"}


class Silent:
    reference_date = ""

    def __init__(self, problem: Exception, name: str = "far away") -> None:
        self.problem, self.name = problem, name

    def lookup(self, name: str) -> Found:
        raise self.problem


def test_sources_in_trouble_and_left_out_are_told_among_the_dates(
    record: Make, columns: Callable[..., dict[str, str]], facts: Any
) -> None:
    given = [Silent(SourceUnreachable("no answer")), Silent(NotAsked("offline"), "OSV")]
    nvd = facts(CveFact("CVE-2024-0001"), trouble={"CVE-2024-0002": SourceUnreachable("no answer")})
    both = record(events=BEFORE_2, aliases=["CVE-2024-0001", "CVE-2024-0002"])
    index = Silent(SourceUnreachable("HTTP 503"), "mirror")
    found = columns("1.0", both, more=given, nvd=nvd, index=index)
    assert found["data_dates"] == (
        "made-up advisories 2024-10-01; far away could not be asked: no answer; OSV not checked (offline); "
        "not checked: mirror could not be asked (HTTP 503); "
        "made-up NVD 2024-10-12; not checked: made-up NVD could not be asked (no answer)"
    )
    assert found["latest_affected"] == "not checked: mirror in trouble"
    found = columns("9.0", both, more=given[1:], nvd=nvd)
    assert found["data_dates"] == (
        "made-up advisories 2024-10-01; OSV not checked (offline); made-up NVD not checked (no CVE id to ask for)"
    )
    assert found["advisory_ids"].endswith("; OSV not checked (offline)")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (("",), "not given"),
        ((), "not given"),
        ((">=3.13", ">=3.8"), "yes"),
        ((">=3.13", "<3"), "no: >=3.13 or <3"),
        ((">=3.?",), "unknown: >=3.? cannot be read"),
        ((">=3.?", ">=3.8"), "yes"),
    ],
)
def test_whether_the_version_in_use_runs_on_the_python(
    record: Make, columns: Callable[..., dict[str, str]], index: Any, asked: tuple[str, ...], text: str
) -> None:
    releases = index(Project("thing", (release("3.0", requires_python=asked),)))
    assert columns("3.0", record(versions=["0.1"]), index=releases, python="3.12")["python_fits"] == text


def test_a_version_that_the_index_does_not_list(
    record: Make, columns: Callable[..., dict[str, str]], index: Any
) -> None:
    releases = index(Project("thing", (release("0.9"), release("1.1"))))
    found = columns("1.0", record(versions=["0.1"]), index=releases, python="3.12")
    missing = f"unknown: {INDEX} has no such release"
    assert (found["yanked"], found["python_fits"]) == (missing, missing)
    assert found["behind_by"] == "minor, days not given"
    assert columns("1.2", record(versions=["0.1"]), index=releases)["behind_by"] == (
        "ahead of 1.1, the latest that could be used"
    )


def test_any_number_of_ids_fits_and_none_is_cut_in_two(record: Make, columns: Callable[..., dict[str, str]]) -> None:
    many = [record(f"PYSEC-2024-{number}", events=BEFORE_2) for number in range(1_000)]
    text = columns("1.0", *many)["advisory_ids"]
    assert len(text) <= MOST_TEXT
    *shown, rest = text.split(", ")
    last, _, more = rest.partition(" and ")
    assert more == f"{1_000 - len(shown) - 1} more"
    assert all(one.startswith("PYSEC-2024-") and one[11:].isdigit() for one in [*shown, last])


def test_a_job_that_does_not_name_them_does_not_get_them(
    record: Make, reviewer: Callable[..., PackageReview], row: Callable[..., Any]
) -> None:
    result = reviewer(record(), writes=PackageReview.writes).process(row("thing", "1.0"))
    assert not set(result.columns) & set(MAY_WRITE)


def test_a_version_in_use_that_is_younger_than_the_latest_is_not_behind_in_days(
    record: Make, columns: Callable[..., dict[str, str]], index: Any
) -> None:
    releases = index(Project("thing", (release("1.9", "2024-02-28"), release("2.0", "2024-02-01"))))
    assert columns("1.9", record(versions=["0.1"]), index=releases)["behind_by"] == "major, not behind in days"
