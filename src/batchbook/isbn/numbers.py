"""ISBNs: what is one, how it is written, and what people make of it in cells.

In rules an ISBN is its 13 digits as text. Its core is the first 12 of them as a whole number: cores of numbers that
follow each other in a block differ by one; the numbers themselves do not, for their check digits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from batchbook.isbn.ranges import Parts, RangeTable, shipped_ranges
from batchbook.isbn.reading import check_digit, parse_cell, parse_text
from batchbook.tables.kinds import CellValue, Kind, Stored, Wrong


def isbn_of(core: int) -> str:
    """The ISBN of 13 digits that has this core."""
    digits = f"{core:012d}"
    return digits + check_digit(digits)


def core_of(isbn: str) -> int:
    """The core of an ISBN of 13 digits."""
    return int(isbn[:12])


@dataclass(frozen=True)
class Isbn(Kind[str]):
    """An ISBN; the value is its 13 digits without hyphens. Cells get it with hyphens where its range is known."""

    name: ClassVar[str] = "ISBN"
    format: ClassVar[str] = "@"
    plain: ClassVar[bool] = True
    ranges: RangeTable | None = field(default=None, compare=False, repr=False)
    """The range table in use; the shipped one where there is none."""

    def read(self, value: CellValue, shown: str) -> str:
        """The 13 digits of a cell."""
        return parse_cell(value, shown)

    def parse(self, text: str) -> str:
        """The 13 digits of a text."""
        return parse_text(text)

    def write(self, value: str) -> CellValue:
        """The ISBN with hyphens where the range of its registrant is known, else its digits."""
        return (self.ranges or shipped_ranges()).hyphenate(value)

    def store(self, value: str) -> Stored:
        """The digits."""
        return value

    def load(self, stored: Stored) -> str:
        """The digits."""
        return str(stored)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of a text as an ISBN.

    An ``invalid`` one has a rule that it breaks and what is wrong; a ``valid`` one has its digits and parts; one whose
    ``range-unknown`` is right in all that can be checked, but its range was given to nobody by the table in use.
    """

    outcome: Literal["invalid", "range-unknown", "valid"]
    isbn: str | None = None
    parts: Parts | None = None
    rule: str | None = None
    said: str = ""


def judge(text: str, ranges: RangeTable | None = None) -> Judgement:
    """Judge a text by check digit and by a range table (the shipped one where none is given)."""
    table = ranges or shipped_ranges()
    try:
        isbn = parse_text(text)
    except Wrong as wrong:
        return Judgement("invalid", rule=wrong.rule, said=wrong.said)
    parts = table.split(isbn)
    if parts is None:
        said = f"has a right check digit, but its range is not known to the table ({table})"
        return Judgement("range-unknown", isbn, said=said)
    return Judgement("valid", isbn, parts)
