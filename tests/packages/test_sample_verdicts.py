"""The verdicts of the sample's 486 rows, computed a second way: straight from the records, without the rule modules."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from packaging.version import InvalidVersion, Version

from batchbook.batch import JobContext, RowResult
from batchbook.packages import PackageReview, PackageReviewOptions
from batchbook.tables import Row

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / "data" / "samples" / "advisories" / "pypa-advisories-2024-10-10.jsonl.gz"
WHERE = "PyPA advisories of 2024-10-10"


@dataclass
class Cell:
    value: Any
    format: str

    def shown(self) -> str:
        return f"{self.value:.2f}" if self.format == "0.00" else str(self.value)


@dataclass
class Expected:
    status: str
    ids: set[frozenset[str]]
    """Per advisory, however many records speak of it: the ids of the records."""


def sample_rows() -> Iterator[Row]:
    sheet = openpyxl.load_workbook(ROOT / "data" / "samples" / "packages.xlsx")["Packages"]
    headers = {cell.value: cell.column - 1 for cell in sheet[3]}
    for cells in sheet.iter_rows(min_row=4):
        name, version = cells[headers["Package Name"]], cells[headers["Version in Use"]]
        if name.value is not None:
            read = None if version.value is None else Cell(version.value, version.number_format)
            row = {"package_name": Cell(name.value, "General"), "version": read}
            yield Row(name.row, (str(name.value),), row)


def readable(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def applies(entry: dict[str, Any], version: Version) -> bool:
    if any(readable(one) == version for one in entry["versions"]):
        return True
    for one in entry["ranges"]:
        assert one["type"] == "ECOSYSTEM"
        events = [(kind, Version(text)) for event in one["events"] for kind, text in event.items()]
        # What begins counts last at one version; "0" is before everything.
        events.sort(key=lambda event: (event[1], event[0] == "introduced"))
        affected = False
        for kind, when in events:
            if kind == "introduced" and (when == Version("0") or version >= when):
                affected = True
            if (kind == "fixed" and version >= when) or (kind == "last_affected" and version > when):
                affected = False
        if affected:
            return True
    return False


def counted_once(records: list[dict[str, Any]]) -> set[frozenset[str]]:
    merged: list[tuple[set[str], set[str]]] = []
    for record in records:
        names, ids = {record["id"], *record.get("aliases", [])}, {record["id"]}
        for other in [one for one in merged if one[0] & names]:
            merged.remove(other)
            names, ids = names | other[0], ids | other[1]
        merged.append((names, ids))
    return {frozenset(ids) for _, ids in merged}


def expected(row: Row, records: list[dict[str, Any]]) -> Expected:
    value = row["version"]
    version = readable(row.shown("version"))
    if version is None:
        return Expected("unknown", set())
    name = re.sub(r"[-_.]+", "-", str(row["package_name"])).lower()
    hits = [
        record
        for record in records
        if not record.get("withdrawn")
        and any(
            re.sub(r"[-_.]+", "-", entry["package"]["name"]).lower() == name and applies(entry, version)
            for entry in record["affected"]
        )
    ]
    if not isinstance(value, str):
        return Expected("unknown", counted_once(hits))
    return Expected("affected" if hits else "not affected", counted_once(hits))


@pytest.fixture(scope="module")
def reviewed() -> list[tuple[Row, RowResult]]:
    job = yaml.safe_load((ROOT / "config" / "jobs" / "package-review.yaml").read_text(encoding="utf-8"))
    now = dt.datetime(2024, 10, 12, tzinfo=dt.UTC)
    context = JobContext(writes=frozenset(job["writes"]), base=ROOT, offline=True, now=now, cache=ROOT / "cache")
    review = PackageReview(PackageReviewOptions.model_validate(job["options"]), context)
    assert review.reference_dates() == {"PyPA advisories": "2024-10-10"}
    return [(row, review.process(row)) for row in sample_rows()]


@pytest.fixture(scope="module")
def truth() -> list[dict[str, Any]]:
    with gzip.open(SNAPSHOT, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def status_of(result: RowResult) -> str:
    text = str(result.columns["recommendation"])
    if result.unknown is not None:
        assert text.startswith("UNKNOWN: ")
        return "unknown"
    if text.startswith("PROCEED (latest not checked): "):
        return "not affected"
    assert text.startswith("SECURITY RISK (")
    return "affected"


def test_all_verdicts_are_those_of_the_second_way(
    reviewed: list[tuple[Row, RowResult]], truth: list[dict[str, Any]]
) -> None:
    assert len(reviewed) == 486
    wrong = []
    for row, result in reviewed:
        wanted = expected(row, truth)
        found = {detail[3] for detail in result.details["Advisories"]}
        counts = len(result.details["Advisories"]) == len(wanted.ids)
        named = all(found & ids for ids in wanted.ids)
        if status_of(result) != wanted.status or not counts or not named:
            wrong.append((row.key, row.shown("version"), status_of(result), wanted))
        if wanted.status == "affected":
            assert str(result.columns["recommendation"]).startswith(f"SECURITY RISK ({len(wanted.ids)}): ")
    assert wrong == []


def test_the_counts_of_the_sample_are_as_the_documentation_says(reviewed: list[tuple[Row, RowResult]]) -> None:
    assert Counter(status_of(result) for _, result in reviewed) == {"not affected": 308, "affected": 173, "unknown": 5}
    assert sum(len(result.details["Advisories"]) for _, result in reviewed) == 252


def test_every_unknown_row_has_its_reason(reviewed: list[tuple[Row, RowResult]]) -> None:
    number = "the version is a number, not text, and a number loses its end: 1.10 becomes 1.1"
    assert {row.key[0]: result.unknown for row, result in reviewed if result.unknown} == {
        "pip": "the version '23.0.' cannot be read",
        "embedchain": "the version 'NEW' cannot be read",
        "kallithea": "there is no version",
        "websockets": number,
        "pyxdg": number,
    }


def test_no_row_is_safe_without_saying_by_whom(reviewed: list[tuple[Row, RowResult]]) -> None:
    for _, result in reviewed:
        assert WHERE in str(result.columns["recommendation"])
        if result.unknown is None:
            assert WHERE in str(result.columns["github_advisory_result"])
            assert WHERE in str(result.columns["mitre_cve_result"])


def test_the_first_fixed_version_is_above_and_free(
    reviewed: list[tuple[Row, RowResult]], truth: list[dict[str, Any]]
) -> None:
    checked = 0
    for row, result in reviewed:
        found = re.search(r"first fixed version (\S+);", str(result.columns["recommendation"]))
        if found:
            cell = Cell(found[1], "@")
            assert Version(found[1]) > Version(row.shown("version"))
            fixed = Row(row.number, row.key, {"package_name": Cell(row["package_name"], "@"), "version": cell})
            assert expected(fixed, truth).status == "not affected"
            checked += 1
    assert checked == 93  # of 173; the records of the others name no fix, or list it as affected
