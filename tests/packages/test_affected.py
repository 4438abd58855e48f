from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from batchbook.packages.affected import Outcome, first_fixed, fixes, judge, listed, spans
from batchbook.packages.records import Affected, Event, Range

Pairs = Sequence[tuple[str, str]]


def entry(*events: tuple[str, str], versions: Sequence[str] = (), type: str = "ECOSYSTEM") -> list[Affected]:
    ranges = (Range(type, tuple(Event(kind, version) for kind, version in events)),) if events else ()
    return [Affected(tuple(versions), ranges)]


def outcome(entries: list[Affected], version: str) -> str:
    return judge(entries, Version(version)).outcome.value


def schema_rule(events: Pairs, version: Version) -> bool:
    """The rule as the schema words it, event by event; for events at distinct versions."""
    limits = [text for kind, text in events if kind == "limit"]
    if limits and "*" not in limits and not any(version < Version(limit) for limit in limits):
        return False
    vulnerable = False
    for kind, text in sorted(
        (one for one in events if one[0] != "limit"),
        key=lambda one: Version("0.dev0") if one == ("introduced", "0") else Version(one[1]),
    ):
        if kind == "introduced":
            if text == "0" or version >= Version(text):
                vulnerable = True
        elif (kind == "fixed" and version >= Version(text)) or (kind == "last_affected" and version > Version(text)):
            vulnerable = False
    return vulnerable


VERSIONS = [
    *("0.1.dev1", "0.1", "1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.1.dev3", "1.1", "1.9", "1.10", "2.0b2", "2.0"),
    *("2.0.1", "3", "2018.1", "1!0.1"),
]


@st.composite
def timelines(draw: st.DrawFn) -> list[tuple[str, str]]:
    chosen = draw(st.lists(st.sampled_from(VERSIONS), min_size=1, max_size=7, unique_by=Version))
    kinds = draw(st.sampled_from([("introduced", "fixed"), ("introduced", "last_affected")]))
    events = [(draw(st.sampled_from(kinds)), version) for version in chosen]
    if draw(st.booleans()) or not any(kind == "introduced" for kind, _ in events):
        events.append(("introduced", "0"))
    if draw(st.booleans()):
        events += [("limit", limit) for limit in draw(st.lists(st.sampled_from([*VERSIONS, "*"]), max_size=2))]
    return draw(st.permutations(events))


@settings(deadline=None, max_examples=400)
@given(timelines(), st.sampled_from(VERSIONS))
def test_ranges_mean_what_the_schema_says(events: list[tuple[str, str]], version: str) -> None:
    expected = "affected" if schema_rule(events, Version(version)) else "not affected"
    assert outcome(entry(*events), version) == expected


@settings(deadline=None)
@given(timelines())
def test_spans_do_not_overlap_and_a_fix_lies_outside(events: list[tuple[str, str]]) -> None:
    entries = entry(*events)
    found = spans(entries)
    for one, following in pairwise(found):
        assert one.end is not None and following.start is not None and one.end <= following.start
    for version in VERSIONS:
        fixed = first_fixed(entries, Version(version))
        assert fixed is None or (fixed > Version(version) and outcome(entries, str(fixed)) == "not affected")


@settings(deadline=None)
@given(timelines(), st.lists(st.sampled_from(VERSIONS), max_size=4), st.sampled_from(VERSIONS))
def test_a_listed_version_is_affected_whatever_the_ranges_say(
    events: list[tuple[str, str]], versions: list[str], version: str
) -> None:
    assert outcome(entry(*events, versions=[*versions, version]), version) == "affected"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.0.1.dev1", "affected"),
        ("2.14.3", "affected"),
        ("2.14.4", "not affected"),
        ("2.15.0", "affected"),
        ("2.15.9", "not affected"),
        ("2.16.2", "affected"),
        ("2.16.3", "not affected"),
    ],
)
def test_unsorted_events_are_sorted_by_version(version: str, expected: str) -> None:
    events = [("introduced", "2.16.0"), ("fixed", "2.16.3"), ("introduced", "2.15.0"), ("fixed", "2.15.9")]
    assert outcome(entry(*events, ("introduced", "0"), ("fixed", "2.14.4")), version) == expected


@pytest.mark.parametrize(("version", "expected"), [("1.9", "affected"), ("1.10", "not affected")])
def test_versions_are_compared_as_versions_not_as_text(version: str, expected: str) -> None:
    assert outcome(entry(("introduced", "1.2"), ("fixed", "1.10")), version) == expected


def test_a_pre_release_of_the_fix_is_still_affected() -> None:
    assert outcome(entry(("introduced", "0"), ("fixed", "2.0")), "2.0rc1") == "affected"


def test_a_listed_version_is_the_same_however_it_is_written() -> None:
    assert outcome(entry(versions=["1.0.0"]), "1.0") == "affected"
    assert outcome(entry(versions=["1.0a1"]), "1.0-alpha.1") == "affected"


@pytest.mark.parametrize("order", [0, 1])
def test_what_begins_anew_where_something_ends_counts(order: int) -> None:
    older, newer = [("introduced", "0"), ("fixed", "3.1.1")], [("introduced", "3.1.1"), ("fixed", "3.1.3")]
    entries = entry(*(older + newer if order else newer + older))
    assert outcome(entries, "3.1.1") == outcome(entries, "3.1.2") == "affected"
    assert outcome(entries, "3.1.3") == "not affected"
    assert str(first_fixed(entries, Version("1.0"))) == "3.1.3"


def test_a_doubled_fix_does_not_swallow_what_begins_there() -> None:
    entries = entry(("introduced", "0"), ("fixed", "1.0"), ("fixed", "1.0"), ("introduced", "1.0"), ("fixed", "1.5"))
    assert outcome(entries, "1.2") == "affected"


def test_a_single_version_can_be_introduced_and_last_affected() -> None:
    entries = entry(("introduced", "1.2"), ("last_affected", "1.2"))
    assert [outcome(entries, version) for version in ("1.1", "1.2", "1.3")] == [
        "not affected",
        "affected",
        "not affected",
    ]
    assert first_fixed(entries, Version("1.2")) is None


def test_what_is_fixed_where_it_begins_affects_nothing() -> None:
    assert outcome(entry(("introduced", "1.0"), ("fixed", "1.0")), "1.0") == "not affected"


@pytest.mark.parametrize(("version", "expected"), [("0.9", "affected"), ("1.0", "not affected"), ("9", "not affected")])
def test_a_limit_ends_what_has_no_other_end(version: str, expected: str) -> None:
    assert outcome(entry(("introduced", "0"), ("limit", "1.0")), version) == expected


def test_a_limit_is_no_fix() -> None:
    assert fixes(entry(("introduced", "0"), ("limit", "1.0"))) == set()


@pytest.mark.parametrize("version", ["0.1", "5.0"])
def test_an_unreadable_event_leaves_the_range_undecided(version: str) -> None:
    judgement = judge(entry(("introduced", "0"), ("fixed", "0.2.0-n653")), Version(version))
    assert judgement.outcome is Outcome.UNDECIDED
    assert "0.2.0-n653" in judgement.reason


def test_an_unreadable_event_does_not_matter_for_a_listed_version() -> None:
    assert outcome(entry(("introduced", "0"), ("fixed", "2019-09-12"), versions=["0.1"]), "0.1") == "affected"


def test_an_unreadable_range_beside_one_that_hits_does_not_matter() -> None:
    entries = entry(("introduced", "0"), ("fixed", "garbage")) + entry(("introduced", "0"), ("fixed", "2.0"))
    assert outcome(entries, "1.0") == "affected"
    assert outcome(entries, "3.0") == "undecided"


@pytest.mark.parametrize("events", [[("fixed", "1.0")], [("not known", "{}")], [("introduced", "")]])
def test_a_range_without_a_beginning_is_undecided(events: list[tuple[str, str]]) -> None:
    assert outcome(entry(*events), "0.5") == "undecided"


def beside(type: str, version: str) -> str:
    """The outcome where a range of some type stands beside one of versions, which ends with 1.0."""
    events = (Event("introduced", "0"), Event("fixed", "1.0"))
    return outcome([Affected((), (Range(type, events), Range("ECOSYSTEM", events)))], version)


@pytest.mark.parametrize("type", ["GIT", "SEMVER", "ECOSYTEM", ""])
def test_a_range_that_cannot_be_compared_is_undecided_where_nothing_else_is_said(type: str) -> None:
    assert outcome(entry(("introduced", "0"), ("fixed", "2.0"), type=type), "1.0") == "undecided"


def test_a_range_of_commits_says_nothing_beside_versions_or_a_range_of_them() -> None:
    assert outcome(entry(("introduced", "0"), type="GIT", versions=["0.5"]), "1.0") == "not affected"
    assert (beside("GIT", "1.0"), beside("GIT", "0.9")) == ("not affected", "affected")


@pytest.mark.parametrize("type", ["SEMVER", "ECOSYTEM", ""])
def test_a_range_of_a_strange_type_is_never_dropped(type: str) -> None:
    entries = entry(("introduced", "0"), ("fixed", "2.0"), type=type, versions=["0.5"])
    assert (outcome(entries, "1.0"), outcome(entries, "0.5")) == ("undecided", "affected")
    assert (beside(type, "1.0"), beside(type, "0.9")) == ("undecided", "affected")
    assert (type or "untyped") in judge(entries, Version("1.0")).reason


def test_a_reason_quotes_no_more_of_a_record_than_a_message_holds() -> None:
    entries = entry(("introduced", "0"), ("fixed", "x" * 10_000)) + entry(("introduced", "0"), type="Y" * 10_000)
    assert len(judge(entries, Version("1.0")).reason) < 400


def test_an_entry_that_names_no_versions_at_all_is_undecided() -> None:
    assert outcome(entry(), "1.0") == "undecided"


def test_a_local_version_is_affected_where_its_public_one_is() -> None:
    assert outcome(entry(versions=["1.0"]), "1.0+cpu") == "affected"
    assert outcome(entry(("introduced", "0"), ("last_affected", "1.0")), "1.0+cpu") == "affected"
    assert outcome(entry(("introduced", "0"), ("fixed", "1.0")), "1.0+cpu") == "not affected"


def test_a_version_that_cannot_be_read_can_only_be_looked_up_as_written() -> None:
    assert listed(entry(versions=["0.9-doduo"]), "0.9-doduo")
    assert not listed(entry(versions=["0.9-doduo"]), "0.9-eevee")


def test_spans_read_like_requirements() -> None:
    entries = entry(("introduced", "0"), ("fixed", "1.0"), ("introduced", "2.0"), ("last_affected", "2.5"))
    assert [str(span) for span in spans(entries)] == ["<1.0", ">=2.0, <=2.5"]
    assert [str(span) for span in spans(entry(("introduced", "0")))] == ["all versions"]


def test_the_first_fixed_version_is_that_of_the_own_branch() -> None:
    events = [("introduced", "4.0"), ("fixed", "4.3"), ("introduced", "5.0"), ("fixed", "5.2")]
    assert str(first_fixed(entry(*events), Version("4.1"))) == "4.3"
    assert str(first_fixed(entry(*events), Version("5.0"))) == "5.2"


def test_a_fix_that_is_listed_as_affected_is_no_fix() -> None:
    assert first_fixed(entry(("introduced", "0"), ("fixed", "2.0"), versions=["2.0"]), Version("1.0")) is None


@pytest.mark.parametrize("type", ["", "GIT"])
def test_a_list_of_which_nothing_can_be_read_is_undecided(type: str) -> None:
    events = [("introduced", "0")] if type else []
    assert outcome(entry(*events, versions=["1.x", "trunk"], type=type), "1.0") == "undecided"
    assert outcome(entry(*events, versions=["1.x", "2.0"], type=type), "1.0") == "not affected"
    assert outcome(entry(("introduced", "2.0"), versions=["1.x"]), "1.0") == "not affected"


def test_a_bound_of_too_many_digits_is_undecided() -> None:
    assert outcome(entry(("introduced", "0"), ("fixed", "9" * 5000)), "1.0") == "undecided"
