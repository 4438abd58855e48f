"""Reports on an ISBN workbook: totals, breakdowns, utilisation, forecast, as plain values and as report sheets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchbook.isbn.queries import BlockUse
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.reportbook import ReportSheet
from batchbook.tables.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long numbers last at the present rate; `lasts_until` is None where that is not known, `why` says why."""

    available: int
    per_day: float | None
    """Numbers newly taken a day over the window; None where the history does not say."""
    lasts_until: dt.date | None
    why: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report says."""

    at: dt.datetime
    ranges_date: str
    """Of the range table."""
    window_days: int
    """The days before `at` that the rate is taken from."""
    totals: Mapping[str, int]
    by_status: Mapping[str, int]
    by_month: Mapping[str, Mapping[str, int]]
    """By month of the scheduled date (``2026-11``; empty text: no date), then by status."""
    by_imprint: Mapping[str, Mapping[str, int]]
    by_format: Mapping[str, Mapping[str, int]]
    blocks: Sequence[BlockUse]
    forecast: Forecast
    """Of all blocks together."""
    block_forecasts: Mapping[str, Forecast]
    upcoming: int
    unsound: int
    """Rows that break a rule and are in none of the figures."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        raise NotImplementedError


def report(workspace: Workspace, system: IsbnSystem, now: dt.datetime, *, window_days: int = 90) -> Report:
    """The report at a moment (with zone)."""
    raise NotImplementedError


def report_sheets(report: Report) -> list[ReportSheet]:
    """The report as sheets of a report workbook, with charts."""
    raise NotImplementedError
