import itertools

from hypothesis import given
from hypothesis import strategies as st

from batchbook.isbn.spans import BlockIndex, Span, capacity, overlaps, span_of
from tests.isbn.helpers import block

spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda one: (one[0], one[0] + one[1] - 1)), max_size=8
).map(lambda ends: [Span(f"block {at}", first, last) for at, (first, last) in enumerate(ends)])


def members(span):
    return set(range(span.first, span.last + 1))


@given(spans)
def test_overlapping_pairs_are_exactly_those_with_a_number_in_common(some):
    expected = {frozenset({a.name, b.name}) for a, b in itertools.combinations(some, 2) if members(a) & members(b)}
    found = [frozenset({a.name, b.name}) for a, b in overlaps(some)]
    assert set(found) == expected
    assert len(found) == len(expected)


@given(spans)
def test_a_number_in_several_blocks_counts_once(some):
    assert capacity(some) == len(set().union(*map(members, some)))


@given(spans)
def test_a_number_belongs_to_the_first_block_that_holds_it(some):
    index = BlockIndex(some)
    for core in range(-1, 95):
        assert index.of(core) == next((span for span in some if core in members(span)), None)
        for span in some:
            assert (core in span) == (core in members(span))


def test_a_block_has_the_numbers_from_its_first_to_its_last():
    span = span_of(block(10, 19, "ten"))
    assert (span.name, span.total) == ("ten", 10)
    assert 978160888010 in span
    assert 978160888020 not in span
