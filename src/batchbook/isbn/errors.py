"""What the rules of an ISBN workbook refuse, each kind with its code and exit code."""

from __future__ import annotations

from batchbook.errors import EXIT_FAILED, EXIT_USAGE, BatchbookError, Finding
from batchbook.tables.kinds import Wrong

_LONGEST_SHOWN = 80


class IsbnRefused(BatchbookError):
    """The rules do not allow what was asked; nothing was changed."""

    code = "isbn-refused"
    exit_code = EXIT_FAILED


class UnknownIsbn(IsbnRefused):
    """The workbook knows no such number."""

    code = "isbn-unknown"


class Taken(IsbnRefused):
    """The number that was asked for cannot be given: it is another book's, reserved, spent or lost."""

    code = "isbn-taken"


class Differs(IsbnRefused):
    """The book has a number for the format already, with other details."""

    code = "isbn-differs"


class OtherDetails(Differs):
    """The book's number is the one that is meant, but what it is booked for is not what is asked for now."""


class WrongValues(IsbnRefused):
    """Values that were given are wrong: all of them are among the findings."""

    code = "isbn-values"
    exit_code = EXIT_USAGE


def wrong_value(column: str, value: object, wrong: Wrong, place: Finding | None = None) -> Finding:
    """A finding about a value. place: a finding whose file, sheet and row are taken over."""
    at = place or Finding("")
    return Finding(wrong.said, at.file, at.sheet, at.row, column, shortened(value), rule=wrong.rule)


def shortened(value: object) -> object:
    """A value as findings show it: of a long text the beginning, and how long it is."""
    if isinstance(value, str) and len(value) > _LONGEST_SHOWN:
        return f"{value[:_LONGEST_SHOWN]}... ({len(value):,} characters)"
    return value
