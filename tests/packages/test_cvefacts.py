"""Facts about CVE ids: asked for once each, told with source and date, and never the cause of a status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from batchbook.packages.cvefacts import CveFact, ask_facts
from batchbook.packages.exploited import exploited_among, known_exploited
from batchbook.packages.factcolumns import nvd_result
from batchbook.packages.recommendation import recommend
from batchbook.packages.reviewed import Reviewed, with_facts
from batchbook.packages.sources import NotAsked, SourceUnreachable
from batchbook.packages.verdict import Question, Status, review
from batchbook.packages.wording import MOST_TEXT

Make = Callable[..., dict[str, Any]]
Source = Callable[..., Any]
Facts = Callable[..., Any]
BEFORE_2 = [{"introduced": "0"}, {"fixed": "2.0"}]
HIGH = (("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"),)
ONE, TWO, THREE = "CVE-2024-0001", "CVE-2024-0002", "CVE-2024-0003"
WHERE = "made-up NVD of 2024-10-12"
DOWN = "not checked: made-up NVD could not be asked (no answer)"


@pytest.fixture
def told(record: Make, source: Source) -> Callable[..., Reviewed]:
    """What is told of a package with an advisory for each list of aliases."""

    def ask(facts: Any, *aliases: list[str], version: str = "1.0", suspect: str = "") -> Reviewed:
        given = source(*(record(f"A-{n}", events=BEFORE_2, aliases=names) for n, names in enumerate(aliases)))
        verdict, answers = with_facts(review(Question("thing", version, suspect), [given]), facts)
        return Reviewed(verdict, cve_source=facts.name, facts=answers)

    return ask


def test_each_id_is_asked_for_once(told: Callable[..., Reviewed], facts: Facts) -> None:
    given = facts()
    told(given, [ONE, "cve-2024-0002"], [THREE, "GHSA-x"])
    assert given.asked == [ONE, TWO, THREE]
    told(given, [ONE], version="3.0")
    assert len(given.asked) == 3, "what does not affect the version is not asked for"


def test_facts_are_told_with_severity_status_and_date_the_worst_first(
    told: Callable[..., Reviewed], facts: Facts
) -> None:
    given = facts(CveFact(ONE), CveFact(TWO, "Analyzed", HIGH))
    assert nvd_result(told(given, [ONE, TWO, THREE], [])) == (
        f"{TWO}: HIGH 7.5 (CVSS 3.1), Analyzed ({WHERE}); {ONE}: severity not given ({WHERE}); "
        f"{THREE} not known to {WHERE}; 1 without a CVE id"
    )


def test_without_a_source_nothing_was_checked(record: Make, source: Source) -> None:
    verdict = review(Question("thing", "1.0"), [source(record(events=BEFORE_2, aliases=[ONE]))])
    assert nvd_result(Reviewed(verdict)) == "not checked"


def test_where_there_is_no_id_to_ask_for_it_says_so_and_why(told: Callable[..., Reviewed], facts: Facts) -> None:
    assert nvd_result(told(facts(), [])) == "no CVE id to ask made-up NVD for: 1 advisory without one"
    assert nvd_result(told(facts(), [], version="3.0")) == (
        "no CVE id to ask made-up NVD for: not affected by 1 advisory known in made-up advisories of 2024-10-10"
    )
    assert nvd_result(told(facts(), [], version="NEW")) == "unknown: the version 'NEW' cannot be read"


def test_a_row_that_is_unknown_never_says_that_there_is_nothing(told: Callable[..., Reviewed], facts: Facts) -> None:
    given = facts(CveFact(ONE, "Analyzed", HIGH))
    text = nvd_result(told(given, [ONE], suspect="it is a number"))
    assert text == f"unknown: it is a number; {ONE}: HIGH 7.5 (CVSS 3.1), Analyzed ({WHERE})"


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (SourceUnreachable("no answer"), DOWN),
        (NotAsked("offline"), "not checked: made-up NVD was not asked (offline)"),
    ],
)
def test_trouble_costs_the_column_and_not_the_status(
    told: Callable[..., Reviewed], facts: Facts, trouble: Exception, text: str
) -> None:
    reviewed = told(facts(trouble={ONE: trouble}), [ONE])
    assert reviewed.verdict.status is Status.AFFECTED
    assert nvd_result(reviewed) == text
    some = told(facts(CveFact(TWO, "Analyzed"), trouble={ONE: trouble}), [ONE, TWO])
    assert nvd_result(some) == f"{text}: {ONE}; {TWO}: severity not given, Analyzed ({WHERE})"
    assert told(facts(trouble={ONE: trouble}), [ONE], version="3.0").verdict.status is Status.NOT_AFFECTED


def test_a_source_that_is_down_is_not_asked_for_all_the_rest(facts: Facts) -> None:
    ids = [f"CVE-2024-{number:04}" for number in range(9)]
    given = facts(trouble=dict.fromkeys(ids, SourceUnreachable("no answer")))
    answers = ask_facts(given, ids)
    assert len(given.asked) == 3
    assert [one.id for one in answers] == ids
    assert {one.problem for one in answers} == {DOWN}


def test_single_troubles_do_not_end_the_asking(facts: Facts) -> None:
    ids = [f"CVE-2024-{number:04}" for number in range(9)]
    given = facts(trouble=dict.fromkeys(ids[::2], SourceUnreachable("no answer")))
    ask_facts(given, ids)
    assert given.asked == ids
    offline = facts(trouble=dict.fromkeys(ids, NotAsked("offline")))
    ask_facts(offline, ids)
    assert offline.asked == ids, "a stored answer may be there for each"


def test_what_is_exploited_by_the_facts_counts_beside_the_catalogue(
    told: Callable[..., Reviewed], facts: Facts, kev: Callable[..., Any]
) -> None:
    given = facts(CveFact(ONE, exploited_since="2024-05-01"))
    hits = told(given, [ONE, TWO], [THREE]).verdict.hits
    both = exploited_among(hits, kev(TWO, THREE))
    assert both.ids == f"{TWO}, {THREE} (CISA KEV of 2024-10-09); {ONE} since 2024-05-01 ({WHERE})"
    assert [known_exploited(hit, kev(TWO)) for hit in hits] == ["yes", "no"]
    assert [known_exploited(hit, None) for hit in hits] == [f"yes: {ONE} since 2024-05-01 ({WHERE})", "not checked"]
    text = recommend(told(given, [ONE]).verdict, None, exploited_among(hits, None)).text
    assert f"known exploited: {ONE} since 2024-05-01 ({WHERE});" in text


def test_a_source_that_does_not_call_it_exploited_does_not_say_that_it_is_not(
    told: Callable[..., Reviewed], facts: Facts
) -> None:
    (hit,) = told(facts(CveFact(ONE)), [ONE]).verdict.hits
    assert known_exploited(hit, None) == "not checked"


def test_any_number_of_facts_fits_into_a_cell(told: Callable[..., Reviewed], facts: Facts) -> None:
    ids = [f"CVE-2024-{number:07}" for number in range(2_000)]
    wordy = [CveFact(one, "x" * 9_000, HIGH) for one in ids[:1_000]]
    text = nvd_result(told(facts(*wordy), ids))
    assert len(text) <= MOST_TEXT
    assert "990 more of no higher severity" in text
    assert f"not known to {WHERE}" in text
