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
    texts = by_key(ledger, sql, [workbook, sheet], keys)
    found = {key: seals.unsealed(workbook, sheet, key, text) for key, text in texts.items()}
    damaged = [key for key, cells in found.items() if cells is None]
    if damaged and not _knows_less(ledger, workbook):
        saves = [save for save in saves_in(ledger, workbook) if not seals.faults(ledger, save, None)]
        for key in damaged:
            found[key] = _written_by_saves(ledger, workbook, sheet, key, saves)
    return found


def _knows_less(ledger: Ledger, workbook: str) -> bool:
    """Whether saves of a workbook are no longer known: what is left of them would pass for all that was written."""
    sql = """SELECT 1 FROM pruned p JOIN runs r ON r.id = p.run WHERE r.workbook = ?1
             UNION ALL SELECT 1 FROM saves WHERE workbook = ?1 AND state = 'damaged' LIMIT 1"""
    return ledger.one(sql, [workbook]) is not None


def _written_by_saves(ledger: Ledger, workbook: str, sheet: str, key: str, saves: Sequence[int]) -> str | None:
    """What saves wrote in a row, the later ones counting; it takes the place of the damaged record."""
    cells: str | None = None
    for save in saves:
        row = ledger.one("SELECT after FROM changes WHERE save = ? AND sheet = ? AND key = ?", [save, sheet, key])
        if row is not None:
            cells = merge_cells(cells or "{}", row[0])
        kept = ledger.query(
            """SELECT json_object(column, json(base)) FROM conflicts
               WHERE save = ? AND sheet = ? AND key = ? AND kept = 'theirs'""",
            [save, sheet, key],
        )
        for (base,) in list(kept):  # as `savelog.remember_persons` does
            cells = merge_cells(base, cells or "{}")
    if cells is not None:
        ledger.execute(
            "UPDATE written SET cells = sealed(workbook, sheet, key, ?) WHERE workbook = ? AND sheet = ? AND key = ?",
            [cells, workbook, sheet, key],
        )
    return cells
