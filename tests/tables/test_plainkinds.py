import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.tables import Date, Moment, Text, Whole, Wrong
from batchbook.xlsx.formats import shown
from batchbook.xlsx.values import ErrorValue, Link

UTC = dt.UTC


def read(kind, value, code="General"):
    return kind.read(value, value.text if isinstance(value, Link) else shown(value, code))


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("  a text ", "General", "a text"),
        (42, "00000", "00042"),
        (1.1, "0.00", "1.10"),
        (42.0, "General", "42"),
        (123456789012, "General", "123456789012"),
        (999999999999999.0, "General", "999999999999999"),
        (True, "General", "TRUE"),
        (dt.datetime(2026, 11, 22), "yyyy-mm-dd", "2026-11-22"),
        (Link("https://example.org", "shown"), "General", "shown"),
    ],
)
def test_a_cell_of_any_type_is_the_text_that_it_shows(value, code, text):
    assert read(Text(), value, code) == text


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        (Text(), ErrorValue("#N/A"), "error-value"),
        (Text(), 1e15, "digits-lost"),
        (Text(), -1e300, "digits-lost"),
        (Text(), float("inf"), "digits-lost"),
        (Text(3), "abcd", "length"),
        (Text(), "x" * 32_768, "length"),
        (Text(), "bad \udcff", "characters"),
        (Whole(), ErrorValue("#REF!"), "error-value"),
        (Whole(), True, "whole-number"),
        (Whole(), 1.5, "whole-number"),
        (Whole(), float("inf"), "whole-number"),
        (Whole(), float("nan"), "whole-number"),
        (Whole(), "1_000", "whole-number"),
        (Whole(), "1,5", "whole-number"),
        (Whole(), "2.5", "whole-number"),
        (Whole(), "٣", "whole-number"),
        (Whole(), "9" * 10_000, "whole-number"),
        (Whole(), "-1", "range"),
        (Whole(1, 3), 4.0, "range"),
        (Whole(), 1e15, "range"),
        (Date(), ErrorValue("#VALUE!"), "error-value"),
        (Date(), dt.datetime(2026, 11, 22, 8), "date"),
        (Date(), dt.time(8), "date"),
        (Date(), 46_000, "date"),
        (Date(), True, "date"),
        (Date(), "31/02/2026", "date-impossible"),
        (Date(), "1850-01-01", "range"),
        (Date(), dt.datetime(1903, 12, 31), "range"),
        (Date(), "03/04/2026", "date-ambiguous"),
        (Moment(), ErrorValue("#N/A"), "error-value"),
        (Moment(), dt.datetime(2026, 11, 22, 8), "offset"),
        (Moment(), "2026-11-22T08:30:00", "offset"),
        (Moment(), "yesterday", "moment"),
        (Moment(), "0001-01-01T00:00:00+14:00", "moment"),
        (Moment(), "9999-12-31T23:59:59-14:00", "moment"),
        (Moment(), 5, "moment"),
    ],
)  # fmt: skip
def test_what_is_no_value_of_the_kind_is_refused_by_the_rule_that_it_breaks(kind, value, rule):
    with pytest.raises(Wrong) as caught:
        read(kind, value)
    assert caught.value.rule == rule and len(caught.value.said) < 200


@pytest.mark.parametrize(("value", "number"), [(7, 7), (7.0, 7), ("7", 7), (" +7 ", 7), ("7.0", 7), ("007", 7)])
def test_a_whole_number_is_read_from_whatever_looks_like_one(value, number):
    assert read(Whole(), value) == number


def test_a_date_is_read_by_the_order_that_the_kind_has():
    assert read(Date("dmy"), "03/04/2026") == dt.date(2026, 4, 3)
    assert read(Date("mdy"), "03/04/2026") == dt.date(2026, 3, 4)
    assert read(Date(), dt.datetime(2026, 4, 3)) == read(Date(), dt.date(2026, 4, 3)) == dt.date(2026, 4, 3)
    assert read(Date(), 20260403) == dt.date(2026, 4, 3)


def test_a_day_that_cells_of_some_workbooks_cannot_hold_is_not_written():
    with pytest.raises(Wrong, match="1904"):
        Date().write(dt.date(1903, 12, 31))


def test_parts_of_a_second_do_not_count():
    assert Moment().parse("2026-11-22T08:30:00.999+01:00").microsecond == 0


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
MOMENTS = st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=ZONES)
VALUES = [
    (Text(), st.text(st.characters(codec="utf-8"), min_size=1).map(str.strip).filter(len)),
    (Whole(-50), st.integers(-50, 10**15 - 1)),
    (Date(), st.dates(min_value=dt.date(1904, 1, 1))),
    (Moment(), MOMENTS.map(lambda moment: moment.replace(microsecond=0))),
]


@given(st.data(), st.sampled_from(VALUES))
def test_a_value_comes_back_from_its_cell_from_its_text_and_from_scratch_tables(data, kind_values):
    kind, values = kind_values
    value = data.draw(values)
    assert read(kind, kind.write(value), kind.format) == value
    assert kind.parse(kind.show(value)) == value
    assert kind.load(kind.store(value)) == value


@given(st.data(), st.sampled_from(VALUES[1:]))
def test_values_sort_in_scratch_tables_as_they_do_themselves(data, kind_values):
    kind, values = kind_values
    one, other = data.draw(values), data.draw(values)
    if one < other:
        assert kind.store(one) < kind.store(other)


SOME = st.one_of(
    st.text(max_size=30), st.integers(), st.floats(), st.booleans(), st.datetimes(), st.times(), st.timedeltas(),
    st.just(ErrorValue("#N/A")), st.builds(Link, st.just("u"), st.text(max_size=9)),
)  # fmt: skip


@given(SOME, st.sampled_from([Text(), Whole(), Date(), Date("dmy"), Moment()]))
def test_any_cell_is_read_or_refused_and_what_is_read_can_be_stored_and_written(value, kind):
    try:
        got = read(kind, value)
    except Wrong:
        return
    assert kind.load(kind.store(got)) == got
    if got != "":  # a blank cell, which kinds never see
        assert read(kind, kind.write(got), kind.format) == got
