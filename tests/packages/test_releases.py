from __future__ import annotations

import pytest
from packaging.version import Version

from batchbook.packages.releases import Project, Release, latest, step


def project(*releases: Release) -> Project:
    return Project("thing", releases)


def release(version: str, **more: object) -> Release:
    return Release(Version(version), **more)  # type: ignore[arg-type]


def shown(found: Release | None) -> str:
    return str(found.version) if found else "none"


def test_the_latest_is_the_highest_version_not_the_last_listed() -> None:
    assert shown(latest(project(release("1.9"), release("1.10"), release("1.2")), Version("1.2"))) == "1.10"


@pytest.mark.parametrize(("in_use", "expected"), [("1.0", "1.0"), ("2.0b1", "2.0rc1"), ("1.0.post1", "1.0")])
def test_pre_releases_count_only_where_one_is_in_use(in_use: str, expected: str) -> None:
    assert shown(latest(project(release("1.0"), release("2.0rc1")), Version(in_use))) == expected


def test_yanked_releases_do_not_count() -> None:
    assert shown(latest(project(release("1.0"), release("2.0", yanked=True)), Version("1.0"))) == "1.0"
    assert latest(project(release("2.0", yanked=True)), Version("1.0")) is None


def test_releases_for_another_python_do_not_count() -> None:
    found = project(release("1.0", requires_python=(">=3.8",)), release("2.0", requires_python=(">=3.13",)))
    assert shown(latest(found, Version("1.0"), Version("3.11.4"))) == "1.0"
    assert shown(latest(found, Version("1.0"))) == "2.0"


def test_an_unreadable_requirement_on_python_excludes_nothing() -> None:
    assert shown(latest(project(release("2.0", requires_python=(">=3.?",))), None, Version("3.11"))) == "2.0"


@pytest.mark.parametrize(
    ("old", "new", "distance"),
    [
        *(("1.2.3", "2.0", "major"), ("1.2.3", "1.3.0", "minor"), ("1.2.3", "1.2.4", "patch")),
        *(("1.2", "1.2.post1", "patch"), ("1.0rc1", "1.0", "patch"), ("2024.1", "1!0.1", "major")),
    ],
)
def test_the_step_between_versions(old: str, new: str, distance: str) -> None:
    assert step(Version(old), Version(new)) == distance


def test_a_python_of_more_digits_than_can_be_read_is_accepted_as_others_that_cannot() -> None:
    found = project(release("2.0", requires_python=(">=" + "9" * 5000,)))
    assert shown(latest(found, None, Version("3.11"))) == "2.0"
