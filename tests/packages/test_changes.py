from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from batchbook.packages import PackageReview
from batchbook.packages.changes import Facts, Listed, News, Package, Rank, in_order, news_of, worst_severity
from batchbook.packages.recommendation import Kind
from batchbook.packages.review import ADVISORIES

HEADERS = [column.header for column in PackageReview.details[ADVISORIES].columns]
RISK, FINE = Kind.SECURITY_RISK, Kind.PROCEED


def listed(
    id: str = "GHSA-1",
    aliases: str = "",
    *,
    status: str = "affected",
    severity: str = "not given",
    exploited: str = "no",
    version: str = "1.0",
    source: str = "db of 2024-10-10",
) -> Listed:
    said = {"Package Name": "thing", "Version": version, "Status": status, "Advisory": id, "Aliases": aliases or None,
            "Severity": severity, "Known Exploited": exploited, "Source and Date": source}  # fmt: skip
    return Listed.of(HEADERS, [said.get(header) for header in HEADERS])


def facts(text: str = "", **more: Any) -> Facts:
    return Facts.of({"recommendation": text, **more}, "status", "reason")


def package(
    before: str = "PROCEED: fine",
    after: str | None = None,
    *,
    old: Sequence[Listed] = (),
    new: Sequence[Listed] | None = None,
    cells: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
    outcome: str = "done",
    **more: Any,
) -> Package:
    after = before if after is None else after
    first, second = facts(before, **cells[0]), facts(after, **cells[1])
    return Package(first, second, old, old if new is None else new, outcome, **more)


def told(given: Package) -> News:
    found = news_of(given)
    assert found is not None
    return found


# --- what is no change ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "SECURITY RISK (1): first fixed version 2.0; highest severity HIGH 7.5 (CVSS 3.1); latest not checked; "
            "source: db of 2024-10-10",
            "SECURITY RISK (1): first fixed version 2.0; highest severity HIGH 7.5 (CVSS 3.1); latest not checked; "
            "source: db of 2024-10-11",
        ),
        ("PROCEED: none known in db of 2024-10-10", "PROCEED: not affected by 1 advisory known in db of 2024-10-11"),
        ("UPDATE (minor, 120 days behind): latest is 1.1", "UPDATE (minor, 121 days behind): latest is 1.1"),
        ("UNKNOWN: the version 'NEW' cannot be read; source: db of 2024-10-10",
         "UNKNOWN: the version 'NEW' cannot be read; source: db of 2024-10-11"),
        ("somebody's own words", "somebody's own words"),
    ],
)  # fmt: skip
def test_another_date_or_another_text_for_the_same_facts_is_no_change(before: str, after: str) -> None:
    assert news_of(package(before, after)) is None


def test_the_same_advisories_with_another_date_of_their_source_are_no_change() -> None:
    old, new = [listed(source="db of 2024-10-10")], [listed(source="db of 2024-10-11")]
    assert news_of(package("SECURITY RISK (1)", old=old, new=new)) is None


def test_an_advisory_that_goes_by_an_alias_now_is_the_same_one() -> None:
    old, new = [listed("PYSEC-1", "CVE-1, GHSA-a")], [listed("ghsa-A", "PYSEC-1")]
    assert news_of(package("SECURITY RISK (1)", old=old, new=new)) is None


def test_a_reason_of_an_unknown_that_only_has_another_date_is_no_change() -> None:
    cells = ({"reason": "db of 2024-10-10 knows no such package"}, {"reason": "db of 2024-10-11 knows no such package"})
    assert news_of(package("UNKNOWN: x", cells=cells)) is None


@given(st.sampled_from(sorted(Kind)), st.lists(st.sampled_from("abcd"), unique=True), st.booleans())
def test_a_package_that_stayed_as_it_was_is_never_news(kind: Kind, names: list[str], new_input: bool) -> None:
    rows = [listed(name) for name in names]
    found = news_of(package(f"{kind}: text", old=rows, new_input=new_input and not rows))
    assert (found.words if found else None) == ("the version in use was changed" if new_input and not rows else None)


# --- advisories -------------------------------------------------------------------------------------------------------


def test_new_advisories_are_named_the_worst_first_and_known_exploited_ones_before_them() -> None:
    new = [
        listed("LOW-1", severity="LOW 2.0 (CVSS 3.1)"), listed("NONE-1"), listed("CRIT-1", severity="CRITICAL"),
        listed("EXP-1", exploited="yes"), listed("OLD-1"),
    ]  # fmt: skip
    found = told(package("PROCEED: x", "SECURITY RISK (5): y", old=[listed("OLD-1")], new=new))
    assert found.rank is Rank.NEW_ADVISORY
    assert found.words == (
        "4 new advisories: EXP-1, CRIT-1, LOW-1, NONE-1; known exploited among them: EXP-1; "
        "highest severity now CRITICAL (was not given)"
    )
    assert [one.id for one in in_order(found.new)] == ["EXP-1", "CRIT-1", "LOW-1", "NONE-1"]


def test_an_advisory_that_cannot_be_judged_is_new_all_the_same_and_not_said_to_apply() -> None:
    found = told(package("PROCEED: x", "UNKNOWN: y", new=[listed("G-1", status="unknown: a Git range")], reason="why"))
    assert found.rank is Rank.NEW_ADVISORY
    assert found.words == "1 new advisory of which it is not known whether they apply: G-1; unknown now: why"


def test_an_advisory_that_is_known_to_apply_only_now_counts_as_new() -> None:
    found = told(package("UNKNOWN: x", "SECURITY RISK (1): y", old=[listed(status="unknown: x")], new=[listed()]))
    assert (found.rank, found.new[0].id) == (Rank.NEW_ADVISORY, "GHSA-1")
    assert found.words.startswith("known to apply now: GHSA-1")


def test_one_that_is_known_exploited_now_comes_with_the_new_ones() -> None:
    old, new = [listed(exploited="not checked")], [listed(exploited="yes")]
    found = told(package("SECURITY RISK (1)", old=old, new=new))
    assert (found.rank, found.words) == (Rank.NEW_ADVISORY, "now known exploited: GHSA-1")
    assert (found.new, found.exploited) == ((), tuple(new))


def test_advisories_that_are_no_longer_listed_are_named() -> None:
    old = [listed("A-1", severity="HIGH 7.5 (CVSS 3.1)"), listed("A-2")]
    found = told(package("SECURITY RISK (2)", "SECURITY RISK (1)", old=old, new=old[1:]))
    assert found.words == "1 advisory no longer listed: A-1; highest severity now not given (was HIGH)"
    assert found.rank is Rank.OTHER
    gone = told(package("SECURITY RISK (2)", "PROCEED: x", old=old, new=[]))
    assert gone.words == "no longer affected; 2 advisories no longer listed: A-1, A-2"
    assert gone.rank is Rank.NO_LONGER_AFFECTED


@pytest.mark.parametrize(("after", "outcome"), [("UNKNOWN: not asked", "unknown"), ("", "failed"), ("", "rejected")])
def test_advisories_that_could_not_be_judged_any_more_are_not_said_to_be_over(after: str, outcome: str) -> None:
    found = told(
        package("SECURITY RISK (1)", after, old=[listed()], new=[], outcome=outcome, reason="the source is down")
    )
    assert found.rank is Rank.NEWLY_UNKNOWN
    assert "no longer" not in found.words
    assert "1 advisory that could not be judged any more: GHSA-1" in found.words
    assert "the source is down" in found.words


def test_without_a_recommendation_to_read_the_advisories_and_the_outcome_tell_it() -> None:
    over = told(package("", "we accept this", old=[listed()], new=[]))
    assert over.words == "no longer affected; 1 advisory no longer listed: GHSA-1"
    lost = told(package("", "we accept this", old=[listed()], new=[], outcome="unknown", reason="why"))
    assert lost.words == "unknown now: why; 1 advisory that could not be judged any more: GHSA-1"
    cells = ({"status": "unknown"}, {"status": "unknown"})
    assert news_of(package("", "we accept this", cells=cells, outcome="unknown", reason="why")) is None


def test_the_highest_severity_is_told_where_it_changed() -> None:
    old, new = [listed(severity="MEDIUM 5.0 (CVSS 3.1)")], [listed(severity="HIGH 7.5 (CVSS 3.1)")]
    assert told(package("SECURITY RISK (1)", old=old, new=new)).words == "highest severity now HIGH (was MEDIUM)"
    assert worst_severity([*old, *new]) == "HIGH 7.5 (CVSS 3.1)"
    assert worst_severity([]) == ""


# --- status, version, releases ----------------------------------------------------------------------------------------


def test_newly_unknown_says_why_and_known_again_says_what_now() -> None:
    found = told(package("PROCEED: x", "UNKNOWN: y", outcome="unknown", reason="the version 'soon' cannot be read"))
    assert (found.rank, found.words) == (Rank.NEWLY_UNKNOWN, "unknown now: the version 'soon' cannot be read")
    again = told(package("UNKNOWN: x", "PROCEED (latest not checked): y"))
    assert (again.rank, again.words) == (Rank.OTHER, "no longer unknown: PROCEED (latest not checked)")
    other = told(package("UNKNOWN: x", cells=({"reason": "one"}, {"reason": "other"}), reason="other"))
    assert other.words == "unknown for another reason: other"


def test_a_row_that_was_rejected_already_is_no_news() -> None:
    cells = ({"status": "rejected"}, {"status": "rejected"})
    assert news_of(package("", cells=cells, outcome="rejected", reason="bad")) is None
    assert told(package("PROCEED: x", "", outcome="rejected", reason="bad")).words == "rejected: bad"
    assert told(package("", outcome="failed", reason="trouble")).rank is Rank.NEWLY_UNKNOWN


def test_another_version_in_use_is_told_with_both_where_the_advisories_tell_them() -> None:
    old, new = [listed(version="1.0")], [listed(version="1.5")]
    assert told(package("SECURITY RISK (1)", old=old, new=new, new_input=True)).words == "version in use 1.0 -> 1.5"
    assert told(package("PROCEED: x", new_input=True)).words == "the version in use was changed"


def test_what_changed_about_releases() -> None:
    cells = ({"latest_version": "2.1"}, {"latest_version": "2.2"})
    found = told(package("PROCEED: x", "UPDATE (minor, 3 days behind): y", cells=cells))
    assert (found.rank, found.words) == (Rank.RELEASE, "latest 2.1 -> 2.2")
    reasons = ({"latest_version": "not checked: down (a)"}, {"latest_version": "not checked: down (b)"})
    assert news_of(package("PROCEED (latest not checked): x", cells=reasons)) is None
    lost = ({"latest_version": "2.1"}, {"latest_version": "not checked: index down"})
    for before in ("PROCEED: x", "UPDATE (minor, 3 days behind): x", "MANUAL REVIEW: x"):  # an index that was down
        assert news_of(package(before, "PROCEED (latest not checked): y", cells=lost)) is None
    found = told(package("PROCEED (latest not checked): y", "UPDATE (minor): x", cells=lost[::-1]))
    assert (found.rank, found.words) == (Rank.OTHER, "latest not checked -> 2.1")


def test_another_first_fixed_version_is_told_also_where_there_was_none() -> None:
    risk = "SECURITY RISK (1): {}; highest severity not given"
    one, other, none = (risk.format(f"{text}") for text in (
        "first fixed version 1.2", "first fixed version 1.3", "no fixed version known"))  # fmt: skip
    rows = [listed()]
    assert told(package(one, other, old=rows)).words == "first fixed 1.2 -> 1.3"
    assert told(package(none, other, old=rows)).words == "first fixed not known -> 1.3"


def test_a_release_that_was_yanked_is_told_with_its_reason_unless_nobody_was_asked() -> None:
    fine, asked_nobody = "PROCEED: in use is the latest release (index)", "PROCEED (latest not checked): none known"
    yanked = "MANUAL REVIEW: in use is a yanked release (broken wheel); latest is 2.0"
    found = told(package(fine, yanked))
    assert (found.rank, found.words) == (Rank.RELEASE, "now yanked (broken wheel)")
    assert told(package(yanked, fine)).words == "no longer a yanked release"
    assert "yanked" not in told(package(yanked, asked_nobody)).words


def test_what_nothing_else_explains_is_told_by_the_recommendation() -> None:
    found = told(package("PROCEED (latest not checked): x", "PROCEED: y"))
    assert found.words == "recommendation PROCEED (latest not checked) -> PROCEED"
    first = Package(facts(""), facts("PROCEED: y"), outcome="done", new=True)
    assert told(first).words == "reviewed for the first time: PROCEED"
    assert news_of(Package(facts(""), facts("PROCEED: y"), outcome="done")) is None


# --- the texts of the review itself are what is read here -------------------------------------------------------------


def test_the_facts_are_read_out_of_what_the_review_writes(
    record: Callable[..., dict[str, Any]], reviewer: Callable[..., PackageReview], row: Callable[..., Any]
) -> None:
    events = [{"introduced": "0"}, {"fixed": "2.0"}]
    review = reviewer(
        record(
            "PYSEC-1",
            events=events,
            severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        )
    )
    result = review.process(row("thing", "1.0"))
    found = Facts.of(result.columns, None, None)
    assert (found.kind, found.first_fixed, found.yanked, found.latest) == (RISK, "2.0", None, "not checked")
    (one,) = [Listed.of(HEADERS, cells) for cells in result.details[ADVISORIES]]
    assert (one.id, one.version, one.applies, one.exploited) == ("PYSEC-1", "1.0", True, "not checked")
    assert one.rank() == (4, 9.8)
    fine = Facts.of(review.process(row("thing", "2.0")).columns, None, None)
    assert (fine.kind, fine.head) == (FINE, "PROCEED (latest not checked)")
    unknown = Facts.of(review.process(row("thing", "NEW")).columns, None, None)
    assert (unknown.kind, unknown.yanked) == (Kind.UNKNOWN, None)


def test_a_yanked_release_is_read_out_of_what_the_review_writes() -> None:
    from batchbook.packages.recommendation import ReleaseFacts, recommend
    from batchbook.packages.releases import Project, Release
    from batchbook.packages.verdict import Question, Status, Verdict

    one = Version("1.0")
    yanked = Release(one, yanked=True, yanked_reason="broken wheel")
    project = Project("thing", (yanked,))
    verdict = Verdict(Status.NOT_AFFECTED, Question("thing", "1.0"), version=one, asked={"db": "2024-10-10"})
    found = facts(recommend(verdict, ReleaseFacts.of("index", project, one)).text)
    assert (found.kind, found.yanked, found.yanked_reason) == (Kind.MANUAL_REVIEW, True, "broken wheel")
    fresh = recommend(verdict, ReleaseFacts.of("index", Project("thing", (Release(one),)), one)).text
    assert (facts(fresh).yanked, facts(fresh).kind) == (False, FINE)
