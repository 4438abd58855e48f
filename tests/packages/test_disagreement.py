"""Sources that disagree are shown as such, and the verdict stays the safe one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from batchbook.packages.cvefacts import CveFact
from batchbook.packages.recommendation import recommend
from batchbook.packages.records import read_record
from batchbook.packages.results import detail_row
from batchbook.packages.reviewed import with_facts
from batchbook.packages.sources import Found, NotAsked, SourceUnreachable
from batchbook.packages.verdict import Question, Status, Verdict, review

Make = Callable[..., dict[str, Any]]
Source = Callable[..., Any]
BEFORE_2 = [{"introduced": "0"}, {"fixed": "2.0"}]
FROM_3 = [{"introduced": "3.0"}]
LATER = "2024-10-05T00:00:00Z"
FILE, API = "a file of 2024-10-10", "an API of 2024-10-20"
CRITICAL = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]


@pytest.fixture
def both(source: Source) -> Callable[..., Verdict]:
    """The verdict on a version by the records of a file and of an API."""

    def ask(file: list[Any], api: list[Any], version: str = "1.0") -> Verdict:
        first = replace(source(*file), name="a file", date="2024-10-10")
        second = replace(source(*api), name="an API", date="2024-10-20")
        return review(Question("thing", version), [first, second])

    return ask


def said(verdict: Verdict) -> str:
    (hit,) = verdict.hits
    return hit.disagreement


def test_sources_that_agree_say_nothing_and_are_both_named(record: Make, both: Callable[..., Verdict]) -> None:
    verdict = both([record(events=BEFORE_2)], [record(events=BEFORE_2)])
    assert said(verdict) == ""
    assert verdict.hits[0].sources == (FILE, API)
    assert "disagree" not in recommend(verdict).text
    other = both([record("A", events=BEFORE_2, aliases=["B"])], [record("B", events=BEFORE_2)])
    assert said(other) == ""


def test_affected_by_one_and_not_by_another_is_affected_and_told(record: Make, both: Callable[..., Verdict]) -> None:
    verdict = both([record("A", events=BEFORE_2, aliases=["B"])], [record("B", events=FROM_3)])
    assert verdict.status is Status.AFFECTED
    assert said(verdict) == f"affected by A ({FILE}), not by B ({API})"
    assert f"sources disagree on A: affected by A ({FILE}), not by B ({API});" in recommend(verdict).text
    assert detail_row(verdict, verdict.hits[0], "thing", {}, None)[-1] == said(verdict)


def test_two_copies_of_the_same_day_that_differ_disagree(record: Make, both: Callable[..., Verdict]) -> None:
    verdict = both([record("A", events=BEFORE_2)], [record("A", events=FROM_3)])
    assert verdict.status is Status.AFFECTED
    assert said(verdict) == f"affected by A ({FILE}), not by A ({API})"


def test_withdrawn_in_one_and_not_in_another(record: Make, both: Callable[..., Verdict]) -> None:
    gone = record("B", events=BEFORE_2, aliases=["A"], withdrawn=LATER)
    verdict = both([record("A", events=BEFORE_2)], [gone])
    assert verdict.status is Status.AFFECTED
    assert said(verdict) == f"withdrawn: B ({API}), not withdrawn: A ({FILE})"
    assert verdict.hits[0].names == ("A",), "what is withdrawn gives no names"


def test_a_withdrawn_record_does_not_join_two_advisories(record: Make, both: Callable[..., Verdict]) -> None:
    gone = record("W", events=BEFORE_2, aliases=["A", "B"], withdrawn=LATER)
    verdict = both([record("A", events=BEFORE_2), record("B", events=BEFORE_2)], [gone])
    assert [hit.id for hit in verdict.hits] == ["A", "B"]
    assert all(f"withdrawn: W ({API})" in hit.disagreement for hit in verdict.hits)


def test_an_advisory_that_a_later_source_does_not_list_is_told_and_still_counts(
    record: Make, both: Callable[..., Verdict]
) -> None:
    verdict = both([record("A", events=BEFORE_2)], [])
    assert verdict.status is Status.AFFECTED
    assert said(verdict) == f"{API} does not list it"
    assert f"sources disagree on A: {API} does not list it;" in recommend(verdict).text
    assert detail_row(verdict, verdict.hits[0], "thing", {}, None)[-1] == said(verdict)
    others = both([record("A", events=BEFORE_2)], [record("B", events=BEFORE_2)])
    assert [hit.disagreement for hit in others.hits] == [f"{API} does not list it", ""]
    by_alias = both([record("A", events=BEFORE_2, aliases=["C"])], [record("C", events=BEFORE_2)])
    assert said(by_alias) == "", "a source that lists any record of the advisory lists it"
    unsure = both([record("A", events=[{"introduced": "soon"}])], [])
    assert unsure.undecided[0].disagreement == f"{API} does not list it"


def test_an_older_source_need_not_list_an_advisory(record: Make, both: Callable[..., Verdict]) -> None:
    assert said(both([], [record("A", events=BEFORE_2)])) == ""


@pytest.mark.parametrize(("reference", "told"), [("", "an API of 2024-10-10 does not list it"), ("2024-10-10", "")])
def test_of_the_same_day_who_was_asked_for_the_package_comes_later_than_a_file(
    record: Make, source: Source, reference: str, told: str
) -> None:
    class Live:
        name, reference_date = "an API", reference

        def lookup(self, name: str) -> Found:
            return Found([], "2024-10-10")

    file = replace(source(record("A", events=BEFORE_2)), name="a file", date="2024-10-10")
    assert said(review(Question("thing", "1.0"), [file, Live()])) == told


@pytest.mark.parametrize("problem", [SourceUnreachable("down"), NotAsked("offline"), None])
def test_a_source_that_did_not_answer_in_full_is_not_silent(
    record: Make, source: Source, problem: Exception | None
) -> None:
    class Partly:
        name, reference_date = "an API", ""

        def lookup(self, name: str) -> Found:
            if problem is not None:
                raise problem
            return Found([], "2024-10-20", missing="A: no connection")

    verdict = review(Question("thing", "1.0"), [source(record("A", events=BEFORE_2)), Partly()])
    assert verdict.status is Status.AFFECTED
    assert said(verdict) == ""


def test_severities_differ_by_their_label(record: Make, both: Callable[..., Verdict]) -> None:
    def severe(id: str, label: str, **more: Any) -> dict[str, Any]:
        return record(id, events=BEFORE_2, database_specific={"severity": label}, **more)

    verdict = both([severe("A", "MODERATE")], [severe("B", "HIGH", aliases=["A"])])
    assert said(verdict) == f"severity HIGH by B ({API}), MEDIUM by A ({FILE})"
    assert str(verdict.severity) == "HIGH"
    assert said(both([severe("A", "MODERATE")], [severe("B", "MEDIUM", aliases=["A"])])) == ""
    assert said(both([record("A", events=BEFORE_2)], [severe("B", "HIGH", aliases=["A"])])) == "", "none is given"


def test_several_first_fixed_versions(record: Make, both: Callable[..., Verdict]) -> None:
    later = record("B", events=[{"introduced": "0"}, {"fixed": "2.1"}], aliases=["A"])
    assert said(both([record("A", events=BEFORE_2)], [later])) == (
        f"first fixed version 2.0 by A ({FILE}), 2.1 by B ({API})"
    )


def test_a_fix_that_another_calls_affected(record: Make, both: Callable[..., Verdict]) -> None:
    still = record("B", events=[{"introduced": "0"}], aliases=["A"])
    verdict = both([record("A", events=BEFORE_2)], [still])
    assert said(verdict) == f"2.0 is fixed by A ({FILE}), affected by B ({API})"
    assert verdict.first_fixed is None
    silent = record("B", versions=["1.0"], aliases=["A"])
    assert said(both([record("A", events=BEFORE_2)], [silent])) == "", "who names no fix does not disagree"


def test_an_older_copy_that_says_otherwise_is_merely_old_and_told(record: Make, both: Callable[..., Verdict]) -> None:
    verdict = both([record("A", events=FROM_3)], [record("A", events=BEFORE_2, modified=LATER)])
    assert verdict.status is Status.AFFECTED
    assert verdict.hits[0].sources == (API,)
    assert said(verdict) == f"the older copy of A ({FILE}) says not affected, the newer one of {API} counts: affected"
    same = both([record("A", events=BEFORE_2)], [record("A", events=BEFORE_2, modified=LATER)])
    assert said(same) == ""


@pytest.mark.parametrize(
    ("newer", "says"), [({"events": FROM_3}, "not affected"), ({"events": BEFORE_2, "withdrawn": LATER}, "withdrawn")]
)
def test_a_package_that_only_an_older_copy_would_make_affected_is_told_so(
    record: Make, both: Callable[..., Verdict], newer: dict[str, Any], says: str
) -> None:
    verdict = both([record("A", events=BEFORE_2)], [record("A", modified=LATER, **newer)])
    assert verdict.status is Status.NOT_AFFECTED
    text = f"the older copy of A ({FILE}) says affected, the newer one of {API} counts: {says}"
    assert verdict.superseded == (text,)
    assert recommend(verdict).text.startswith(f"PROCEED (latest not checked): {text}; ")


def test_an_older_copy_is_told_once_with_the_advisory_that_applies(record: Make, both: Callable[..., Verdict]) -> None:
    api = [record("A", events=FROM_3, modified=LATER), record("B", events=BEFORE_2, aliases=["A"])]
    verdict = both([record("A", events=BEFORE_2)], api)
    assert verdict.superseded == ()
    assert said(verdict) == (
        f"affected by B ({API}), not by A ({API}); "
        f"the older copy of A ({FILE}) says affected, the newer one of {API} counts: not affected"
    )


def test_of_a_version_that_cannot_be_read_nobody_has_an_opinion(record: Make, both: Callable[..., Verdict]) -> None:
    verdict = both([record("A", versions=["0.9-odd"])], [record("B", events=FROM_3, aliases=["A"])], "0.9-odd")
    assert (verdict.status, said(verdict)) == (Status.UNKNOWN, "")


def test_many_disagreements_are_counted(record: Make, both: Callable[..., Verdict]) -> None:
    file = [record(f"A-{number}", events=BEFORE_2) for number in range(5)]
    api = [record(f"B-{number}", events=FROM_3, aliases=[f"A-{number}"]) for number in range(5)]
    assert "sources disagree on 5 of 5: A-0, A-1, A-2 and 2 more;" in recommend(both(file, api)).text


def test_a_source_of_cve_facts_may_disagree_on_severity_and_reject_the_cve(
    record: Make, source: Source, facts: Callable[..., Any]
) -> None:
    given = source(record("A", events=BEFORE_2, aliases=["CVE-2024-0001"], database_specific={"severity": "LOW"}))
    fact = CveFact("CVE-2024-0001", "Rejected", (("CVSS_V3", CRITICAL[0]["score"]),))
    verdict, _ = with_facts(review(Question("thing", "1.0"), [given]), facts(fact))
    where = "made-up NVD of 2024-10-12"
    assert said(verdict) == (
        f"severity CRITICAL by CVE-2024-0001 ({where}), LOW by A (made-up advisories of 2024-10-10); "
        f"CVE-2024-0001 is Rejected by {where}"
    )
    assert str(verdict.severity) == "CRITICAL 9.8 (CVSS 3.1)"
    assert detail_row(verdict, verdict.hits[0], "thing", {}, None)[6] == f"CRITICAL 9.8 (CVSS 3.1) by {where}"


class LeftOut:
    name, reference_date = "OSV", ""

    def lookup(self, name: str) -> Found:
        raise NotAsked("offline, no stored answer")


def test_a_source_left_out_on_purpose_is_named_and_does_not_decide(record: Make, source: Source) -> None:
    left_out = "OSV not checked (offline, no stored answer)"
    given = source(record(versions=["0.5"]))
    verdict = review(Question("thing", "1.0"), [given, LeftOut()])
    assert verdict.status is Status.NOT_AFFECTED
    assert recommend(verdict).text.endswith(f"known in made-up advisories of 2024-10-10; {left_out}")
    verdict = review(Question("other", "1.0"), [given, LeftOut()])
    assert recommend(verdict).text.endswith(f"none known in made-up advisories of 2024-10-10; {left_out}")
    verdict = review(Question("thing", "0.5"), [given, LeftOut()])
    assert recommend(verdict).text.endswith(f"source: made-up advisories of 2024-10-10; {left_out}")


def test_where_all_sources_are_left_out_nothing_is_known() -> None:
    verdict = review(Question("thing", "1.0"), [LeftOut()])
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason == ("no source of advisories was asked; OSV not checked (offline, no stored answer)")


@pytest.mark.parametrize(("id", "aliases"), [("PYSEC-2024-1", []), ("GHSA-1", ["PYSEC-2024-1"])])
def test_a_withdrawn_record_that_no_longer_names_the_package_stands_beside_those_that_do(
    record: Make, id: str, aliases: list[str]
) -> None:
    class Api:
        name, reference_date = "an API", ""

        def lookup(self, name: str) -> Found:
            empty = {"id": id, "modified": LATER, "withdrawn": LATER, "aliases": aliases}
            return Found([read_record(record(events=BEFORE_2)), read_record(empty)], "2024-10-20")

    verdict = review(Question("thing", "1.0"), [Api()])
    if aliases:
        assert verdict.status is Status.AFFECTED
        assert "withdrawn: GHSA-1" in verdict.hits[0].disagreement
    else:  # the newer copy of the same record counts
        assert verdict.status is Status.NOT_AFFECTED
        assert "withdrawn" in verdict.superseded[0]
