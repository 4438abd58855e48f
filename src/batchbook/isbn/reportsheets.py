"""A report as the sheets of a report workbook, with charts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from batchbook.batch import SheetColumn
from batchbook.isbn.records import STATUSES
from batchbook.tables.reportbook import Chart, ReportCell, ReportSheet, Toned
from batchbook.tables.reportcharts import ChartKind

if TYPE_CHECKING:
    from batchbook.isbn.forecast import Forecast
    from batchbook.isbn.reports import Report

_FULL: Final = 0.9
"""A block that is taken to this share is to be seen at a glance."""
_NONE: Final = "(none)"
_ALL: Final = "All"
_COLOURS: Final = {
    "available": "BFBFBF",
    "reserved": "FFC000",
    "scheduled": "9DC3E6",
    "assigned": "2F75B5",
    "published": "548235",
    "cancelled": "C00000",
}
_TOTALS: Final = {
    "blocks": "Blocks",
    "numbers": "Numbers of all blocks",
    "used": "Taken",
    "available": "Free",
    "lost": "Lost: given once, though no row says so",
    "unsure": "Unsure: their row breaks a rule",
    "rows": "Rows of numbers that were touched",
    "released": "Of these available again",
    "no_block": "Of these in no block",
}


def report_sheets(report: Report) -> list[ReportSheet]:
    """Summary, status, months, imprints, formats, blocks."""
    return [
        ReportSheet("Summary", (SheetColumn("", 40), SheetColumn("", 60)), _summary(report)),
        _statuses(report),
        _breakdown("By month", "Month", report.by_month, "stacked"),
        _breakdown("By imprint", "Imprint", report.by_imprint, "bar"),
        _breakdown("By format", "Format", report.by_format, "pie"),
        _blocks(report),
    ]


def _summary(report: Report) -> Iterator[Sequence[ReportCell]]:
    yield ("ISBN report",)
    yield "At", report.at.isoformat(sep=" ", timespec="minutes")
    yield "Range table", report.ranges_date
    if report.unsound:
        yield "Rows that break a rule, in no figure", Toned(report.unsound, "bad")
    yield ("Numbers",)
    for name, title in _TOTALS.items():
        yield title, report.totals[name]
    yield "Scheduled up to 30 days ahead, or overdue", report.upcoming
    yield ("Forecast",)
    yield "Taken a day", _rate(report.forecast)
    yield "At this rate the free numbers last until", _until(report.forecast)
    yield "Days that the rate is of", report.window_days


def _rate(forecast: Forecast) -> ReportCell:
    return "unknown" if forecast.per_day is None else round(forecast.per_day, 2)


def _until(forecast: Forecast) -> ReportCell:
    if forecast.available <= 0 and forecast.lasts_until is not None:
        return Toned("none is left", "bad")
    return forecast.lasts_until or f"unknown: {forecast.why}"


def _statuses(report: Report) -> ReportSheet:
    columns = (SheetColumn("Status", 16), SheetColumn("Numbers", 12))
    chart = Chart("column", "Numbers by status", "Status", ["Numbers"])
    return ReportSheet("By status", columns, list(report.by_status.items()), charts=[chart], numbers=["Numbers"])


def _breakdown(title: str, name: str, groups: Mapping[str, Mapping[str, int]], drawn: ChartKind) -> ReportSheet:
    """A table of groups by status, with a chart: stacked it shows the statuses, else all numbers of a group."""
    used = [status for status in STATUSES if any(status in group for group in groups.values())]
    headers = [status.capitalize() for status in used]
    columns = [SheetColumn(header, 12) for header in (*headers, _ALL)]
    rows: list[Sequence[ReportCell]] = [
        (group or _NONE, *(counts.get(status, 0) for status in used), sum(counts.values()))
        for group, counts in groups.items()
    ]
    charts = []
    if used:
        stacked = drawn == "stacked"
        values, colours = (headers, [_COLOURS[status] for status in used]) if stacked else ([_ALL], [])
        charts = [Chart(drawn, f"Numbers {title[0].lower()}{title[1:]}", name, values, colours=colours)]
    return ReportSheet(
        title,
        (SheetColumn(name, 24), *columns),
        rows,
        "No number was touched yet.",
        charts=charts,
        numbers=(*headers, _ALL),
    )


_BLOCKS: Final = (
    ("Block", 20), ("Imprint", 14), ("Publisher", 26), ("Total", 10), ("Taken", 10), ("Reserved", 10), ("Free", 10),
    ("Lost", 10), ("Unsure", 10), ("Utilisation %", 14), ("Taken a day", 14), ("Lasts until", 50),
)  # fmt: skip


_NUMBERS: Final = tuple(title for title, _ in _BLOCKS[3:-1])


def _blocks(report: Report) -> ReportSheet:
    rows: list[Sequence[ReportCell]] = []
    for use in report.blocks:
        block, forecast = use.block, report.block_forecasts[use.block.block]
        share: ReportCell = round(100 * use.utilisation, 1)
        if use.utilisation >= _FULL:
            share = Toned(round(100 * use.utilisation, 1), "warn" if use.available else "bad")
        rows.append(
            (
                block.block, block.imprint, block.publisher, block.total, use.used, use.reserved, use.available,
                use.lost, use.unsure, share, _rate(forecast), _until(forecast),
            )
        )  # fmt: skip
    columns = [SheetColumn(title, width) for title, width in _BLOCKS]
    charts = [
        Chart("bar", "Utilisation of the blocks", "Block", ["Utilisation %"], value_title="per cent"),
        Chart("stacked", "Taken and free", "Block", ["Taken", "Free"], value_title="numbers"),
    ]
    return ReportSheet("Blocks", columns, rows, "There is no block yet.", charts=charts, numbers=_NUMBERS)
