"""The sample of 486 packages as an index, OSV and NVD would know it: true names, versions and advisories, made-up rest.

What a package is like is decided by its place in the sample, so that it is the same on every machine:
see `Sample` for what can be expected where.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tests.servers.made import MadePackage, MadeRelease, make_cve, make_package

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
BEGIN = dt.datetime(2021, 1, 4, tzinfo=dt.UTC)
END = dt.datetime(2024, 10, 10, tzinfo=dt.UTC)
"""All releases lie between; the advisories are of the day of the end."""
STATES = ("5 - Production/Stable", "4 - Beta", "3 - Alpha", "7 - Inactive", "")
VECTORS = (
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
    "CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:L/I:N/A:N",
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
)


@dataclass(frozen=True)
class Sample:
    """What a server of the whole sample knows, and which normalised names are special in which way."""

    packages: dict[str, MadePackage]
    """By normalised name."""
    advisories: list[dict[str, Any]]
    cves: dict[str, dict[str, Any]]
    in_use: dict[str, str]
    """The version in use of all names of the sample, those included that the index does not list."""
    not_on_index: frozenset[str]
    version_not_on_index: frozenset[str]
    """The index lists the package, and not the version in use."""
    newest_yanked: frozenset[str]
    newest_for_later_python: frozenset[str]
    """The newest final release asks for Python 3.13 at least."""
    newest_is_prerelease: frozenset[str]
    without_times: frozenset[str]
    """No upload times are given."""
    without_metadata: frozenset[str]
    """There are no wheels, so no metadata files."""
    archived: frozenset[str]


def made_from_sample(samples: Path = SAMPLES) -> Sample:
    """The sample out of `packages-486.csv` and the advisories beside it."""
    with (samples / "packages-486.csv").open(encoding="utf-8", newline="") as file:
        in_use = {str(canonicalize_name(row["package_name"])): row["version_in_use"] for row in csv.DictReader(file)}
    advisories = list(_advisories(samples / "advisories"))
    fixed = _fixed_versions(advisories)
    names = list(in_use)

    def every(count: int, place: int) -> frozenset[str]:
        return frozenset(names[place::count])

    sample = Sample(
        packages={},
        advisories=advisories,
        cves=_cves(advisories, set(names)),
        in_use=in_use,
        not_on_index=every(97, 50),
        version_not_on_index=every(89, 40),
        newest_yanked=every(10, 3),
        newest_for_later_python=every(10, 6),
        newest_is_prerelease=every(5, 0),
        without_times=every(83, 20),
        without_metadata=every(70, 10),
        archived=every(61, 30),
    )
    for place, name in enumerate(names):
        if name not in sample.not_on_index:
            sample.packages[name] = _package(sample, name, place, fixed.get(name, ()))
    return sample


def _package(sample: Sample, name: str, place: int, fixed: Iterable[Version]) -> MadePackage:
    used = Version(sample.in_use[name])
    known = sorted({used, *_later(used), *fixed})
    highest = max(one for one in known if not one.is_prerelease)
    listed = [one for one in known if one <= highest]
    versions = [one for one in listed if one != used or name not in sample.version_not_on_index]
    if name in sample.newest_is_prerelease:
        versions.append(Version(f"{highest.epoch}!{highest.major + 1}.0rc1"))
    dice = random.Random(name)
    moments = sorted(dice.sample(range(int((END - BEGIN).total_seconds())), len(versions)))
    releases: dict[str, MadeRelease] = {}
    for version, seconds in zip(versions, moments, strict=True):
        newest = version == highest
        # The spelling of the sample stays, as an index gives what was uploaded.
        text = sample.in_use[name] if version == used else str(version)
        releases[text] = MadeRelease(
            text,
            None if name in sample.without_times else BEGIN + dt.timedelta(seconds=seconds),
            requires_python=">=3.13" if newest and name in sample.newest_for_later_python else ">=3.8",
            yanked="breaks what depends on it" if newest and name in sample.newest_yanked else False,
            wheel=name not in sample.without_metadata,
        )
    return make_package(
        name,
        releases,
        development_status=STATES[place % len(STATES)],
        repository=f"https://github.com/made-up/{name}",
        requires=(f"made-up-{place % 7}>=1.0", 'made-up-extra>=2; extra == "more"'),
        status="archived" if name in sample.archived else "",
    )


def _later(used: Version) -> list[Version]:
    """A patch, a minor and a major after a version."""
    major, minor, micro = used.major, used.minor, used.micro
    numbers = (f"{major}.{minor}.{micro + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0")
    return [Version(f"{used.epoch}!{text}") for text in numbers]


def _advisories(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, file)


def _fixed_versions(advisories: Iterable[Mapping[str, Any]]) -> dict[str, set[Version]]:
    """The versions that fix something, by normalised name; those that cannot be read are on no index."""
    found: dict[str, set[Version]] = {}
    for record in advisories:
        for entry in record["affected"]:
            name = canonicalize_name(entry["package"]["name"])
            for bounds in entry.get("ranges", ()):
                for event in bounds["events"] if bounds["type"] == "ECOSYSTEM" else ():
                    version = _version(event.get("fixed", ""))
                    if version is not None:
                        found.setdefault(name, set()).add(version)
    return found


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _cves(advisories: Iterable[Mapping[str, Any]], names: set[str]) -> dict[str, dict[str, Any]]:
    """A CVE for each that advisories of the sample name: every 13th scored otherwise, every 17th not yet analysed."""
    found: dict[str, dict[str, Any]] = {}
    for record in advisories:
        if names.isdisjoint(canonicalize_name(entry["package"]["name"]) for entry in record["affected"]):
            continue
        for identity in (one for one in (record["id"], *record.get("aliases", ())) if one.startswith("CVE-")):
            place = len(found)
            vector = VECTORS[place % len(VECTORS)] if place % 13 == 0 else _vector(record, place)
            awaiting = place % 17 == 16
            found[identity] = make_cve(
                identity,
                "" if awaiting else vector,
                modified=record["modified"][:19] + ".000",
                status="Awaiting Analysis" if awaiting else "Analyzed",
            )
    return found


def _vector(record: Mapping[str, Any], place: int) -> str:
    given = [one["score"] for one in record.get("severity", ()) if one["score"].startswith("CVSS:3")]
    return given[0] if given else VECTORS[place % len(VECTORS)]
