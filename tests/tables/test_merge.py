import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.tables.codec import same
from batchbook.tables.merge import LOST, NEVER, merge_cell

cells = st.one_of(st.none(), st.sampled_from(["a", "b", "c", 1, 2.5, True]))
lasts = st.one_of(st.just(NEVER), cells)


def test_what_only_the_machine_changed_is_taken():
    merged = merge_cell(taken="old", last=NEVER, current="old", ours="new")
    assert (merged.write, merged.conflict) == (True, False)


def test_what_a_person_changed_during_the_run_stays_and_is_listed():
    merged = merge_cell(taken="old", last="old", current="theirs", ours="new")
    assert (merged.write, merged.conflict) == (False, True)


def test_what_a_person_changed_between_two_runs_stays_and_is_listed():
    merged = merge_cell(taken="theirs", last="old", current="theirs", ours="new")
    assert (merged.write, merged.conflict, merged.base) == (False, True, "old")


@pytest.mark.parametrize(
    ("taken", "current", "write", "conflict"),
    [("a", "a", False, True), ("ours", "ours", False, False), (None, None, True, False), ("a", None, False, True)],
)
def test_where_the_record_of_what_was_written_is_lost_only_a_blank_is_free(taken, current, write, conflict):
    merged = merge_cell(taken=taken, last=LOST, current=current, ours="ours")
    assert (merged.write, merged.conflict) == (write, conflict)


def test_a_cell_emptied_between_runs_is_free_and_is_written():
    merged = merge_cell(taken=None, last="old", current=None, ours="new")
    assert (merged.write, merged.conflict) == (True, False)


def test_a_cell_emptied_during_the_run_stays_empty_and_is_listed():
    merged = merge_cell(taken="old", last="old", current=None, ours="new")
    assert (merged.write, merged.conflict) == (False, True)


def test_where_both_say_the_same_there_is_nothing_to_do():
    merged = merge_cell(taken="old", last="old", current="new", ours="new")
    assert (merged.write, merged.conflict) == (False, False)


def test_a_column_that_is_overwritten_still_lists_what_was_there():
    merged = merge_cell(taken="old", last="old", current="theirs", ours="new", overwrite=True)
    assert (merged.write, merged.conflict) == (True, True)


@given(cells, lasts, cells, cells)
def test_a_value_that_a_person_put_there_is_never_replaced_unless_asked(taken, last, current, ours):
    merged = merge_cell(taken=taken, last=last, current=current, ours=ours)
    machines = [taken if last is NEVER else last] if taken is not None else [None]
    if not any(same(current, one) for one in machines):
        assert not merged.write
        assert merged.conflict or same(current, ours)


@given(cells, lasts, cells, cells)
def test_a_result_is_written_or_listed_or_already_there(taken, last, current, ours):
    merged = merge_cell(taken=taken, last=last, current=current, ours=ours)
    assert merged.write or merged.conflict or same(current, ours)
