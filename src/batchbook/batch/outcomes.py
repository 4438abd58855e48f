"""What can become of a row, and the counts that must add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from batchbook.errors import RunFailed
from batchbook.tables.records import RecordChange
from batchbook.tables.row import Row
from batchbook.tables.table import TableRow
from batchbook.xlsx.values import CellValue


class Outcome(StrEnum):
    """done and unchanged are fine; rejected: wrong data; failed: trouble; unknown: no answer; gone: row deleted."""

    DONE = "done"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class TakenRow:
    """A selected row on its way through the processor: its place in the selection (from 1) and what was read."""

    ordinal: int
    key: str
    table_row: TableRow
    problem: str | None = None
    """Why the row is rejected without being processed."""

    @property
    def row(self) -> Row:
        """What the processor sees."""
        return self.table_row.row


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of one row; `writes` are the columns to write, under the job's own names."""

    taken: TakenRow
    outcome: Outcome
    reason: str = ""
    writes: Mapping[str, CellValue] = field(default_factory=dict)
    details: Mapping[str, Sequence[Sequence[CellValue]]] = field(default_factory=dict)
    changes: Sequence[RecordChange] = ()
    """Of records, brought into the workbook as a whole or not at all."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows were selected, and how many ended in each outcome."""

    selected: int = 0
    done: int = 0
    unchanged: int = 0
    rejected: int = 0
    unknown: int = 0
    failed: int = 0
    gone: int = 0

    @classmethod
    def of(cls, selected: int, by_outcome: Mapping[str, int]) -> Counts:
        """From the ledger's counts."""
        return cls(selected, **{outcome.value: by_outcome.get(outcome.value, 0) for outcome in Outcome})

    @property
    def ended(self) -> int:
        """Rows that have an outcome."""
        return self.done + self.unchanged + self.rejected + self.unknown + self.failed + self.gone

    @property
    def remaining(self) -> int:
        """Rows that have none yet."""
        return self.selected - self.ended

    def ending(self, fail_on: Iterable[str]) -> str:
        """How a run with these counts completed; `fail_on` are the outcomes that count as failures."""
        return "completed_with_failures" if any(getattr(self, name) for name in fail_on) else "completed"

    def as_dict(self) -> dict[str, int]:
        """The counts as ``--json`` shows them."""
        return {"selected": self.selected, **{outcome.value: getattr(self, outcome.value) for outcome in Outcome}}

    def must_balance(self) -> None:
        """Every selected row has exactly one outcome, or the run has failed."""
        if self.remaining:
            raise RunFailed(
                f"{self.selected} rows were selected but {self.ended} have an outcome; the counts do not add up.",
                "This is a fault in batchbook. The results are kept; run again with --resume-auto and report it.",
            )
