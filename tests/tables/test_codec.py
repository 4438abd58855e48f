import datetime as dt
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.tables.codec import canonical, decanonical, pack, pack_rows, same, unpack, unpack_rows
from batchbook.xlsx.values import ErrorValue, Link

moments = st.datetimes(min_value=dt.datetime(1900, 3, 1), max_value=dt.datetime(9999, 1, 1)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
values = st.one_of(
    st.none(),
    st.text(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    moments,
    st.builds(Link, st.text(), st.text()),
    st.sampled_from(["#N/A", "#REF!"]).map(ErrorValue),
    st.integers(0, 10**6).map(lambda seconds: dt.timedelta(seconds=seconds)),
    st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)),
)


@given(values)
def test_every_value_comes_back_from_the_ledger_as_the_same_value(value):
    assert same(unpack(json.loads(json.dumps(pack(value)))), value)


@given(st.dictionaries(st.text(), values))
def test_canonical_text_does_not_depend_on_the_order_of_columns(columns):
    backwards = dict(reversed(list(columns.items())))
    assert canonical(columns) == canonical(backwards)
    assert set(decanonical(canonical(columns))) == set(columns)


@given(st.lists(st.lists(values, min_size=2, max_size=2), max_size=3))
def test_detail_rows_come_back_as_they_were(rows):
    assert pack_rows(unpack_rows(pack_rows(rows))) == pack_rows(rows)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (2, 2.0, True),
        (1, True, False),
        ("", None, True),
        ("2", 2, False),
        (1.1, 1.1000000000000001, True),
        (0.1 + 0.2, 0.3, True),
        (Decimal("1.5"), 1.5, True),
        (dt.date(2024, 5, 1), dt.datetime(2024, 5, 1), True),
        (Link("u", "t"), "t", False),
        ("1.10", "1.1", False),
    ],
)
def test_values_are_the_same_when_a_cell_that_holds_one_holds_the_other(one, other, expected):
    assert same(one, other) is expected
    assert same(other, one) is expected


def test_a_stored_value_of_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="not a stored cell value"):
        unpack({"strange": 1})


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (5, dt.datetime(1900, 1, 5)),
        (45000, dt.datetime(2023, 3, 15)),
        (45000.5, dt.datetime(2023, 3, 15, 12)),
        (5, dt.datetime(1904, 1, 6)),
        (0.25, dt.time(6)),
        (1.5, dt.timedelta(hours=36)),
        (Decimal("45000"), dt.date(2023, 3, 15)),
    ],
)
def test_a_number_is_the_date_that_it_makes_in_a_cell_which_shows_dates(number, moment):
    assert same(number, moment)
    assert same(moment, number)
    assert not same(number + 1, moment)


@pytest.mark.parametrize("other", [True, "5", None, Link("x", "5"), ErrorValue("#N/A")])
def test_nothing_else_is_a_date(other):
    assert not same(other, dt.datetime(1900, 1, 1))
    assert not same(dt.datetime(1900, 1, 5), other)
