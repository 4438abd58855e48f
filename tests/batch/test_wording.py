"""Cell values in words."""

import datetime as dt

import pytest

from batchbook.batch.wording import shown_stored, shown_value
from batchbook.tables.codec import pack
from batchbook.xlsx.values import ErrorValue, Link


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "nothing"),
        ("None", "'None'"),
        (2.5, "2.5"),
        (True, "TRUE"),
        (dt.datetime(2026, 1, 2, 3, 4), "2026-01-02 03:04:00"),
        (Link("https://a.example", "there"), "'there' (https://a.example)"),
        (ErrorValue("#N/A"), "#N/A"),
    ],
)
def test_values_are_told_without_words_of_python(value, shown):
    assert shown_value(value) == shown_stored(pack(value)) == shown


def test_rows_of_a_sheet_are_told_as_a_whole():
    assert shown_stored([["a", None]]) == '[["a",null]]'
