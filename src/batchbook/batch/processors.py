"""What is done to a row: function processors and class processors, behind one interface.

A function takes a `Row` and returns a mapping of the columns it writes, or None. A class derives from `Processor`:
it can be async, take whole batches, keep state, carry a version, name its reference data and fill detail sheets.
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict

from batchbook.tables.records import RecordChange
from batchbook.tables.row import Row
from batchbook.xlsx import SheetColumn
from batchbook.xlsx.values import CellValue

if TYPE_CHECKING:
    from batchbook.batch.runview import RunView
    from batchbook.batch.systems import Actor, System
    from batchbook.tables.reportbook import ReportSheet
    from batchbook.tables.workspace import Workspace


class NoOptions(BaseModel):
    """A processor without options of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a processor is told about the job it works for."""

    writes: frozenset[str]
    """The columns that may be written, under the job's own names."""
    base: Path
    """Relative paths in options count from this folder."""
    offline: bool
    now: dt.datetime
    """When the run started, with zone."""
    cache: Path
    """The folder for what can be had again, such as answers of other machines."""
    zone: dt.tzinfo = dt.UTC
    """In which people's dates are."""
    sections: Mapping[str, Any] = field(default_factory=dict)
    """What the base configuration says under the name of a system, such as ``isbn:``."""


@dataclass(frozen=True, slots=True)
class DetailSheet:
    """A machine-owned sheet that holds any number of rows for each row of the job's sheet."""

    columns: tuple[SheetColumn, ...]
    key: int = 1
    """How many leading columns hold the key of the row that the details belong to."""
    earlier: tuple[int, ...] = ()
    """How many of these columns earlier versions had, from the left: such a sheet is the job's as well."""


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row."""

    columns: Mapping[str, CellValue] = field(default_factory=dict)
    details: Mapping[str, Sequence[Sequence[CellValue]]] = field(default_factory=dict)
    """By sheet: all detail rows of this row; they replace those it had before."""
    unknown: str | None = None
    """The reason, where the answer could not be had; columns and details are written all the same."""
    changes: Sequence[RecordChange] = ()
    """Of a processor with a `system`: changes of its records, brought into the workbook as a whole or not at all."""
    remark: str = ""
    """What is to be known of a row that ended well, such as that it was done otherwise than people would expect."""
    checked: bool = True
    """False where nothing was found out: the checked-at mark stays, so that a job over stale rows takes it again."""


Result: TypeAlias = Mapping[str, CellValue] | RowResult | None


@dataclass(frozen=True, slots=True)
class ReportWish:
    """A report workbook that each run is to leave."""

    to: str
    """Its path; relative ones count from the base folder. ``{job}``, ``{date}`` and ``{run}`` stand for the run's."""
    changes_only: bool = False


class Processor:
    """Base of class processors. Override `process` (plain or async), or `process_batch` for whole batches."""

    version: ClassVar[str] = "1"
    """Part of a checkpoint's validity: change it when the same row would give another result."""
    Options: ClassVar[type[BaseModel]] = NoOptions
    reads: ClassVar[tuple[str, ...] | None] = None
    writes: ClassVar[tuple[str, ...]] = ()
    """The columns that a job writes where it has no `writes:` of its own."""
    may_write: ClassVar[tuple[str, ...]] = ()
    """Further columns, filled only for a job that names them in `writes:`."""
    columns: ClassVar[Mapping[str, str | list[str]]] = {}
    details: ClassVar[Mapping[str, DetailSheet]] = {}
    system: System | None = None
    """The system whose records this processor changes, set by its constructor: rows then go one after another."""
    input_only: ClassVar[bool] = False
    """Of a processor with a `system`: rows come from the job's input alone, no row of a sheet belongs to one."""
    may_read: ClassVar[tuple[str, ...]] = ()
    """Of an `input_only` processor: further columns that the input may have."""
    changes: ClassVar[tuple[str, ...]] = ()
    """Columns among `reads` that its changes of records write: that they did is no change of an input."""

    def __init__(self, options: Any, context: JobContext) -> None:
        self.options = options
        self.context = context

    def reference_dates(self) -> Mapping[str, str]:
        """The date of each set of reference data that results depend on."""
        return {}

    def examine(self, workspace: Workspace) -> None:
        """Look at the records of its `system` before a run begins; raise BatchbookError where they are no ground."""

    def opened(self, workspace: Workspace, actor: Actor) -> None:
        """Told the records of its `system` as they are now, before rows of them are processed and again whenever that
        changed under it; results that are not in the workbook yet are staged already.

        What a row is to change is staged there while it is processed, inside `Workspace.whole`, taken, and returned in
        `RowResult.changes`.
        """

    def selects(self, row: Row) -> bool:
        """Whether a row is one that this processor has anything to do with; others are not selected."""
        return True

    def order(self, row: Row) -> tuple[str | int, ...] | None:
        """Of an `input_only` processor: what the input's rows are sorted by before they are processed; None: not."""
        return None

    def coming(self, rows: Sequence[Row]) -> None:
        """Told which rows come next, before they are processed, for what can be asked for together.

        Must return at once. A row may come twice, or never be processed. What this raises is ignored.
        """

    def process(self, row: Row) -> Result | Awaitable[Result]:
        """Do one row; called from several threads at once."""
        raise TypeError(f"{type(self).__name__} has neither process nor process_batch")

    def process_batch(self, rows: Sequence[Row]) -> Sequence[Result | Exception]:
        """Do all rows of a batch: a result, or the exception that stands for one, for each row in order."""
        raise TypeError(f"{type(self).__name__} does not take batches")

    def remarks(self) -> Sequence[str]:
        """What is to be told of this attempt at a run as a whole, at its end, a sentence each: it becomes a warning."""
        return ()

    def report_wish(self) -> ReportWish | None:
        """The report workbook that the end of each run is to leave, None for none."""
        return None

    @classmethod
    def report(cls, run: RunView, *, changes_only: bool) -> Sequence[ReportSheet] | None:
        """The sheets of a report on a run of this processor; None for the general ones (see `runreport`).

        `changes_only`: what the run left as it was is left out. Called without an instance, also long after the run.
        """
        return None

    def close(self) -> None:
        """Give back what is held; called once, at the end of a run."""

    @property
    def chooses(self) -> bool:
        """Whether this processor overrides `selects`: that nothing is to be done is nothing to warn of then."""
        return type(self).selects is not Processor.selects

    @property
    def takes_batches(self) -> bool:
        """Whether `process_batch` is what this processor overrides."""
        return type(self).process_batch is not Processor.process_batch

    @property
    def is_async(self) -> bool:
        """Whether `process` is a coroutine function."""
        return inspect.iscoroutinefunction(self.process)


class FunctionProcessor(Processor):
    """A user's function as a processor."""

    def __init__(self, function: Callable[[Row], Any], context: JobContext) -> None:
        super().__init__(NoOptions(), context)
        self.function = function

    def process(self, row: Row) -> Result | Awaitable[Result]:
        """Call the function."""
        return self.function(row)  # type: ignore[no-any-return]

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)
