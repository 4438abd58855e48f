"""What a package index knows of a project, and which of its releases is the latest that could be used.

Where the data comes from is not decided here: a `ReleaseSource` gives it, and where there is none nothing is known.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from packaging.specifiers import SpecifierSet
from packaging.version import Version


@dataclass(frozen=True, slots=True)
class Release:
    """One release of a project."""

    version: Version
    published: dt.date | None = None
    """The day of its first file; None where the source does not give times."""
    yanked: bool = False
    """Whether all its files are yanked (PEP 592)."""
    yanked_reason: str = ""
    requires_python: tuple[str, ...] = ()
    """What its files that are not yanked ask of Python, each once; blank for a file that asks for nothing."""
    metadata: str = ""
    """Where its metadata lies, for the source that gave it; blank where the source offers none."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project as an index lists it."""

    name: str
    releases: tuple[Release, ...] = ()
    state: str = ""
    """What the index says of it as a whole, such as ``archived`` or ``quarantined``; blank for nothing (PEP 792)."""
    state_reason: str = ""

    def release(self, version: Version) -> Release | None:
        """The release of a version, None where there is none."""
        return next((one for one in self.releases if one.version == version), None)


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer of an index about a name; `project` is None where it knows that there is none."""

    project: Project | None
    date: str
    """The day of the answer, ISO."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the metadata of a release says; what it does not give is blank."""

    requires: tuple[str, ...] = ()
    development_status: str = ""
    repository: str = ""
    """The address of its code at GitHub."""


class ReleaseSource(Protocol):
    """Where releases are looked up; both methods may raise SourceUnreachable or NotAsked."""

    @property
    def name(self) -> str:
        """What the source is called in results."""
        ...

    @property
    def reference_date(self) -> str:
        """The date of what it knows, ISO; blank for a source whose answers each have a date of their own."""
        ...

    def lookup(self, name: str) -> Listing:
        """A project by its normalised name."""
        ...

    def metadata(self, release: Release) -> Metadata | None:
        """The metadata of a release of this source; None where the source offers none."""
        ...


def latest(project: Project, in_use: Version | None, python: Version | None = None) -> Release | None:
    """The highest release that is not yanked and runs on `python`; pre-releases only where one is in use."""
    return max(
        (
            one
            for one in project.releases
            if not one.yanked
            and (not one.version.is_prerelease or (in_use is not None and in_use.is_prerelease))
            and runs_on(one, python)
        ),
        key=lambda one: one.version,
        default=None,
    )


def runs_on(release: Release, python: Version | None) -> bool:
    """Whether some file of a release accepts this Python; without one asked for, and unreadable, as installers do."""
    if python is None or not release.requires_python:
        return True
    return any(_accepts(one, python) for one in release.requires_python)


def _accepts(specifier: str, python: Version) -> bool:
    try:
        return not specifier or SpecifierSet(specifier).contains(python, prereleases=True)
    except ValueError:  # InvalidSpecifier, or a number of more digits than Python reads
        return True  # installers take such a release as well


def step(old: Version, new: Version) -> str:
    """How far apart two versions are: ``major``, ``minor`` or ``patch``."""
    if (old.epoch, old.major) != (new.epoch, new.major):
        return "major"
    return "minor" if old.minor != new.minor else "patch"
