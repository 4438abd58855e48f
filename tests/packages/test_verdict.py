from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from batchbook.packages.records import Advisory
from batchbook.packages.sources import SourceUnreachable
from batchbook.packages.verdict import MOST_REASON, Question, Status, Verdict, review

Make = Callable[..., dict[str, Any]]
Source = Callable[..., Any]
BEFORE_2 = [{"introduced": "0"}, {"fixed": "2.0"}]


def ask(source: Any, version: str, name: str = "thing", **more: Any) -> Verdict:
    return review(Question(name, version, more.pop("suspect", "")), [source], **more)


def test_a_version_in_a_range_is_affected(record: Make, source: Source) -> None:
    verdict = ask(source(record(events=BEFORE_2)), "1.0", name="Thing")
    assert verdict.status is Status.AFFECTED
    assert [hit.id for hit in verdict.hits] == ["PYSEC-2024-1"]
    assert (str(verdict.first_fixed), verdict.reason) == ("2.0", "")


def test_a_package_without_a_record_is_not_affected_as_far_as_was_asked(record: Make, source: Source) -> None:
    verdict = ask(source(record()), "1.0", name="other")
    assert (verdict.status, verdict.known) == (Status.NOT_AFFECTED, 0)
    assert verdict.asked == {"made-up advisories": "2024-10-10"}


def test_where_nobody_was_asked_nothing_is_known() -> None:
    assert review(Question("thing", "1.0"), []).status is Status.UNKNOWN


@pytest.mark.parametrize("version", ["23.0.", "NEW", "", " ", "#N/A", "2024-01-02"])
def test_an_unreadable_version_is_unknown_even_where_nothing_is_known(
    record: Make, source: Source, version: str
) -> None:
    for name in ("thing", "other"):
        verdict = ask(source(record(events=BEFORE_2)), version, name=name)
        assert verdict.status is Status.UNKNOWN
        assert "version" in verdict.reason


@pytest.mark.parametrize("name", ["", "no name", "requests[socks]"])
def test_an_unreadable_name_is_unknown(record: Make, source: Source, name: str) -> None:
    verdict = ask(source(record()), "1.0", name=name)
    assert verdict.status is Status.UNKNOWN
    assert "name" in verdict.reason


def test_a_version_that_is_not_trusted_is_unknown_but_its_hits_are_told(record: Make, source: Source) -> None:
    verdict = ask(source(record(events=BEFORE_2)), "1.1", suspect="it is a number")
    assert (verdict.status, verdict.reason) == (Status.UNKNOWN, "it is a number")
    assert [hit.id for hit in verdict.hits] == ["PYSEC-2024-1"]


def test_an_unreadable_version_that_is_listed_as_written_tells_its_hits(record: Make, source: Source) -> None:
    verdict = ask(source(record(versions=["0.9-doduo"])), "0.9-doduo")
    assert verdict.status is Status.UNKNOWN
    assert len(verdict.hits) == 1


def test_withdrawn_records_do_not_count(record: Make, source: Source) -> None:
    verdict = ask(source(record(events=BEFORE_2, withdrawn="2024-01-01T00:00:00Z")), "1.0")
    assert (verdict.status, verdict.known) == (Status.NOT_AFFECTED, 0)


def test_advisories_that_share_an_alias_count_once(record: Make, source: Source) -> None:
    verdict = ask(
        source(
            record("PYSEC-1", events=BEFORE_2, aliases=["CVE-2024-0001"]),
            record("GHSA-1", events=BEFORE_2, aliases=["CVE-2024-0001", "CVE-2024-0002"]),
            record("OTHER-1", events=BEFORE_2, aliases=["CVE-2024-0002"]),
            record("PYSEC-2", events=BEFORE_2, aliases=["PYSEC-3"]),
            record("PYSEC-3", events=BEFORE_2),
            record("PYSEC-4", events=BEFORE_2),
        ),
        "1.0",
    )
    assert [hit.names for hit in verdict.hits] == [
        ("PYSEC-1", "GHSA-1", "OTHER-1", "CVE-2024-0001", "CVE-2024-0002"),
        ("PYSEC-2", "PYSEC-3"),
        ("PYSEC-4",),
    ]
    assert verdict.known == 3


def test_doubled_aliases_are_one_name(record: Make, source: Source) -> None:
    doubled = record("A", events=BEFORE_2, aliases=["CVE-2024-0001", "CVE-2024-0001", "cve-2024-0001", "A", "a"])
    verdict = ask(source(doubled, record("B", events=BEFORE_2, aliases=["CVE-2024-0001"])), "1.0")
    (hit,) = verdict.hits
    assert hit.names == ("A", "B", "CVE-2024-0001")
    assert (verdict.known, hit.disagreement) == (1, "")


def test_an_alias_joins_also_through_a_record_that_does_not_apply(record: Make, source: Source) -> None:
    verdict = ask(
        source(
            record("A", events=BEFORE_2, aliases=["X"]),
            record("B", versions=["9.0"], aliases=["X", "Y"]),
            record("C", events=BEFORE_2, aliases=["Y"]),
        ),
        "1.0",
    )
    (hit,) = verdict.hits
    assert [one.id for one in hit.records] == ["A", "C"]
    assert hit.names == ("A", "C", "X", "Y", "B")
    assert verdict.known == 1


def test_ids_are_the_same_however_their_letters_are_written(record: Make, source: Source) -> None:
    verdict = ask(
        source(record("GHSA-x", events=BEFORE_2), record("PYSEC-1", events=BEFORE_2, aliases=["ghsa-X", "pysec-1"])),
        "1.0",
    )
    assert [hit.names for hit in verdict.hits] == [("GHSA-x", "PYSEC-1")]
    old = source(record("pysec-1", events=BEFORE_2))
    new = source(record("PYSEC-1", versions=["0.1"], modified="2024-10-02T00:00:00Z"))
    assert review(Question("thing", "1.0"), [old, new]).status is Status.NOT_AFFECTED


def test_a_record_that_does_not_apply_does_not_settle_one_that_cannot_be_judged(record: Make, source: Source) -> None:
    undecided = record("A", events=[{"introduced": "0"}, {"fixed": "trunk"}], aliases=["CVE-1"])
    verdict = ask(source(undecided, record("B", versions=["9.0"], aliases=["CVE-1"])), "1.0")
    assert verdict.status is Status.UNKNOWN
    assert [[one.id for one in hit.records] for hit in verdict.undecided] == [["A"]]


def test_a_version_is_no_fix_of_what_cannot_be_judged(record: Make, source: Source) -> None:
    undecided = record("A", events=[{"introduced": "0"}, {"fixed": "trunk"}])
    verdict = ask(source(undecided, record("B", events=BEFORE_2)), "1.0")
    assert verdict.first_fixed is None
    assert [str(hit.first_fixed) for hit in verdict.hits] == ["2.0"]


def test_a_local_version_is_held_by_the_range_that_holds_its_public_one(record: Make, source: Source) -> None:
    verdict = ask(source(record(events=[{"introduced": "0"}, {"last_affected": "1.0"}])), "1.0+cpu")
    assert verdict.status is Status.AFFECTED and verdict.version is not None
    assert not verdict.hits[0].only_listed(verdict.version)
    verdict = ask(source(record(events=BEFORE_2, versions=["3.0"])), "3.0+cpu")
    assert verdict.version is not None and verdict.hits[0].only_listed(verdict.version)


def test_a_reason_is_never_longer_than_a_cell_has_room_for(record: Make, source: Source) -> None:
    events = [{"introduced": "0"}, {"fixed": "trunk" * 500}]
    verdict = ask(source(*(record(f"{'A' * 300}-{number}", events=events) for number in range(99))), "1.0" * 9_000)
    assert verdict.status is Status.UNKNOWN
    assert len(verdict.reason) <= MOST_REASON
    assert len(ask(source(record()), "1.0", name="x y" * 9_000).reason) <= MOST_REASON


def test_a_record_that_cannot_be_judged_makes_it_unknown(record: Make, source: Source) -> None:
    verdict = ask(source(record(events=[{"introduced": "0"}, {"fixed": "trunk"}])), "1.0")
    assert verdict.status is Status.UNKNOWN
    assert "PYSEC-2024-1" in verdict.reason and "trunk" in verdict.reason


def test_a_record_that_cannot_be_judged_does_not_hide_one_that_applies(record: Make, source: Source) -> None:
    verdict = ask(
        source(record("A", events=[{"introduced": "0"}, {"fixed": "trunk"}]), record("B", events=BEFORE_2)), "1.0"
    )
    assert verdict.status is Status.AFFECTED
    assert [hit.id for hit in verdict.undecided] == ["A"]
    assert "A could not be judged" in verdict.reason


def test_a_record_that_cannot_be_judged_is_settled_by_one_of_the_same_vulnerability(
    record: Make, source: Source
) -> None:
    undecided = record("A", events=[{"introduced": "0"}, {"fixed": "trunk"}], aliases=["CVE-1"])
    verdict = ask(source(undecided, record("B", events=BEFORE_2, aliases=["CVE-1"])), "1.0")
    assert (len(verdict.hits), verdict.undecided, verdict.reason) == (1, (), "")


def test_the_first_fixed_version_is_free_of_all_that_is_known(record: Make, source: Source) -> None:
    verdict = ask(
        source(
            record("A", events=BEFORE_2),
            record("B", events=[{"introduced": "2.0"}, {"fixed": "2.3"}]),
            record("C", events=[{"introduced": "2.2"}, {"fixed": "3.0rc1"}, {"fixed": "3.0"}]),
        ),
        "1.0",
    )
    assert [str(hit.first_fixed) for hit in verdict.hits] == ["2.0"]
    assert str(verdict.first_fixed) == "3.0rc1"


def test_without_a_fix_of_all_there_is_no_first_fixed_version(record: Make, source: Source) -> None:
    verdict = ask(source(record("A", events=BEFORE_2), record("B", events=[{"introduced": "0"}])), "1.0")
    assert verdict.first_fixed is None
    assert [hit.first_fixed is None for hit in verdict.hits] == [False, True]


class Unreachable:
    name, date = "far away", "2024-10-10"

    def lookup(self, name: str) -> Sequence[Advisory]:
        raise SourceUnreachable("no answer within 10 s")


def test_a_source_that_does_not_answer_makes_it_unknown(record: Make, source: Source) -> None:
    near = source(record(events=BEFORE_2))
    assert review(Question("thing", "3.0"), [near, Unreachable()]).status is Status.UNKNOWN
    verdict = review(Question("thing", "1.0"), [near, Unreachable()])
    assert verdict.status is Status.AFFECTED
    assert "far away could not be asked" in verdict.reason


def test_a_package_that_nobody_knows_is_unknown(record: Make, source: Source) -> None:
    verdict = ask(source(record()), "1.0", name="othre", not_found="made-up index of 2024-10-11")
    assert verdict.status is Status.UNKNOWN
    assert "knows no such package" in verdict.reason


def test_the_same_record_from_two_sources_counts_once_and_the_newer_one_is_believed(
    record: Make, source: Source
) -> None:
    old = source(record(events=BEFORE_2))
    new = source(record(events=BEFORE_2, withdrawn="2024-10-02T00:00:00Z", modified="2024-10-02T00:00:00Z"))
    assert review(Question("thing", "1.0"), [old, old]).known == 1
    assert review(Question("thing", "1.0"), [old, new]).status is Status.NOT_AFFECTED
