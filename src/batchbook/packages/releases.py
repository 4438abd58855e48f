"""What a package index knows of a project, and which of its releases is the latest that could be used.

Where the data comes from is not decided here: a `ReleaseSource` gives it, and where there is none nothing is known.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version


@dataclass(frozen=True, slots=True)
class Release:
    """One release of a project."""

    version: Version
    published: dt.date | None = None
    yanked: bool = False
    yanked_reason: str = ""
    requires_python: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """A project as an index shows it."""

    name: str
    releases: tuple[Release, ...] = ()
    requires: tuple[str, ...] = ()
    development_status: str = ""
    repository: str = ""

    def release(self, version: Version) -> Release | None:
        """The release of a version, None where there is none."""
        return next((one for one in self.releases if one.version == version), None)


class ReleaseSource(Protocol):
    """Where releases are looked up."""

    @property
    def name(self) -> str:
        """What the source is called in results."""
        ...

    @property
    def date(self) -> str:
        """The date of what it knows, ISO."""
        ...

    def lookup(self, name: str) -> Project | None:
        """A project by its normalised name; None where the source knows that there is none."""
        ...


def latest(project: Project, in_use: Version | None, python: Version | None = None) -> Release | None:
    """The highest release that is not yanked and runs on `python`; pre-releases only where one is in use."""
    return max(
        (
            one
            for one in project.releases
            if not one.yanked
            and (not one.version.is_prerelease or (in_use is not None and in_use.is_prerelease))
            and _runs_on(one, python)
        ),
        key=lambda one: one.version,
        default=None,
    )


def _runs_on(release: Release, python: Version | None) -> bool:
    if python is None or not release.requires_python:
        return True
    try:
        return SpecifierSet(release.requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True  # installers take such a release as well


def step(old: Version, new: Version) -> str:
    """How far apart two versions are: ``major``, ``minor`` or ``patch``."""
    if (old.epoch, old.major) != (new.epoch, new.major):
        return "major"
    return "minor" if old.minor != new.minor else "patch"
