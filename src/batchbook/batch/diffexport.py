"""What a run changed, as a CSV file for people."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from typing import Any

from batchbook.batch.history import CellDifference, diff_run
from batchbook.storage.ledger import Ledger
from batchbook.tables.codec import dumps, unpack
from batchbook.tables.csvexport import field, write_csv
from batchbook.xlsx.values import CellValue

HEADERS = ("sheet", "row", "key", "column", "before", "after")


def export_diff(ledger: Ledger, run: str, file: Path) -> int:
    """Write the cells that a run changed to a CSV file, one line each; gives the number of lines below the headers.

    A row of a sheet that the job fills as a whole is one line, its cells joined. Raises what `diff_run` and
    `write_csv` raise.
    """
    return write_csv(file, HEADERS, (line for change in diff_run(ledger, run) for line in _lines(change)))


def _lines(change: CellDifference) -> Iterator[tuple[CellValue, ...]]:
    place = (change.sheet, change.number or None, change.key, change.column)
    if isinstance(change.before, list) or isinstance(change.after, list):
        for before, after in row_differences(change.before or [], change.after or []):
            yield *place, before, after
    else:
        yield *place, unpack(change.before), unpack(change.after)


def row_differences(before: list[Any], after: list[Any]) -> Iterator[tuple[str | None, str | None]]:
    """The rows (packed: tables.codec) of one key that went, came or changed; those that stayed are left out."""
    matcher = SequenceMatcher(None, [dumps(row) for row in before], [dumps(row) for row in after], autojunk=False)
    for kind, first, last, new_first, new_last in matcher.get_opcodes():
        if kind != "equal":
            for old, new in zip_longest(before[first:last], after[new_first:new_last]):
                yield _joined(old), _joined(new)


def _joined(row: list[Any] | None) -> str | None:
    return None if row is None else " | ".join(str(field(unpack(value))) for value in row)
