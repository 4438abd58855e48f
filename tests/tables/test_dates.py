import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.tables import Wrong, parse_date

DAY = dt.date(2026, 11, 22)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22",
        "2026/11/22",
        "2026.11.22",
        "20261122",
        "22.11.2026",
        "22/11/2026",
        "11/22/2026",
        "22-11-2026",
        "22 Nov 2026",
        "22-Nov-2026",
        "22. November 2026",
        "22nd November, 2026",
        "Nov 22, 2026",
        "November 22 2026",
        "NOV. 22, 2026",
        "Sun, 22 Nov 2026",
        "Sunday, November 22, 2026",
        "2026-Nov-22",
        "  22   Nov  2026 ",
        "2026-11-22T08:30:00+01:00",
        "2026-11-22T23:59:59.123Z",
        "2026-11-22 08:30",
        "20261122T08:30:00Z",
        "11/22/2026 8:30 AM",
        "Sun, 22 Nov 2026 08:30:00 +0100",
    ],
)
def test_the_usual_forms_of_a_day_are_read(text):
    assert parse_date(text) == DAY


@pytest.mark.parametrize("text", ["03/04/2026", "3.4.2026", "03-04-2026", "12/11/2026", "03/04/2026 08:00"])
def test_a_text_that_can_mean_two_days_is_refused_by_name(text):
    with pytest.raises(Wrong) as caught:
        parse_date(text)
    assert caught.value.rule == "date-ambiguous"


def test_the_two_days_that_can_be_meant_are_named():
    with pytest.raises(Wrong, match="2026-03-04 or 2026-04-03"):
        parse_date("03/04/2026")


def test_an_order_says_which_day_is_meant():
    assert parse_date("03/04/2026", "dmy") == dt.date(2026, 4, 3)
    assert parse_date("03/04/2026", "mdy") == dt.date(2026, 3, 4)
    assert parse_date("05/05/2026") == dt.date(2026, 5, 5)


def test_an_order_of_years_first_tells_nothing_of_a_year_that_stands_last():
    assert parse_date("22/11/2026", "ymd") == DAY
    with pytest.raises(Wrong) as caught:
        parse_date("03/04/2026", "ymd")
    assert caught.value.rule == "date-ambiguous"


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("31/02/2026", None),
        ("02/31/2026", None),
        ("31/02/2026", "dmy"),
        ("2026-02-29", None),
        ("20261301", None),
        ("30 Feb 2026", None),
        ("32/01/2026", None),
        ("13/13/2026", None),
        ("00/01/2026", None),
        ("0000-01-01", None),
        ("22/11/2026", "mdy"),
        ("11/22/2026", "dmy"),
    ],
)
def test_a_day_that_the_calendar_or_the_order_does_not_have_is_impossible(text, order):
    with pytest.raises(Wrong) as caught:
        parse_date(text, order)
    assert caught.value.rule == "date-impossible"


@pytest.mark.parametrize("text", ["22/11/26", "1.2.03", "26-11-22"])
def test_a_year_of_two_digits_is_ambiguous_under_any_order(text):
    for order in (None, "dmy", "mdy", "ymd"):
        with pytest.raises(Wrong, match="two digits") as caught:
            parse_date(text, order)
        assert caught.value.rule == "date-ambiguous"


@pytest.mark.parametrize(
    "text",
    ["", "tomorrow", "2026", "46000", "2026-11", "22/11-2026", "22 Foo 2026", "2026-11-22x", "2026-11-22T25:00",
     "٢٢/١١/٢٠٢٦", "2026-W47-7", "1" * 100_000, "2026-11-22 " + "0" * 100_000, "Mon " * 50_000],
)  # fmt: skip
def test_whatever_else_is_no_date(text):
    with pytest.raises(Wrong) as caught:
        parse_date(text)
    assert caught.value.rule == "date"


FORMS = ["%Y-%m-%d", "%Y%m%d", "%d %b %Y", "%B %d, %Y", "%Y/%m/%d"]


@given(st.dates(min_value=dt.date(1000, 1, 1)), st.sampled_from(FORMS), st.sampled_from([None, "dmy", "mdy", "ymd"]))
def test_a_day_in_a_form_of_one_meaning_is_that_day_under_any_order(day, form, order):
    assert parse_date(day.strftime(form), order) == day


@given(st.dates(min_value=dt.date(1000, 1, 1)), st.sampled_from("-/."))
def test_a_day_with_the_year_last_is_that_day_or_refused(day, mark):
    by_day, by_month = day.strftime(f"%d{mark}%m{mark}%Y"), day.strftime(f"%m{mark}%d{mark}%Y")
    assert parse_date(by_day, "dmy") == parse_date(by_month, "mdy") == day
    for text in (by_day, by_month):
        try:
            assert parse_date(text) == day
        except Wrong as wrong:
            assert wrong.rule == "date-ambiguous" and day.day <= 12 and day.day != day.month


@given(st.text("0123456789/.-: TZ+abNov", max_size=40), st.sampled_from([None, "dmy", "mdy", "ymd"]))
def test_any_text_is_a_day_or_refused_by_a_known_rule(text, order):
    try:
        assert isinstance(parse_date(text, order), dt.date)
    except Wrong as wrong:
        assert wrong.rule in ("date", "date-ambiguous", "date-impossible")


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("2026-11-22T23:30:00Z", "2026-11-23"),
        ("2026-11-22 23:00:00 +00:00", "2026-11-23"),
        ("2026-11-22T00:00:00+09:00", "2026-11-21"),
        ("22 Nov 2026, 11:15 pm UTC", "2026-11-23"),
        ("22.11.2026 18:00 -0600", "2026-11-23"),
    ],
)
def test_a_time_whose_offset_puts_it_on_another_day_in_the_zone_of_peoples_dates_is_ambiguous(text, other):
    with pytest.raises(Wrong) as caught:
        parse_date(text, zone=BERLIN)
    assert caught.value.rule == "date-ambiguous"
    assert "2026-11-22" in caught.value.said
    assert f"but {other} in Europe/Berlin" in caught.value.said


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T22:59:59Z",
        "2026-11-22T00:00:00+01:00",
        "2026-11-22T23:30:00",
        "2026-11-22 12:15 am +01",
        "2026-11-22",
    ],
)
def test_a_time_on_the_same_day_or_without_an_offset_does_not_count(text):
    assert parse_date(text, zone=BERLIN) == dt.date(2026, 11, 22)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:00-12:00"])
def test_the_first_and_the_last_day_of_all_are_read_with_an_offset_too(text):
    assert parse_date(text, zone=BERLIN).isoformat() == text[:10]
