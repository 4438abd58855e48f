"""Jobs on ISBNs: scheduling the rows of a file, and assigning what is due."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from batchbook.batch.processors import JobContext, Processor, ReportWish, RowResult
from batchbook.errors import Finding, Rejected
from batchbook.isbn import bulk
from batchbook.isbn.allocation import NoNumberLeft
from batchbook.isbn.errors import IsbnRefused, OtherDetails
from batchbook.isbn.headers import spelled
from batchbook.isbn.jobreport import assign_due_report, bulk_report
from batchbook.isbn.outcomes import OnDifference, Wanted
from batchbook.isbn.records import ASSIGNMENTS, STATUSES
from batchbook.isbn.rules import MISREAD
from batchbook.isbn.scheduling import day_over
from batchbook.isbn.service import assign
from batchbook.isbn.states import CHECK
from batchbook.isbn.system import IsbnSystem, isbn_system
from batchbook.tables.kinds import Wrong
from batchbook.tables.row import Row
from batchbook.tables.workspace import RecordRefused, Unsound, Workspace

if TYPE_CHECKING:
    from batchbook.batch.runview import RunView
    from batchbook.batch.systems import Actor
    from batchbook.tables.reportbook import ReportSheet

_LONGEST_VALUE = 80
"""Characters of a value in a reason; the file of rejected rows has all of them."""


def _report_path(value: str) -> str:
    if not value.lower().endswith(".xlsx"):
        raise ValueError("a report is a workbook: its name ends in .xlsx")
    return value


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReportOptions(_Options):
    """The report workbook that each run leaves."""

    to: Annotated[str, Field(min_length=6), AfterValidator(_report_path)]
    """Its path; relative ones count from the base folder. ``{job}``, ``{date}`` and ``{run}`` stand for the run's."""
    changes_only: bool = False


class BulkOptions(_Options):
    """Options of `BulkImport`."""

    on_difference: OnDifference = "refuse"
    """What is done with a row whose book has a number for the format already, with other details."""
    report: ReportOptions | None = None


class DueOptions(_Options):
    """Options of `AssignDue`."""

    until: dt.date | None = None
    """The last scheduled date that is due; None: the day of the run, in the zone of people's dates."""
    report: ReportOptions | None = None


class _IsbnJob(Processor):
    """What both jobs have: the system, its records, and how refusals become reasons."""

    def __init__(self, options: Any, context: JobContext) -> None:
        super().__init__(options, context)
        self._isbn = isbn_system(context.sections.get("isbn", {}), context.base, zone=context.zone)
        self.system = self._isbn
        self._workspace: Workspace | None = None
        self._actor: Actor | None = None

    def reference_dates(self) -> Mapping[str, str]:
        """The range table that ISBNs are read and hyphenated by."""
        return {"ISBN ranges": self._isbn.ranges_date}

    def opened(self, workspace: Workspace, actor: Actor) -> None:
        """Keep the records that rows are staged in."""
        self._workspace, self._actor = workspace, actor

    @property
    def _records(self) -> tuple[Workspace, IsbnSystem, Actor]:
        assert self._workspace is not None and self._actor is not None
        return self._workspace, self._isbn, self._actor

    def report_wish(self) -> ReportWish | None:
        """The report that the options ask for."""
        wish = self.options.report
        return ReportWish(wish.to, wish.changes_only) if wish is not None else None


class BulkImport(_IsbnJob):
    """Schedules each row of an input: by scheduled date, then priority, then the input's order.

    Rows that ask for a certain ISBN come first.
    """

    Options = BulkOptions
    input_only = True
    reads = bulk.NEEDED
    may_read = tuple(name for name in bulk.HEADERS if name not in bulk.NEEDED)
    columns: ClassVar[Mapping[str, str | list[str]]] = {
        name: list(titles) for name, titles in spelled(bulk.HEADERS).items()
    }

    def __init__(self, options: Any, context: JobContext) -> None:
        super().__init__(options, context)
        self._short: Counter[str] = Counter()
        """The first of them."""

    def examine(self, workspace: Workspace) -> None:
        """Numbers are given on sound sheets only. Raises Unsound with every row that breaks a rule."""
        workspace.table(self._isbn.blocks).must_be_sound(CHECK)
        workspace.table(self._isbn.assignments).must_be_sound(CHECK)

    def order(self, row: Row) -> tuple[str | int, ...] | None:
        """By scheduled date, then priority, those with a number of their own first; wrong rows take none at all."""
        wanted, _ = self._read(row)
        return wanted.sort_key if wanted is not None else None

    def _read(self, row: Row) -> tuple[Wanted | None, Sequence[Finding]]:
        shown = {name: row.shown(name) for name in row}
        return bulk.read_row(self._isbn, dict(row), shown, bulk.Place(row=row.number))

    def process(self, row: Row) -> RowResult | None:
        """Schedule one row, whole or not at all. Raises Rejected with all that is wrong with it."""
        wanted, findings = self._read(row)
        workspace, system, actor = self._records
        if wanted is not None:
            findings = [*findings, *bulk.row_findings(workspace, system, wanted, bulk.Place(row=row.number))]
        if wanted is None or any(not finding.warning for finding in findings):
            raise Rejected(reason_of(findings))
        try:
            with workspace.whole():
                done = bulk.schedule_row(workspace, system, actor, wanted, on_difference=self.options.on_difference)
        except NoNumberLeft as error:
            self._short[wanted.format or ""] += 1
            raise Rejected(error.what) from error
        except OtherDetails as error:
            raise Rejected(f"{said_of(error)} To take the file's details over, import it with --update.") from error
        except (IsbnRefused, RecordRefused, Unsound) as error:
            raise Rejected(said_of(error)) from error
        changes = workspace.take()
        if not changes:
            return None
        today = self.context.now.astimezone(self.context.zone).date()
        misread = [_said(finding) for finding in findings if finding.rule == MISREAD]
        said = [*misread, *done.warnings, *day_over(done.assignment, today)]
        if not said:
            return RowResult(changes=changes)
        number = ASSIGNMENTS.column("isbn").kind.show(done.assignment.isbn)
        return RowResult(changes=changes, remark=f"{number}: {'; '.join(said)}")

    def remarks(self) -> Sequence[str]:
        """The shortage, where there was one."""
        missing = sum(self._short.values())
        if not missing:
            return ()
        rows = "1 row got no number" if missing == 1 else f"{missing:,} rows got no number"
        return (f"{rows}, for no block has one left: enter another block (batchbook isbn add-block), then import them",)

    @classmethod
    def report(cls, run: RunView, *, changes_only: bool) -> Sequence[ReportSheet]:
        """What was given to whom, and what was rejected and why."""
        return bulk_report(run, changes_only=changes_only)


class AssignDue(_IsbnJob):
    """Assigns every number that is scheduled up to a day."""

    Options = DueOptions
    reads = ("isbn", "status", "scheduled_date")
    changes = ("status",)
    columns: ClassVar[Mapping[str, str | list[str]]] = {
        column.name: list(column.headers) for column in ASSIGNMENTS.columns
    }

    @property
    def until(self) -> dt.date:
        """The last day that is due."""
        given: dt.date | None = self.options.until
        return given or self.context.now.astimezone(self.context.zone).date()

    def selects(self, row: Row) -> bool:
        """Whether the number is scheduled up to that day; also where nobody can tell, which is then said."""
        status = (row.shown("status").strip() or str(row["status"] or "")).casefold()  # as the sheet's rules read it
        if status not in STATUSES:
            return any(row[name] is not None for name in self.reads)  # else it is no row of the table
        if status != "scheduled":
            return False
        if row["scheduled_date"] is None:
            return True
        try:
            day = ASSIGNMENTS.column("scheduled_date").kind.read(row["scheduled_date"], row.shown("scheduled_date"))
        except Wrong:
            return True
        return bool(day <= self.until)

    def process(self, row: Row) -> RowResult | None:
        """Assign one number. Raises Rejected where its row breaks a rule, or the step is not allowed."""
        workspace, system, actor = self._records
        try:
            with workspace.whole():
                done = assign(workspace, system, actor, _number(row), what="assign-due")
        except (IsbnRefused, RecordRefused, Unsound) as error:
            raise Rejected(said_of(error)) from error
        changes = workspace.take()
        return RowResult(changes=changes) if done.changed else None

    @classmethod
    def report(cls, run: RunView, *, changes_only: bool) -> Sequence[ReportSheet]:
        """What was assigned, and what could not be."""
        return assign_due_report(run, changes_only=changes_only)


def _number(row: Row) -> str:
    """The number of a row: of a number cell all digits, however few of them are shown."""
    try:
        return str(ASSIGNMENTS.column("isbn").kind.read(row["isbn"], row.shown("isbn")))
    except Wrong:
        return row.shown("isbn")  # whoever reads it says what is wrong with it


def reason_of(findings: Iterable[Finding]) -> str:
    """Everything that is wrong with a row, in one text: column, what is wrong, value, rule."""
    return "; ".join(_said(finding) for finding in findings if not finding.warning)


def said_of(error: IsbnRefused | RecordRefused | Unsound) -> str:
    """A refusal in one text, with its findings."""
    return f"{error.what} {reason_of(error.findings)}".strip()


def _said(finding: Finding) -> str:
    place = f"{finding.column}: " if finding.column else ""
    known = []
    if finding.value is not None:
        value = str(finding.value)
        known.append(repr(value if len(value) <= _LONGEST_VALUE else f"{value[:_LONGEST_VALUE]}…"))
    if finding.rule:
        known.append(f"rule {finding.rule}")
    return f"{place}{finding.message}" + (f" ({', '.join(known)})" if known else "")
