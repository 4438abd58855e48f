"""The online review of the whole sample by the real command: every row against what the server itself would say."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tests.integration.helpers import Folder, make_folder
from tests.integration.online import (
    AFFECTED,
    FREE,
    LATEST,
    OF_ADVISORIES,
    OF_INDEX,
    OF_METADATA,
    UNKNOWN,
    Night,
    Reviewed,
    day,
    hits,
    known,
    latest_of,
    options_for,
)
from tests.servers.index import metadata_text
from tests.servers.registry import Registry
from tests.servers.sample import Sample, made_from_sample

JOB = "config/jobs/package-review.yaml"


@pytest.fixture(scope="module")
def sample() -> Sample:
    return made_from_sample()


@pytest.fixture(scope="module")
def first_night(sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """The sample as `init` lays it down, reviewed once; index pages are stale at once."""
    folder = tmp_path_factory.mktemp("sample")
    with Registry(sample.packages, sample.advisories, sample.cves, max_age=0) as server:
        called = make_folder(folder / "start").run("init", "--sample", str(folder / "review"))
        assert called.code == 0, called.err
        job = folder / "review" / JOB
        settings = yaml.safe_load(job.read_text("utf-8"))
        links = settings["options"]["links"]
        settings["options"] = {**options_for(server, concurrency=5), "links": links}
        settings["batch"] = {"size": 10, "concurrency": 12}
        job.write_text(yaml.safe_dump(settings), "utf-8")
        night = Night(Folder(folder / "review"), server, book="data/packages.xlsx", job_file=JOB)
        night.review("--start-fresh")
        yield night


@pytest.fixture
def night(first_night: Night, tmp_path: Path) -> Night:
    """A copy of the folder after the first night; the server counts anew."""
    copy = tmp_path / "review"
    shutil.copytree(first_night.folder.path, copy)
    first_night.server.forget()
    return replace(first_night, folder=Folder(copy))


@pytest.fixture(scope="module")
def seen(first_night: Night) -> dict[str, Any]:
    """What the server measured in the first night."""
    server = first_night.server
    return {"kinds": server.per_kind(), "most": server.most_at_once, "index": server.per_thing("index")}


def as_typed(night: Night) -> dict[str, Any]:
    """The versions in use as the cells hold them."""
    rows = list(openpyxl.load_workbook(night.folder.path / night.book)["Packages"].iter_rows(values_only=True))
    headers = next(row for row in rows if "Package Name" in row)
    name, version = headers.index("Package Name"), headers.index("Version in Use")
    return {str(row[name]): row[version] for row in rows[rows.index(headers) + 1 :] if row[name] is not None}


def is_version(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(Version(value))
    except InvalidVersion:
        return False


def test_each_of_the_486_rows_has_the_status_that_the_servers_own_records_make(
    first_night: Night, sample: Sample
) -> None:
    rows, typed, records = first_night.reviewed(), as_typed(first_night), known(first_night.server)
    assert len(rows) == len(typed) == 486
    ids = {name: hits(records, name, value) if is_version(value) else set() for name, value in typed.items()}

    def expected(name: str) -> str:
        if not is_version(typed[name]):
            return UNKNOWN
        missing = canonicalize_name(name) in sample.not_on_index
        return AFFECTED if ids[name] else UNKNOWN if missing else FREE

    assert {name: row.status for name, row in rows.items()} == {name: expected(name) for name in typed}
    listed = first_night.listed()
    assert {name for name, found in ids.items() if found} == set(listed)
    assert all(listed[name] <= ids[name] for name in listed), "what is listed by the sheet are ids of such records"


def test_each_row_has_the_release_facts_of_the_index(first_night: Night, sample: Sample) -> None:
    rows, typed = first_night.reviewed(), as_typed(first_night)
    wrong = {}
    for name, row in rows.items():
        known = canonicalize_name(name)
        if known in sample.not_on_index:
            assert "not found" in row.text(*OF_INDEX)
            assert [one for one in OF_INDEX if day(row[one])] == []
        elif is_version(typed[name]) and (problem := against_the_index(row, sample, known, typed[name])):
            wrong[name] = problem
    assert wrong == {}


def against_the_index(row: Reviewed, sample: Sample, name: str, version: str) -> str:
    """What a row says otherwise than the index; blank where all is right."""
    package = sample.packages[name]
    last = latest_of(package, version)
    assert last is not None
    used = next((one for one in package.releases if Version(one.version) == Version(version)), None)
    if Version(row["Latest Version"]) != Version(last.version):
        return f"latest is {last.version}: {row.text(*LATEST)}"
    if day(row["Latest Release Date"]) != (last.uploaded and last.uploaded.date()):
        return f"the latest release is of {last.uploaded}: {row.text(*LATEST)}"
    if day(row["Date Published"]) != (used and used.uploaded and used.uploaded.date()):
        return f"in use is {used}: {row.text(*LATEST)}"
    if (used is None) != (name in sample.version_not_on_index):
        return f"the index lists {used}"
    if last.wheel:
        needed = [line.partition(": ")[2] for line in metadata_text(package, last.version).splitlines()]
        return "" if all(one in needed for one in row["Requires"].split(", ")) else row.text(*OF_METADATA)
    return "" if {row[one] for one in OF_METADATA} == {"not given"} else row.text(*OF_METADATA)


def test_a_yanked_latest_release_is_passed_over(first_night: Night, sample: Sample) -> None:
    rows = {canonicalize_name(name): row for name, row in first_night.reviewed().items()}
    for name in sample.newest_yanked & set(sample.packages):
        newest = max(Version(one.version) for one in sample.packages[name].releases if not one.yanked)
        yanked = [one.version for one in sample.packages[name].releases if one.yanked]
        assert yanked and rows[name]["Latest Version"] not in yanked
        assert Version(rows[name]["Latest Version"]) <= newest


def test_each_page_is_asked_for_once_and_never_more_at_once_than_the_network_allows(
    first_night: Night, seen: dict[str, Any], sample: Sample
) -> None:
    assert 1 < seen["most"] <= 5, "of twelve rows at once"
    names = {canonicalize_name(name) for name in first_night.reviewed()}
    assert seen["index"] == dict.fromkeys(names, 1)
    assert seen["kinds"]["metadata"] <= len(sample.packages)
    assert seen["kinds"]["osv-batch"] <= 486 / 2, "packages share requests"


def test_the_second_night_revalidates_pages_and_fetches_no_record_and_no_metadata_again(
    night: Night, sample: Sample
) -> None:
    before = facts(night)
    night.review()
    kinds = night.server.per_kind()
    assert set(kinds) == {"index", "osv-batch"}
    assert kinds["index"] == 486
    assert night.server.count("index", status=304) == 486 - len(sample.not_on_index)
    assert kinds["osv-batch"] <= 486 / 2
    assert facts(night) == before


def test_offline_gives_the_same_rows_out_of_the_stored_answers_and_asks_nobody(night: Night) -> None:
    before = facts(night)
    night.review("--start-fresh", "--offline")
    assert night.server.requests == ()
    assert facts(night) == before


def facts(night: Night) -> dict[str, str]:
    """What each row says, the days of the answers in it."""
    return {
        name: f"{row.status} | {row.text(*OF_INDEX, *OF_ADVISORIES, 'Recommendation')}"
        for name, row in night.reviewed().items()
    }
