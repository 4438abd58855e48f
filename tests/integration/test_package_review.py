"""The nightly package review as it is delivered: the sample, laid down by `init`, run by the real command."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from batchbook.packages import PackageReview
from tests.integration.helpers import Folder

JOB = "config/jobs/package-review.yaml"
PEOPLES = ("Index", "Package Name", "Version in Use", "PyPI Link", "Notes", "Decision", "Justification")
FURTHER = (
    *("Security Status", "Advisory IDs", "Highest Severity", "Known Exploited", "First Fixed Version"),
    *("Latest Affected", "Behind By", "Yanked", "Python Fits", "Data Dates"),
)


@pytest.fixture
def review(new_folder: Callable[[str], Folder], tmp_path: Path) -> Folder:
    """The sample, laid down."""
    folder = new_folder("start")
    called = folder.run("init", "--sample", str(tmp_path / "review"))
    assert called.code == 0, called.err
    return Folder(tmp_path / "review")


def sheet(folder: Folder, name: str = "Packages") -> Any:
    return openpyxl.load_workbook(folder.path / "data" / "packages.xlsx")[name]


def table(folder: Folder) -> list[dict[str, Any]]:
    """The rows of the packages' sheet by header, with the cell's row number."""
    rows = list(sheet(folder).iter_rows(min_row=3))
    headers = [cell.value for cell in rows[0]]
    return [
        {**dict(zip(headers, (cell.value for cell in row), strict=True)), "row": row[0].row}
        for row in rows[1:]
        if row[1].value is not None
    ]


def advisories(folder: Folder) -> list[tuple[str, str]]:
    """Package and advisory id of every row of the advisories' sheet."""
    rows = list(sheet(folder, "Advisories").iter_rows(values_only=True))
    name, key = rows[0].index("Package Name"), rows[0].index("Advisory")
    return [(row[name], row[key]) for row in rows[1:]]


def test_the_sample_is_reviewed_and_everything_of_people_stays(review: Folder) -> None:
    before, parts = table(review), zipped(review)
    called = review.run("run", JOB, "--resume-auto", "--json")
    assert called.code == 0, called.err
    assert called.json["rows"]["selected"] == 486
    assert called.json["rows"]["unknown"] == 5
    assert called.json["reference"], "the date of the advisories is told"
    after = table(review)
    for old, new in zip(before, after, strict=True):
        assert [old[name] for name in PEOPLES] == [new[name] for name in PEOPLES]
        assert new["Recommendation"]
        assert (new["Review Status"] == "unknown") == bool(new["Reason"])
        assert (new["Security Status"] == "unknown") == bool(new["Reason"])
        assert all(new[name] for name in FURTHER)
    assert {old["Decision"] for old in before} == {None, "accept", "update", "replace", "wait"}
    changed = {name for name, content in zipped(review).items() if parts.get(name) != content}
    charts = {name for name in parts if "chart" in name or "drawing" in name or "comment" in name}
    assert charts
    assert not changed & charts


def zipped(folder: Folder) -> dict[str, bytes]:
    with zipfile.ZipFile(folder.path / "data" / "packages.xlsx") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_each_package_has_a_row_for_each_advisory_and_loses_them_when_it_is_upgraded(review: Folder) -> None:
    assert review.run("run", JOB, "--resume-auto").code == 0
    rows = {row["Package Name"]: row for row in table(review)}
    listed = Counter(name for name, _ in advisories(review))
    assert max(Counter(advisories(review)).values()) == 1
    told = {
        name: int(found[1])
        for name, row in rows.items()
        if (found := re.match(r"SECURITY RISK \((\d+)\): first fixed version ([\w.]+);", row["Recommendation"]))
    }
    assert told
    assert {name: listed[name] for name in told} == told
    name = max(told, key=lambda one: told[one])
    fixed = re.search(r"first fixed version ([\w.]+);", rows[name]["Recommendation"])
    assert fixed
    book = openpyxl.load_workbook(review.path / "data" / "packages.xlsx")
    book["Packages"].cell(rows[name]["row"], 3).value = fixed[1]
    book.save(review.path / "data" / "packages.xlsx")

    called = review.run("run", JOB, "--resume-auto", "--json")
    assert called.code == 0, called.err
    assert (called.json["rows"]["done"], called.json["rows"]["unchanged"]) == (1, 480)
    left = Counter(package for package, _ in advisories(review))
    assert name not in left
    assert left == Counter({package: count for package, count in listed.items() if package != name})
    assert next(row for row in table(review) if row["Package Name"] == name)["Recommendation"].startswith("PROCEED")


def test_a_second_night_changes_nothing_but_the_time_of_the_check(review: Folder) -> None:
    assert review.run("run", JOB, "--resume-auto").code == 0
    second = review.run("run", JOB, "--resume-auto", "--json").json
    assert second["rows"]["unchanged"] == 481
    changes = review.run("runs", "diff", second["run_id"], "--json").json["changes"]
    assert {change["column"] for change in changes} <= {"Checked At"}


def test_one_package_under_two_spellings_is_two_rows_and_both_are_judged(review: Folder) -> None:
    path = review.path / "data" / "packages.xlsx"
    book = openpyxl.load_workbook(path)
    packages = book["Packages"]
    jinja2 = next(row for row in table(review) if row["Package Name"] == "jinja2")
    last = packages.max_row + 1
    packages.cell(last, 2).value, packages.cell(last, 3).value = "Jinja2", jinja2["Version in Use"]
    book.save(path)
    called = review.run("run", JOB, "--resume-auto", "--json")
    assert called.code == 0, called.err
    assert called.json["rows"]["selected"] == 487
    assert called.json["rows"]["rejected"] == 0
    one, other = (row for row in table(review) if row["Package Name"].lower() == "jinja2")
    assert one["Recommendation"] == other["Recommendation"]
    assert one["Recommendation"].startswith("SECURITY RISK")
    listed = Counter(name for name, _ in advisories(review))
    assert listed["jinja2"] == listed["Jinja2"] > 0


def test_a_workbook_without_the_further_columns_is_reviewed_by_a_job_that_does_not_name_them(review: Folder) -> None:
    path, job = review.path / "data" / "packages.xlsx", review.path / JOB
    book = openpyxl.load_workbook(path)
    book["Packages"].delete_cols(27, 12)
    book.save(path)
    refused = review.run("run", JOB, "--resume-auto")
    assert refused.code == 2
    assert "Security Status" in refused.err
    text = job.read_text(encoding="utf-8")
    named = [f"  - {name}\n" for name in PackageReview.may_write]
    assert all(line in text for line in named)
    for line in named:
        text = text.replace(line, "")
    job.write_text(text, encoding="utf-8")
    called = review.run("run", JOB, "--resume-auto")
    assert called.code == 0, called.err
    assert all(row["Recommendation"] for row in table(review))
