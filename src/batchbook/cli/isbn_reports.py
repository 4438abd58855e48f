"""`batchbook isbn report, check`: figures, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchbook.cli import isbn_options as opt
from batchbook.cli.isbn_views import block_line
from batchbook.cli.listing import Line, Listing, show_listing
from batchbook.cli.options import spread
from batchbook.cli.output import counted, manner, say, show_json
from batchbook.cli.systems import ISBN, Desk
from batchbook.errors import EXIT_OK, EXIT_OUTCOMES, UsageError

if TYPE_CHECKING:
    from batchbook.errors import Finding
    from batchbook.isbn.reports import Forecast, Report
    from batchbook.isbn.system import IsbnSystem
    from batchbook.tables.workspace import Workspace


def report(
    *,
    days: Annotated[
        int, typer.Option("--days", min=1, metavar="N", help="The forecast takes the rate of so many days.")
    ] = 90,
    to: opt.To = None,
    how: opt.Looking,
) -> None:
    """Report totals, breakdowns, blocks and a forecast.

    Breakdowns by status, month, imprint and format; and how long the numbers last. With --to the report is a
    workbook with charts. A file that is there already is replaced only if it is a report,
    and nobody has saved it since it was made.

    \b
    Examples:
      batchbook isbn report
      batchbook isbn report --format csv > figures.csv
      batchbook isbn report --to isbn-report.xlsx
    """
    from batchbook.batch.controller import local_now
    from batchbook.isbn.reports import report

    if to is not None and manner.csv:
        raise UsageError("--to and --format csv do not go together.", "Give one of them.")
    desk = ISBN.desk(how.workbook)
    found = report(desk.look(), desk.system, local_now().astimezone(desk.base.zone), window_days=days)
    desk.warn_of_unsound(found.unsound, "in no figure but unsure")
    if to is not None:
        _write(desk, found, to)
    elif manner.json:
        blocks = [block_line(desk, use) for use in found.blocks]
        show_json({**found.as_dict(), "blocks": blocks, "workbook": str(desk.workbook), "error": None})
    elif manner.csv:
        show_listing(Listing("figures", dict(_FIGURES), lambda: figures(found), ""))
    else:
        _show(found)


def _write(desk: Desk[IsbnSystem], found: Report, to: Path) -> None:
    from batchbook.isbn.reports import report_sheets
    from batchbook.storage.links import followed
    from batchbook.tables.reportbook import ReportFile, report_target, write_report

    target = report_target(to)
    if target == followed(desk.workbook):
        raise UsageError(f"{target} is the ISBN workbook itself, not a report.", "Give another name.")
    counts = write_report(ReportFile(target, "", f"ISBN report of {desk.workbook.name}"), report_sheets(found))
    if manner.json:
        show_json({"path": str(target), "sheets": dict(counts), "error": None})
    else:
        say(f"report: {target} (sheets: {', '.join(counts)})")


_FIGURES = (("part", "part"), ("name", "name"), ("figure", "figure"), ("value", "value"))


def figures(found: Report) -> Iterator[Line]:
    """A report as one table: part, what is counted, and a figure of it."""
    for name, count in found.totals.items():
        yield _figure("totals", name, "numbers", count)
    for name, count in found.by_status.items():
        yield _figure("by_status", name, "numbers", count)
    parts = (("by_month", found.by_month), ("by_imprint", found.by_imprint), ("by_format", found.by_format))
    for part, groups in parts:
        for name, counts in groups.items():
            for status, count in counts.items():
                yield _figure(part, name, status, count)
    for use in found.blocks:
        for figure, value in use.figures().items():
            yield _figure("blocks", use.block.block, figure, value)
    for name, forecast in {"": found.forecast, **found.block_forecasts}.items():
        yield _figure("forecast", name, "per_day", forecast.per_day)
        yield _figure("forecast", name, "lasts_until", forecast.lasts_until and forecast.lasts_until.isoformat())
    yield _figure("ranges", "", "date", found.ranges_date)


def _figure(part: str, name: str, figure: str, value: object) -> Line:
    return {"part": part, "name": name, "figure": figure, "value": value}


def _show(found: Report) -> None:
    say(f"ISBN report of {found.at:%Y-%m-%d %H:%M} (range table of {found.ranges_date})")
    say()
    _counts("totals", found.totals)
    _counts("by status", found.by_status)
    for title, groups in (
        ("month", found.by_month),
        ("imprint", found.by_imprint),
        ("format", found.by_format),
    ):
        statuses = list(dict.fromkeys(status for counts in groups.values() for status in counts))
        lines = [{"name": name or "(none)", **counts, "all": sum(counts.values())} for name, counts in groups.items()]
        headers = {"name": title, **dict(zip(statuses, statuses, strict=True)), "all": "all"}
        _part(Listing(title, headers, lambda lines=lines: lines, f"by {title}: nothing yet"))  # type: ignore[misc]
    forecasts = found.block_forecasts
    blocks: list[dict[str, object]] = [
        {
            "block": use.block.block,
            "imprint": use.block.imprint,
            "publisher": use.block.publisher,
            "total": use.block.total,
            **use.figures(),
            "lasts": _lasts(forecasts[use.block.block]) if use.block.block in forecasts else None,
        }
        for use in found.blocks
    ]
    headers = {
        name: name
        for name in ("block", "imprint", "publisher", "total", "used", "reserved", "available", "lost", "unsure")
    }
    headers |= {"utilisation": "taken", "lasts": "lasts until"}
    _part(Listing("blocks", headers, lambda: blocks, "There is no block yet.", frozenset({"utilisation"})))
    if found.blocks:
        lasting = f", lasting until {_lasts(found.forecast)}" if found.forecast.available > 0 else ""
        say(f"all blocks: {found.forecast.available:,} available{lasting}")
    say(f"scheduled in the next 30 days, or overdue: {found.upcoming:,}")


def _lasts(forecast: Forecast) -> str:
    if forecast.available <= 0:
        return "none is left"
    if forecast.lasts_until is not None:
        return forecast.lasts_until.isoformat()
    return f"not known: {forecast.why}" if forecast.why else "not known"


def _counts(title: str, counts: Any) -> None:
    lines = [{"name": name, "count": count} for name, count in counts.items()]
    _part(Listing(title, {"name": title, "count": "numbers"}, lambda: lines, f"{title}: nothing yet"))


def _part(listing: Listing) -> None:
    show_listing(listing)
    say()


def check(*, how: opt.Looking) -> int:
    """Name all that is wrong in the sheets.

    Cell by cell; nothing is changed. Exit code 3 where something is wrong. Warnings alone are fine.

    \b
    Examples:
      batchbook isbn check
      batchbook isbn check --workbook data/isbn.xlsx --format json
    """
    desk = ISBN.desk(how.workbook)
    workspace = desk.look()
    listing = Listing("findings", _FINDINGS, lambda: map(_finding, all_findings(desk, workspace)), "")
    errors = warnings = 0
    for finding in all_findings(desk, workspace):
        errors, warnings = errors + (not finding.warning), warnings + finding.warning
    rows = {kind.sheet: workspace.table(kind).count() + workspace.table(kind).unsound for kind in desk.system.types}
    if manner.json or manner.csv:
        more = {"workbook": str(desk.workbook), "rows": rows, "errors": errors, "warnings": warnings}
        show_listing(listing, {**more, "sound": not errors})
    else:
        if errors or warnings:
            show_listing(listing)
        said = ", ".join(f"{count:,} in {sheet}" for sheet, count in rows.items())
        say(f"rows: {said}")
        say(f"{desk.workbook.name}: {counted(errors, 'error') if errors else 'sound'}, {counted(warnings, 'warning')}")
    return EXIT_OUTCOMES if errors else EXIT_OK


_FINDINGS = {
    "level": "level",
    "sheet": "sheet",
    "row": "row",
    "column": "column",
    "value": "value",
    "rule": "rule",
    "message": "what is wrong",
}


def all_findings(desk: Desk[IsbnSystem], workspace: Workspace) -> Iterator[Finding]:
    """What is wrong in the rows, then across them."""
    yield from workspace.findings
    yield from desk.system.check(workspace)


def _finding(finding: Finding) -> Line:
    value = finding.value
    return {
        "level": "warning" if finding.warning else "error",
        "sheet": finding.sheet,
        "row": finding.row,
        "column": finding.column,
        "value": value if value is None or isinstance(value, int | float | str) else str(value),
        "rule": finding.rule,
        "message": finding.message,
    }


def register(app: typer.Typer) -> None:
    """Add the verbs to the group."""
    app.command("report")(spread(report))
    app.command("check")(spread(check))
