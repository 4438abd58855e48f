"""Why a cell cannot be written."""

from __future__ import annotations

from typing import Any

from batchbook.errors import Finding, WorkbookNotSupported
from batchbook.xlsx.places import letters


class CellRefused(WorkbookNotSupported, code="cell-refused"):
    """A cell cannot be written: where it is, or the value for it, does not allow it."""

    def __init__(self, sheet: str, row: int, column: int, reason: str) -> None:
        place = f"{letters(column)}{row}"
        super().__init__(
            f"Cell {place} of sheet {sheet} cannot be written: {reason}.",
            "Nothing was written. Leave the cell out, or change the value or the sheet.",
            findings=[Finding(reason, sheet=sheet, row=row, column=letters(column))],
        )
        self.sheet = sheet
        self.row = row
        self.column = column
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return (CellRefused, (self.sheet, self.row, self.column, self.reason))
