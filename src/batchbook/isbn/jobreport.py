"""Reports on runs of the jobs on ISBNs: what was given to whom, and what was rejected and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from batchbook.batch import ReportSheet, RunView, SheetColumn
from batchbook.batch.generalreport import (
    SUMMARY_COLUMNS,
    Line,
    conflicts_sheet,
    problems_sheet,
    summary_of,
    warnings_sheet,
)
from batchbook.isbn.records import ASSIGNMENTS
from batchbook.tables.kinds import CellValue
from batchbook.tables.records import RecordChange

_TOLD = ("isbn", "status", "title", "book_id", "format", "scheduled_date", "priority", "imprint", "publisher", "block")
"""Fields of a number that reports have; of a number that had a row before, those that changed."""


def bulk_report(run: RunView, *, changes_only: bool) -> Sequence[ReportSheet]:
    """The sheets on a bulk import."""
    columns = (SheetColumn("Input Row", 10), SheetColumn("What", 12), *_columns(_TOLD))
    return [
        _summary(run, "Bulk import of ISBNs", changes_only=changes_only),
        ReportSheet("Given", columns, _Lines(run, _given), "No number was given.", frozen=3),
        problems_sheet(run),
        *([warnings_sheet(run)] if run.warning_count else []),
    ]


def assign_due_report(run: RunView, *, changes_only: bool) -> Sequence[ReportSheet]:
    """The sheets on a run that assigned what was due."""
    names = ("isbn", "title", "book_id", "format", "scheduled_date", "status", "assigned_at")
    sheets = [
        _summary(run, "ISBNs that were due", changes_only=changes_only),
        ReportSheet("Assigned", _columns(names), _Lines(run, _assigned), "Nothing was due.", frozen=1),
        problems_sheet(run),
    ]
    return [*sheets, conflicts_sheet(run)] if run.conflict_count else sheets


def _summary(run: RunView, title: str, *, changes_only: bool) -> ReportSheet:
    return ReportSheet("Summary", SUMMARY_COLUMNS, summary_of(run, changes_only=changes_only, title=title))


def _columns(names: Sequence[str]) -> tuple[SheetColumn, ...]:
    found = (ASSIGNMENTS.column(name) for name in names)
    return tuple(SheetColumn(column.header, column.width) for column in found)


class _Lines:
    """Lines that can be gone through again."""

    def __init__(self, run: RunView, lines: object) -> None:
        self._run = run
        self._lines = lines

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines(self._run))  # type: ignore[operator]


def _given(run: RunView) -> Iterator[Line]:
    for number, changes in run.record_changes():
        for change in changes:
            if change.sheet == ASSIGNMENTS.sheet:
                what = "scheduled" if "status" in change.after else "updated"
                yield [number, what, *(_value(change, name) for name in _TOLD)]


def _value(change: RecordChange, name: str) -> CellValue:
    if name in change.after:
        return change.after[name]
    if name == "isbn":
        return str(ASSIGNMENTS.column("isbn").kind.write(change.key[0]))
    return (change.before or {}).get(name)


def _assigned(run: RunView) -> Iterator[Line]:
    for row in run.rows():
        if row.after:
            told = {**row.now, **row.after}
            names = ("isbn", "title", "book_id", "format", "scheduled_date", "status", "assigned_at")
            yield [told.get(name) if name != "isbn" else row.key for name in names]
