"""Changes of records as the ledger keeps them with the outcome of a row: beside its detail rows, by sheet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from batchbook.tables.codec import pack, unpack
from batchbook.tables.records import RecordChange
from batchbook.tables.workspace import Workspace
from batchbook.xlsx.values import CellValue

RECORDS = "records"


def packed_changes(changes: Iterable[RecordChange]) -> dict[str, dict[str, Any]]:
    """By sheet, as plain JSON data; each with its place among all changes of the row."""
    packed: dict[str, dict[str, Any]] = {}
    for place, change in enumerate(changes):
        rows = packed.setdefault(change.sheet, {RECORDS: []})[RECORDS]
        rows.append([place, list(change.key), _packed(change.before), _packed(change.after)])
    return packed


def changes_in(details: str) -> list[RecordChange]:
    """The changes of records in the `details` of a stored outcome, in the order in which they were made."""
    if RECORDS not in details:
        return []
    found = []
    for sheet, content in json.loads(details).items():
        for place, key, before, after in content.get(RECORDS, ()):
            found.append((place, RecordChange(sheet, tuple(key), _unpacked(before), _unpacked(after) or {})))
    return [change for _, change in sorted(found, key=lambda pair: pair[0])]


class _NoLongerHolds(Exception):
    """Changes that belong together, and of which one cannot be staged."""


def stage_whole(workspace: Workspace, changes: Iterable[RecordChange]) -> bool:
    """Stage changes that belong together; gives whether all of them still hold, else none is staged."""
    try:
        with workspace.whole():
            if workspace.apply(changes):
                raise _NoLongerHolds
    except _NoLongerHolds:
        return False
    return True


def _packed(cells: Mapping[str, CellValue] | None) -> dict[str, Any] | None:
    return None if cells is None else {name: pack(value) for name, value in cells.items()}


def _unpacked(plain: Mapping[str, Any] | None) -> dict[str, CellValue] | None:
    return None if plain is None else {name: unpack(value) for name, value in plain.items()}
