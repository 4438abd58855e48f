"""Rows of an import: what they ask for, or all that is wrong with them; and the scheduling of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from batchbook.batch.systems import Actor
from batchbook.errors import Finding
from batchbook.isbn.outcomes import OnDifference, Scheduled, Wanted
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.workspace import Workspace
from batchbook.xlsx.values import CellValue

NEEDED: Final = ("title", "book_id", "scheduled_date")
"""Columns that an import must have."""

HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("Title",),
    "book_id": ("Book ID", "BookID"),
    "scheduled_date": ("Scheduled Date", "Scheduled", "Date", "Publication Date"),
    "imprint": ("Imprint",),
    "publisher": ("Publisher",),
    "format": ("Format", "Product Form", "Binding"),
    "priority": ("Priority",),
    "notes": ("Notes", "Note", "Comment"),
    "isbn": ("ISBN", "ISBN-13", "ISBN13"),
}
"""The columns that an import can have: own name -> headers (case, blanks, _ and - do not count)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an imported row stands, for findings."""

    file: str | None = None
    sheet: str | None = None
    row: int | None = None
    headers: Mapping[str, str] | None = None
    """Own name -> the header that the column has in the file."""


def read_row(
    system: IsbnSystem,
    values: Mapping[str, CellValue],
    shown: Mapping[str, str] | None = None,
    place: Place = Place(),
) -> tuple[Wanted | None, Sequence[Finding]]:
    """What a row (own names; texts or cell values) asks for, or None and every finding, all at once.

    shown: what people see in the cells, where they are cells.
    """
    raise NotImplementedError


def row_findings(
    workspace: Workspace,
    system: IsbnSystem,
    wanted: Wanted,
    place: Place = Place(),
) -> Sequence[Finding]:
    """What speaks against a sound row in this workbook: a given ISBN in no block, taken, or another book's."""
    raise NotImplementedError


def schedule_row(
    workspace: Workspace,
    system: IsbnSystem,
    actor: Actor,
    wanted: Wanted,
    *,
    on_difference: OnDifference = "refuse",
    what: str = "bulk",
) -> Scheduled:
    """Schedule one imported row, whole or not at all."""
    raise NotImplementedError


def own_names(headers: Sequence[str]) -> Mapping[str, str]:
    """Own name -> header, for a file's headers. Raises WrongValues: needed ones are missing, one is there twice."""
    raise NotImplementedError
