"""Which backups may go: keep the newest few, and the newest of each day for some weeks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence


def superfluous(times: Sequence[dt.datetime], now: dt.datetime, *, keep: int, keep_daily_days: int) -> list[int]:
    """Places, in `times` (newest first), of what the rule does not keep."""
    first_day = (now - dt.timedelta(days=keep_daily_days)).astimezone(dt.UTC).date()
    days: set[dt.date] = set()
    gone = []
    for place, time in enumerate(times):
        day = time.astimezone(dt.UTC).date()
        newest_of_day = day not in days and day > first_day
        days.add(day)
        if place >= keep and not newest_of_day:
            gone.append(place)
    return gone
