"""From what a processor returned or raised to the outcome of a row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from batchbook.batch.details import Details
from batchbook.batch.outcomes import Outcome, RowOutcome, TakenRow
from batchbook.batch.processors import DetailSheet, Processor, RowResult
from batchbook.config import Marks
from batchbook.errors import Rejected, RowSignal, Unknown
from batchbook.hiding import hide, secret_in
from batchbook.tables.codec import pack_rows, same
from batchbook.tables.keys import key_shown
from batchbook.tables.records import RecordChange
from batchbook.xlsx import check_value
from batchbook.xlsx.values import CellValue, Link

LONGEST_REASON = 1000
"""Reasons end up in cells and on screens."""


class ContractError(Exception):
    """A processor returned something that it may not; trying again would not help."""


@dataclass(frozen=True)
class Judge:
    """Decides the outcome of rows for one job."""

    writes: frozenset[str]
    """The columns that the processor may write."""
    marks: Marks
    clear_problems: bool
    """`on_problem: clear`."""
    details: Mapping[str, DetailSheet]
    date1904: bool
    clock: Callable[[], dt.datetime]
    known_details: Details = field(default_factory=dict)
    """What the detail sheets hold now."""
    waits_for: Callable[[RecordChange], str | None] | None = None
    """Where the processor has a system: another run that is still to change the record of a change, if there is one."""

    def result(self, taken: TakenRow, result: object) -> RowOutcome:
        """The outcome of a row whose processor returned; ContractError where it returned what it may not."""
        if result is None:
            return self._outcome(taken, Outcome.UNCHANGED)
        if isinstance(result, Mapping):
            result = RowResult(columns=result)
        if not isinstance(result, RowResult):
            raise ContractError(f"the processor returned a {type(result).__name__}, not a mapping of columns or None")
        columns = self._checked(taken, result.columns)
        details = self._checked_details(taken, result.details)
        changes = self._checked_changes(result.changes)
        if result.unknown is not None:
            unknown = self._outcome(taken, Outcome.UNKNOWN, result.unknown, columns, details, checked=result.checked)
            return replace(unknown, changes=changes)
        changed = bool(changes) or any(not same(value, taken.table_row.taken[name]) for name, value in columns.items())
        changed = changed or any(self._details_differ(taken, sheet, rows) for sheet, rows in details.items())
        kind = Outcome.DONE if changed else Outcome.UNCHANGED
        ended = self._outcome(taken, kind, "", columns, details, checked=result.checked)
        # Beside the row, not in it: the sheet's column of reasons tells of problems.
        return replace(ended, changes=changes, reason=one_line(result.remark) if result.remark else "")

    def signal(self, taken: TakenRow, error: BaseException) -> RowOutcome:
        """The outcome of a row whose processor raised."""
        if isinstance(error, Rejected):
            return self._problem(taken, Outcome.REJECTED, error.reason)
        if isinstance(error, Unknown):
            try:
                columns = self._checked(taken, error.columns)
            except ContractError as wrong:
                return self._problem(taken, Outcome.FAILED, str(wrong))
            return self._outcome(taken, Outcome.UNKNOWN, error.reason, columns)
        if isinstance(error, RowSignal):
            return self._problem(taken, Outcome.FAILED, error.reason)
        if isinstance(error, ContractError):
            return self._problem(taken, Outcome.FAILED, str(error))
        return self._problem(taken, Outcome.FAILED, _said(error))

    def broken(self, taken: TakenRow, error: BaseException) -> RowOutcome:
        """A row of which not even the verdict could be made: its own fault, told in words that cannot fail."""
        return self._problem(taken, Outcome.FAILED, f"its outcome cannot be told: {type(error).__name__}")

    def rejected(self, taken: TakenRow, reason: str) -> RowOutcome:
        """A row that never reaches the processor."""
        return self._problem(taken, Outcome.REJECTED, reason)

    # --- the parts -------------------------------------------------------------------------------------------------

    def _outcome(
        self,
        taken: TakenRow,
        outcome: Outcome,
        reason: str = "",
        columns: Mapping[str, CellValue] | None = None,
        details: Mapping[str, Sequence[Sequence[CellValue]]] | None = None,
        *,
        checked: bool = True,
    ) -> RowOutcome:
        writes = dict(columns or {})
        if outcome is Outcome.UNKNOWN and not self._says_so and self.clear_problems:
            writes = {**dict.fromkeys(self.writes), **writes}
        reason = one_line(reason)
        writes.update(self._mark(outcome, reason, checked=checked and outcome is not Outcome.FAILED))
        # Also what is there already: people may change it, or save an old copy over it, before the run ends.
        return RowOutcome(taken, outcome, reason, writes, details or {})

    def _problem(self, taken: TakenRow, outcome: Outcome, reason: str) -> RowOutcome:
        columns: dict[str, CellValue] = {}
        details: dict[str, Sequence[Sequence[CellValue]]] = {}
        if self.clear_problems and not self._says_so:
            columns = dict.fromkeys(self.writes)
            details = dict.fromkeys(self.details, ()) if all(taken.table_row.key) else {}
        return self._outcome(taken, outcome, reason, columns, details)

    @property
    def _says_so(self) -> bool:
        """Whether the sheet has a column that tells of a problem."""
        return self.marks.status is not None or self.marks.reason is not None

    def _mark(self, outcome: Outcome, reason: str, *, checked: bool) -> dict[str, CellValue]:
        marks: dict[str, CellValue] = {}
        if self.marks.status is not None:
            # Whether the values were the same as the night before is no news for a reader of the sheet.
            marks[self.marks.status] = (Outcome.DONE if outcome is Outcome.UNCHANGED else outcome).value
        if self.marks.reason is not None:
            marks[self.marks.reason] = reason or None
        if self.marks.checked_at is not None and checked:
            marks[self.marks.checked_at] = self.clock().isoformat(timespec="seconds")
        return marks

    def _checked(self, taken: TakenRow, columns: Mapping[str, Any]) -> dict[str, CellValue]:
        foreign = [name for name in columns if name not in self.writes]
        if foreign:
            raise ContractError(
                f"the processor returned {', '.join(map(repr, foreign))}, which the job does not write "
                f"(writes: {', '.join(sorted(self.writes))})"
            )
        return {name: self._value(name, value) for name, value in columns.items()}

    def _value(self, name: str, value: Any) -> CellValue:
        if type(value) is str and not secret_in(value) and check_value(value, date1904=self.date1904) is None:
            return value
        if hasattr(value, "item") and type(value).__module__.split(".")[0] == "numpy":
            value = value.item()
        if isinstance(value, float | dt.datetime) and value != value:
            # Also pandas' NaT, which says that it is a datetime.
            raise ContractError(f"the value for {name!r} is {value}, which is no value; give None for a blank")
        problem = check_value(value, date1904=self.date1904)
        if problem:
            raise ContractError(f"the value for {name!r} cannot be written: {problem}")
        if secret_in(_text_of(value)):
            raise ContractError(f"the value for {name!r} holds a secret from the environment; it is not written")
        return value  # type: ignore[no-any-return]

    def _checked_details(
        self, taken: TakenRow, details: Mapping[str, Sequence[Sequence[CellValue]]]
    ) -> dict[str, Sequence[Sequence[CellValue]]]:
        kept = {sheet: tuple(tuple(row) for row in rows) for sheet, rows in details.items()}
        for sheet, rows in kept.items():
            spec = self.details.get(sheet)
            if spec is None:
                raise ContractError(f"the processor gave rows for the sheet {sheet!r}, which it does not declare")
            for row in rows:
                if len(row) != len(spec.columns):
                    raise ContractError(f"a row for the sheet {sheet!r} has {len(row)} cells, not {len(spec.columns)}")
                for column, value in zip(spec.columns, row, strict=True):
                    self._value(f"{sheet}/{column.header}", value)
        return dict(kept)

    def _checked_changes(self, changes: Sequence[RecordChange]) -> tuple[RecordChange, ...]:
        if not changes:
            return ()
        if self.waits_for is None:
            raise ContractError("the processor gave changes of records, but it has no system")
        for change in changes:
            run = self.waits_for(change)
            if run is not None:
                raise ContractError(
                    f"{key_shown(change.key)} ({change.sheet}) is changed by run {run}, whose results are not in the "
                    "workbook yet; finish that run first"
                )
            for name, value in change.after.items():
                self._value(f"{change.sheet}/{name}", value)
        return tuple(changes)

    def _details_differ(self, taken: TakenRow, sheet: str, rows: Sequence[Sequence[CellValue]]) -> bool:
        known = self.known_details.get(sheet)
        return pack_rows(rows) != ([] if known is None else known.of(taken.key))


def remarks_of(processor: Processor) -> tuple[str, ...]:
    """What a processor tells of an attempt at a run as a whole, each in one line."""
    try:
        return tuple(one_line(one) for one in processor.remarks())
    except Exception as trouble:  # noqa: BLE001 - a user's processor may raise anything
        return (f"the processor's remarks could not be had: {type(trouble).__name__}",)


def _text_of(value: CellValue) -> str:
    return f"{value.url}\n{value.text}" if isinstance(value, Link) else value if isinstance(value, str) else ""


def _said(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a user's exception may fail at saying what it is about
        return f"{name}, which cannot say why"
    return f"{name}: {text}" if text else name


def one_line(reason: object) -> str:
    """A reason as one line that fits a cell and can be stored: what is not valid text is shown by its code."""
    text = hide(str(reason)).encode("utf-8", "backslashreplace").decode()
    folded = " ".join(text.split())
    return folded if len(folded) <= LONGEST_REASON else folded[: LONGEST_REASON - 1] + "…"
