"""Rows of an import: what they ask for, or all that is wrong with them; and the scheduling of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from batchbook.batch.systems import Actor
from batchbook.errors import Finding
from batchbook.isbn.fields import read_fields, title_of
from batchbook.isbn.outcomes import OnDifference, Scheduled, Wanted
from batchbook.isbn.rules import MISREAD, NEEDS, TEXTS
from batchbook.isbn.scheduling import held_for, schedule_number
from batchbook.isbn.session import Session
from batchbook.isbn.system import IsbnSystem
from batchbook.tables.misread import said_of_misread
from batchbook.tables.workspace import Workspace

NEEDED: Final = NEEDS["scheduled"]
"""Columns that an import must have."""

HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("Title", "Book Title"),
    "book_id": ("Book ID", "BookID", "Book Number"),
    "scheduled_date": ("Scheduled Date", "Scheduled", "Date", "Publication Date"),
    "imprint": ("Imprint",),
    "publisher": ("Publisher",),
    "format": ("Format", "Book Format", "Product Form", "Binding"),
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

    @property
    def finding(self) -> Finding:
        """A finding that says the place and nothing else."""
        return Finding("", self.file, self.sheet, self.row)

    def at(self, system: IsbnSystem, field: str, said: str, rule: str, value: object = None) -> Finding:
        """A finding at a field of the row."""
        title = title_of(system, field, self.headers)
        return Finding(said, self.file, self.sheet, self.row, title, value, rule=rule)


NOWHERE: Final = Place()


def read_row(
    system: IsbnSystem, values: Mapping[str, Any], shown: Mapping[str, str] | None = None, place: Place = NOWHERE
) -> tuple[Wanted | None, Sequence[Finding]]:
    """What a row (own names; texts or cell values) asks for, with warnings; or None and every finding, all at once.

    shown: what people see in the cells, where they are cells. Names that are not known are ignored.
    """
    read, found = read_fields(
        system, values, shown=shown, headers=place.headers, place=place.finding, names=tuple(HEADERS)
    )
    found += [
        place.at(system, name, "is blank; a number cannot be scheduled without it", "required")
        for name in NEEDED
        if name in read and read[name] is None
    ]
    if found:
        order = [title_of(system, name, place.headers) for name in HEADERS]
        return None, sorted(found, key=lambda one: order.index(one.column or ""))
    return Wanted(**read), tuple(_misread(system, read, place))


def _misread(system: IsbnSystem, read: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """A warning for each text that was read in another encoding, in this file or before."""
    for name in TEXTS:
        if said := said_of_misread(read.get(name)):
            yield replace(place.at(system, name, said, MISREAD, read[name]), warning=True)


def row_findings(workspace: Workspace, system: IsbnSystem, wanted: Wanted, place: Place = NOWHERE) -> Sequence[Finding]:
    """What speaks against a given ISBN in this workbook: no block, lost, another book's; none where it fits."""
    if wanted.isbn is None:
        return ()
    session = Session(workspace, system)
    said = _against(session, wanted, session.read(wanted.isbn))
    if said is None:
        return ()
    rule, text = said
    return (place.at(system, "isbn", text, rule, session.show(session.read(wanted.isbn))),)


def _against(session: Session, wanted: Wanted, isbn: str) -> tuple[str, str] | None:
    row = session.assignments.get(isbn)
    if row is None:
        if session.block_of(isbn) is None:
            return "no-block", "is in none of the blocks"
        return ("lost", "was given once, and its row is gone") if session.is_lost(isbn) else None
    if row.status == "cancelled":
        return "cancelled", "is cancelled and never given again"
    if row.status == "available":
        return None
    held = held_for(session, wanted)
    if held is not None and held.isbn == isbn:
        return None
    if row.book_id is None:
        return ("taken", f"is {row.status} for no certain book") if row.status != "reserved" else None
    return "taken", f"is {row.status} for book {row.book_id} ({row.format or 'no certain format'})"


def schedule_row(
    workspace: Workspace,
    system: IsbnSystem,
    actor: Actor,
    wanted: Wanted,
    *,
    on_difference: OnDifference = "refuse",
    what: str = "bulk",
) -> Scheduled:
    """Schedule one imported row, whole or not at all; raises what `service.schedule` raises."""
    return schedule_number(Session(workspace, system), actor, wanted, on_difference, what)
