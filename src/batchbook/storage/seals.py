"""Seals: short hashes by which rows of the ledger outside the chain of results are known to be what was written.

SQLite has no checksums of its own: a byte that turned over on the disk, or an edit by hand, reads like any other
value. The values last written carry a seal in their text; a save has one over its record and three hashes below it,
over what it changed, its conflicts, and the results that it brought into the workbook.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from batchbook.storage.database import Database

_MARK = "#"
_PARTS: Final = ("changes", "conflicts", "outcomes")
_CHECKED: Final = {
    "saved": set(_PARTS), "intent": set(_PARTS), "pending": set(_PARTS), "unsure": {"changes"},
}  # fmt: skip
"""What must still be as it was, by the state of a save. Of the other states nothing is used any more."""


def seal_of(*parts: object) -> str:
    """A short hash over values of a row."""
    return hashlib.blake2b(json.dumps(parts, default=repr).encode(), digest_size=8).hexdigest()


# --- values last written ---------------------------------------------------------------------------------------------


def sealed(workbook: str, sheet: str, key: str, cells: str) -> str:
    """A JSON text of header to value with the seal of the row that it stands in; as it is where it has one already."""
    if not isinstance(cells, str) or not cells.endswith("}"):
        return cells
    return f"{cells}{_MARK}{_of_row(workbook, sheet, key, cells)}"


def _of_row(workbook: str, sheet: str, key: str, cells: str) -> str:
    # Once or more for every row of a save: joining is faster than JSON.
    row = f"{workbook}\0{sheet}\0{key}\0{cells}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(row, digest_size=8).hexdigest()


def unsealed(workbook: str, sheet: str, key: str, text: object) -> str | None:
    """The JSON text without its seal; None where that does not fit: the row is damaged."""
    if not isinstance(text, str):
        return None
    cells, mark, seal = text.rpartition(_MARK)
    return cells if mark and seal == _of_row(workbook, sheet, key, cells) else None


# --- saves -----------------------------------------------------------------------------------------------------------


def digest(rows: Iterable[Sequence[Any]]) -> str:
    """One hash over rows in order."""
    total = hashlib.sha256()
    for row in rows:
        total.update(_row(row))
    return total.hexdigest()


def _row(row: Sequence[Any]) -> bytes:
    # Joined, for JSON takes four times as long: no text in the ledger holds a zero, for they are JSON themselves.
    values = [value if type(value) is str else f"\1{value!r}" for value in row]
    return ("\0".join(values) + "\0\0").encode("utf-8", "surrogatepass")


def outcomes_staged(ledger: Database) -> str:
    """The hash over the results that a planned save takes along."""
    return digest(ledger.query("SELECT seq, ordinal FROM temp.staged_outcomes ORDER BY seq, ordinal"))


def outcomes_of(ledger: Database, run: str) -> dict[int, str]:
    """By save: the hash over the results of a run that count as brought into the workbook by it. One pass."""
    totals: dict[int, Any] = {}
    sql = "SELECT save, seq, ordinal FROM outcomes WHERE run = ? AND save IS NOT NULL ORDER BY seq, ordinal"
    for save, *place in ledger.query(sql, [run]):
        totals.setdefault(save, hashlib.sha256()).update(_row(place))
    return {save: total.hexdigest() for save, total in totals.items()}


NO_OUTCOMES: Final = digest(())


def put_seal(ledger: Database, save: int, outcomes: str) -> None:
    """Seal a save and what belongs to it; `outcomes` is the hash over its results. Within a transaction."""
    hashes = {"changes": _changes(ledger, save), "conflicts": _conflicts(ledger, save), "outcomes": outcomes}
    ledger.execute(
        "INSERT OR REPLACE INTO seals VALUES (?, ?, ?, ?, ?)", [save, *hashes.values(), _head(ledger, save, hashes)]
    )


def reseal(ledger: Database, save: int) -> None:
    """A save that is known to be sound has another state now. Within a transaction."""
    hashes = _hashes(ledger, save)
    if hashes is not None:
        ledger.execute("UPDATE seals SET seal = ? WHERE save = ?", [_head(ledger, save, hashes[0]), save])


def seal_unsealed(ledger: Database) -> None:
    """Seal what an older version wrote without. Within a transaction."""
    ledger.execute("UPDATE written SET cells = sealed(workbook, sheet, key, cells)")
    saves = "SELECT id, run FROM saves WHERE id NOT IN (SELECT save FROM seals)"
    known: dict[str, dict[int, str]] = {}
    for save, run in list(ledger.query(saves)):
        if run not in known:
            known[run] = outcomes_of(ledger, run)
        put_seal(ledger, save, known[run].get(save, NO_OUTCOMES))


def faults(ledger: Database, save: int, outcomes: str | None) -> set[str]:
    """What of a save is not what was recorded: ``record``, ``changes``, ``conflicts``, ``outcomes``.

    `outcomes` is the hash over its results as they are now (None: they are not looked at).
    """
    stored = _hashes(ledger, save)
    if stored is None or stored[1] != _head(ledger, save, stored[0]):
        return {"record"}
    state = ledger.one("SELECT state FROM saves WHERE id = ?", [save])
    checked = _CHECKED.get(state[0] if state else "", set())
    now = {"changes": _changes(ledger, save), "conflicts": _conflicts(ledger, save), "outcomes": outcomes}
    return {name for name in checked if now[name] is not None and now[name] != stored[0][name]}


def _hashes(ledger: Database, save: int) -> tuple[dict[str, str], str] | None:
    row = ledger.one("SELECT changes, conflicts, outcomes, seal FROM seals WHERE save = ?", [save])
    return (dict(zip(_PARTS, row[:3], strict=True)), row[3]) if row is not None else None


def _head(ledger: Database, save: int, hashes: dict[str, str]) -> str:
    row = ledger.one("SELECT id, run, workbook, old, new, temporary, state, at FROM saves WHERE id = ?", [save])
    return seal_of(*(row or ()), *(hashes[name] for name in _PARTS))


def _changes(ledger: Database, save: int) -> str:
    sql = "SELECT sheet, key, number, before, after FROM changes WHERE save = ? ORDER BY sheet, key"
    return digest(ledger.query(sql, [save]))


def _conflicts(ledger: Database, save: int) -> str:
    sql = """SELECT sheet, key, number, column, base, theirs, ours, kept FROM conflicts
             WHERE run = (SELECT run FROM saves WHERE id = ?1) AND save = ?1 ORDER BY id"""
    return digest(ledger.query(sql, [save]))
