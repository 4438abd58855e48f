"""Reports on an ISBN workbook: totals, breakdowns, utilisation, forecast, as plain values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from batchbook.isbn.forecast import Forecast, Takings
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.queries import BlockUse, block_uses, upcoming
from batchbook.isbn.records import STATUSES, Assignment
from batchbook.isbn.reportsheets import report_sheets
from batchbook.isbn.session import Session
from batchbook.isbn.spans import capacity, span_of
from batchbook.isbn.states import FREE
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.filters import Between
from batchbook.tables.workspace import RecordTable, Workspace

__all__ = ["Forecast", "Report", "report", "report_sheets"]

UPCOMING_DAYS: Final = 30
_MOST_EMPTY: Final = 12
"""So many months in a row without a number are told; of a longer stretch none, as of a date that was mistyped."""


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
    """By month of the scheduled date (``2026-11``; empty text: no date), then by status; short gaps are filled."""
    by_imprint: Mapping[str, Mapping[str, int]]
    """By imprint, whatever the case: as the blocks write it, else as most rows do (empty text: none)."""
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
        """For JSON; ISBNs without hyphens, for which a range table is needed."""
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
        by_imprint=_by_name(_groups(table.tally("imprint", "status"), _imprint_names(session, table))),
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


def _imprint_names(session: Session, table: RecordTable[Assignment]) -> Callable[[str], str]:
    """Gives the one name of an imprint, however a row writes it."""
    names: dict[str, str] = {}
    for block in session.blocks.where():
        if block.imprint:
            names.setdefault(_folded(block.imprint), _tidy(block.imprint))
    rows = [(imprint, count) for (imprint,), count in table.tally("imprint").items() if imprint is not None]
    for imprint, _ in sorted(rows, key=lambda one: -one[1]):  # of as many, the first in the alphabet
        names.setdefault(_folded(imprint), _tidy(imprint))
    return lambda imprint: names[_folded(imprint)]


def _by_name(groups: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """In the order of their names, whatever the case; blanks last."""
    return {name: groups[name] for name in sorted(groups, key=lambda name: (not name, name.casefold()))}


def _tidy(name: str) -> str:
    return " ".join(name.split())


def _folded(name: str) -> str:
    return _tidy(name).casefold()


def _without_gaps(months: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The months with those between them in which nothing is scheduled, where these are few."""
    filled: dict[str, dict[str, int]] = {}
    last: int | None = None
    for month, counts in months.items():
        if month:
            ordinal = 12 * int(month[:4]) + int(month[5:]) - 1
            empty = range(ordinal if last is None else last + 1, ordinal)
            if len(empty) <= _MOST_EMPTY:
                filled |= {f"{one // 12:04d}-{one % 12 + 1:02d}": {} for one in empty}
            last = ordinal
        filled[month] = counts
    return filled
