"""Merge by cell: what to do where the machine and a person may both have written.

base is the last value that the machine wrote in the cell, in whatever run; without one, what the cell held when the
run took the row. A cell that a person emptied between runs is free; one emptied during the run stays empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from batchbook.tables.codec import same
from batchbook.xlsx.values import CellValue


class Never(Enum):
    """Marks a cell that the machine has never written."""

    WRITTEN = "never written"
    KNOWN = "no longer known"


NEVER: Final = Never.WRITTEN
LOST: Final = Never.KNOWN
"""What the machine wrote last is no longer known: whatever stands there may be a person's."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The decision for one cell: whether ours is written, and whether a difference with a person has to be listed."""

    write: bool
    conflict: bool
    base: CellValue


def merge_cell(
    *, taken: CellValue, last: CellValue | Never, current: CellValue, ours: CellValue, overwrite: bool = False
) -> Merged:
    """Decide on one cell.

    taken: what it held when the run took the row; last: what the machine wrote last (NEVER: nothing; LOST: the
    record of it is damaged); current: what it
    holds now; ours: what the run wants there; overwrite: the job's `on_person_edit` for the column.
    """
    if last is LOST and not _blank(taken) and not _blank(current):
        return Merged(write=overwrite and not same(current, ours), conflict=not same(current, ours), base=None)
    base = None if _blank(taken) else (taken if isinstance(last, Never) else last)
    if same(current, ours):
        return Merged(write=False, conflict=False, base=base)
    if same(current, base):
        return Merged(write=True, conflict=False, base=base)
    return Merged(write=overwrite, conflict=True, base=base)


def _blank(value: CellValue) -> bool:
    return value is None or value == ""
