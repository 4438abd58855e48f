"""What the machine wrote last into the rows of a workbook: what a person's edit is weighed against."""

from __future__ import annotations

from collections.abc import Sequence

from batchbook.storage import seals
from batchbook.storage.celltexts import merge_cells
from batchbook.storage.ledger import Ledger
from batchbook.storage.restored import saves_in
from batchbook.storage.savelog import by_key


def last_written(ledger: Ledger, workbook: str, sheet: str, keys: Sequence[str]) -> dict[str, str | None]:
    """By key: what the machine wrote last in the row's cells, as canonical JSON text of header to value.

    Where that is damaged it is put together from what the saves changed; None where that is no longer kept either.
    """
    sql = "SELECT key, cells FROM written WHERE workbook = ? AND sheet = ? AND key IN ({})"
    found: dict[str, str | None] = {}
    for key, text in by_key(ledger, sql, [workbook, sheet], keys).items():
        cells = seals.unsealed(workbook, sheet, key, text)
        found[key] = _written_by_saves(ledger, workbook, sheet, key) if cells is None else cells
    return found


def _knows_less(ledger: Ledger, workbook: str) -> bool:
    """Whether saves of a workbook are no longer known: what is left of them would pass for all that was written."""
    sql = """SELECT 1 FROM pruned p JOIN runs r ON r.id = p.run WHERE r.workbook = ?1
             UNION ALL SELECT 1 FROM saves WHERE workbook = ?1 AND state = 'damaged' LIMIT 1"""
    return ledger.one(sql, [workbook]) is not None


def _written_by_saves(ledger: Ledger, workbook: str, sheet: str, key: str) -> str | None:
    """What sound saves wrote in a row, the later ones counting; it takes the place of the damaged record."""
    if _knows_less(ledger, workbook):
        return None
    rows = ledger.query(
        """SELECT s.id, c.after FROM saves s JOIN changes c ON c.save = s.id
           WHERE s.workbook = ? AND c.sheet = ? AND c.key = ?""",
        [workbook, sheet, key],
    )
    after: dict[int, str] = {row[0]: row[1] for row in rows}
    cells: str | None = None
    for save in saves_in(ledger, workbook):
        if save in after and not seals.faults(ledger, save, None):
            cells = merge_cells(cells or "{}", after[save])
    if cells is not None:
        ledger.execute(
            "UPDATE written SET cells = sealed(workbook, sheet, key, ?) WHERE workbook = ? AND sheet = ? AND key = ?",
            [cells, workbook, sheet, key],
        )
    return cells
