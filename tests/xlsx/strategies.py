"""What cells can hold, for property tests."""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st

from batchbook.xlsx import ErrorValue, Link

ALLOWED = st.characters(exclude_categories=("Cs",))
PRINTABLE = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
TEXTS = st.text(PRINTABLE, min_size=1, max_size=40).filter(lambda text: "_x" not in text)
"""Texts that need none of Excel's escapes, which openpyxl does not resolve."""
MOMENTS = st.datetimes(dt.datetime(1904, 1, 2), dt.datetime(9999, 12, 31)).map(
    lambda m: m.replace(microsecond=m.microsecond // 1000 * 1000)
)
TIMES = st.times().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000))
SPANS = st.integers(0, 10**11).map(lambda ms: dt.timedelta(milliseconds=ms))
NUMBERS = st.one_of(
    st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)
)
VALUES = st.one_of(
    st.text(ALLOWED, max_size=40),
    NUMBERS,
    st.booleans(),
    MOMENTS,
    TIMES,
    SPANS,
    st.builds(Link, st.text(PRINTABLE, max_size=600), st.text(PRINTABLE, max_size=600)),
    st.sampled_from(["#N/A", "#DIV/0!", "#NAME?", "#SPILL!"]).map(ErrorValue),
)
