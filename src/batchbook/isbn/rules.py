"""What has to hold between the columns of one row of an ISBN workbook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from batchbook.isbn.blocks import faults_of
from batchbook.isbn.ranges import RangeTable
from batchbook.isbn.records import Assignment, Block
from batchbook.isbn.states import SPENT
from batchbook.tables.misread import said_of_misread
from batchbook.tables.records import Broken, Rule

NEEDS: Final = {
    "scheduled": ("title", "book_id", "scheduled_date"),
    "reserved": ("reason",),
    "assigned": ("title",),
    "published": ("title",),
}
"""What a number in a state cannot be without. The format is none of it: an import can leave it out (ISB-8.1)."""
KEPT: Final = ("title", "book_id", "format")
"""What says whose number it is: of one that is scheduled or spent it can be changed, but not be cleared.

A book whose number no longer names it would get another one (ISB-2.6).
"""

TEXTS: Final = ("title", "book_id", "imprint", "publisher", "reason", "notes")
"""What people write in words."""
MISREAD: Final = "misread"
"""The rule for texts that were read in another encoding once. They are warned of, for nobody can be quite sure."""


def assignment_rule(row: Assignment) -> Iterator[Broken]:
    """A number has what its state needs, and its texts are what somebody wrote.

    Lists of agencies have numbers in use without a title (ISB-8.6): such a row holds, and is told as a warning.
    """
    for field in TEXTS:
        if said := said_of_misread(getattr(row, field)):
            yield Broken(field, MISREAD, said, warning=True)
    for field in NEEDS.get(row.status, ()):
        if getattr(row, field) is None:
            said = f"is blank, but a number that is {row.status} needs it"
            yield Broken(field, "needed-by-status", said, warning=row.status in SPENT)


def missing(row: Assignment | None, status: str, given: Mapping[str, Any]) -> list[str]:
    """The fields that a number would lack in a status, with these changes of its row."""
    return [name for name in NEEDS.get(status, ()) if given.get(name, getattr(row, name, None)) is None]


def fixed(row: Assignment) -> Mapping[str, str]:
    """The fields of a booking that cannot be cleared, each with the reason."""
    why = dict.fromkeys(NEEDS.get(row.status, ()), f"a number that is {row.status} needs it")
    if row.status == "scheduled" or row.status in SPENT:
        held = [name for name in KEPT if getattr(row, name) is not None]
        why = dict.fromkeys(held, f"it says whose number this is, which is {row.status}; give another one") | why
    return why


def block_rule(ranges: RangeTable) -> Rule[Block]:
    """First, last, total, prefix and publisher code of a block fit each other."""

    def rule(block: Block) -> Iterator[Broken]:
        for fault in faults_of(block, ranges):
            yield Broken(fault.column or "block", fault.rule or "block", fault.message, fault.warning)

    return rule
