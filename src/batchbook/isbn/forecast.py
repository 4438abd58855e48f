"""How long numbers last, at the rate at which they were taken of late."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from batchbook.isbn.chronicle import ADOPT, TURNS, is_given
from batchbook.isbn.records import HistoryEntry
from batchbook.tables.filters import Between
from batchbook.tables.workspace import RecordTable

FEWEST_DAYS: Final = 7
"""A rate of fewer days says more of the day on which a list was imported than of what is to come."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long numbers last at the present rate; `lasts_until` is None where that is not known, `why` says why."""

    available: int
    per_day: float | None
    """Numbers newly taken a day over the window; None where the history does not say."""
    lasts_until: dt.date | None
    why: str | None


@dataclass(frozen=True, slots=True)
class Takings:
    """The numbers that were taken (1) and given back (-1) in a window of time."""

    today: dt.date
    days: float
    """The days that the history has of the window."""
    steps: Sequence[tuple[str, int]]

    @classmethod
    def read(cls, history: RecordTable[HistoryEntry], now: dt.datetime, window_days: int) -> Takings:
        """From the history. What an agency's list brought in was taken some time before."""
        start = now - dt.timedelta(days=window_days)
        first = history.first(field="status", order=("at",))
        days = min(float(window_days), (now - first.at) / dt.timedelta(days=1)) if first else 0.0
        # An undo names the run that it takes back; that of an adoption gives nothing back that was newly taken.
        adopted = {f"run {row.entry.rpartition('.')[0]}" for row in history.where(what=ADOPT)}
        rows = (row for row in history.where(field="status", at=Between(start, now)) if row.what != ADOPT)
        changes = (
            (row.isbn, is_given(row.after) - is_given(row.before))
            for row in rows
            if not (row.what in TURNS and row.reason in adopted)
        )
        return cls(now.date(), days, [(isbn, change) for isbn, change in changes if change])

    def forecast(self, available: int, first: str | None, last: str | None) -> Forecast:
        """Of the numbers from `first` to `last`, None for all, of which so many are available."""
        if available <= 0:
            return Forecast(available, self._rate(first, last), self.today, None)
        if self.days < FEWEST_DAYS:
            return Forecast(available, None, None, f"the history has fewer than {FEWEST_DAYS} days")
        rate = self._rate(first, last)
        if not rate:
            return Forecast(available, rate, None, f"no number was taken in the last {self.days:,.0f} days")
        try:
            until = self.today + dt.timedelta(days=int(available / rate))
        except OverflowError:
            return Forecast(available, rate, None, "they last longer than calendars go")
        return Forecast(available, rate, until, None)

    def _rate(self, first: str | None, last: str | None) -> float | None:
        if self.days < FEWEST_DAYS:
            return None
        taken = sum(
            change for isbn, change in self.steps if (first is None or isbn >= first) and (last is None or isbn <= last)
        )
        return max(0, taken) / self.days
