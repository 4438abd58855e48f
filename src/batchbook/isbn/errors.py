"""What the rules of an ISBN workbook refuse, each kind with its code and exit code."""

from __future__ import annotations

from batchbook.errors import EXIT_FAILED, EXIT_USAGE, BatchbookError


class IsbnRefused(BatchbookError):
    """The rules do not allow what was asked; nothing was changed."""

    code = "isbn-refused"
    exit_code = EXIT_FAILED


class UnknownIsbn(IsbnRefused):
    """The workbook knows no such number."""

    code = "isbn-unknown"


class StepRefused(IsbnRefused):
    """A number is not in a state from which the step is allowed."""

    code = "isbn-step"


class NoneLeft(IsbnRefused):
    """No block has a free number left."""

    code = "isbn-none-left"


class Differs(IsbnRefused):
    """The book has a number for the format already, with other details."""

    code = "isbn-differs"


class WrongValues(IsbnRefused):
    """Values that were given are wrong: all of them are among the findings."""

    code = "isbn-values"
    exit_code = EXIT_USAGE
