"""Earlier states of a workbook that were put back on purpose, and what the machine had written in each of them.

What it wrote last in a cell is what a person's edit is weighed against. After a restore that is what it had written
in the state put back; otherwise the next run would take the values there for a person's, and keep them.

The saves of a workbook form a tree (table `lineage`): each one comes after the save whose state it was made from, and
a restore goes on from another place of it. A place is the number of the save after which the workbook is, 0 before
the first one; `places` has the present one, `left_states` those of states that only backups have.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from batchbook.storage.ledger import Ledger
from batchbook.storage.savelog import remember_persons
from batchbook.storage.turns import TurnOf, turn_of

_KNOWN_BY = 16
"""Characters of a digest that backups are named with."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What a restore took back of one run: how many cells (or keys of detail sheets) the saves taken back wrote."""

    run: str
    job: str
    cells: int
    turn: TurnOf | None = None
    """Where the run is an undo or reapply: of which run."""

    def as_dict(self) -> dict[str, object]:
        """As plain data."""
        return {"run_id": self.run, "job": self.job, "cells": self.cells}


@dataclass(frozen=True, slots=True)
class PutBack:
    """What a restore did: the runs of which saves are no longer in the workbook, oldest first."""

    known: bool
    """Whether the ledger knows the state that was put back; else the values last written are left as they were."""
    lost: tuple[Lost, ...] = ()


def saves_in(ledger: Ledger, workbook: str) -> list[int]:
    """The saves that led to the workbook's present state, oldest first: none that a restore took back."""
    return _line(ledger, _place(ledger, workbook))[::-1]


def _place(ledger: Ledger, workbook: str) -> int:
    row = ledger.one("SELECT place FROM places WHERE workbook = ?", [workbook])
    return int(row[0]) if row else 0


def _line(ledger: Ledger, place: int) -> list[int]:
    """The saves whose changes a state holds, newest first, pruned ones too."""
    sql = """WITH RECURSIVE line (save) AS (
                 SELECT ?1 WHERE ?1 > 0
                 UNION ALL SELECT l.parent FROM line JOIN lineage l ON l.save = line.save
                           WHERE l.parent BETWEEN 1 AND l.save - 1)  -- a damaged ledger may say anything
             SELECT save FROM line"""
    return [int(row[0]) for row in ledger.query(sql, [place])]


def _find(ledger: Ledger, workbook: str, digest: str) -> int | None:
    """The newest place of a state; what saves know of it counts before what a restore had left."""
    digest = digest[:_KNOWN_BY]
    if not digest:
        return None
    row = ledger.one(
        """SELECT CASE WHEN substr(s.new, 1, ?3) = ?2 AND s.state IN ('saved', 'undone') THEN s.id ELSE l.parent END
           FROM saves s JOIN lineage l ON l.save = s.id
           WHERE s.workbook = ?1 AND (substr(s.old, 1, ?3) = ?2
                 OR substr(s.new, 1, ?3) = ?2 AND s.state IN ('saved', 'undone'))
           ORDER BY s.id DESC""",
        [workbook, digest, len(digest)],
    )
    left = ledger.one(
        "SELECT place FROM left_states WHERE workbook = ? AND digest = ? ORDER BY id DESC", [workbook, digest]
    )
    if row is None or (left is not None and _last_change(ledger, left[0]) == _last_change(ledger, row[0])):
        row = left  # it may also know of people's values that were kept there since
    return int(row[0]) if row else None


def _last_change(ledger: Ledger, place: int) -> int:
    """The newest save of a line that changed the workbook: some only say that people's values were kept."""
    row = ledger.one(
        """WITH RECURSIVE line (save) AS (
               SELECT ?1
               UNION ALL SELECT l.parent FROM line JOIN lineage l ON l.save = line.save
                         JOIN saves s ON s.id = line.save WHERE s.new = '' AND l.parent < l.save)
           SELECT min(save) FROM line""",
        [place],
    )
    assert row is not None
    return int(row[0])


# --- putting back ----------------------------------------------------------------------------------------------------


def intend_restore(ledger: Ledger, workbook: str, digest: str, left: str, *, anew: bool = False) -> None:
    """A workbook is about to go from the state `left` to the state `digest`, or to be made `anew` in that.

    Durable, so that `settle_restore` completes what a process that dies there does not record.
    """
    text = json.dumps([digest[:_KNOWN_BY], left[:_KNOWN_BY], anew])
    with ledger.transaction():
        ledger.execute("INSERT OR REPLACE INTO facts VALUES ('restoring ' || ?, ?)", [workbook, text])


def settle_restore(ledger: Ledger, workbook: str, found: Callable[[], str]) -> None:
    """Record a restore whose process died before it could, if the workbook was put back; `found` gives its digest."""
    row = ledger.one("SELECT value FROM facts WHERE name = 'restoring ' || ?", [workbook])
    if row is None:
        return
    digest, left, anew = json.loads(row[0])
    if found().startswith(digest):
        forget_written(ledger, workbook, left) if anew else remember_restore(ledger, workbook, digest, left)
    else:
        with ledger.transaction():
            _settled(ledger, workbook)


def _settled(ledger: Ledger, workbook: str) -> None:
    ledger.execute("DELETE FROM facts WHERE name = 'restoring ' || ?", [workbook])


def remember_restore(ledger: Ledger, workbook: str, digest: str, left: str) -> PutBack:
    """A workbook in the state `left` was put back to the state `digest` (digests, or the first 16 characters of them).

    The values last written become those of that state. `left` is empty where there was no sound workbook.
    """
    with ledger.transaction():
        here = _place(ledger, workbook)
        same = left[:_KNOWN_BY] == digest[:_KNOWN_BY]
        found = here if same else _find(ledger, workbook, digest)
        place = here if found is None else found
        mine, theirs = _line(ledger, here), _line(ledger, place)
        kept, common = set(mine), set(theirs)
        back = list(takewhile(lambda save: save not in common, mine))
        forth = list(takewhile(lambda save: save not in kept, theirs))
        known = found is not None and _all_there(ledger, [*back, *forth])
        if known:
            _turn(ledger, workbook, back, forth, theirs)
        _go(ledger, workbook, left, here, place)
        return PutBack(known, _runs(ledger, back))


def _all_there(ledger: Ledger, saves: Sequence[int]) -> bool:
    """Whether the ledger still has what these saves changed."""
    row = ledger.one(
        """SELECT count(*) FROM saves s WHERE s.id IN (SELECT value FROM json_each(?))
           AND s.state <> 'damaged' AND NOT EXISTS (SELECT 1 FROM pruned p WHERE p.run = s.run)""",
        [json.dumps(saves)],
    )
    return row is not None and row[0] == len(saves)


def _turn(ledger: Ledger, workbook: str, back: Sequence[int], forth: Sequence[int], line: Sequence[int]) -> None:
    """From the present state to another one: `back` and `forth` are newest first, `line` is that state's."""
    ledger.execute("DELETE FROM temp.turned")
    for save in back:
        ledger.execute("INSERT OR IGNORE INTO temp.turned SELECT sheet, key FROM changes WHERE save = ?", [save])
        _turn_back(ledger, save)
    if back and _all_there(ledger, line):
        # A cell that a person had emptied held nothing before a save: what was written there is known by older ones.
        for save in reversed(line):
            _write(ledger, save, "AND EXISTS (SELECT 1 FROM temp.turned t WHERE t.sheet = c.sheet AND t.key = c.key)")
    for save in reversed(forth):
        _write(ledger, save)
        remember_persons(ledger, save)


def _turn_back(ledger: Ledger, save: int) -> None:
    _merge(
        ledger,
        """SELECT s.workbook, c.sheet, c.key, sealed(s.workbook, c.sheet, c.key, c.before)
           FROM changes c JOIN saves s ON s.id = c.save WHERE c.save = ?""",
        save,
    )
    # Where a person's value was overwritten, it is a person's again, and not what the machine wrote.
    _merge(
        ledger,
        """SELECT s.workbook, c.sheet, c.key, sealed(s.workbook, c.sheet, c.key, json_object(c.column, json(c.base)))
           FROM conflicts c JOIN saves s ON s.id = c.save WHERE c.save = ? AND c.kept = 'ours'""",
        save,
    )


def _write(ledger: Ledger, save: int, which: str = "") -> None:
    _merge(
        ledger,
        f"""SELECT s.workbook, c.sheet, c.key, sealed(s.workbook, c.sheet, c.key, c.after)
            FROM changes c JOIN saves s ON s.id = c.save WHERE c.save = ? {which}""",
        save,
    )


def _merge(ledger: Ledger, rows: str, save: int) -> None:
    """Merge rows of (workbook, sheet, key, sealed cells) of a save into the values last written; they count."""
    ledger.execute(
        f"""INSERT INTO written {rows}
            ON CONFLICT DO UPDATE SET cells = merge_sealed(workbook, sheet, key, cells, excluded.cells)""",
        [save],
    )


def _runs(ledger: Ledger, saves: Iterable[int]) -> tuple[Lost, ...]:
    found = ledger.query(
        """WITH cells AS (
               SELECT DISTINCT s.run, c.sheet, c.key, j.key AS column FROM saves s JOIN changes c ON c.save = s.id,
                      json_each(c.after) j WHERE s.id IN (SELECT value FROM json_each(?1)))
           SELECT r.id, r.job, r.settings, count(*) FROM cells c JOIN runs r ON r.id = c.run GROUP BY r.id
           ORDER BY (SELECT min(s.id) FROM saves s WHERE s.run = r.id)""",
        [json.dumps(list(saves))],
    )
    return tuple(Lost(row[0], row[1], row[3], turn_of(row[1], json.loads(row[2]))) for row in found)


def forget_written(ledger: Ledger, workbook: str, left: str) -> None:
    """A workbook in the state `left` was made anew from another one: nothing in it was written by the machine."""
    with ledger.transaction():
        ledger.execute("DELETE FROM written WHERE workbook = ?", [workbook])
        _go(ledger, workbook, left, _place(ledger, workbook), 0)


def _go(ledger: Ledger, workbook: str, left: str, here: int, place: int) -> None:
    if left:
        state = [workbook, left[:_KNOWN_BY], here]
        ledger.execute("INSERT INTO left_states (workbook, digest, place) VALUES (?, ?, ?)", state)
    ledger.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", [workbook, place])
    _settled(ledger, workbook)
