"""Names, versions and advisories as people and databases write them, reviewed online by the real command."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.integration.online import AFFECTED, FREE, UNKNOWN, Night, Serve, Some, some_packages
from tests.servers.made import make_advisory, make_package

BEFORE_2 = make_advisory("PYSEC-1", "Thing.Name", fixed="2.0")


def thing(*advisories: dict[str, Any]) -> Some:
    """One package of many releases."""
    versions = ("0.9", "1.0", "1.10", "1.11rc1", "2.0", "2.1", "2.2rc1", "1!1.0", "1!1.1")
    releases = {version: f"2024-01-{place:02}" for place, version in enumerate(versions, 1)}
    return Some([make_package("Thing.Name", releases)], list(advisories or (BEFORE_2,)), {})


def review(serve: Serve, some: Some, rows: list[tuple[Any, Any]]) -> Night:
    night = serve(some).lay(rows)
    night.review()
    return night


NAMES = [
    ("Thing.Name", AFFECTED),
    ("thing-name", AFFECTED),
    ("THING__name", AFFECTED),
    (" thing_.-name ", AFFECTED),
    ("thingname", UNKNOWN),
    ("thing", UNKNOWN),
    ("thing name", UNKNOWN),
    ("thing/name", UNKNOWN),
    ("../../osv/v1/vulns/PYSEC-1", UNKNOWN),
    ("thing-name?x=1#y", UNKNOWN),
    ("thing-name\nHost: elsewhere", UNKNOWN),
    ("-thing-name", UNKNOWN),
    ("thing-name[extra]", UNKNOWN),
    ("thing-name==1.0", UNKNOWN),
    ("thíng-name", UNKNOWN),
    ("ｔhing-name", UNKNOWN),
    ("x" * 3000, UNKNOWN),
    (7, UNKNOWN),
    (1.5, UNKNOWN),
    (True, UNKNOWN),
    (dt.datetime(2024, 1, 2), UNKNOWN),
]


def test_names_are_read_as_packaging_reads_them_and_what_is_none_is_asked_of_nobody(serve: Serve) -> None:
    night = review(serve, thing(), [(name, "1.0") for name, _ in NAMES])
    rows = list(night.reviewed().values())
    assert [row.status for row in rows] == [status for _, status in NAMES], [row["Recommendation"] for row in rows]
    asked = set(night.server.per_thing("index"))
    assert asked >= {"thing-name", "thingname", "thing", "x" * 3000}
    assert {one for one in asked if "x" not in one} <= {"thing-name", "thingname", "thing", "7", "1-5", "true"}
    assert night.server.count("other") == 0
    for row in rows:
        if row.status == UNKNOWN:
            assert "none known" not in str(row.cells)


VERSIONS = [
    ("1.0", AFFECTED),
    ("v1.0", AFFECTED),
    (" 1.0 ", AFFECTED),
    ("1.0.0", AFFECTED),
    ("1.0+cpu", AFFECTED),
    ("1.0.post1", AFFECTED),
    ("2.0.dev1", AFFECTED),
    ("2.0rc1", AFFECTED),
    ("2.0", FREE),
    ("2.0+local.7", FREE),
    ("1!1.0", FREE),
    ("0!1.0", AFFECTED),
    ("2.05", FREE),
    ("99.0", FREE),
    (1.1, UNKNOWN),
    (2, UNKNOWN),
    (dt.datetime(2024, 1, 2), UNKNOWN),
    (dt.time(1, 10), UNKNOWN),
    (True, UNKNOWN),
    ("23.0.", UNKNOWN),
    ("NEW", UNKNOWN),
    ("latest", UNKNOWN),
    (">=1.0", UNKNOWN),
    ("1.0, 2.0", UNKNOWN),
    ("1.x", UNKNOWN),
    ("２.０", UNKNOWN),
    ("9" * 500, FREE),
    ("", UNKNOWN),
    (None, UNKNOWN),
]


def test_versions_are_read_by_their_rule_and_what_is_none_is_never_safe(serve: Serve) -> None:
    some = some_packages(len(VERSIONS))
    advisories = [make_advisory(f"PYSEC-{name}", name, fixed="2.0") for name in some.in_use]
    packages = [make_package(name, dict.fromkeys(("1.0", "2.0", "1!1.0"), "2024-01-01")) for name in some.in_use]
    some = Some(packages, advisories, some.in_use)
    night = review(serve, some, list(zip(some.in_use, [version for version, _ in VERSIONS], strict=True)))
    rows = list(night.reviewed().values())
    told = {repr(version): row.status for (version, _), row in zip(VERSIONS, rows, strict=True)}
    assert told == {repr(version): status for version, status in VERSIONS}
    later = rows[[version for version, _ in VERSIONS].index("99.0")]
    assert later["Recommendation"].startswith("MANUAL REVIEW"), "the index lists no such version"


def entry(*events: dict[str, str], **more: Any) -> dict[str, Any]:
    """What a record says of a package, whose name is put in later."""
    return {**more, "ranges": [{"type": "ECOSYSTEM", "events": list(events)}]} if events else more


START = {"introduced": "0"}
GIT = {"type": "GIT", "events": [START, {"fixed": "deadbeef"}]}
RECORDS: list[tuple[dict[str, Any], str, str]] = [
    (entry({"fixed": "1.0"}, {"introduced": "2.0"}, START), FREE, AFFECTED),  # unsorted
    (entry({"fixed": "2.0"}, START), AFFECTED, FREE),
    (entry(START, {"last_affected": "1.0"}), AFFECTED, FREE),
    (entry(START), AFFECTED, AFFECTED),  # no fix
    (entry(START, {"fixed": "1.x"}), UNKNOWN, UNKNOWN),  # unreadable bounds
    (entry(START, {"fixed": "one"}, versions=["1.0"]), AFFECTED, UNKNOWN),
    (entry({"fixed": "2.0"}), UNKNOWN, UNKNOWN),  # nothing of where it begins
    (entry(versions=["2.0"]), FREE, AFFECTED),
    (entry(versions=["2.0.0+1"]), FREE, FREE),
    (entry(), UNKNOWN, UNKNOWN),
    (entry(ranges=[GIT]), UNKNOWN, UNKNOWN),
    (entry(ranges=[GIT], versions=["1.0"]), AFFECTED, FREE),
    (entry(ranges=[{"type": "SEMVER", "events": [START]}]), UNKNOWN, UNKNOWN),
]


def test_advisories_are_judged_by_their_rule_and_what_cannot_be_judged_is_never_safe(serve: Serve) -> None:
    some = some_packages(len(RECORDS))
    advisories = [
        {**make_advisory(f"PYSEC-{name}", name), "affected": [{"package": {"name": name, "ecosystem": "PyPI"}, **said}]}
        for name, (said, _, _) in zip(some.in_use, RECORDS, strict=True)
    ]
    packages = [make_package(name, {"1.0": "2024-01-01", "2.0": "2024-02-01"}) for name in some.in_use]
    rows = [(name, "1.0") for name in some.in_use] + [(name.upper(), "2.0") for name in some.in_use]
    found = review(serve, Some(packages, advisories, some.in_use), rows).reviewed()
    told = [(found[name].status, found[name.upper()].status) for name in some.in_use]
    assert told == [(first, second) for _, first, second in RECORDS]


def test_records_of_one_advisory_count_once_and_withdrawn_ones_not_at_all(serve: Serve) -> None:
    doubled = [
        make_advisory("PYSEC-1", "pkg-00", fixed="2.0", aliases=["CVE-2024-1", "GHSA-aaaa-bbbb-cccc"]),
        make_advisory("GHSA-aaaa-bbbb-cccc", "pkg-00", fixed="1.1", aliases=["cve-2024-1", "CVE-2024-1"]),
        make_advisory("CVE-2024-2", "pkg-00", fixed="1.2", aliases=["CVE-2024-2"]),
        make_advisory("PYSEC-3", "pkg-00", withdrawn="2024-06-01T00:00:00Z"),
        make_advisory("PYSEC-4", "pkg-01", withdrawn="2024-06-01T00:00:00Z"),
    ]
    some = some_packages(2)
    night = serve(Some(some.packages, doubled, some.in_use))
    rows = night.review()
    assert rows["pkg-00"]["Recommendation"].startswith("SECURITY RISK (2): first fixed version 2.0 ")
    assert len(night.listed()["pkg-00"]) == 2
    assert rows["pkg-01"].status == FREE
