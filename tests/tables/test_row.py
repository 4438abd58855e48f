import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.tables.inputs import TextCell
from batchbook.tables.row import Row


def row_of(**values):
    return Row(4, ("k",), {name: None if value is None else TextCell(value) for name, value in values.items()})


def test_a_blank_cell_is_none_and_shows_nothing():
    row = row_of(a="x", b=None)
    assert dict(row) == {"a": "x", "b": None}
    assert (row.shown("b"), row.format("b")) == ("", "General")


def test_a_column_that_the_job_does_not_read_is_not_there():
    with pytest.raises(KeyError):
        row_of(a="x")["b"]
    with pytest.raises(KeyError):
        row_of(a="x").shown("b")


@pytest.mark.parametrize(
    ("value", "number"), [(1, True), (1.5, True), (True, False), ("1", False), (None, False), (dt.time(1), False)]
)
def test_only_a_number_is_a_number(value, number):
    assert row_of(a=value).is_number("a") is number


def filled(columns):
    return [(name, type(value), value) for name, value in sorted(columns.items()) if value not in (None, "")]


values = st.one_of(st.none(), st.text(max_size=3), st.integers(-5, 5), st.booleans())


@given(st.dictionaries(st.sampled_from("abc"), values), st.dictionaries(st.sampled_from("abc"), values))
def test_the_digest_tells_rows_apart_that_differ_in_any_input_and_blanks_are_none(one, other):
    alike = filled(one) == filled(other)
    assert (row_of(**one).digest() == row_of(**other).digest()) is alike


def test_the_digest_does_not_depend_on_where_the_row_stands():
    cells = {"a": TextCell("x")}
    assert Row(4, ("k",), cells).digest() == Row(9, ("k",), cells).digest()
