"""Cell references: letters and numbers, ranges."""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_ROW = 1_048_576
MAX_COLUMN = 16_384

_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})\Z")


def letters(column: int) -> str:
    """A 1-based column number as Excel's letters: 1 is A, 27 is AA."""
    name = ""
    while column > 0:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def column_number(name: str) -> int:
    """Excel's letters as a 1-based column number."""
    number = 0
    for letter in name.upper():
        number = number * 26 + ord(letter) - 64
    return number


COLUMN_LETTERS = ("", *(letters(number) for number in range(1, MAX_COLUMN + 1)))
COLUMN_NUMBERS = {name: number for number, name in enumerate(COLUMN_LETTERS) if name}


def parse_cell(reference: str) -> tuple[int, int] | None:
    """Row and column of a reference such as ``B7``, or None where it is none."""
    match = _REFERENCE.match(reference)
    if match is None:
        return None
    row, column = int(match[2]), column_number(match[1])
    return (row, column) if 1 <= row <= MAX_ROW and column <= MAX_COLUMN else None


class Range(NamedTuple):
    """A rectangle of cells, 1-based, both ends included."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int

    def __str__(self) -> str:
        first = f"{letters(self.first_column)}{self.first_row}"
        last = f"{letters(self.last_column)}{self.last_row}"
        return first if first == last else f"{first}:{last}"

    @property
    def single(self) -> bool:
        """Whether it is one cell."""
        return self.first_row == self.last_row and self.first_column == self.last_column

    def holds(self, row: int, column: int) -> bool:
        """Whether the cell lies in it."""
        return self.first_row <= row <= self.last_row and self.first_column <= column <= self.last_column


def parse_range(text: str) -> Range | None:
    """A range such as ``A1:C7`` or ``B2``, or None where it is none."""
    first, _, last = text.strip().partition(":")
    one, two = parse_cell(first), parse_cell(last or first)
    if one is None or two is None:
        return None
    return Range(min(one[0], two[0]), min(one[1], two[1]), max(one[0], two[0]), max(one[1], two[1]))
