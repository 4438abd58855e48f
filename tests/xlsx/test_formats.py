import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.xlsx.dates import DAY_MS, clock, moment, serial, span
from batchbook.xlsx.formats import BUILTIN, Kind, kind_of, shown

MOMENT = dt.datetime(2024, 2, 29, 15, 4, 5, 678_000)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", Kind.NUMBER),
        ("0.00E+00", Kind.NUMBER),
        ('"day" 0', Kind.NUMBER),
        ("[Red]0;[Blue]0", Kind.NUMBER),
        ("\\d0", Kind.NUMBER),
        ("#,##0_);[Red](#,##0)", Kind.NUMBER),
        ("yyyy-mm-dd", Kind.DATE),
        ("mmm", Kind.DATE),
        ("[$-409]d/m/yy;@", Kind.DATE),
        ("h:mm AM/PM", Kind.TIME),
        ("mm:ss", Kind.TIME),
        ("[h]:mm", Kind.ELAPSED),
        ("[ss]", Kind.ELAPSED),
        ("m/d/yy h:mm", Kind.DATETIME),
    ],
)
def test_formats_are_told_apart(code: str, kind: Kind) -> None:
    assert kind_of(code) is kind


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (1.1, "0.00", "1.10"),
        (1.1, "General", "1.1"),
        (100, "General", "100"),
        (12345678901234, "General", "1.23457E+13"),
        (0.1 + 0.2, "General", "0.3"),
        (1e-10, "General", "1E-10"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (-5, "0;(0)", "(5)"),
        (-5, "0", "-5"),
        (0, '0;-0;"none"', "none"),
        (0.256, "0.0%", "25.6%"),
        (7, "000", "007"),
        (3, '0 "pcs"', "3 pcs"),
        (12345, "0.00E+00", "1.23E+04"),
        (1.5, "0.0##", "1.5"),
        (2, "0.###", "2."),
        (True, "0", "TRUE"),
        (None, "0", ""),
        ("text", "0", "text"),
        (MOMENT, "yyyy-mm-dd", "2024-02-29"),
        (MOMENT, "d-mmm-yy", "29-Feb-24"),
        (MOMENT, "dddd, mmmm d", "Thursday, February 29"),
        (MOMENT, "h:mm AM/PM", "3:04 PM"),
        (MOMENT, "hh:mm:ss.000", "15:04:05.678"),
        (MOMENT.time(), "mm:ss", "04:05"),
        (dt.timedelta(hours=30, minutes=5), "[h]:mm", "30:05"),
    ],
)
def test_values_are_shown_about_as_excel_shows_them(value: object, code: str, text: str) -> None:
    assert shown(value, code) == text


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers()), st.text(max_size=12))
def test_no_format_is_too_odd(value: float, code: str) -> None:
    assert isinstance(shown(value, code), str)
    assert isinstance(shown(MOMENT, code), str)


@given(st.sampled_from(sorted(BUILTIN)), st.floats(-1e9, 1e9))
def test_the_known_formats_show_every_number(number: int, value: float) -> None:
    assert isinstance(shown(value, BUILTIN[number]), str)


@given(st.integers(DAY_MS, 2_958_465 * DAY_MS), st.booleans())
def test_numbers_of_days_go_there_and_back(milliseconds: int, date1904: bool) -> None:
    when = moment(milliseconds / DAY_MS, date1904=date1904)
    if when is not None and when < dt.datetime(9999, 12, 31):
        assert serial(when, date1904=date1904) == pytest.approx(milliseconds / DAY_MS, abs=1e-8)


@given(st.floats(allow_nan=True))
def test_no_number_is_too_odd_for_a_date(number: float) -> None:
    for date1904 in (False, True):
        found = moment(number, date1904=date1904) if number == number else None
        assert found is None or isinstance(found, dt.datetime)
    if number == number:
        assert span(number) is None or clock(number) is None or 0 <= number < 1
