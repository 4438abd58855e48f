"""What the latest saves wrote into a workbook, row by row, and which of it has vanished again.

Both lie in temporary tables of the ledger, so that neither takes memory.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from batchbook.storage.ledger import Ledger
from batchbook.storage.restored import saves_in
from batchbook.storage.savelog import by_key


@dataclass(frozen=True, slots=True)
class LatestSave:
    """One save that changed cells of its run's sheet."""

    id: int
    run: str
    job: str
    sheet: str
    settings: str
    """The run's settings as JSON text."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """What one save did to one row: canonical JSON texts of header to value."""

    save: int
    before: str
    after: str


def newest_digest(ledger: Ledger, workbook: str) -> str | None:
    """The digest that the newest save left a workbook with; None where there was none."""
    row = ledger.one(
        "SELECT new FROM saves WHERE workbook = ? AND state = 'saved' AND new <> '' ORDER BY id DESC LIMIT 1",
        [workbook],
    )
    return str(row[0]) if row else None


def latest_saves(ledger: Ledger, workbook: str, runs: int) -> list[LatestSave]:
    """The saves into a workbook by its newest so many runs, newest first; none that a person's restore took back."""
    rows = ledger.query(
        """WITH mine AS (SELECT id, run FROM saves WHERE workbook = ?1 AND state = 'saved' AND new <> ''
                         AND id IN (SELECT value FROM json_each(?2))),
           newest AS (SELECT run FROM mine GROUP BY run ORDER BY max(id) DESC LIMIT ?3)
           SELECT m.id, r.id, r.job, r.sheet, r.settings FROM mine m JOIN runs r ON r.id = m.run
           WHERE m.run IN (SELECT run FROM newest) ORDER BY m.id DESC""",
        [workbook, json.dumps(saves_in(ledger, workbook)), runs],
    )
    return [LatestSave(*row) for row in rows]


class WroteLog:
    """What some saves wrote into one sheet. A later one takes the place of an earlier: there is one table for it."""

    def __init__(self, ledger: Ledger, sheet: str, saves: Collection[int]) -> None:
        self._ledger = ledger
        self._sheet = sheet
        with ledger.temporary():
            ledger.execute("DELETE FROM temp.wrote")
            for save in saves:
                ledger.execute(
                    """INSERT INTO temp.wrote SELECT key, save, before, after FROM changes
                       WHERE save = ? AND sheet = ?""",
                    [save, sheet],
                )

    def columns(self) -> list[str]:
        """The headers of the columns that were written, in order of the text."""
        sql = "SELECT DISTINCT j.key FROM temp.wrote w, json_each(w.after) j ORDER BY j.key"
        return [row[0] for row in self._ledger.query(sql)]

    def of(self, key: str) -> list[Wrote]:
        """What was done to one row, oldest first."""
        sql = "SELECT save, before, after FROM temp.wrote WHERE key = ? ORDER BY save"
        return [Wrote(*row) for row in self._ledger.query(sql, [key])]


# --- what has vanished -----------------------------------------------------------------------------------------------


def clear_vanished(ledger: Ledger) -> None:
    """Nothing has vanished, as far as is known."""
    ledger.execute("DELETE FROM temp.vanished")


def note_vanished(ledger: Ledger, sheet: str, key: str, cells: str) -> None:
    """Cells of a row that hold what they held before a save: canonical JSON text of header to value held."""
    ledger.execute("INSERT OR REPLACE INTO temp.vanished VALUES (?, ?, ?)", [sheet, key, cells])


def take_vanished(ledger: Ledger, other: Ledger) -> None:
    """Note what another ledger's look at the same workbook found."""
    with ledger.temporary():
        ledger.execute_many(
            "INSERT OR REPLACE INTO temp.vanished VALUES (?, ?, ?)",
            other.query("SELECT sheet, key, cells FROM temp.vanished"),
        )


def any_vanished(ledger: Ledger) -> bool:
    """Whether anything has vanished."""
    return ledger.one("SELECT 1 FROM temp.vanished LIMIT 1") is not None


def vanished_cells(ledger: Ledger, sheet: str, keys: Sequence[str]) -> dict[str, str]:
    """By key: cells that hold what they held before a save that vanished, as canonical JSON text."""
    return by_key(ledger, "SELECT key, cells FROM temp.vanished WHERE sheet = ? AND key IN ({})", [sheet], keys)
