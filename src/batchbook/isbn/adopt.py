"""Taking over an agency's list: numbers that exist with their titles, the blocks that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from batchbook.batch.systems import Actor
from batchbook.errors import Finding
from batchbook.isbn.bulk import Place
from batchbook.isbn.records import Assignment, Block
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.workspace import Workspace
from batchbook.xlsx.values import CellValue

HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "isbn": ("ISBN", "ISBN-13", "ISBN13", "EAN", "Identifier"),
    "title": ("Title", "Book Title", "Product Title"),
    "format": ("Format", "Product Form", "Binding", "Medium"),
    "status": ("Status", "State", "Title Status"),
}
"""The columns of an agency's list; isbn is needed."""


@dataclass(frozen=True, slots=True)
class AgencyRow:
    """One row of an agency's list."""

    values: Mapping[str, CellValue]
    """Under own names."""
    place: Place = Place()  # noqa: RUF009
    shown: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of one row."""

    outcome: Literal["done", "unchanged", "rejected"]
    row: AgencyRow
    assignment: Assignment | None = None
    findings: Sequence[Finding] = ()
    """Why it was rejected; warnings of one that was not."""
    block: Block | None = None
    """The block that was entered for it."""


def adopt_row(
    workspace: Workspace, system: IsbnSystem, actor: Actor, row: AgencyRow, *, what: str = "adopt"
) -> Adopted:
    """Take over one row, whole or not at all; the block of its registrant is entered where the workbook has none."""
    raise NotImplementedError


def adopt(
    workspace: Workspace, system: IsbnSystem, actor: Actor, rows: Iterable[AgencyRow], *, what: str = "adopt"
) -> Iterator[Adopted]:
    """Take over rows, one after another. rows in = done + unchanged + rejected."""
    raise NotImplementedError
