"""Records, sources and rows made up for tests."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from batchbook.batch import JobContext
from batchbook.packages import PackageReview, PackageReviewOptions
from batchbook.packages.cvefacts import CveFact, CveFound
from batchbook.packages.kev import KnownExploited
from batchbook.packages.records import Advisory, read_record
from batchbook.packages.releases import Listing, Metadata, Project, Release
from batchbook.packages.sources import Found
from batchbook.tables import Row


def make_record(
    id: str = "PYSEC-2024-1",
    package: str = "thing",
    events: Sequence[Mapping[str, str]] | None = None,
    versions: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events is not None else []
    return {
        "id": id,
        "modified": "2024-10-01T00:00:00Z",
        "affected": [
            {"package": {"ecosystem": "PyPI", "name": package}, "ranges": ranges, "versions": list(versions)},
        ],
        **more,
    }


@dataclass
class ListSource:
    """A source of advisories that holds what it is given."""

    records: list[Advisory]
    name: str = "made-up advisories"
    date: str = "2024-10-10"

    @property
    def reference_date(self) -> str:
        return self.date

    def lookup(self, name: str) -> Found:
        return Found([record for record in self.records if name in record.packages], self.date)


@dataclass
class ListReleases:
    """A source of releases that holds what it is given."""

    projects: dict[str, Project] = field(default_factory=dict)
    name: str = "made-up index"
    date: str = "2024-10-11"

    described: dict[str, Metadata] = field(default_factory=dict)
    """By what releases say of where their metadata lies."""

    @property
    def reference_date(self) -> str:
        return self.date

    def lookup(self, name: str) -> Listing:
        return Listing(self.projects.get(name), self.date)

    def metadata(self, release: Release) -> Metadata | None:
        return self.described.get(release.metadata)


@dataclass
class ListFacts:
    """A source of CVE facts that holds what it is given, and remembers what it was asked."""

    facts: dict[str, CveFact] = field(default_factory=dict)
    name: str = "made-up NVD"
    date: str = "2024-10-12"
    trouble: dict[str, Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def reference_date(self) -> str:
        return self.date

    def lookup(self, cve: str) -> CveFound:
        self.asked.append(cve)
        if cve in self.trouble:
            raise self.trouble[cve]
        return CveFound(self.facts.get(cve), self.date)


@dataclass
class FakeCell:
    value: Any
    format: str = "General"
    text: str | None = None

    def shown(self) -> str:
        return self.text if self.text is not None else str(self.value)


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    return make_record


@pytest.fixture
def source() -> Callable[..., ListSource]:
    return lambda *records: ListSource([read_record(one) for one in records])


@pytest.fixture
def index() -> Callable[..., ListReleases]:
    return lambda *projects: ListReleases({one.name: one for one in projects})


@pytest.fixture
def facts() -> Callable[..., ListFacts]:
    return lambda *known, **more: ListFacts({one.id: one for one in known}, **more)


@pytest.fixture
def kev(tmp_path: Path) -> Callable[..., KnownExploited]:
    def make(*ids: str) -> KnownExploited:
        path = tmp_path / "kev.json"
        path.write_text(json.dumps({"vulnerabilities": [{"cveID": one} for one in ids]}))
        return KnownExploited(path, date="2024-10-09")

    return make


@pytest.fixture
def row() -> Callable[..., Row]:
    def make(name: Any, version: Any, *, format: str = "General", text: str | None = None) -> Row:
        cells = {"package_name": None if name is None else FakeCell(name)}
        cells["version"] = None if version is None else FakeCell(version, format, text)
        return Row(7, (str(name or ""),), cells)

    return make


@pytest.fixture
def reviewer(tmp_path: Path) -> Callable[..., PackageReview]:
    """A review over records in a file; `kind` for a derived class, `writes` for a job that writes less."""

    def make(
        *records: Mapping[str, Any], kind: type[PackageReview] = PackageReview, writes: Any = None, **options: Any
    ) -> PackageReview:
        (tmp_path / "advisories.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
        given = {"advisories": "advisories.jsonl", "advisories_name": "made-up advisories", **options}
        context = JobContext(
            writes=frozenset((*PackageReview.writes, *PackageReview.may_write) if writes is None else writes),
            base=tmp_path,
            offline=True,
            now=dt.datetime(2024, 10, 12, tzinfo=dt.UTC),
            cache=tmp_path / "cache",
        )
        return kind(PackageReviewOptions.model_validate(given), context)

    return make
