"""Reports on an ISBN workbook: totals, breakdowns, utilisation, forecast, as plain values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from batchbook.isbn.forecast import Forecast, Takings
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.queries import BlockUse, block_uses, upcoming
from batchbook.isbn.records import STATUSES
from batchbook.isbn.reportsheets import report_sheets
from batchbook.isbn.session import Session
from batchbook.isbn.spans import capacity, span_of
from batchbook.isbn.states import FREE
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.filters import Between
from batchbook.tables.workspace import Workspace

__all__ = ["Forecast", "Report", "report", "report_sheets"]

UPCOMING_DAYS: Final = 30
_MOST_YEARS: Final = 10
"""Months without a number are told between others up to so many years apart."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report says."""

    at: dt.datetime
    ranges_date: str
    """The range table and its date."""
    window_days: int
    """The days before `at` that the rate is taken from."""
    totals: Mapping[str, int]
    """blocks; numbers (of all blocks, each once); used; available; lost; unsure; rows (with a state); no_block."""
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
    """Numbers scheduled up to 30 days ahead, overdue ones included."""
    unsound: int
    """Rows that break a rule and are in none of the figures."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain: dict[str, Any] = _plain(asdict(self))
        plain["blocks"] = [{**use.pop("block"), **use} for use in plain["blocks"]]
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, dt.date) else value


def report(workspace: Workspace, system: IsbnSystem, now: dt.datetime, *, window_days: int = 90) -> Report:
    """The report at a moment (with zone)."""
    session = Session(workspace, system)
    lost = session.lost_numbers()
    unsure = session.unsure_numbers()
    uses = block_uses(session, lost, unsure)
    totals = _totals(session, uses, lost, unsure)
    takings = Takings.read(session.history, now, window_days)
    table = session.assignments
    counted = table.tally("status")
    return Report(
        at=now,
        ranges_date=system.ranges_date,
        window_days=window_days,
        totals=totals,
        by_status={status: counted.get((status,), 0) for status in STATUSES},
        by_month=_without_gaps(_groups(table.tally("scheduled_date", "status"), lambda day: f"{day:%Y-%m}")),
        by_imprint=_groups(table.tally("imprint", "status"), str),
        by_format=_groups(table.tally("format", "status"), str),
        blocks=uses,
        forecast=takings.forecast(totals["available"], None, None)
        if uses
        else Forecast(0, None, None, "there is no block yet"),
        block_forecasts={
            use.block.block: takings.forecast(use.available, use.block.first, use.block.last) for use in uses
        },
        upcoming=sum(1 for _ in upcoming(workspace, system, now.date(), UPCOMING_DAYS)),
        unsound=sum(one.unsound for one in (session.blocks, session.assignments, session.history)),
    )


def _totals(
    session: Session, uses: Sequence[BlockUse], lost: Collection[str], unsure: Collection[str]
) -> dict[str, int]:
    """Figures of all blocks together: a number of two blocks that overlap counts once."""
    spans = [span_of(use.block) for use in uses]
    rows = session.assignments.count()
    free = session.assignments.count(status=FREE)
    inside = used = 0
    for first, last in _stretches([(span.first, span.last) for span in spans]):
        within = Between(isbn_of(first), isbn_of(last))
        count = session.assignments.count(isbn=within)
        inside += count
        used += count - session.assignments.count(status=FREE, isbn=within)
    numbers = capacity(spans)
    gone, open_ = (
        sum(any(use.block.first <= isbn <= use.block.last for use in uses) for isbn in found)
        for found in (lost, unsure)
    )
    return {
        "blocks": len(uses),
        "numbers": numbers,
        "used": used,
        "available": numbers - used - gone - open_,
        "lost": gone,
        "unsure": open_,
        "rows": rows,
        "released": free,
        "no_block": rows - inside,
    }


def _stretches(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of cores without what they have in common."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _groups(counted: Mapping[tuple[Any, ...], int], name: Callable[[Any], str]) -> dict[str, dict[str, int]]:
    """Counts by a value's name, then by status in the order of the states; blanks last."""
    groups: dict[str, dict[str, int]] = {}
    for (value, status), count in counted.items():
        group = groups.setdefault("" if value is None else name(value), {})
        group[status] = group.get(status, 0) + count
    if "" in groups:
        groups[""] = groups.pop("")
    order: tuple[str, ...] = STATUSES
    return {name: {status: group[status] for status in order if status in group} for name, group in groups.items()}


def _without_gaps(months: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The months with those between them in which nothing is scheduled; as they are where that would be very many."""
    named = [(int(month[:4]), int(month[5:])) for month in months if month]
    if not named or (named[-1][0] - named[0][0]) > _MOST_YEARS:  # a date that somebody mistyped
        return months
    ordinals = range(12 * named[0][0] + named[0][1] - 1, 12 * named[-1][0] + named[-1][1])
    names = [f"{ordinal // 12:04d}-{ordinal % 12 + 1:02d}" for ordinal in ordinals]
    return {name: months.get(name, {}) for name in (*names, *([""] if "" in months else []))}
