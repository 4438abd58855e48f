import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from batchbook.tables.keys import index_of, key_of_text, key_part, key_shown, key_text, matches


def test_a_number_and_the_same_number_as_text_name_the_same_row():
    assert key_part(7) == key_part(7.0) == key_part("7") == key_part(" 7 ")


def test_a_date_key_is_its_iso_text():
    assert key_part(dt.datetime(2024, 5, 1)) == "2024-05-01T00:00:00"


@given(st.lists(st.text(), min_size=1, max_size=3).map(tuple))
def test_a_key_comes_back_from_its_text(key):
    assert key_of_text(key_text(key)) == key


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"])), max_size=12))
def test_every_row_is_either_named_by_its_key_or_has_its_problem_named(keys):
    index = index_of(enumerate(keys, 4))
    problems = index.problems()
    named = set(index.rows.values())
    assert named | problems.keys() == set(range(4, 4 + len(keys)))
    assert not named & problems.keys()
    for number in named:
        assert keys.count(keys[number - 4]) == 1


def test_all_places_of_a_doubled_key_are_named():
    problems = index_of([(4, ("a",)), (5, ("b",)), (9, ("a",)), (12, ("a",))]).problems()
    assert problems[4] == problems[12] == "the key 'a' stands in 3 rows: 4, 9, 12"
    assert 5 not in problems


def test_keys_typed_on_the_command_line_find_rows_with_several_key_columns():
    assert matches(("x", "1"), ["x|1"])
    assert matches(("x", "1"), ["x"])
    assert not matches(("x",), ["x|1"])
    assert key_shown(("x", "1")) == "x|1"
