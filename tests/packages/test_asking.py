"""Jobs that name online sources, up to the first request: what they are, and what is said where they cannot be had."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from batchbook.errors import ConfigurationError
from batchbook.packages import PackageReview
from batchbook.packages.options import PackageReviewOptions

Make = Callable[..., dict[str, Any]]
Reviewer = Callable[..., PackageReview]
OSV = {"url": "http://127.0.0.1:1/osv"}
NVD = {"url": "http://127.0.0.1:1/nvd", "api_key": "key"}
INDEX = {"url": "http://127.0.0.1:1/simple/"}


def test_a_source_that_is_asked_row_by_row_has_no_date_of_its_own_in_a_run(record: Make, reviewer: Reviewer) -> None:
    review = reviewer(record(), osv=OSV, nvd=NVD, index=INDEX)
    each = "each answer's own"
    assert review.reference_dates() == {
        "made-up advisories": "2024-10-01",
        "OSV": each,
        "NVD": each,
        "package index": each,
    }
    review.close()


def test_offline_what_was_never_asked_is_not_checked_and_files_still_judge(
    record: Make, reviewer: Reviewer, row: Callable[..., Any]
) -> None:
    review = reviewer(record(versions=["1.0"]), osv=OSV, nvd=NVD, index=INDEX)
    affected, free = (review.process(row("thing", version)).columns for version in ("1.0", "2.0"))
    review.close()
    assert str(affected["recommendation"]).startswith("SECURITY RISK (1)")
    assert str(free["recommendation"]).startswith("PROCEED (latest not checked): package index was not asked (offline")
    assert "not affected by 1 advisory known in" in str(free["recommendation"])
    assert "OSV not checked" in str(free["recommendation"])
    assert str(free["latest_version"]).startswith("not checked")


def test_with_nothing_that_could_be_asked_a_row_is_unknown(reviewer: Reviewer, row: Callable[..., Any]) -> None:
    review = reviewer(osv=OSV, advisories=[], advisories_name="")
    result = review.process(row("thing", "1.0"))
    review.close()
    assert result.unknown == "no source of advisories was asked; OSV not checked (offline, no stored answer)"


def test_two_sources_of_one_name_are_refused(record: Make, reviewer: Reviewer) -> None:
    with pytest.raises(ConfigurationError, match=r"the same name, OSV, so nobody"):
        reviewer(record(), osv=OSV, nvd=NVD | {"name": "OSV"})


def test_without_the_optional_packages_it_is_said_how_to_get_them(
    record: Make, reviewer: Reviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **others: Any) -> Any:
        if name.startswith("batchbook.packages.online"):
            raise ModuleNotFoundError("No module named 'httpx'", name="httpx")
        return real(name, *more, **others)

    monkeypatch.setattr(builtins, "__import__", without)
    assert reviewer(record()).online.releases is None
    with pytest.raises(ConfigurationError, match="need the package 'httpx'") as raised:
        reviewer(record(), index=INDEX)
    assert raised.value.advice == "Install them: pip install 'batchbook[online]'."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "names no source of advisories"),
        ({"index": {}}, "names no source of advisories"),
        ({"osv": {}}, "url"),
        ({"osv": {"url": "ftp://x/osv"}}, "begins with https:// or http://"),
        ({"osv": {"url": "https:///osv"}}, "names a host"),
        ({"osv": {"url": "https://ann:secret@host/osv"}}, "holds no credentials"),
        ({"osv": {"url": "https://host/osv?key=1"}}, "ends with its path"),
        ({"osv": OSV | {"rate": "10"}}, "must be a rate such as 100/s"),
        ({"osv": OSV, "nvd": {"url": "https://host/nvd"}}, "api_key"),
        ({"osv": OSV, "nvd": NVD | {"api_key": ""}}, "api_key"),
        ({"osv": OSV, "nvd": NVD | {"api_key": " \n"}}, "api_key"),
        ({"osv": OSV, "nvd": NVD | {"api_key": "a\nb"}}, "api_key"),
        ({"osv": OSV, "nvd": NVD | {"api_key": "k€y"}}, "api_key"),
        ({"osv": OSV, "network": {"concurrency": 0}}, "concurrency"),
        (
            {"osv": OSV, "index": {"password": "x"}},
            'without a username; where the index takes none, write `username: ""`',
        ),
        (
            {"osv": OSV, "index": {"username": "x"}},
            'without a password; where the index takes none, write `password: ""`',
        ),
        ({"osv": OSV, "index": None}, "has no value: write `index: {}` for the defaults, or leave the line out"),
        ({"advisories": "x", "osv": None}, "has no value: write `osv: {url: ...}`, or leave the line out"),
        ({"osv": OSV, "nvd": None}, "has no value: write `nvd: {url: ..., api_key: ...}`, or"),
        ({"osv": OSV, "kev": None}, "has no value: write `kev: FILE`, or"),
        ({"osv": OSV, "report": None}, "has no value: write `report: {to: FILE.xlsx}`, or"),
        ({"osv": OSV, "network": {"timeout": 0}}, "timeout"),
        ({"osv": OSV, "network": {"retries": 3}}, "retries"),
    ],
)
def test_wrong_options_of_online_sources_are_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        PackageReviewOptions.model_validate(options)
    assert said in str(raised.value)


@pytest.mark.parametrize("index", [{"username": "token", "password": ""}, {"username": "a", "password": "b"}, {}])
def test_an_index_may_take_a_name_without_a_password_where_the_job_says_so(index: dict[str, str]) -> None:
    given = PackageReviewOptions.model_validate({"osv": OSV, "index": index}).index
    assert given is not None
    assert (given.username, given.password) == (index.get("username", ""), index.get("password", ""))


def test_a_key_that_was_read_from_a_file_may_end_with_a_line_break() -> None:
    options = PackageReviewOptions.model_validate({"osv": OSV, "nvd": NVD | {"api_key": "key\r\n"}})
    assert options.nvd is not None
    assert options.nvd.api_key == "key"
