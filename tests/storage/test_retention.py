from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from batchbook.storage.retention import superfluous

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def test_the_newest_few_and_one_a_day_are_kept() -> None:
    times = [NOW - dt.timedelta(hours=6 * n) for n in range(200)]
    gone = superfluous(times, NOW, keep=10, keep_daily_days=30)
    kept = [time for place, time in enumerate(times) if place not in gone]
    assert kept[:10] == times[:10]
    days = [time.date() for time in kept[10:]]
    assert len(days) == len(set(days))
    assert min(days) == (NOW - dt.timedelta(days=29)).date()


@given(
    st.lists(st.integers(0, 90 * 24 * 3600), max_size=80),
    st.integers(0, 12),
    st.integers(0, 40),
)
def test_what_the_rule_promises_is_kept(ages: list[int], keep: int, days: int) -> None:
    times = [NOW - dt.timedelta(seconds=age) for age in sorted(ages)]
    gone = set(superfluous(times, NOW, keep=keep, keep_daily_days=days))
    assert not gone & set(range(min(keep, len(times))))
    first = (NOW - dt.timedelta(days=days)).date()
    for day in {time.date() for time in times if time.date() > first}:
        newest = next(place for place, time in enumerate(times) if time.date() == day)
        assert newest not in gone
    assert len(times) - len(gone) <= keep + days + 1
