from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from packaging.version import Version

from batchbook.packages.exploited import Exploited, exploited_among
from batchbook.packages.recommendation import ReleaseFacts, recommend
from batchbook.packages.releases import Project, Release
from batchbook.packages.sources import Found, SourceUnreachable
from batchbook.packages.verdict import Question, Verdict, review
from batchbook.packages.wording import MOST_TEXT

Make = Callable[..., dict[str, Any]]
Source = Callable[..., Any]
BEFORE_2 = [{"introduced": "0"}, {"fixed": "2.0"}]
HIGH = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"}]
WHERE = "made-up advisories of 2024-10-10"


def ask(source: Any, version: str, suspect: str = "") -> Verdict:
    return review(Question("thing", version, suspect), [source])


def facts(in_use: str, *releases: Release) -> ReleaseFacts:
    return ReleaseFacts.of("made-up index of 2024-10-11", Project("thing", releases), Version(in_use))


def release(version: str, published: str = "", **more: Any) -> Release:
    return Release(Version(version), dt.date.fromisoformat(published) if published else None, **more)


def test_a_risk_comes_with_its_fix_its_severity_and_what_was_not_checked(record: Make, source: Source) -> None:
    found = ask(source(record("A", events=BEFORE_2, severity=HIGH), record("B", events=BEFORE_2)), "1.0")
    assert recommend(found).text == (
        "SECURITY RISK (2): first fixed version 2.0; highest severity HIGH 7.5 (CVSS 3.1), not given for 1 of 2; "
        f"known exploited not checked; latest not checked; source: {WHERE}"
    )


def test_a_risk_without_severity_and_fix_says_so(record: Make, source: Source) -> None:
    text = recommend(ask(source(record(events=[{"introduced": "0"}])), "1.0")).text
    assert text.startswith("SECURITY RISK (1): no fixed version known; highest severity not given;")


def test_a_risk_of_which_one_has_no_fix_names_it(record: Make, source: Source) -> None:
    found = ask(source(record("A", events=BEFORE_2), record("B", events=[{"introduced": "0"}])), "1.0")
    assert "no fixed version known of B;" in recommend(found).text


def test_a_risk_whose_fixes_are_all_affected_by_others_says_so(record: Make, source: Source) -> None:
    found = ask(source(record("A", events=BEFORE_2), record("B", events=[{"introduced": "1.5"}])), "1.0")
    assert "no version is known that fixes all;" in recommend(found).text


def test_a_risk_by_the_list_alone_says_that_the_range_disagrees(record: Make, source: Source) -> None:
    text = recommend(ask(source(record("A", events=BEFORE_2, versions=["2.0"])), "2.0")).text
    assert "no fixed version known;" in text
    assert "by the list of versions only, the range says otherwise: A;" in text


def test_known_exploited_is_told_by_cve_id(record: Make, source: Source, kev: Callable[..., Any]) -> None:
    found = ask(source(record("A", events=BEFORE_2, aliases=["CVE-2024-0001"]), record("B", events=BEFORE_2)), "1.0")
    where = "CISA KEV of 2024-10-09"
    yes = exploited_among(found.hits, kev("CVE-2024-0001"))
    assert yes == Exploited(((where, ("CVE-2024-0001",)),), where, 1, 1)
    assert f"known exploited: CVE-2024-0001 ({where});" in recommend(found, exploited=yes).text
    no = exploited_among(found.hits, kev("CVE-1999-0001"))
    expected = f"known exploited: none in {where}, 1 without a CVE id not checked;"
    assert expected in recommend(found, exploited=no).text


def test_where_no_advisory_has_a_cve_id_none_is_not_said(record: Make, source: Source, kev: Callable[..., Any]) -> None:
    found = ask(source(record("A", events=BEFORE_2)), "1.0")
    text = recommend(found, exploited=exploited_among(found.hits, kev("CVE-1999-0001"))).text
    assert "known exploited not checked, there is no CVE id to ask by;" in text


def test_a_risk_names_what_could_not_be_judged_besides(record: Make, source: Source) -> None:
    odd = record("ODD", events=[{"introduced": "0"}, {"fixed": "trunk"}])
    assert "besides, ODD could not be judged" in recommend(ask(source(record(events=BEFORE_2), odd), "1.0")).text


def test_a_risk_in_a_yanked_release_tells_both(record: Make, source: Source) -> None:
    given = facts("1.0", release("1.0", yanked=True, yanked_reason="broken"), release("2.1", "2024-02-01"))
    text = recommend(ask(source(record(events=BEFORE_2)), "1.0"), given).text
    assert text.startswith("SECURITY RISK (1)")
    assert "in use is a yanked release (broken); latest is 2.1 of 2024-02-01 (made-up index of 2024-10-11)" in text


@pytest.mark.parametrize(
    ("latest", "expected"),
    [
        ("1.0.1", "UPDATE (patch, 31 days behind)"),
        ("1.1", "UPDATE (minor, 31 days behind)"),
        ("2.0", "UPDATE (major, 31 days behind)"),
    ],
)
def test_an_update_says_how_far_behind_it_is(record: Make, source: Source, latest: str, expected: str) -> None:
    given = facts("1.0", release("1.0", "2024-01-01"), release(latest, "2024-02-01"))
    text = recommend(ask(source(record(versions=["0.5"])), "1.0"), given).text
    assert text == (
        f"{expected}: latest is {latest} of 2024-02-01 (made-up index of 2024-10-11); the latest is not affected; "
        f"not affected by 1 advisory known in {WHERE}"
    )


def test_a_release_of_an_older_branch_may_be_younger_than_the_latest(record: Make, source: Source) -> None:
    given = facts("1.9", release("1.9", "2024-02-28"), release("2.0", "2024-02-01"))
    text = recommend(ask(source(record(versions=["0.5"])), "1.9"), given).text
    assert text.startswith("UPDATE (major, not behind in days): latest is 2.0 of 2024-02-01")


def test_an_update_without_dates_does_not_invent_them(record: Make, source: Source) -> None:
    given = facts("1.0", release("1.0"), release("1.1"))
    text = recommend(ask(source(record(versions=["0.5"])), "1.0"), given).text
    assert text.startswith("UPDATE (minor, days behind not known): latest is 1.1 (made-up index")


def test_the_latest_release_may_stay(record: Make, source: Source) -> None:
    text = recommend(ask(source(record(package="other")), "1.0"), facts("1.0", release("1.0"))).text
    assert text == f"PROCEED: in use is the latest release (made-up index of 2024-10-11); none known in {WHERE}"


def test_where_the_latest_was_not_asked_it_is_not_checked(record: Make, source: Source) -> None:
    text = recommend(ask(source(record(package="other")), "1.0")).text
    assert text == f"PROCEED (latest not checked): none known in {WHERE}"


@pytest.mark.parametrize(
    ("releases", "doubt"),
    [
        ([release("1.0", yanked=True), release("1.1")], "in use is a yanked release (reason not given)"),
        ([release("0.9"), release("1.1")], "has no release 1.0"),
        ([release("1.0", requires_python=("<3",)), release("0.9")], ""),
        ([], "has no release that could be used"),
    ],
)
def test_what_a_person_must_look_at(record: Make, source: Source, releases: list[Release], doubt: str) -> None:
    text = recommend(ask(source(record(versions=["0.5"])), "1.0"), facts("1.0", *releases)).text
    assert text.startswith("MANUAL REVIEW: ") is bool(doubt)
    assert doubt in text


def test_a_later_release_than_the_latest_that_could_be_used_is_for_a_person(record: Make, source: Source) -> None:
    project = Project("thing", (release("1.0", requires_python=(">=3.13",)), release("0.9")))
    given = ReleaseFacts.of("made-up index of 2024-10-11", project, Version("1.0"), Version("3.11"))
    text = recommend(ask(source(record(versions=["0.5"])), "1.0"), given).text
    assert text.startswith("MANUAL REVIEW: in use is a later release than the latest that could be used, 0.9;")


def test_a_doubt_is_told_once_and_the_latest_is_judged_all_the_same(record: Make, source: Source) -> None:
    given = facts("1.0", release("1.0", yanked=True, yanked_reason="broken"), release("1.1"))
    assert recommend(ask(source(record(versions=["0.5"])), "1.0"), given).text == (
        "MANUAL REVIEW: in use is a yanked release (broken); latest is 1.1 (made-up index of 2024-10-11); "
        f"the latest is not affected; not affected by 1 advisory known in {WHERE}"
    )


def test_unknown_comes_first_whatever_the_releases_say(record: Make, source: Source) -> None:
    given = facts("1.0", release("1.0"))
    text = recommend(ask(source(record(events=BEFORE_2)), "23.0."), given).text
    assert text == f"UNKNOWN: the version '23.0.' cannot be read; source: {WHERE}"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.1", "UNKNOWN: it is a number; read as 1.1, 1 known advisory applies: PYSEC-2024-1; "),
        ("3.1", "UNKNOWN: it is a number; read as 3.1, no known advisory applies; "),
    ],
)
def test_a_number_is_judged_as_shown_and_not_trusted(record: Make, source: Source, version: str, expected: str) -> None:
    text = recommend(ask(source(record(events=BEFORE_2)), version, suspect="it is a number")).text
    assert text.startswith(expected)


def test_a_package_that_the_index_does_not_know_is_told_what_advisories_say(record: Make, source: Source) -> None:
    question, nobody = Question("thing", "3.1"), "an index of 2024-10-11"
    text = recommend(review(question, [source(record(events=BEFORE_2))], nobody)).text
    assert text == f"UNKNOWN: {nobody} knows no such package; no known advisory applies; source: {WHERE}"
    affected = recommend(review(Question("thing", "1.0"), [source(record(events=BEFORE_2))], nobody)).text
    assert affected.startswith("SECURITY RISK (1): ")


@pytest.mark.parametrize("suspect", ["", "it is a number"])
def test_nobody_says_that_no_advisory_applies_where_one_may_not_be_known(
    record: Make, source: Source, suspect: str
) -> None:
    class Down:
        name, reference_date = "an API", ""

        def lookup(self, name: str) -> Found:
            raise SourceUnreachable("no connection")

    question, nobody = Question("thing", "3.1", suspect), "an index of 2024-10-11"
    odd = record(events=[{"introduced": "trunk"}])
    for sources in ([source(), Down()], [source(odd)], []):
        text = recommend(review(question, sources, nobody)).text
        assert text.startswith("UNKNOWN: ")
        assert "applies" not in text


def test_an_update_to_an_affected_release_is_no_update(record: Make, source: Source) -> None:
    given = facts("1.0", release("1.0"), release("2.0", "2024-02-01"))
    text = recommend(ask(source(record("A", versions=["2.0"])), "1.0"), given).text
    assert text == (
        "MANUAL REVIEW: the latest is affected: A; no version is known that fixes all; "
        f"latest is 2.0 of 2024-02-01 (made-up index of 2024-10-11); not affected by 1 advisory known in {WHERE}"
    )


def test_an_affected_latest_that_is_fixed_later_says_by_which(record: Make, source: Source) -> None:
    events = [{"introduced": "2.0"}, {"fixed": "2.1"}]
    given = facts("1.0", release("1.0"), release("2.0"))
    text = recommend(ask(source(record("A", events=events)), "1.0"), given).text
    later = "first fixed after it is 2.1 (which made-up index of 2024-10-11 does not have)"
    assert text.startswith(f"MANUAL REVIEW: the latest is affected: A; {later};")


def test_a_latest_release_that_cannot_be_judged_is_not_called_free(record: Make, source: Source) -> None:
    limit = [{"introduced": "0"}, {"fixed": "0.5"}]
    sound, odd = record("A", events=limit), record("B", events=[{"introduced": "trunk"}], versions=["1.0"])
    given = facts("1.0", release("1.0"), release("2.0"))
    assert recommend(ask(source(sound), "1.0"), given).text.startswith("UPDATE")
    text = recommend(ask(source(sound, odd), "1.0"), given).text
    assert text.startswith("SECURITY RISK (1)")
    assert "whether the latest is affected is unknown: B could not be judged" in text


def test_a_risk_says_of_the_latest_whether_it_is_affected_and_what_is_not(record: Make, source: Source) -> None:
    given = facts("1.0", release("1.0"), release("1.5"), release("2.0"))
    early, all_of_two = record("A", events=[{"introduced": "0"}, {"fixed": "1.5"}]), record("B", versions=["2.0"])
    text = recommend(ask(source(early), "1.0"), given).text
    assert "latest is 2.0 (made-up index of 2024-10-11); the latest is not affected;" in text
    text = recommend(ask(source(early, all_of_two), "1.0"), given).text
    assert text.startswith("SECURITY RISK (1): first fixed version 1.5;")
    assert "the latest is affected as well: B; 1.5 is not;" in text
    for_ever = record("C", events=[{"introduced": "0"}])
    text = recommend(ask(source(early, for_ever), "1.0"), given).text
    assert "the latest is affected as well: C; no version is known that fixes all;" in text


@pytest.mark.parametrize(
    ("releases", "said"),
    [
        ([release("1.0"), release("2.0")], "first fixed version 2.0;"),
        ([release("1.0"), release("2.1")], "2.0 (which made-up index of 2024-10-11 does not have);"),
        ([release("1.0"), release("2.0", yanked=True), release("2.1")], "2.0 (which is yanked);"),
    ],
)
def test_a_fix_that_cannot_be_had_is_told_to_be_so(
    record: Make, source: Source, releases: list[Release], said: str
) -> None:
    assert said in recommend(ask(source(record(events=BEFORE_2)), "1.0"), facts("1.0", *releases)).text


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("quarantined", "", "the package is quarantined (reason not given; made-up index of 2024-10-11)"),
        ("archived", "moved", "the package is archived (moved; made-up index of 2024-10-11)"),
        ("deprecated", "use other", "the package is deprecated (use other; made-up index of 2024-10-11)"),
        ("something new", "", "the package is something new (reason not given; made-up index of 2024-10-11)"),
        ("active", "", ""),
        ("", "", ""),
    ],
)
def test_what_the_index_calls_a_package_is_a_doubt(
    record: Make, source: Source, state: str, reason: str, said: str
) -> None:
    project = Project("thing", (release("1.0"),), state, reason)
    given = ReleaseFacts.of("made-up index of 2024-10-11", project, Version("1.0"))
    safe = recommend(ask(source(record(versions=["0.5"])), "1.0"), given).text
    assert safe.startswith("MANUAL REVIEW" if said else "PROCEED")
    risk = recommend(ask(source(record(events=BEFORE_2)), "1.0"), given).text
    unknown = recommend(ask(source(record(events=BEFORE_2)), "NEW"), given).text
    assert risk.startswith("SECURITY RISK (1)") and unknown.startswith("UNKNOWN")
    assert all(said in text for text in (safe, risk, unknown))


def test_the_sources_are_told_however_much_is_told_before(record: Make, source: Source) -> None:
    long = "x" * 9_000
    odd = record(long, events=[{"introduced": "0"}, {"fixed": long}])
    project = Project("thing", (release("1.0", yanked=True, yanked_reason=long), release("3.0")), long, long)
    given = ReleaseFacts.of("made-up index of 2024-10-11", project, Version("1.0"))
    risk = recommend(ask(source(record(long[1:], events=BEFORE_2), *[odd] * 5), "1.0"), given).text
    unknown = recommend(ask(source(odd), "1.0"), given).text
    doubt = recommend(ask(source(record(versions=["0.1"])), "1.0"), given).text
    for text in (risk, unknown, doubt):
        assert len(text) <= MOST_TEXT
        assert text.endswith(WHERE)
