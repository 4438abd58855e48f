from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.packages.online.pace import Hold, Pace, Rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [("100/s", (100, 1)), ("50/30s", (50, 30)), ("10/m", (10, 60)), (" 3 / 2 h ", (3, 7200)), ("1/1s", (1, 1))],
)
def test_a_rate_is_read_as_people_write_it(text: str, rate: tuple[int, float]) -> None:
    assert Rate.parse(text) == Rate(*rate)


@pytest.mark.parametrize("text", ["", "100", "0/s", "5/0s", "-1/s", "5/d", "5 per s", "1.5/s", "/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a rate such as"):
        Rate.parse(text)


def send_all(pace: Pace, arrivals: list[float], holds: dict[int, float]) -> list[float]:
    """The times at which requests that come at these times are sent, one after another."""
    now, sent = 0.0, []
    for number, arrival in enumerate(arrivals):
        now = max(now, arrival)
        if number in holds:
            pace.hold.until(now + holds[number])
        wait = pace.wait(now)
        assert wait >= 0
        now += wait
        assert pace.wait(now) == pytest.approx(0, abs=1e-6)
        pace.sent(now)
        sent.append(now)
    return sent


@given(
    st.integers(1, 5), st.floats(0.1, 30), st.lists(st.floats(0, 100), max_size=40),
    st.dictionaries(st.integers(0, 40), st.floats(0, 50), max_size=3),
)  # fmt: skip
def test_no_span_of_the_rate_ever_holds_more_requests_than_it_allows(
    most: int, seconds: float, arrivals: list[float], holds: dict[int, float]
) -> None:
    sent = send_all(Pace(Rate(most, seconds), Hold()), sorted(arrivals), holds)
    for first, later in zip(sent, sent[most:], strict=False):
        assert later - first >= seconds - 1e-6


def test_a_host_that_asked_for_a_pause_is_left_alone_until_it_is_over() -> None:
    hold = Hold()
    first, second = Pace(Rate(100, 1), hold), Pace(Rate(1, 1), hold)
    first.hold.until(7.0)
    first.hold.until(3.0)  # a shorter one does not end a longer one
    assert [first.wait(0.0), second.wait(0.0), first.wait(7.0)] == [7.0, 7.0, 0.0]
