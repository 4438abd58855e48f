from __future__ import annotations

from packaging.version import Version

from batchbook.packages.answers import Answers
from batchbook.packages.cvefacts import CveAnswer
from batchbook.packages.reviewed import IndexAnswer, Reviewed
from batchbook.packages.tally import Tally
from batchbook.packages.verdict import Question, Status, Verdict


def reviewed(*troubles: str, index: IndexAnswer | None = None, facts: tuple[CveAnswer, ...] = ()) -> Reviewed:
    verdict = Verdict(
        Status.UNKNOWN, Question("thing", "1.0"), version=Version("1.0"), answers=Answers((), {}, troubles, ())
    )
    return Reviewed(verdict, index or IndexAnswer(), None, "NVD" if facts else "", facts)


def test_where_all_sources_answered_there_is_nothing_to_tell() -> None:
    tally = Tally(["OSV", "files"])
    for _ in range(9):
        tally.add(reviewed(index=IndexAnswer("index", "2026-11-21"), facts=(CveAnswer("CVE-1", "NVD", "2026-11-21"),)))
    assert list(tally.remarks()) == []


def test_each_source_in_trouble_is_told_with_how_often_and_why() -> None:
    tally = Tally(["OSV", "files"])
    down = IndexAnswer("index", problem="not checked: index could not be asked (it answered 503, 4 times)")
    cve = CveAnswer("CVE-1", "NVD", problem="not checked: NVD could not be asked (no connection)")
    tally.add(reviewed("OSV could not be asked: no answer in time", index=down, facts=(cve,)))
    tally.add(reviewed("OSV could not be asked for all: 1 of 2 advisories cannot be used", index=down))
    tally.add(reviewed())
    assert sorted(tally.remarks()) == [
        "NVD could not be asked about 1 of 1 package, the last time: no connection",
        "OSV could not be asked about 2 of 3 packages, the last time: for all: 1 of 2 advisories cannot be used",
        "index could not be asked about 2 of 2 packages, the last time: it answered 503, 4 times",
    ]


def test_what_was_left_out_on_purpose_is_no_trouble() -> None:
    tally = Tally(["OSV"])
    tally.add(reviewed(index=IndexAnswer("index", problem="not checked: index was not asked (offline)")))
    assert list(tally.remarks()) == []


def test_an_index_that_knows_hardly_any_package_has_its_address_doubted() -> None:
    tally = Tally([])
    missing, there = IndexAnswer("index", "2026-11-21", not_found="index of 2026-11-21"), IndexAnswer("index", "x")
    for answer in (missing, missing, missing, there):
        tally.add(reviewed(index=answer))
    assert list(tally.remarks()) == [], "too few to say"
    tally.add(reviewed(index=missing))
    assert list(tally.remarks()) == ["index knows no such package as 4 of 5; is its address right?"]
