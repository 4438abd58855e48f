"""Package reviews by the real command against a local server, and what is to come of them, read independently."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import openpyxl
from packaging.utils import canonicalize_name
from packaging.version import Version

from batchbook.packages import PackageReview
from tests.integration.helpers import Called, Folder
from tests.servers.made import MadePackage, MadeRelease, make_advisory, make_package
from tests.servers.osv import affects
from tests.servers.registry import Registry

AFFECTED, FREE, UNKNOWN = "affected", "not affected", "unknown"
LATEST = ("Latest Version", "Latest Release Date", "Date Published")
OF_METADATA = ("Requires", "Development Status", "GitHub URL")
OF_INDEX = (*LATEST, *OF_METADATA)
OF_ADVISORIES = ("GitHub Advisory Result", "MITRE CVE Result")
NO_LIMIT = "100000/s"
MARKS = {"status": "Review Status", "reason": "Reason", "checked_at": "Checked At"}
_BEGINS = re.compile(r"(SECURITY RISK|UNKNOWN|MANUAL REVIEW|UPDATE|PROCEED)\b")
_STATUS = {"SECURITY RISK": AFFECTED, "UNKNOWN": UNKNOWN}


@dataclass(frozen=True)
class Reviewed:
    """A row of the sheet after a run."""

    cells: Mapping[str, Any]

    def __getitem__(self, header: str) -> Any:
        return self.cells[header]

    @property
    def status(self) -> str:
        """What the row says of the version in use, by the word that the recommendation begins with."""
        found = _BEGINS.match(str(self["Recommendation"] or ""))
        assert found, f"no status in {self.cells}"
        status = _STATUS.get(found[1], FREE)
        assert (status == UNKNOWN) == (self["Review Status"] == UNKNOWN), f"mark and recommendation differ: {self}"
        assert (status == UNKNOWN) == bool(self["Reason"]), f"unknown is told with its reason, and only it: {self}"
        return status

    @property
    def reason(self) -> str:
        return str(self["Reason"] or "")

    def text(self, *headers: str) -> str:
        """The cells of some headers, one behind the other."""
        return " | ".join(str(self[header]) for header in headers)


@dataclass
class Night:
    """A folder with packages in a workbook, and the job that reviews them by a server."""

    folder: Folder
    server: Registry
    options: dict[str, Any] = field(default_factory=dict)
    job: dict[str, Any] = field(default_factory=dict)
    book: str = "book.xlsx"
    job_file: str = "job.yaml"

    def lay(self, packages: Mapping[str, Any] | Iterable[tuple[Any, Any]]) -> Night:
        """The workbook, a row for each name and version, and the job."""
        make_book(self.folder.path / self.book, list(packages.items() if isinstance(packages, Mapping) else packages))
        return self.set()

    def set(self) -> Night:
        """The job anew, after options or settings were changed."""
        settings = {
            "job": "review",
            "workbook": self.book,
            "sheet": "Packages",
            "key": ["package_name"],
            "processor": "batchbook.packages:PackageReview",
            "marks": MARKS,
            "options": self.options,
            **self.job,
        }
        (self.folder.path / self.job_file).write_text(json.dumps(settings, indent=1))
        return self

    def run(self, *arguments: str, **environment: str) -> Called:
        """A run from its beginning, if not told otherwise, that ends well: what is unknown is no failure."""
        called = self.folder.run("run", self.job_file, *(arguments or ("--start-fresh",)), "--json", **environment)
        assert called.code == 0, (called.out, called.err)
        rows = called.json["rows"]
        assert rows["selected"] == sum(rows[name] for name in rows if name != "selected"), "what goes in comes out"
        assert called.json["status"] == "completed"
        return called

    def reviewed(self) -> dict[str, Reviewed]:
        """The rows by package name as written."""
        rows = list(openpyxl.load_workbook(self.folder.path / self.book)["Packages"].iter_rows(values_only=True))
        place = next(number for number, row in enumerate(rows) if "Package Name" in row)
        key = rows[place].index("Package Name")
        found = {}
        for row in rows[place + 1 :]:
            if row[key] is not None:
                found[str(row[key])] = Reviewed(dict(zip(map(str, rows[place]), row, strict=True)))
        return found

    def review(self, *arguments: str, **environment: str) -> dict[str, Reviewed]:
        """`run`, then `reviewed`: as many rows as there were, as many unknown ones as were counted."""
        counted = self.run(*arguments, **environment).json["rows"]
        rows = self.reviewed()
        assert counted["selected"] == len(rows)
        assert counted["unknown"] == sum(row.status == UNKNOWN for row in rows.values())
        return rows

    def listed(self) -> dict[str, set[str]]:
        """The advisories' ids by package, as the sheet Advisories lists those that affect."""
        headers, *rows = openpyxl.load_workbook(self.folder.path / self.book)["Advisories"].iter_rows(values_only=True)
        name, status, key = (headers.index(one) for one in ("Package Name", "Status", "Advisory"))
        found: dict[str, set[str]] = {}
        for row in rows:
            if row[status] == AFFECTED:
                found.setdefault(str(row[name]), set()).add(str(row[key]))
        return found

    def logs(self) -> str:
        """All that the runs logged."""
        return "".join(
            path.read_text("utf-8") for path in sorted(self.folder.path.glob("data/logs/*")) if path.is_file()
        )


def options_for(server: Registry, **network: Any) -> dict[str, Any]:
    """Options that ask the server's index and OSV without a limit of rate, trying once again in case of trouble."""
    return {
        "index": {"url": server.index_url, "rate": NO_LIMIT},
        "osv": {"url": server.osv_url, "rate": NO_LIMIT},
        "network": {"tries": 2, "timeout": 5, **network},
    }


def headers() -> list[str]:
    """The headers of the review's sheet, the key's first."""
    given = {name: one if isinstance(one, str) else one[0] for name, one in PackageReview.columns.items()}
    first = [given["package_name"], given["version"]]
    found = [*first, *(one for one in given.values() if one not in first)]
    return [*found, *(one for one in MARKS.values() if one not in found)]


def make_book(path: Path, packages: Sequence[tuple[str, Any]]) -> None:
    """A workbook with a sheet of packages and versions in use."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Packages"
    sheet.append(headers())
    for pair in packages:
        sheet.append(pair)
    book.save(path)


# --- what is to come of it -----------------------------------------------------------------------------------------


def known(server: Registry) -> dict[str, list[Mapping[str, Any]]]:
    """The server's records that count, by normalised package name."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in server.advisories.values():
        if not record.get("withdrawn"):
            for name in {canonicalize_name(entry["package"]["name"]) for entry in record["affected"]}:
                found.setdefault(name, []).append(record)
    return found


def hits(records: Mapping[str, Sequence[Mapping[str, Any]]], name: str, version: str) -> set[str]:
    """The ids of the records that affect a version, by the server's own reading of them."""
    name = canonicalize_name(name)
    return {str(one["id"]) for one in records.get(name, ()) if affects(one, name, version)}


def latest_of(package: MadePackage, in_use: str) -> MadeRelease | None:
    """The latest release that could be used: not yanked, no pre-release unless one is in use."""
    among = [
        one
        for one in package.releases
        if not one.yanked and (not Version(one.version).is_prerelease or Version(in_use).is_prerelease)
    ]
    return max(among, key=lambda one: Version(one.version), default=None)


def day(value: Any) -> dt.date | None:
    """A cell's date, None where it holds something else."""
    return value.date() if isinstance(value, dt.datetime) else value if isinstance(value, dt.date) else None


# --- some packages -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Some:
    """Made-up packages, every other one of them affected in the version in use."""

    packages: list[MadePackage]
    advisories: list[dict[str, Any]]
    in_use: dict[str, str]

    def server(self, **settings: Any) -> Registry:
        return Registry(self.packages, self.advisories, **settings)

    def expected(self) -> dict[str, str]:
        """The status of each, by how they are made."""
        return {name: AFFECTED if place % 2 else FREE for place, name in enumerate(self.in_use)}


def some_packages(count: int) -> Some:
    """`pkg-00` and so on, in use 1.0, latest 1.2; the odd ones affected before 1.1, by two records of one advisory."""
    names = [f"pkg-{place:02}" for place in range(count)]
    packages = [
        make_package(
            name,
            {"1.0": "2023-01-02", "1.1": "2023-06-01", "1.2": "2024-02-03"},
            development_status="4 - Beta",
            repository=f"https://github.com/made-up/{name}",
            requires=(f"needed-by-{name}>=2",),
        )
        for name in names
    ]
    advisories = []
    for place, name in enumerate(names):
        # The even ones are known as well, and not affected: nobody may take "no answer" for "none known".
        bounds = {"fixed": "1.1"} if place % 2 else {"fixed": "0.9"}
        aliases = [f"CVE-2024-{1000 + place}"]
        advisories.append(make_advisory(f"PYSEC-2024-{place}", name, aliases=aliases, **bounds))
        advisories.append(make_advisory(f"GHSA-made-up00-{place:04}", name, aliases=aliases, **bounds))
    return Some(packages, advisories, dict.fromkeys(names, "1.0"))


class Serve(Protocol):
    """Starts a server of packages, if none is given, and lays down a folder that reviews them by it."""

    def __call__(self, some: Some, server: Registry | None = None, **network: Any) -> Night: ...
