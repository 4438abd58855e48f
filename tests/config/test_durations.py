from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.config import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "hours"), [("24h", 24.0), ("7d", 168.0), ("90m", 1.5), ("1d12h", 36.0), (" 2 W ", 336.0), ("1.5h", 1.5)]
)
def test_what_people_write_is_read(text: str, hours: float) -> None:
    assert parse_duration(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "0s", "1y", "1h1h", "1h 2", "999999w", "١h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(st.integers(1, 10**9))
def test_what_is_formatted_is_read_back(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


def test_none_and_less_than_none_are_said() -> None:
    assert format_duration(timedelta()) == "0s"
    assert format_duration(timedelta(hours=-2)) == "-2h"
