"""Errors that say what happened and what to do, each kind with its exit code.

Every error is a `BatchbookError` with a `code` (stable, for programs), a sentence that says what happened, one that
says what to do, and, where a place in a file is at fault, the places as `Finding`s, all of them at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from batchbook.hiding import hide

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_OUTCOMES = 3
EXIT_IN_USE = 4
EXIT_WORKBOOK = 5
EXIT_CANNOT_RESUME = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong at one place: what, and where (file, line, sheet, row, column, value as far as known).

    `rule` names the rule that is broken, for programs (``required``, ``check-digit``). What is no more than a
    `warning` keeps nothing from being done.
    """

    message: str
    file: str | None = None
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    value: object = None
    line: int | None = None
    rule: str | None = None
    warning: bool = False

    def place(self) -> str:
        """The place in words, such as ``book.xlsx, sheet Data, row 7, column Version``; empty where none is known."""
        named = (
            ("", self.file),
            ("line ", self.line),
            ("sheet ", self.sheet),
            ("row ", self.row),
            ("" if (self.column or "").startswith("--") else "column ", self.column),  # an option is no column
        )
        return ", ".join(f"{word}{what}" for word, what in named if what not in (None, ""))

    def __str__(self) -> str:
        place = self.place()
        value = f" (found {self.value!r})" if self.value is not None else ""
        return hide(f"{place}: {self.message}{value}" if place else f"{self.message}{value}")


class BatchbookError(Exception):
    """batchbook could not do what was asked."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = EXIT_FAILED

    def __init_subclass__(cls, *, code: str = "", exit_code: int | None = None) -> None:
        """A kind of error in one line: ``class Taken(IsbnRefused, code="isbn-taken"): ...``.

        What is left out is as in the kind that it is derived from.
        """
        super().__init_subclass__()
        cls.code = code or cls.code
        cls.exit_code = cls.exit_code if exit_code is None else exit_code

    def __init__(self, what: str, advice: str = "", *, findings: Sequence[Finding] = ()) -> None:
        what, advice = hide(what), hide(advice)
        super().__init__(what, advice, tuple(findings))
        self.what = what
        self.advice = advice
        self.findings = tuple(findings)

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword arguments do not survive the default pickling, and errors cross process borders in tests and pools.
        return (_rebuild, (type(self), self.what, self.advice, self.findings))

    def __str__(self) -> str:
        return " ".join(filter(None, (self.what, self.advice)))

    def as_dict(self) -> dict[str, Any]:
        """The error as ``--json`` shows it: code, what, advice, and the findings where there are any."""
        plain: dict[str, Any] = {"code": self.code, "what": self.what, "advice": self.advice}
        if self.findings:
            plain["findings"] = [str(finding) for finding in self.findings]
        return plain


def _rebuild(kind: type[BatchbookError], what: str, advice: str, findings: Sequence[Finding]) -> BatchbookError:
    return kind(what, advice, findings=findings)


class UsageError(BatchbookError, code="usage", exit_code=EXIT_USAGE):
    """The command was called in a way that it does not know."""


class ConfigurationError(BatchbookError, code="configuration", exit_code=EXIT_USAGE):
    """A job file, the base configuration or what it names (sheet, header, processor) is wrong."""


class ChoiceNeeded(UsageError, code="choice-needed"):
    """A checkpoint exists, nobody said how to start, and there is nobody to ask."""


class RunFailed(BatchbookError, code="run-failed"):
    """A run ended because something it stands on failed; what was committed is kept."""


class SaveFailed(BatchbookError, code="save-failed"):
    """A save could not be made; the workbook is as it was before."""


class LedgerError(BatchbookError, code="ledger"):
    """The ledger cannot be read or written."""


class LedgerDamaged(LedgerError, code="ledger-damaged", exit_code=EXIT_CANNOT_RESUME):
    """The ledger does not hold what was written into it; nothing was changed."""


class WorkbookError(BatchbookError, code="workbook", exit_code=EXIT_WORKBOOK):
    """A workbook cannot be read or edited; nothing was written."""


class WorkbookMissing(WorkbookError, code="workbook-missing", exit_code=EXIT_USAGE):
    """There is no such workbook."""


class WorkbookUnreadable(WorkbookError, code="workbook-unreadable"):
    """The system does not let the workbook be read; what it holds is not known."""


class WorkbookDamaged(WorkbookError, code="workbook-damaged"):
    """The file is not a sound workbook."""


class WorkbookNotSupported(WorkbookError, code="workbook-not-supported"):
    """The workbook, or the edit asked of it, is beyond what can be done without loss."""


class WorkbookInUse(WorkbookError, code="workbook-in-use", exit_code=EXIT_IN_USE):
    """Another process or person has the workbook."""


class CannotResume(BatchbookError, code="cannot-resume", exit_code=EXIT_CANNOT_RESUME):
    """The run cannot go on as asked; its state is kept."""


class CannotSave(BatchbookError, code="cannot-save", exit_code=EXIT_CANNOT_RESUME):
    """The workbook no longer has the shape that the results need; the results are kept in the ledger."""


class Refused(BatchbookError, code="refused"):
    """The rules do not allow what was asked; nothing was changed. Each system has its own kinds."""


class RowSignal(Exception):
    """What a processor raises to say what became of a row: a verdict, not an error."""

    def __init__(self, reason: str, **columns: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.columns: Mapping[str, Any] = columns


class Rejected(RowSignal):
    """The row's data is wrong; it is never retried."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class Unknown(RowSignal):
    """The row was processed, but the answer could not be had; the columns given are written all the same."""


class Transient(RowSignal):
    """Trouble that may pass: the row is tried again, then recorded as failed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
