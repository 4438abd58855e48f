"""The sheets of a report on a run of any job: a summary, what changed, what went wrong, what people hold against it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from batchbook.batch.diffexport import row_differences
from batchbook.batch.runview import RowView, RunView
from batchbook.storage.turns import turn_of
from batchbook.tables.codec import pack_rows, same, unpack
from batchbook.tables.reportbook import ReportCell, ReportSheet, Tone, Toned
from batchbook.xlsx import SheetColumn

Line = Sequence[ReportCell]

SUMMARY_COLUMNS = (SheetColumn("", 52), SheetColumn("", 90))
OUTCOMES = ("done", "unchanged", "unknown", "rejected", "failed", "gone")
_TONES: Mapping[str, Tone] = {"unknown": "warn", "rejected": "bad", "failed": "bad", "gone": "warn"}


def general_report(run: RunView, *, changes_only: bool) -> list[ReportSheet]:
    """The sheets for a job that has none of its own. Their rows are read from the ledger as they are written."""
    changes = RecordChanges(run) if run.of_records else Changes(run)
    sheets = [
        ReportSheet("Summary", SUMMARY_COLUMNS, summary_of(run, changes_only=changes_only)),
        ReportSheet("Changes", CHANGE_COLUMNS, changes, "Nothing was changed."),
        problems_sheet(run),
        conflicts_sheet(run),
    ]
    if not changes_only and not run.of_records:
        columns = [SheetColumn(title, 22) for title in run.columns.values()]
        rows = ([row.now.get(name) for name in run.columns] for row in run.rows() if row.now)
        sheets.append(ReportSheet("Rows", columns or [SheetColumn("Rows", 40)], rows, "The sheet has no rows."))
    return sheets


def summary_of(run: RunView, *, changes_only: bool, title: str = "Report on a run") -> Iterator[Line]:
    """What a report begins with: which run, when, over what, compared with which one, and what to know of it."""
    yield [title]
    yield ["Run", run.run.id]
    yield ["Job", run.run.job]
    yield ["Workbook", str(run.workbook)]
    yield ["Started", moment(run.run.started)]
    yield ["Ended", moment(run.run.ended) if run.run.ended else "it has not ended"]
    yield ["Status", run.status]
    if not run.of_records:
        rest = "what changed in this run only" if changes_only else "what changed, and everything else"
        yield ["Compared with", compared_with(run)]
        yield ["This report has", rest]
    if run.marks.checked_at is not None:
        title = run.columns.get(run.marks.checked_at, run.marks.checked_at)
        yield ["Not a change", f"another time in the column {title}, which says when each row was checked"]
    for text in run.remarks():
        yield ["Please note", Toned(text, "warn")]
    yield ["Rows of the run"]
    yield ["selected", run.run.selected]
    for name in OUTCOMES:
        if count := run.counts.get(name, 0):
            yield [name, Toned(count, _TONES[name]) if name in _TONES else count]
    if run.run.reference:
        yield ["Reference data, and of which date"]
        for name, date in sorted(run.run.reference.items()):
            yield [name, day(date)]


def compared_with(run: RunView) -> str:
    """Which run the changes are changes since, in words."""
    turn = turn_of(run.run.job, run.run.settings)
    if turn is not None:
        return f"the workbook as it was before it; this run is the {turn.verb} of run {turn.run}"
    if run.before is None:
        return (
            "nothing: this is the first run of this job over this workbook that the ledger knows. What the workbook "
            "held already is not new"
        )
    one = run.before
    pruned = "; its details were pruned since" if one.pruned else ""
    return f"run {one.run_id} of {moment(one.started)}, which was {one.status}{pruned}"


def moment(text: str) -> str:
    """A recorded time to the second, with its offset."""
    try:
        return dt.datetime.fromisoformat(text).isoformat(" ", "seconds")
    except ValueError:
        return text


def day(text: str) -> str | dt.date:
    """A recorded date as a date; what is none, as it is."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return text


CHANGE_COLUMNS = tuple(
    SheetColumn(header, width)
    for header, width in (("Sheet", 14), ("Row", 8), ("Key", 24), ("Column", 24), ("Before", 50), ("After", 50))
)


class Changes:
    """A line for each cell, or row of a detail sheet, that a run left other than it was; can be gone through again."""

    def __init__(self, run: RunView) -> None:
        self._run = run
        self._places = {name: place for place, name in enumerate(run.columns)}

    def __iter__(self) -> Iterator[Line]:
        for row in self._run.rows():
            yield from self._of(row)

    def _of(self, row: RowView) -> Iterator[Line]:
        for name in sorted(row.after, key=lambda name: self._places.get(name, len(self._places))):
            before, after = row.before.get(name), row.after[name]
            if name != self._run.marks.checked_at and not same(before, after):
                title = self._run.columns.get(name, name)
                yield [self._run.run.sheet, row.number, row.key, title, before, after]
        for sheet, (old, new) in row.details.items():
            for one, other in row_differences(pack_rows(old), pack_rows(new)):
                yield [sheet, None, row.key, "the whole row", one, other]


class RecordChanges:
    """A line for each cell of a record that a run changed, of whatever sheet; can be gone through again."""

    def __init__(self, run: RunView) -> None:
        self._run = run

    def __iter__(self) -> Iterator[Line]:
        for one in self._run.cell_changes():
            yield [one.sheet, one.number or None, one.key, one.column, unpack(one.before), unpack(one.after)]


def problems_sheet(run: RunView) -> ReportSheet:
    """Every row that did not end well, with the reason."""
    columns = (SheetColumn("Row", 8), SheetColumn("Key", 28), SheetColumn("Outcome", 12), SheetColumn("Reason", 110))
    rows = (
        [one["row"], one["key"], Toned(one["outcome"], "warn" if one["outcome"] == "unknown" else "bad"), one["reason"]]
        for one in run.problems()
    )
    return ReportSheet("Problems", columns, rows, "No row was rejected, unknown, failed or gone.", frozen=2)


def warnings_sheet(run: RunView) -> ReportSheet:
    """Every row that ended well, though with a remark."""
    columns = (SheetColumn("Row", 8), SheetColumn("Key", 28), SheetColumn("Warning", 110))
    rows = ([one["row"], one["key"], Toned(one["warning"], "warn")] for one in run.warnings())
    return ReportSheet("Warnings", columns, rows, "No row has a warning.", frozen=2)


def conflicts_sheet(run: RunView) -> ReportSheet:
    """Every cell in which a person's value and the run's differ."""
    headers = (("Sheet", 14), ("Row", 8), ("Key", 24), ("Column", 24), ("Theirs", 44), ("The Run's", 44), ("Kept", 16))
    rows = (
        [
            one["sheet"], one["row"], one["key"], one["column"], unpack(one["theirs"]), unpack(one["ours"]),
            "the person's" if one["kept"] == "theirs" else "the run's",
        ]
        for one in run.conflicts()
    )  # fmt: skip
    columns = tuple(SheetColumn(header, width) for header, width in headers)
    return ReportSheet("Conflicts", columns, rows, "No person's value and the run's differ.")
