"""Choosing numbers, against a model that looks at every number of every block each time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.errors import EXIT_FAILED
from batchbook.isbn.allocation import NoNumberLeft, by_preference, shortage
from batchbook.isbn.numbers import core_of, isbn_of
from batchbook.isbn.records import Assignment
from batchbook.isbn.session import Session
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.workspace import Workspace
from tests.isbn.helpers import block

SYSTEM = IsbnSystem()

NAMES = [None, "North", "South", " NORTH "]
wishes = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))


@st.composite
def some_blocks(draw, most=5):
    """Some small blocks, which may overlap."""
    made = []
    for at in range(draw(st.integers(1, most))):
        first = draw(st.integers(0, 25))
        last = first + draw(st.integers(0, 11))
        imprint, publisher = draw(wishes)
        made.append(block(first, last, f"block {at}", imprint=imprint, publisher=publisher))
    return made


def plain(text):
    return (text or "").strip().lower()


def model_order(blocks, imprint, publisher):
    """ISB-2.5 in plain words: the imprint's first, then the publisher's, then the rest; nobody else's before others."""

    def rank(one):
        of_imprint = bool(imprint) and plain(one.imprint) == plain(imprint)
        of_publisher = bool(publisher) and plain(one.publisher) == plain(publisher)
        others = [(one.imprint, of_imprint), (one.publisher, of_publisher)]
        return (not of_imprint, not of_publisher, sum(bool(has) and not matches for has, matches in others))

    return sorted(blocks, key=rank)


def model(blocks, taken, imprint, publisher):
    """The lowest free number of the best block, by looking at all of them."""
    for one in model_order(blocks, imprint, publisher):
        for core in range(core_of(one.first), core_of(one.last) + 1):
            if core not in taken:
                return core
    return None


def all_cores(blocks):
    return {core for one in blocks for core in range(core_of(one.first), core_of(one.last) + 1)}


def taken_of(blocks):
    cores = sorted(all_cores(blocks))
    return st.sets(st.sampled_from(cores))


class Shelf:
    """Blocks and rows of numbers in a workbook, and the choice that commands make."""

    def __init__(self, blocks, taken=()):
        self.session = Session(Workspace.empty(SYSTEM.types, "isbn.xlsx"), SYSTEM)
        for one in blocks:
            self.session.blocks.insert(one)
        for core in sorted(taken):
            self.take(core)

    def choose(self, imprint=None, publisher=None):
        return core_of(self.session.best_free(imprint, publisher))

    def take(self, core):
        rows, isbn = self.session.assignments, isbn_of(core)
        if rows.get(isbn) is None:
            rows.insert(Assignment(isbn=isbn, status="reserved", reason="taken"))
        else:
            rows.update(isbn, status="reserved", reason="taken")

    def release(self, core):
        self.session.assignments.update(isbn_of(core), status="available", reason=None)
        self.session.given_back(isbn_of(core))


def hand_out(blocks, taken, rows):
    """A number for each row in order, None where none is left."""
    shelf, given = Shelf(blocks, taken), []
    for imprint, publisher in rows:
        try:
            core = shelf.choose(imprint, publisher)
            shelf.take(core)
            given.append(core)
        except NoNumberLeft:
            given.append(None)
    return given


@given(some_blocks(), wishes)
def test_blocks_of_the_imprint_and_the_publisher_come_first_and_none_is_left_out(blocks, wish):
    ordered = by_preference(blocks, *wish)
    assert [one.block for one in ordered] == [one.block for one in model_order(blocks, *wish)]
    assert sorted(one.block for one in ordered) == sorted(one.block for one in blocks)


def test_the_preference_in_an_example():
    blocks = [
        block(0, 9, "another's", imprint="South", publisher="B"),
        block(0, 9, "anybody's"),
        block(0, 9, "publisher's, another imprint", imprint="South", publisher="A"),
        block(0, 9, "publisher's", publisher="A"),
        block(0, 9, "imprint's", imprint="North"),
        block(0, 9, "both", imprint="north", publisher="a"),
    ]
    assert [one.block for one in by_preference(blocks, "North", "A")] == [
        "both",
        "imprint's",
        "publisher's",
        "publisher's, another imprint",
        "anybody's",
        "another's",
    ]
    assert by_preference(blocks)[0].block == "anybody's"


@settings(max_examples=60, deadline=None)
@given(st.data(), some_blocks())
def test_under_any_series_of_commands_the_choice_is_that_of_the_model_and_no_number_is_given_twice(data, blocks):
    taken = data.draw(taken_of(blocks))
    shelf = Shelf(blocks, taken)
    for _ in range(data.draw(st.integers(1, 40))):
        imprint, publisher = data.draw(wishes)
        expected = model(blocks, taken, imprint, publisher)
        if expected is None:
            with pytest.raises(NoNumberLeft):
                shelf.choose(imprint, publisher)
            assert all_cores(blocks) <= taken
        else:
            core = shelf.choose(imprint, publisher)
            assert core == expected
            assert core not in taken
            if data.draw(st.integers(0, 3)):  # else it was not taken after all, and is chosen again
                taken.add(core)
                shelf.take(core)
        if taken and not data.draw(st.integers(0, 3)):
            back = data.draw(st.sampled_from(sorted(taken)))
            taken.discard(back)
            shelf.release(back)
        if not data.draw(st.integers(0, 5)):  # somebody took a certain number
            certain = data.draw(st.sampled_from(sorted(all_cores(blocks))))
            taken.add(certain)
            shelf.take(certain)


@settings(max_examples=40, deadline=None)
@given(st.data(), some_blocks(), st.lists(wishes, max_size=30))
def test_rows_get_the_same_numbers_after_any_of_them_have_theirs_already(data, blocks, rows):
    before = data.draw(taken_of(blocks))
    uninterrupted = hand_out(blocks, before, rows)
    done = data.draw(st.sets(st.sampled_from(range(len(rows))))) if rows else set()
    taken = before | {uninterrupted[at] for at in done if uninterrupted[at] is not None}
    left = [at for at in range(len(rows)) if at not in done]
    assert hand_out(blocks, taken, [rows[at] for at in left]) == [uninterrupted[at] for at in left]


@settings(max_examples=40, deadline=None)
@given(some_blocks(), st.lists(wishes, min_size=1, max_size=60))
def test_overlapping_blocks_give_each_of_their_numbers_once(blocks, rows):
    given_out = [core for core in hand_out(blocks, (), rows) if core is not None]
    assert len(given_out) == len(set(given_out))
    assert len(given_out) == min(len(rows), len(all_cores(blocks)))


def test_where_no_number_is_left_the_figures_of_all_blocks_are_told():
    blocks = [block(0, 9, "ten"), block(5, 14, "overlapping"), block(20, 39, "twenty")]
    with pytest.raises(NoNumberLeft) as caught:
        Shelf(blocks, all_cores(blocks)).choose("North")
    error = caught.value
    assert error.exit_code == EXIT_FAILED
    assert "1 number wanted, 0 free: of 35 numbers in 3 blocks 35 are taken" in error.what
    assert "add-block" in error.advice
    assert [str(finding) for finding in error.findings] == [
        "block ten: all 10 numbers are taken",
        "block overlapping: all 10 numbers are taken",
        "block twenty: all 20 numbers are taken",
    ]


def test_a_shortage_tells_how_many_are_wanted_and_how_many_there_are():
    assert (
        "100 numbers wanted, 15 free: of 1,000 numbers in 1 block 985 are taken."
        in shortage([block(0, 999)], wanted=100, free=15).what
    )


def test_without_a_block_the_way_to_enter_one_is_told():
    with pytest.raises(NoNumberLeft) as caught:
        Shelf([]).choose()
    assert "add-block" in caught.value.advice
