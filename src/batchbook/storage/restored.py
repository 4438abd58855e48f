"""Earlier states of a workbook that were put back on purpose: what the machine wrote since is not missed there.

What it wrote last in each cell is what a person's edit is weighed against. After a restore that is what the cell held
in the state put back; otherwise the next run would take the old values for a person's, and keep them.
"""

from __future__ import annotations

from batchbook.storage.ledger import Ledger


def remember_restore(ledger: Ledger, workbook: str, digest: str) -> None:
    """A workbook was put back to a state whose digest begins so; all saves since that state count as taken back."""
    with ledger.transaction():
        row = ledger.one(
            """SELECT max(id) FROM saves WHERE workbook = ? AND state = 'saved' AND old <> ''
               AND substr(old, 1, ?) = ?""",
            [workbook, len(digest), digest],
        )
        if row and row[0] is not None:
            _turn_back(ledger, workbook, int(row[0]))
        _mark(ledger, workbook)


def _turn_back(ledger: Ledger, workbook: str, first: int) -> None:
    saves = ledger.query(
        "SELECT id FROM saves WHERE workbook = ? AND state = 'saved' AND id >= ? ORDER BY id DESC", [workbook, first]
    )
    for (save,) in list(saves):
        ledger.execute(
            """UPDATE written SET cells = merge_sealed(written.workbook, written.sheet, written.key, cells,
                                                       sealed(written.workbook, c.sheet, c.key, c.before))
               FROM changes c
               WHERE c.save = ?1 AND written.workbook = ?2 AND written.sheet = c.sheet AND written.key = c.key""",
            [save, workbook],
        )


def forget_written(ledger: Ledger, workbook: str) -> None:
    """A workbook was made anew from another one: nothing in it was written by the machine."""
    with ledger.transaction():
        ledger.execute("DELETE FROM written WHERE workbook = ?", [workbook])
        _mark(ledger, workbook)


def _mark(ledger: Ledger, workbook: str) -> None:
    ledger.execute(
        """INSERT OR REPLACE INTO facts
           SELECT 'restored ' || ?1, coalesce(max(id), 0) FROM saves WHERE workbook = ?1""",
        [workbook],
    )


def last_restored(ledger: Ledger, workbook: str) -> int:
    """The number of the last save before a workbook was put back or made anew; 0 where it never was."""
    row = ledger.one("SELECT value FROM facts WHERE name = 'restored ' || ?", [workbook])
    return int(row[0]) if row else 0
