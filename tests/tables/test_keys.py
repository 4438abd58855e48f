import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from batchbook.tables.keys import KeyIndex, KeySet, key_of_text, key_part, key_shown, key_text, matches


def test_a_number_and_the_same_number_as_text_name_the_same_row():
    assert key_part(7) == key_part(7.0) == key_part("7") == key_part(" 7 ")


def test_a_date_key_is_its_iso_text():
    assert key_part(dt.datetime(2024, 5, 1)) == "2024-05-01T00:00:00"


@given(st.lists(st.text(), min_size=1, max_size=3).map(tuple))
def test_a_key_comes_back_from_its_text(key):
    assert key_of_text(key_text(key)) == key


@given(st.lists(st.tuples(st.sampled_from(["", "a", "b", "c"])), max_size=12))
def test_every_row_is_either_named_by_its_key_or_has_its_problem_named(keys):
    index = KeyIndex(enumerate(keys, 4))
    problems = index.problems()
    sound = [key_text(key) for number, key in enumerate(keys, 4) if number not in problems]
    assert list(index) == sound
    for number, key in enumerate(keys, 4):
        bad = key == ("",) or keys.count(key) > 1
        assert (number in problems) == bad
        assert (key_text(key) in index) == (not bad)
        assert (index.doubled(key_text(key)) is not None) == (bad and key != ("",))


def test_all_places_of_a_doubled_key_are_named():
    problems = KeyIndex([(4, ("a",)), (5, ("b",)), (9, ("a",)), (12, ("a",))]).problems()
    assert problems[4] == problems[12] == "the key 'a' stands in 3 rows: 4, 9, 12"
    assert 5 not in problems


def test_of_a_key_that_stands_in_very_many_rows_the_first_places_are_named_and_the_others_counted():
    problems = KeyIndex((number, ("a",)) for number in range(2, 5002)).problems()
    assert len(problems) == 5000
    assert problems[5001].startswith("the key 'a' stands in 5000 rows: 2, 3, 4, ")
    assert problems[5001].endswith(", 21 and 4980 more")


def test_keys_stand_in_the_order_of_the_table_also_where_its_rows_are_out_of_order():
    index = KeyIndex([(9, ("c",)), (2, ("a",)), (2, ("b",))])
    assert [key_of_text(text) for text in index] == [("c",), ("a",), ("b",)]
    assert index.problems() == {}


def test_a_set_of_keys_knows_what_was_put_into_it_and_nothing_else():
    keys = KeySet(key_text((f"K{n % 50}",)) for n in range(100))
    assert len(keys) == 50
    assert key_text(("K7",)) in keys
    assert key_text(("K50",)) not in keys


def test_keys_typed_on_the_command_line_find_rows_with_several_key_columns():
    assert matches(("x", "1"), ["x|1"])
    assert matches(("x", "1"), ["x"])
    assert not matches(("x",), ["x|1"])
    assert key_shown(("x", "1")) == "x|1"
