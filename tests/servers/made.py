"""Packages, advisories and CVE records made up for a test server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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


@dataclass(frozen=True)
class Sample:
    """What a server of the whole sample knows."""

    packages: dict[str, MadePackage]
    """By normalised name."""
    advisories: list[dict[str, Any]]
    cves: dict[str, dict[str, Any]]
    not_on_index: frozenset[str]
    """Normalised names of the sample that the index does not list."""
    version_not_on_index: frozenset[str]
    """Normalised names of the sample whose version in use the index does not list."""
