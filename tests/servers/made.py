"""Packages, advisories and CVE records made up for a test server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cvss import CVSS3


@dataclass(frozen=True)
class MadeRelease:
    """One release of a made-up package."""

    version: str
    uploaded: dt.datetime | None = None
    requires_python: str = ""
    yanked: bool | str = False
    """True, or the reason."""
    wheel: bool = True
    sdist: bool = True
    other_files: tuple[str, ...] = ()
    """Names of further files, such as eggs and installers."""
    metadata: str | None = None
    """The text of the metadata file, where not that of the package."""


@dataclass(frozen=True)
class MadePackage:
    """A made-up package: its name as its authors write it, its releases, and what its metadata says."""

    name: str
    releases: tuple[MadeRelease, ...] = ()
    requires: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    project_urls: Mapping[str, str] = field(default_factory=dict)
    home_page: str = ""
    status: str = ""
    """A project status such as ``archived``; empty: none is given."""
    status_reason: str = ""


def make_package(
    name: str,
    releases: Mapping[str, str | dt.datetime | MadeRelease | None],
    *,
    development_status: str = "",
    repository: str = "",
    **fields: Any,
) -> MadePackage:
    """A package; a release is given whole, by the time of its upload (ISO, UTC), or as None: no time is known."""
    classifiers = tuple(fields.pop("classifiers", ()))
    if development_status:
        classifiers += (f"Development Status :: {development_status}",)
    urls = dict(fields.pop("project_urls", {}))
    if repository:
        urls["Source"] = repository
    made = tuple(_release(version, given) for version, given in releases.items())
    return MadePackage(name, made, classifiers=classifiers, project_urls=urls, **fields)


def _release(version: str, given: str | dt.datetime | MadeRelease | None) -> MadeRelease:
    if isinstance(given, MadeRelease):
        return given
    if isinstance(given, str):
        given = dt.datetime.fromisoformat(given)
    if given is not None and given.tzinfo is None:
        given = given.replace(tzinfo=dt.UTC)
    return MadeRelease(version, given)


def utc_text(moment: dt.datetime) -> str:
    """A time as the protocols write it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def make_advisory(
    identity: str,
    package: str,
    *,
    introduced: str = "0",
    fixed: str | None = None,
    last_affected: str | None = None,
    versions: Sequence[str] = (),
    aliases: Sequence[str] = (),
    vector: str = "",
    modified: str = "2024-05-01T00:00:00Z",
    **more: Any,
) -> dict[str, Any]:
    """A record in OSV form about one package and one range; `more` are further fields of it, such as `withdrawn`."""
    events = [{"introduced": introduced}]
    if fixed is not None:
        events.append({"fixed": fixed})
    if last_affected is not None:
        events.append({"last_affected": last_affected})
    affected = {
        "package": {"name": package, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
        "versions": list(versions),
    }
    severity = [{"type": f"CVSS_V{vector[5]}", "score": vector}] if vector else []
    return {
        "id": identity,
        "modified": modified,
        "published": modified,
        "aliases": list(aliases),
        "severity": severity,
        "affected": [affected],
        **more,
    }


def make_cve(
    identity: str,
    vector: str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
    *,
    modified: str = "2024-05-01T10:15:08.450",
    source: str = "nvd@nist.gov",
    kind: str = "Primary",
    status: str = "Analyzed",
    **more: Any,
) -> dict[str, Any]:
    """A CVE as NVD gives it, with a score of CVSS 3 (none where `vector` is empty); `more` are further fields."""
    metrics: dict[str, Any] = {}
    if vector:
        scored = CVSS3(vector)
        data = {
            "version": vector[5:8],
            "vectorString": vector,
            "baseScore": float(scored.scores()[0]),
            "baseSeverity": scored.severities()[0].upper(),
        }
        name = f"cvssMetricV{vector[5:8].replace('.', '')}"
        metrics[name] = [{"source": source, "type": kind, "cvssData": data}]
    return {
        "id": identity,
        "sourceIdentifier": "cve@mitre.org",
        "published": modified,
        "lastModified": modified,
        "vulnStatus": status,
        "descriptions": [{"lang": "en", "value": f"{identity}, as made up for a test."}],
        "metrics": metrics,
        "weaknesses": [],
        "configurations": [],
        "references": [],
        **more,
    }
