"""How servers are asked during a review by the real command, measured by the server."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path

import pytest

from tests.integration.online import (
    OF_INDEX,
    OF_METADATA,
    Night,
    Serve,
    day,
    some_packages,
)
from tests.servers.faults import Latency, Redirect, Status

USER, PASSWORD = "reviewer", "pass-marker:5591%/=+"
MARKS = (PASSWORD, "marker:5591", "cmV2aWV3ZXI6", "marker%3A5591")
"""The password, parts of it as addresses write them, and how Basic credentials of the user begin."""


def statuses(night: Night) -> dict[str, str]:
    return {name: row.status for name, row in night.reviewed().items()}


def test_never_more_requests_at_once_than_the_network_allows_whatever_the_batch_has(serve: Serve) -> None:
    some = some_packages(30)
    night = serve(some, concurrency=3)
    night.job["batch"] = {"concurrency": 16, "size": 30}
    night.set().server.faults.add(Latency(0.02, 0.05))
    night.review()
    assert night.server.most_at_once == 3, "all of them used, and not one more"
    assert statuses(night) == some.expected()


def test_no_more_requests_in_a_second_than_the_rate_allows(serve: Serve) -> None:
    some = some_packages(9)
    night = serve(some, concurrency=20)
    night.job["batch"] = {"concurrency": 9}
    for source in ("index", "osv"):
        night.options[source]["rate"] = "15/s"
    night.set().review()
    assert len(night.server.requests) > 30
    # Measured where they come: between sending and coming there is a little time, more for one than for another.
    # Each source has a rate of its own, also at one host.
    for kinds in (("index", "metadata"), ("osv-batch", "osv-vuln")):
        times = sorted(seen.time for seen in night.server.requests if seen.kind in kinds)
        assert all(later - first >= 0.5 for first, later in zip(times, times[15:], strict=False)), kinds
    assert statuses(night) == some.expected()


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_server_that_asks_for_a_pause_gets_it(serve: Serve, form: str) -> None:
    some = some_packages(8)
    night = serve(some, tries=3)
    pause = Status(429, retry_after=1) if form == "seconds" else Status(503, retry_after_date=1)
    kinds = ("index", "osv-batch", "osv-vuln", "metadata") if form == "seconds" else ("index", "osv-batch")
    for kind in kinds:
        night.server.faults.add(pause, kind=kind, package=None if kind == "osv-batch" else first_of(kind), first=1)
    rows = night.review()
    assert sum(bool(seen.retry_after) for seen in night.server.requests) >= len(kinds)
    assert night.server.too_early() == ()
    assert asked_in_a_pause(night) == []
    assert statuses(night) == some.expected()
    assert not any("not checked" in row.text(*OF_INDEX) for row in rows.values())


def asked_in_a_pause(night: Night) -> list[str]:
    """What came while the server had asked to be left alone, but for what was sent before its answer was there."""
    pauses = [one for one in night.server.requests if one.not_before is not None and one.ended is not None]
    return [
        seen.path
        for seen in night.server.requests
        for one in pauses
        if one.ended is not None and one.not_before is not None and one.ended + 0.2 < seen.time < one.not_before
    ]


def first_of(kind: str) -> str:
    """What one request of a kind is about."""
    return {"index": "pkg-03", "osv-vuln": "PYSEC-2024-5", "metadata": "pkg-01"}[kind]


def test_a_server_that_asks_for_a_long_pause_is_left_alone_and_says_why(serve: Serve) -> None:
    some = some_packages(20)
    night = serve(some, longest_wait=2)
    night.server.faults.add(Status(429, retry_after=3600), kind="index", package="pkg-08")
    began = time.monotonic()
    rows = night.review()
    assert time.monotonic() - began < 60, "nobody waits for an hour"
    assert night.server.too_early() == ()
    assert statuses(night) == some.expected()
    left_alone = [row for row in rows.values() if "left alone for 3600 s" in str(row["Latest Version"])]
    assert left_alone and all(str(row["Latest Version"]).startswith("not checked") for row in left_alone)
    # It came in the first batch of ten, of which five at most were under way.
    assert night.server.count("index") <= 15


def test_an_index_with_html_only_gives_versions_and_says_not_given_for_the_rest(serve: Serve) -> None:
    some = some_packages(8)
    night = serve(some, some.server(html_only=True, metadata="none"))
    rows = night.review()
    assert statuses(night) == some.expected()
    for row in rows.values():
        assert row["Latest Version"] == "1.2"
        assert {row[one] for one in ("Latest Release Date", "Date Published", *OF_METADATA)} == {"not given"}
    assert any("days behind not known" in row["Recommendation"] for row in rows.values())


def test_an_older_index_with_other_addresses_and_lists_in_many_pages_are_read(serve: Serve) -> None:
    some = some_packages(6)
    settings = {"api_version": "1.0", "relative_urls": True, "metadata": "true"}
    night = serve(some, some.server(**settings, osv_page_size=1, osv_empty_pages=True))
    rows = night.review()
    assert statuses(night) == some.expected()
    for row in rows.values():
        assert (row["Latest Version"], row["Latest Release Date"]) == ("1.2", "not given")
        assert row["Requires"] == f"needed-by-{row['Package Name']}>=2"


def private(serve: Serve) -> Night:
    some = some_packages(6)
    night = serve(some, some.server(credentials=(USER, PASSWORD)))
    night.options["index"].update(username="${INDEX_USER}", password="${INDEX_PASSWORD}")
    night.folder.environment = {"INDEX_USER": USER, "INDEX_PASSWORD": PASSWORD}
    return night.set()


def test_a_private_index_gets_its_credentials_and_nobody_else_sees_them(serve: Serve) -> None:
    night = private(serve)
    called = night.run("--start-fresh", "--verbose")
    rows = night.reviewed()
    assert statuses(night) == some_packages(6).expected()
    assert all(day(row["Latest Release Date"]) and row["Requires"] != "not given" for row in rows.values())
    for seen in night.server.requests:
        assert ("authorization" in seen.headers) == (seen.kind in ("index", "metadata")), seen.path
    shown = called.out + called.err
    for mark in MARKS:
        assert mark not in shown
        assert mark not in called.json["report"]
    assert holding(night.folder.path) == []


def test_credentials_that_are_wrong_are_the_reason_and_are_told_nowhere(serve: Serve) -> None:
    night = private(serve)
    night.folder.environment["INDEX_PASSWORD"] = PASSWORD + "x"
    rows = night.review("--start-fresh", "--verbose")
    assert statuses(night) == some_packages(6).expected()
    assert all("credentials are missing, wrong" in row.text(*OF_INDEX) for row in rows.values())
    assert set(night.server.per_thing("index").values()) == {1}, "a refusal is not tried again"
    assert holding(night.folder.path) == []


def test_credentials_do_not_follow_a_redirect_to_another_host(serve: Serve) -> None:
    some = some_packages(6)
    night = private(serve)
    with some.server() as elsewhere:
        night.server.faults.add(Redirect(302, to=f"{elsewhere.url}*"), kind="index")
        rows = night.review()
        assert elsewhere.count("index") == 6
        assert not any("authorization" in seen.headers for seen in elsewhere.requests)
    assert [rows[name]["Latest Version"] for name in some.in_use] == ["1.2"] * 6


def test_a_secret_that_is_not_set_stops_the_run_before_anybody_is_asked(serve: Serve) -> None:
    night = private(serve)
    del night.folder.environment["INDEX_PASSWORD"]
    called = night.folder.run("run", night.job_file, "--start-fresh", "--json")
    assert called.code == 2
    assert "INDEX_PASSWORD" in called.err
    assert night.server.requests == ()


def holding(folder: Path) -> list[str]:
    """The files below a folder in which a mark stands, also within zipped ones."""

    found = []
    for path in (one for one in folder.rglob("*") if one.is_file()):
        contents = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
        if any(mark.encode() in content for mark in MARKS for content in contents):
            found.append(os.fspath(path))
    return found
