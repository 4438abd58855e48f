"""ISBNs: what is one, how it is written, and what people make of it in cells."""

from __future__ import annotations

from typing import ClassVar

from stdnum import isbn as stdnum_isbn
from stdnum.exceptions import ValidationError

from batchbook.tables.kinds import Kind, Stored, Wrong
from batchbook.xlsx.values import CellValue


class Isbn(Kind[str]):
    """An ISBN; the value is its 13 digits without hyphens."""

    name: ClassVar[str] = "ISBN"
    format: ClassVar[str] = "@"

    def read(self, value: CellValue, shown: str) -> str:
        """The 13 digits of a cell."""
        return self.parse(str(value) if isinstance(value, str | int) else shown)

    def parse(self, text: str) -> str:
        """The 13 digits of a text."""
        try:
            return str(stdnum_isbn.validate(text, convert=True))
        except ValidationError as error:
            raise Wrong("isbn", f"is no ISBN: {error}") from None

    def write(self, value: str) -> CellValue:
        """The ISBN with hyphens where the range of its registrant is known."""
        return str(stdnum_isbn.format(value))

    def store(self, value: str) -> Stored:
        """The digits."""
        return value

    def load(self, stored: Stored) -> str:
        """The digits."""
        return str(stored)
