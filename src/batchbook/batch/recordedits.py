"""Changes of records by a command, an undo or a reapply: which cells they write, and which of those cannot be written.

All of it is decided at once and refused as a whole, with every place that is in the way, before anything is written;
it is held in memory. A job's changes come row by row and in any number: `recordplan` streams those through the ledger,
where several changes of one record become one, and what cells held is read when all is planned. What a change of a
record makes of its sheet is the same for both (`tables.recordsheet`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchbook.errors import EXIT_USAGE, BatchbookError, CannotSave, Finding
from batchbook.storage.savelog import Change, SaveLog
from batchbook.tables.codec import canonical, same
from batchbook.tables.keys import key_of_text, key_shown
from batchbook.tables.records import RecordChange
from batchbook.tables.recordsheet import RecordSheet
from batchbook.tables.recordtable import RecordTable
from batchbook.tables.workspace import Workspace
from batchbook.xlsx.values import CellValue, Formula

MOST_FINDINGS = 50
"""So many places are named where something cannot be written."""


class CellsRefused(BatchbookError, code="cells-refused", exit_code=EXIT_USAGE):
    """Cells that a change would write cannot be written; nothing was changed."""


@dataclass
class RecordEdits:
    """What is to be written: by row of each sheet, as the ledger keeps it."""

    changes: list[Change] = field(default_factory=list)
    cells: dict[str, dict[int, dict[int, CellValue]]] = field(default_factory=dict)
    """By sheet and row: value by column."""
    keys: list[tuple[str, str, str]] = field(default_factory=list)
    """Of rows that are there and get values: sheet, key, and the key cells as canonical text."""
    _last: dict[str, int] = field(default_factory=dict)

    def plan(self, saves: SaveLog) -> None:
        """Make this the plan of a save.

        A row that the machine writes into is known from then on as one that was there (see `lostkeys`), whoever had
        entered it.
        """
        saves.clear_plan()
        saves.plan_more(self.changes)
        for sheet, key, cells in self.keys:
            saves.plan_confirmed(sheet, key, cells)

    def rows(self) -> dict[str, Iterator[tuple[int, dict[int, CellValue]]]]:
        """The cells for a save, by sheet, rows ascending; new iterators each time."""
        return {sheet: iter(sorted(rows.items())) for sheet, rows in self.cells.items()}

    def free(self, sheet: RecordSheet) -> int:
        """The row behind the last one of a sheet, once all this is written."""
        return max(sheet.next_row, self._last.get(sheet.sheet, 0) + 1)

    def add(
        self,
        sheet: RecordSheet,
        number: int,
        key: str,
        before: Mapping[str, CellValue],
        after: Mapping[str, CellValue],
    ) -> None:
        """Write cells of a row, given under the columns' own names."""
        self.changes.append(sheet.change(number, key, before, after))
        if not any(name in after for name in sheet.kind.key):
            cells = dict(zip(sheet.key_titles, key_of_text(key), strict=True))
            self.keys.append((sheet.kind.sheet, key, canonical(cells)))
        self._last[sheet.sheet] = max(number, self._last.get(sheet.sheet, 0))
        row = self.cells.setdefault(sheet.sheet, {}).setdefault(number, {})  # a run may know it by two keys
        row.update((sheet.column(name), value) for name, value in after.items())


def plan_records(
    workspace: Workspace, changes: Sequence[RecordChange], edits: RecordEdits | None = None
) -> RecordEdits:
    """The cells that some changes of records write, one change a record; added to `edits`, if that is given.

    The workspace was read from a book that is still open. New records come behind the last row of their sheet, in
    the order given. Raises CellsRefused with every cell that cannot be written, CannotSave where a record has no row
    of its own.
    """
    edits = RecordEdits() if edits is None else edits
    findings: list[Finding] = []
    for table in workspace.tables:
        mine = [change for change in changes if change.sheet == table.kind.sheet]
        if mine:
            _plan_sheet(table, mine, edits, findings)
    if findings:
        count = f"{len(findings)} cells" if len(findings) > 1 else "A cell"
        raise CellsRefused(
            f"{count} of {workspace.file} cannot be written; nothing was changed.",
            "Mend the places named in the workbook, then do it again.",
            findings=findings[:MOST_FINDINGS],
        )
    return edits


def _plan_sheet(
    table: RecordTable[Any], changes: Sequence[RecordChange], edits: RecordEdits, findings: list[Finding]
) -> None:
    sheet = table.location
    there = [(_row_of(table, change), change) for change in changes if change.before is not None]
    rows = sheet.rows_at({number for number, _ in there})
    for number, change in there:
        cells = rows.get(number, {})
        held = {name: sheet.held(cells, name) for name in change.after}
        differing = [name for name in change.after if not same(held[name], change.after[name])]
        for name in differing:
            findings += _refused(sheet, number, name, held[name])
        if differing:
            after = {name: change.after[name] for name in differing}
            edits.add(sheet, number, sheet.key_text(cells, after), {n: held[n] for n in differing}, after)
    new = [change for change in changes if change.before is None]
    for number, change in enumerate(new, start=edits.free(sheet)):
        after = {name: value for name, value in change.after.items() if value is not None}
        for name in after:
            findings += _refused(sheet, number, name, None)
        edits.add(sheet, number, sheet.key_text({}, after), dict.fromkeys(after), after)


def _row_of(table: RecordTable[Any], change: RecordChange) -> int:
    """The row of a record that is there. Raises CannotSave where it has none, or several."""
    numbers = table.numbers(change.key)
    if len(numbers) == 1:
        return numbers[0]
    file, sheet = table.location.book.path.name, table.sheet
    what = f"stands in {len(numbers)} rows" if numbers else "has no row"
    raise CannotSave(
        f"The record {key_shown(change.key)} {what} of {file}, sheet {sheet}; nothing was changed.",
        "Mend the sheet, then do it again.",
        findings=[Finding(f"the key {key_shown(change.key)} {what}", file, sheet, n) for n in numbers],
    )


def _refused(sheet: RecordSheet, number: int, name: str, held: CellValue) -> Iterator[Finding]:
    """Why a cell cannot be written, if it cannot."""
    said, value = sheet.why_locked(number, name), None
    if said is None and isinstance(held, Formula):
        said, value = "it holds a formula, which would be lost", f"={held.text}"
    if said is not None:
        file, column = sheet.book.path.name, sheet.headed(name)
        yield Finding(f"cannot be written: {said}", file, sheet.sheet, number, column, value, rule="cell")
