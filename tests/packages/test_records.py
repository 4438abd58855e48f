from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from batchbook.packages.records import Event, RecordError, read_record

Make = Callable[..., dict[str, Any]]


def test_a_record_keeps_its_oddities(record: Make) -> None:
    events = [{"fixed": "2.0"}, {"introduced": "0"}, {"fixed": "garbage"}]
    read = read_record(record(events=events, versions=["1.0", "trunk"]))
    (entry,) = read.packages["thing"]
    assert [(event.kind, event.version) for event in entry.ranges[0].events] == [
        ("fixed", "2.0"),
        ("introduced", "0"),
        ("fixed", "garbage"),
    ]
    assert entry.versions == ("1.0", "trunk")
    assert [str(version) for version in entry.readable_versions] == ["1.0"]


def test_packages_are_named_in_their_normal_form(record: Make) -> None:
    assert list(read_record(record(package="Jw.Util")).packages) == ["jw-util"]


def test_other_ecosystems_are_left_out(record: Make) -> None:
    raw = record(events=[{"introduced": "0"}])
    raw["affected"].append({"package": {"ecosystem": "npm", "name": "@scope/thing"}})
    raw["affected"].append({"ranges": [{"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]}]})
    assert list(read_record(raw).packages) == ["thing"]


def test_several_entries_of_one_package_are_kept_together(record: Make) -> None:
    raw = record(versions=["1.0"])
    raw["affected"] += record(versions=["3.0"])["affected"]
    assert [entry.versions for entry in read_record(raw).packages["thing"]] == [("1.0",), ("3.0",)]


def test_an_event_object_with_two_events_is_both(record: Make) -> None:
    read = read_record(record(events=[{"introduced": "1.0", "fixed": "2.0"}]))
    assert read.packages["thing"][0].ranges[0].events == (Event("introduced", "1.0"), Event("fixed", "2.0"))


def test_an_event_of_no_known_kind_is_kept_as_such(record: Make) -> None:
    (event,) = read_record(record(events=[{"deprecated": "1.0"}])).packages["thing"][0].ranges[0].events
    assert event.kind == "not known"


def test_only_a_date_of_withdrawal_withdraws(record: Make) -> None:
    assert read_record(record(withdrawn="2024-01-01T00:00:00Z")).withdrawn
    assert not read_record(record(withdrawn=None)).withdrawn
    assert not read_record(record()).withdrawn


def test_severities_of_record_package_and_database_are_gathered(record: Make) -> None:
    raw = record(severity=[{"type": "CVSS_V3", "score": "a"}], database_specific={"severity": "high"})
    raw["affected"][0]["severity"] = [{"type": "CVSS_V4", "score": "b"}]
    assert read_record(raw).severities == (("CVSS_V3", "a"), ("LABEL", "HIGH"), ("CVSS_V4", "b"))


@pytest.mark.parametrize("purl", ["pkg:pypi/Thing", "PKG:PyPI/thing@1.0?a=b#c", "pkg://pypi/%54hing"])
def test_an_entry_without_an_ecosystem_belongs_where_its_purl_says(record: Make, purl: str) -> None:
    raw = record(versions=["1.0"])
    raw["affected"][0]["package"] = {"name": "odd", "purl": purl}
    assert list(read_record(raw).packages) == ["thing"]
    raw["affected"][0]["package"] = {"purl": "pkg:npm/%40scope/thing"}
    assert read_record(raw).packages == {}


def test_nothing_of_a_record_is_spelled_out_in_a_message(record: Make) -> None:
    bomb: list[Any] = ["x" * 50]
    for _ in range(60):
        bomb = [bomb, bomb]
    read = read_record(record(events=[{"introduced": bomb}, {"strange": bomb}]))
    assert [event.version for event in read.packages["thing"][0].ranges[0].events] == [
        "(not a text)",
        "(an event of another kind)",
    ]
    for name in (bomb, "no name!" * 10_000):
        with pytest.raises(RecordError) as error:
            read_record(record(package=name))
        assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        "text",
        {},
        {"id": ""},
        {"id": 7},
        {"id": "A", "affected": {}},
        {"id": "A", "affected": ["x"]},
        {"id": "A", "aliases": "CVE-1"},
        {"id": "A", "aliases": [7]},
        {"id": "A", "affected": [{"package": {"ecosystem": "PyPI", "name": "no name!"}}]},
        {"id": "A", "affected": [{"package": {"name": "thing"}}]},
        {"id": "A", "affected": [{"package": {"name": "thing", "purl": "pypi/thing"}}]},
        {"id": "A", "affected": [{"package": {"purl": "pkg:pypi/"}}]},
        {"id": "A", "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "versions": [1.1]}]},
        {"id": "A", "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "ranges": [{"events": ["x"]}]}]},
    ],
)
def test_what_is_no_record_is_an_error(raw: object) -> None:
    with pytest.raises(RecordError):
        read_record(raw)


@pytest.mark.parametrize("withdrawn", ["false", "no", "soon", True, ["2024-01-01"], {"at": "2024-01-01"}])
def test_what_is_no_time_does_not_withdraw_a_record(record: Make, withdrawn: object) -> None:
    with pytest.raises(RecordError, match="time of withdrawal"):
        read_record(record(withdrawn=withdrawn))


@pytest.mark.parametrize("withdrawn", [None, "", False])
def test_a_record_that_says_nothing_of_withdrawal_counts(record: Make, withdrawn: object) -> None:
    assert not read_record(record(withdrawn=withdrawn)).withdrawn


def test_a_blank_alias_is_none(record: Make) -> None:
    assert read_record(record(aliases=["", " ", "CVE-1"])).aliases == ("CVE-1",)
