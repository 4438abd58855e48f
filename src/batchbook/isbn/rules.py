"""What has to hold between the columns of one row of an ISBN workbook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from batchbook.isbn.blocks import faults_of
from batchbook.isbn.ranges import RangeTable
from batchbook.isbn.records import Assignment, Block
from batchbook.tables.misread import said_of_misread
from batchbook.tables.records import Broken, Rule

NEEDS: Final = {"scheduled": ("title", "book_id", "scheduled_date"), "reserved": ("reason",)}
"""What a number in a state cannot be without."""

TEXTS: Final = ("title", "book_id", "imprint", "publisher", "reason", "notes")
"""What people write in words."""
MISREAD: Final = "misread"
"""The rule for texts that were read in another encoding once. They are warned of, for nobody can be quite sure."""


def assignment_rule(row: Assignment) -> Iterator[Broken]:
    """A number has what its state needs, and its texts are what somebody wrote."""
    for field in TEXTS:
        if said := said_of_misread(getattr(row, field)):
            yield Broken(field, MISREAD, said, warning=True)
    for field in NEEDS.get(row.status, ()):
        if getattr(row, field) is None:
            yield Broken(field, "needed-by-status", f"is blank, but a number that is {row.status} needs it")


def block_rule(ranges: RangeTable) -> Rule[Block]:
    """First, last, total, prefix and publisher code of a block fit each other."""

    def rule(block: Block) -> Iterator[Broken]:
        for fault in faults_of(block, ranges):
            yield Broken(fault.column or "block", fault.rule or "block", fault.message, fault.warning)

    return rule
