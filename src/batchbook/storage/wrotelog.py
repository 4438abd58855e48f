"""What the latest saves wrote into a workbook, row by row, and which of it has vanished again.

Both lie in temporary tables of the ledger, so that neither takes memory.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from batchbook.storage.ledger import Ledger
from batchbook.storage.restored import saves_in
from batchbook.storage.savelog import by_key
from batchbook.storage.turns import REAPPLIES, turn_of


@dataclass(frozen=True, slots=True)
class LatestSave:
    """One save that changed cells of its run's sheet."""

    id: int
    run: str
    job: str
    sheet: str
    settings: str
    """The run's settings as JSON text."""
    place: tuple[int, int] = (0, 0)
    """Its place in the order of states: a reapply's save comes with the save that it repeats, not after later ones."""
    repeats: str = ""
    """The run that it puts back, where it is a reapply's."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """What one save did to one row: canonical JSON texts of header to value."""

    save: int
    before: str
    after: str


def newest_digest(ledger: Ledger, workbook: str) -> tuple[str, bool] | None:
    """The digest that the newest save left a workbook with, and whether that was a reapply's; None without a save."""
    row = ledger.one(
        """SELECT s.new, r.job, r.settings FROM saves s JOIN runs r ON r.id = s.run
           WHERE s.workbook = ? AND s.state = 'saved' AND s.new <> '' ORDER BY s.id DESC LIMIT 1""",
        [workbook],
    )
    if row is None:
        return None
    turn = turn_of(row[1], json.loads(row[2]))
    return str(row[0]), turn is not None and turn.verb == REAPPLIES


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
    saves = [_placed(ledger, LatestSave(*row)) for row in rows]
    return sorted(saves, key=lambda save: save.place, reverse=True)


def count_changes(ledger: Ledger, saves: Sequence[LatestSave]) -> int:
    """How many rows some saves changed."""
    sql = "SELECT count(*) FROM json_each(?) s JOIN changes c ON c.save = s.value"
    row = ledger.one(sql, [json.dumps([save.id for save in saves])])
    return int(row[0]) if row else 0


def _placed(ledger: Ledger, save: LatestSave) -> LatestSave:
    turn = turn_of(save.job, json.loads(save.settings))
    if turn is None or turn.verb != REAPPLIES:
        return replace(save, place=(save.id, save.id))
    origin = _origin(ledger, turn.run)
    row = ledger.one("SELECT max(id) FROM saves WHERE run = ? AND state = 'saved' AND new <> ''", [origin])
    return replace(save, place=(row[0] if row and row[0] else save.id, save.id), repeats=turn.run)


def _origin(ledger: Ledger, name: str) -> str:
    """The run that a reapply of this run puts back: of a reapply, the one that it put back itself."""
    run = ledger.run(name)
    turn = turn_of(run.job, run.settings) if run is not None else None
    return _origin(ledger, turn.run) if turn is not None and turn.verb == REAPPLIES else name


class WroteLog:
    """What some saves wrote into one sheet. A later one takes the place of an earlier: there is one table for it."""

    def __init__(self, ledger: Ledger, sheet: str, saves: Sequence[int]) -> None:
        """`saves` are newest first, in the order of the states that they left."""
        self._ledger = ledger
        self._sheet = sheet
        self._newness = {save: place for place, save in enumerate(saves)}
        with ledger.temporary():
            ledger.execute("DELETE FROM temp.wrote")
            ledger.execute("DELETE FROM temp.wrote_found")
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
        rows = self._ledger.query("SELECT save, before, after FROM temp.wrote WHERE key = ?", [key])
        return sorted((Wrote(*row) for row in rows), key=lambda one: -self._newness[one.save])

    def found(self, key: str) -> None:
        """The row is in the sheet."""
        self._ledger.execute("INSERT OR IGNORE INTO temp.wrote_found VALUES (?)", [key])

    def missing(self) -> list[str]:
        """The keys of rows that were not found."""
        sql = "SELECT DISTINCT key FROM temp.wrote WHERE key NOT IN (SELECT key FROM temp.wrote_found)"
        return [row[0] for row in self._ledger.query(sql)]


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
