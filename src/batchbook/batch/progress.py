"""Progress: the tracker counts and emits events; somebody else draws them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from batchbook.batch.outcomes import Counts, Outcome, RowOutcome
from batchbook.storage.ledger import Times


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run, or an attempt at it, begins to work."""

    run: str
    job: str
    workbook: str
    selected: int
    kept: int
    strategy: str
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Resumed:
    """An earlier run is taken up; the lines say what was found."""

    run: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowsCommitted:
    """Rows became durable; comes at least once a second while rows are slow."""

    counts: Counts
    rate: float
    """Rows a second in this attempt."""
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch is finished and durable."""

    number: int
    rows: int
    seconds: float
    counts: Counts
    rate: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row was rejected, failed or unknown."""

    number: int
    key: str
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The workbook was saved."""

    number: int
    cells: int
    seconds: float
    conflicts: int


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know; the run goes on."""

    message: str


@dataclass(frozen=True, slots=True)
class CellChange:
    """One cell that a dry run would change."""

    sheet: str
    cell: str
    key: str
    column: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class RecordShown:
    """One record that a dry run would enter or change, its key first, then the columns as they stand in the sheet."""

    sheet: str
    number: int
    """The row."""
    key: str
    new: bool
    cells: tuple[CellChange, ...]


@dataclass(frozen=True, slots=True)
class RecordsCounted:
    """How many records a dry run would add to a sheet that is only added to, such as a history."""

    sheet: str
    count: int


Event: TypeAlias = (
    RunStarted
    | Resumed
    | RowsCommitted
    | BatchDone
    | RowProblem
    | Saved
    | Warned
    | CellChange
    | RecordShown
    | RecordsCounted
)
Listener: TypeAlias = Callable[[Event], None]


@dataclass
class Seconds:
    """Where the time went, in seconds."""

    process: float = 0.0
    ledger: float = 0.0
    save: float = 0.0
    started: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> float:
        """Since the attempt began."""
        return time.monotonic() - self.started

    def as_dict(self) -> dict[str, float]:
        """The times as ``--json`` shows them."""
        return {name: round(getattr(self, name), 4) for name in ("total", "process", "ledger", "save")}


class ProgressTracker:
    """Counts outcomes as they become durable and tells a listener."""

    def __init__(self, listener: Listener, selected: int, before: Mapping[str, int]) -> None:
        self._listener = listener
        self.selected = selected
        self._by_outcome = dict(before)
        self.seconds = Seconds()
        self._new = 0

    @property
    def times(self) -> Times:
        """Where the time went so far, and how many rows this attempt did."""
        seconds = self.seconds
        return Times(self._new, seconds.process, seconds.ledger, seconds.save, seconds.total)

    @property
    def counts(self) -> Counts:
        """The totals of the whole run so far."""
        return Counts.of(self.selected, self._by_outcome)

    def emit(self, event: Event) -> None:
        """Pass an event on."""
        self._listener(event)

    def warn(self, message: str) -> None:
        """Tell a person something; the run goes on."""
        self._listener(Warned(message))

    def recount(self, by_outcome: Mapping[str, int]) -> None:
        """Take the counts anew from the ledger (rows were dropped to be done again, or are gone)."""
        self._by_outcome = dict(by_outcome)

    def committed(self, outcomes: Iterable[RowOutcome]) -> None:
        """Outcomes are durable."""
        for outcome in outcomes:
            self._by_outcome[outcome.outcome] = self._by_outcome.get(outcome.outcome, 0) + 1
            self._new += 1
            if outcome.outcome in (Outcome.REJECTED, Outcome.FAILED, Outcome.UNKNOWN):
                row = outcome.taken.table_row
                self._listener(RowProblem(row.number, "|".join(row.key), outcome.outcome.value, outcome.reason))
        self._listener(RowsCommitted(self.counts, *self._pace()))

    def _pace(self) -> tuple[float, float | None]:
        rate = self._new / max(self.seconds.total, 1e-6)
        return rate, (self.counts.remaining / rate if self._new else None)

    def batch_done(self, number: int, rows: int, seconds: float) -> None:
        """A batch is finished."""
        self._listener(BatchDone(number, rows, seconds, self.counts, *self._pace()))
