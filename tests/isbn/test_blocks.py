from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum import isbn as stdnum_isbn

from batchbook.errors import EXIT_USAGE
from batchbook.isbn.blocks import block_of_range, block_of_registrant, faults_of
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.ranges import shipped_ranges
from batchbook.isbn.records import Block
from batchbook.tables.workspace import RecordRefused
from tests.isbn.helpers import block, isbns

RANGES = shipped_ranges()


def refused(what, *given, **named):
    """The findings of a block that is refused: rule -> finding."""
    with pytest.raises(RecordRefused) as caught:
        what(*given, RANGES, **named)
    assert caught.value.exit_code == EXIT_USAGE
    assert caught.value.findings
    assert not any(finding.warning for finding in caught.value.findings)
    return {(finding.column, finding.rule): finding for finding in caught.value.findings}


known = isbns.map(RANGES.split).filter(lambda parts: parts is not None)


@given(known, st.sampled_from(["-", " ", "\N{EN DASH}", ""]))
def test_from_a_registrant_prefix_follow_first_last_and_total(parts, hyphen):
    plan = block_of_registrant(parts.registrant_prefix.replace("-", hyphen), RANGES)
    assert plan.doubts == ()
    assert (plan.prefix, plan.publisher_code) == (parts.prefix, f"{parts.group}-{parts.registrant}")
    assert plan.total == 10 ** (9 - len(parts.group) - len(parts.registrant))
    width = len(parts.publication)
    head = parts.registrant_prefix.replace("-", "")
    assert plan.first[:12] == head + "0" * width
    assert plan.last[:12] == head + "9" * width
    assert stdnum_isbn.is_valid(plan.first)
    assert stdnum_isbn.is_valid(plan.last)
    assert plan.span.name == parts.registrant_prefix


def test_a_block_of_a_thousand_has_a_thousand_distinct_numbers():
    plan = block_of_registrant("978-1-60888", RANGES)
    numbers = {isbn_of(core) for core in range(plan.span.first, plan.span.last + 1)}
    assert plan.total == len(numbers) == 1000
    assert all(stdnum_isbn.format(number).startswith("978-1-60888-") for number in numbers)


@given(known, st.data())
def test_a_stretch_of_a_registrants_numbers_has_exactly_those(parts, data):
    most = 10 ** len(parts.publication) - 1
    start, end = sorted((data.draw(st.integers(0, most)), data.draw(st.integers(0, most))))
    width, head = len(parts.publication), int(parts.registrant_prefix.replace("-", "").ljust(12, "0"))
    as_given = st.sampled_from([lambda n: n, str, lambda n: f"{n:0{width}d}", lambda n: isbn_of(head + n)])
    plan = block_of_range(
        parts.prefix,
        f"{parts.group}-{parts.registrant}",
        RANGES,
        start=data.draw(as_given)(start),
        end=data.draw(as_given)(end),
        total=data.draw(st.sampled_from([None, end - start + 1])),
    )
    assert plan.total == end - start + 1
    assert plan.first == isbn_of(head + start)
    assert plan.last == isbn_of(head + end)
    assert plan == block_of_range(
        parts.prefix, f"{parts.group}{parts.registrant}", RANGES, start=start, total=end - start + 1
    )
    record = Block(
        block=plan.span.name, prefix=plan.prefix, publisher_code=plan.publisher_code, first=plan.first, last=plan.last,
        total=plan.total,
    )  # fmt: skip
    assert faults_of(record, RANGES) == []


def test_without_start_and_end_a_stretch_is_the_whole_block():
    assert block_of_range("978", "1-60888", RANGES) == block_of_registrant("978-1-60888", RANGES)
    assert block_of_range("978", "1-60888", RANGES, start="500").total == 500
    assert block_of_range("978", "1-60888", RANGES, end="499").span.name == "978-1-60888:000-499"


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", {"ean-prefix", "block-code"}),
        ("abc", {"ean-prefix", "block-code"}),
        ("1-60888", {"ean-prefix"}),
        ("977-1-60888", {"ean-prefix"}),
        ("977-1-60888-1", {"ean-prefix", "block-code"}),
        ("978", {"block-code"}),
        ("978-1", {"block-code"}),
        ("978-1-608", {"block-code"}),
        ("978-1-06", {"block-code"}),
        ("978-1-60888-000-3", {"block-code"}),
        ("978-1-60888-00", {"block-code"}),
        ("979-0-2306", {"ismn"}),
        ("97866123", {"range-unknown"}),
        ("978-1-608881234", {"block-too-small"}),
        ("978-" + "1" * 5000, {"block-too-small"}),
    ],
)
def test_what_is_no_registrant_prefix_is_refused_with_all_reasons(text, rules):
    assert {rule for _, rule in refused(block_of_registrant, text)} == rules


def test_a_whole_number_in_place_of_a_prefix_is_told_its_prefix():
    (finding,) = refused(block_of_registrant, "9781608880003").values()
    assert "978-1-60888" in finding.message


def test_a_prefix_that_other_publishers_share_is_told_how_long_registrants_are():
    (finding,) = refused(block_of_registrant, "978-1-608").values()
    assert "5 digits, as in 978-1-60800" in finding.message


def test_all_that_is_wrong_with_a_stretch_is_told_at_once():
    found = refused(block_of_range, "977", "x", start="a", end="b", total=0)
    assert set(found) == {
        ("prefix", "ean-prefix"),
        ("publisher code", "block-code"),
        ("start", "block-position"),
        ("end", "block-position"),
        ("total", "block-total"),
    }


@pytest.mark.parametrize(
    ("named", "column", "rule"),
    [
        ({"start": 10, "end": 9}, "end", "block-order"),
        ({"start": 0, "end": 1000}, "end", "block-position"),
        ({"start": "9" * 5000, "end": 9}, "start", "block-position"),
        ({"start": -1, "end": 9}, "start", "block-position"),
        ({"start": "1,000"}, "start", "block-position"),
        ({"start": "978-0-471-11709-4"}, "start", "block-position"),
        ({"start": 0, "end": 99, "total": 1000}, "total", "block-total"),
        ({"total": 0}, "total", "block-total"),
        ({"total": 1001}, "total", "block-too-small"),
        ({"start": 500, "total": 501}, "total", "block-too-small"),
    ],
)
def test_a_stretch_that_cannot_be_is_refused(named, column, rule):
    assert set(refused(block_of_range, "978", "1-60888", **named)) == {(column, rule)}


def test_a_block_that_is_smaller_than_what_was_bought_is_told_in_figures():
    (finding,) = refused(block_of_range, "978", "1-60888", start=0, total=10_000).values()
    assert "the registrant has 1,000 numbers" in finding.message


@pytest.mark.parametrize(
    ("text", "rule", "total"),
    [
        ("978-16-0888", "block-code", 1000),
        ("978-1-6088812", "block-code", 10),
        ("978-66-123", "range-unknown", 10_000),
    ],
)
def test_what_the_range_table_is_against_is_taken_with_a_warning(text, rule, total):
    plan = block_of_registrant(text, RANGES)
    (doubt,) = plan.doubts
    assert doubt.warning
    assert doubt.rule == rule
    assert str(RANGES) in doubt.message
    assert plan.total == total


def test_the_columns_of_a_block_have_to_fit_each_other():
    good = block(0, 999)
    assert faults_of(good, RANGES) == []

    def rules(**changes):
        return {(fault.column, fault.rule, fault.warning) for fault in faults_of(replace(good, **changes), RANGES)}

    assert rules(total=100) == {("total", "block-total", False)}
    assert rules(first=good.last, last=good.first) == {("last", "block-order", False)}
    assert rules(last="9780471117094") == {("last", "block-order", False), ("last", "block-member", False)}
    assert rules(publisher_code="1-608") == {("publisher_code", "block-code", False)}
    assert rules(publisher_code="sixty") == {("publisher_code", "block-code", False)}
    assert rules(publisher_code="16-0888") == {("publisher_code", "block-code", True)}
    assert rules(prefix="979") >= {("first", "block-member", False), ("last", "block-member", False)}


@given(known, st.data())
def test_a_publication_number_of_another_registrant_is_never_taken(parts, data):
    other = data.draw(known)
    assume(other.registrant_prefix != parts.registrant_prefix)
    found = refused(block_of_range, parts.prefix, f"{parts.group}-{parts.registrant}", start=str(other))
    assert set(found) == {("start", "block-position")}
