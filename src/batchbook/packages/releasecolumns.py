"""The columns that come from the index: dates, versions, metadata, and what the release in use is like."""

from __future__ import annotations

import datetime as dt
from typing import TypeAlias

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from batchbook import Link
from batchbook.packages.answers import in_brief
from batchbook.packages.recommendation import NOT_IN_DAYS, ReleaseFacts
from batchbook.packages.releases import Release, runs_on, step
from batchbook.packages.reviewed import Reviewed
from batchbook.packages.severity import NOT_GIVEN
from batchbook.packages.verdict import Status
from batchbook.packages.wording import MOST_QUOTED, NOT_CHECKED, count, shorten

Value: TypeAlias = str | dt.date | Link | None

UNKNOWN = str(Status.UNKNOWN)


def release_columns(reviewed: Reviewed) -> dict[str, Value]:
    """The columns E, F, H to K of the default layout."""
    names = ("date_published", "latest_version", "latest_date", "requires", "development_status", "github_url")
    releases = reviewed.index.facts
    if releases is None:
        # The whole text once: in ten cells of a row it hides what else is there.
        return {
            **dict.fromkeys(names, _absent(reviewed)),
            "latest_version": reviewed.index.problem or _absent(reviewed),
        }
    last = releases.latest
    return {
        "date_published": _published(releases.in_use, "no such release") if reviewed.verdict.trusted else UNKNOWN,
        "latest_version": str(last.version) if last else "none that could be used",
        "latest_date": _published(last, "no release"),
        **_metadata_columns(releases, reviewed.index.name),
    }


def further_release_columns(reviewed: Reviewed) -> dict[str, Value]:
    """How far behind the version in use is, whether it is yanked, and whether it runs on the configured Python.

    A row whose status is unknown is never told to be up to date, not yanked or fitting; what speaks against it is.
    """
    releases = reviewed.index.facts
    names = ("behind_by", "yanked", "python_fits")
    if releases is None:
        return dict.fromkeys(names, UNKNOWN if reviewed.index.not_found else _absent(reviewed))
    if not reviewed.verdict.trusted:
        return dict.fromkeys(names, UNKNOWN)
    yanked = _yanked(releases)
    if reviewed.verdict.status is Status.UNKNOWN:
        return {**dict.fromkeys(names, UNKNOWN), "yanked": yanked if yanked.startswith("yes") else UNKNOWN}
    return {
        "behind_by": _behind_by(releases, reviewed.verdict.version),
        "yanked": yanked,
        "python_fits": _python_fits(releases, reviewed.python),
    }


def _absent(reviewed: Reviewed) -> str:
    index = reviewed.index
    return index.in_brief or (f"not found in {index.not_found}" if index.not_found else NOT_CHECKED)


def _metadata_columns(releases: ReleaseFacts, index: str) -> dict[str, Value]:
    """What the metadata of the latest release says; a source that offers none does not say that nothing is required."""
    said = releases.metadata
    if said is None:
        names = ("requires", "development_status", "github_url")
        if not releases.no_metadata:
            return dict.fromkeys(names, NOT_GIVEN)
        return {**dict.fromkeys(names, in_brief(index, releases.no_metadata)), "requires": releases.no_metadata}
    return {
        "requires": ", ".join(said.requires) or "nothing",
        "development_status": said.development_status or NOT_GIVEN,
        "github_url": said.repository or NOT_GIVEN,
    }


def _published(release: Release | None, none: str) -> Value:
    return none if release is None else release.published or NOT_GIVEN


def _behind_by(releases: ReleaseFacts, version: Version | None) -> str:
    if releases.latest is None or version is None:
        return f"{UNKNOWN}: {releases.source} has no release that could be used"
    if releases.latest.version == version:
        return "up to date"
    if releases.latest.version < version:
        return f"ahead of {releases.latest.version}, the latest that could be used"
    days = releases.days_behind
    if days is None:
        said = f"days {NOT_GIVEN}"
    else:
        said = NOT_IN_DAYS if days < 0 else count(days, "day", "days")
    return f"{step(version, releases.latest.version)}, {said}"


def _yanked(releases: ReleaseFacts) -> str:
    if releases.in_use is None:
        return f"{UNKNOWN}: {releases.source} has no such release"
    if not releases.in_use.yanked:
        return "no"
    return f"yes: {releases.in_use.yanked_reason or 'reason not given'}"


def _python_fits(releases: ReleaseFacts, python: Version | None) -> str:
    if python is None:
        return f"{NOT_CHECKED}: the job names no Python"
    if releases.in_use is None:
        return f"{UNKNOWN}: {releases.source} has no such release"
    asked = releases.in_use.requires_python
    if not any(asked):
        return NOT_GIVEN
    readable = tuple(one for one in asked if _is_specifier(one))
    if any(runs_on(Release(releases.in_use.version, requires_python=(one,)), python) for one in readable):
        return "yes"
    said = " or ".join(shorten(one, MOST_QUOTED) for one in asked)
    return f"no: {said}" if len(readable) == len(asked) else f"{UNKNOWN}: {said} cannot be read"


def _is_specifier(text: str) -> bool:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True
