"""Earlier states of a workbook that were put back on purpose, and what the machine had written in each of them.

What it wrote last in a cell is what a person's edit is weighed against. After a restore that is what it had written
in the state put back; otherwise the next run would take the values there for a person's, and keep them.

The saves of a workbook form a tree: each one comes after the save whose state it was made from, and a restore goes
on from another place of it. A state is named by the save after which the workbook was in it, 0 before the first one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile

from batchbook.storage.ledger import Ledger
from batchbook.storage.savelog import remember_persons

_MADE = ("saved", "undone")
"""States of saves that were made, whether or not they were taken back since."""
_KNOWN_BY = 16
"""Characters of a digest that backups are named with."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """What a restore did: the runs whose saves are no longer in the workbook, oldest first, as (run, job)."""

    known: bool
    """Whether the ledger knows the state that was put back; else the values last written are left as they were."""
    lost: tuple[tuple[str, str], ...] = ()


class _Tree:
    """The saves of a workbook and where each comes from."""

    def __init__(self, ledger: Ledger, workbook: str) -> None:
        self.saves: dict[int, tuple[str, str]] = {
            int(row[0]): (row[1], row[2] if row[3] in _MADE else "")
            for row in ledger.query("SELECT id, old, new, state FROM saves WHERE workbook = ? ORDER BY id", [workbook])
        }
        """By number: the digest before, and after where the save was made and is known to have been."""
        self.restores = [
            (int(row[0]), int(row[1]), int(row[2]), str(row[3]))
            for row in ledger.query(
                "SELECT after, position, place, left_digest FROM restores WHERE workbook = ? ORDER BY id", [workbook]
            )
        ]
        self._parents: dict[int, int] = {}
        self.position = self._walk()

    def _walk(self) -> int:
        position = 0
        waiting = iter([*self.restores, None])
        restore = next(waiting)
        for save, (_, made) in self.saves.items():
            while restore is not None and restore[0] < save:
                position, restore = restore[2], next(waiting)
            self._parents[save] = position
            position = save if made else position
        return self.restores[-1][2] if restore is not None else position

    def line(self, save: int) -> list[int]:
        """The saves whose changes a state holds, newest first."""
        found: list[int] = []
        while save in self._parents:
            found.append(save)
            save = self._parents[save]
        return found

    def find(self, digest: str) -> int | None:
        """The newest place of a state whose digest begins so."""
        digest = digest[:_KNOWN_BY]
        if not digest:
            return None
        places: list[tuple[float, int]] = []
        for save, (old, new) in self.saves.items():
            if old.startswith(digest):
                places.append((save - 0.5, self._parents[save]))
            if new.startswith(digest):
                places.append((save, save))
        places += [(after + 0.2, position) for after, position, _, left in self.restores if left.startswith(digest)]
        return max(places)[1] if places else None


def remember_restore(ledger: Ledger, workbook: str, digest: str, left: str) -> PutBack:
    """A workbook in the state `left` was put back to the state `digest` (digests, or the first 16 characters of them).

    The values last written become those of that state. `left` is empty where there was no sound workbook.
    """
    with ledger.transaction():
        tree = _Tree(ledger, workbook)
        place = tree.find(digest)
        here, there = tree.line(tree.position), tree.line(tree.position if place is None else place)
        kept, common = set(here), set(there)
        back = list(takewhile(lambda save: save not in common, here))
        forth = list(takewhile(lambda save: save not in kept, there))
        for save in back:
            _turn_back(ledger, workbook, save)
        for save in reversed(forth):
            _turn_forth(ledger, save)
        _record(ledger, workbook, left, tree.position, tree.position if place is None else place)
        return PutBack(place is not None, _runs(ledger, back))


def _turn_back(ledger: Ledger, workbook: str, save: int) -> None:
    ledger.execute(
        """UPDATE written SET cells = merge_sealed(written.workbook, written.sheet, written.key, cells,
                                                   sealed(written.workbook, c.sheet, c.key, c.before))
           FROM changes c
           WHERE c.save = ?1 AND written.workbook = ?2 AND written.sheet = c.sheet AND written.key = c.key""",
        [save, workbook],
    )
    # Where a person's value was overwritten, it is a person's again, and not what the machine wrote.
    ledger.execute(
        """INSERT INTO written
           SELECT s.workbook, c.sheet, c.key, sealed(s.workbook, c.sheet, c.key, json_object(c.column, json(c.base)))
           FROM conflicts c JOIN saves s ON s.id = c.save WHERE c.save = ? AND c.kept = 'ours'
           ON CONFLICT DO UPDATE SET cells = merge_sealed(workbook, sheet, key, cells, excluded.cells)""",
        [save],
    )


def _turn_forth(ledger: Ledger, save: int) -> None:
    ledger.execute(
        """INSERT INTO written SELECT s.workbook, c.sheet, c.key, sealed(s.workbook, c.sheet, c.key, c.after)
           FROM changes c JOIN saves s ON s.id = c.save WHERE c.save = ?
           ON CONFLICT DO UPDATE SET cells = merge_sealed(workbook, sheet, key, cells, excluded.cells)""",
        [save],
    )
    remember_persons(ledger, save)


def _runs(ledger: Ledger, saves: Iterable[int]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for save in reversed(list(saves)):
        row = ledger.one(
            """SELECT r.id, r.job FROM saves s JOIN runs r ON r.id = s.run
               WHERE s.id = ? AND EXISTS (SELECT 1 FROM changes c WHERE c.save = s.id)""",
            [save],
        )
        if row is not None:
            found[row[0]] = row[1]
    return tuple(found.items())


def forget_written(ledger: Ledger, workbook: str, left: str) -> None:
    """A workbook in the state `left` was made anew from another one: nothing in it was written by the machine."""
    with ledger.transaction():
        position = _Tree(ledger, workbook).position
        ledger.execute("DELETE FROM written WHERE workbook = ?", [workbook])
        _record(ledger, workbook, left, position, 0)


def _record(ledger: Ledger, workbook: str, left: str, position: int, place: int) -> None:
    ledger.execute(
        """INSERT INTO restores (workbook, after, position, place, left_digest)
           SELECT ?1, coalesce(max(id), 0), ?2, ?3, ?4 FROM saves WHERE workbook = ?1""",
        [workbook, position, place, left],
    )


def last_restored(ledger: Ledger, workbook: str) -> int:
    """The number of the last save before a workbook was put back or made anew; 0 where it never was."""
    row = ledger.one("SELECT coalesce(max(after), 0) FROM restores WHERE workbook = ?", [workbook])
    return int(row[0]) if row else 0


def saves_in(ledger: Ledger, workbook: str) -> list[int]:
    """The saves that led to the workbook's present state, oldest first: none that a restore took back."""
    tree = _Tree(ledger, workbook)
    return tree.line(tree.position)[::-1]
