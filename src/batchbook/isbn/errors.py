"""What the rules of an ISBN workbook refuse, each kind with its code and exit code."""

from __future__ import annotations

from batchbook.errors import EXIT_USAGE, Refused


class IsbnRefused(Refused, code="isbn-refused"):
    """The rules do not allow what was asked; nothing was changed."""


class UnknownIsbn(IsbnRefused, code="isbn-unknown"):
    """The workbook knows no such number."""


class Taken(IsbnRefused, code="isbn-taken"):
    """The number that was asked for cannot be given: it is another book's, reserved, spent or lost."""


class Differs(IsbnRefused, code="isbn-differs"):
    """The book has a number for the format already, with other details."""


class OtherDetails(Differs):
    """The book's number is the one that is meant, but what it is booked for is not what is asked for now."""


class WrongValues(IsbnRefused, code="isbn-values", exit_code=EXIT_USAGE):
    """Values that were given are wrong: all of them are among the findings."""
