"""What is staged on top of the records that were read: a log that can be gone back in, and from which changes come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from batchbook.storage.scratch import Scratch
from batchbook.tables.keys import key_of_text
from batchbook.tables.records import RecordChange
from batchbook.tables.shapes import LEADING, ColumnShape, Shape, Values

SCHEMA = """
CREATE TABLE staged (step INTEGER PRIMARY KEY, sheet INTEGER NOT NULL, id INTEGER NOT NULL, before TEXT);
CREATE TABLE rested (step INTEGER NOT NULL, sheet INTEGER NOT NULL, id INTEGER NOT NULL, position INTEGER NOT NULL);
"""


@dataclass(slots=True)
class _Net:
    """One record in a series of steps: its row before the first of them, and the columns that decisions rest on."""

    before: list[Any] | None
    rested: set[int] = field(default_factory=set)


class Staging:
    """Writes rows of the types' tables, and remembers what they held."""

    def __init__(self, scratch: Scratch, shapes: Sequence[Shape[Any]]) -> None:
        """`scratch` has the tables of `SCHEMA` and of the types."""
        self._scratch = scratch
        self._shapes = shapes
        self._step = 0
        self._taken = 0
        self._open = 0
        self._free: dict[int, int] = {}

    def _log(self, shape: Shape[Any], which: int, before: Sequence[Any] | None) -> None:
        self._step += 1
        held = None if before is None else json.dumps(before)
        self._scratch.execute("INSERT INTO staged VALUES (?, ?, ?, ?)", (self._step, shape.index, which, held))

    def _row(self, shape: Shape[Any], which: int) -> list[Any] | None:
        row = self._scratch.one(f"SELECT * FROM {shape.table} WHERE id = ?", (which,))
        return None if row is None else list(row)

    def insert(self, shape: Shape[Any], values: Values) -> None:
        """A new row, behind all others."""
        which = self._free_id(shape)
        self._free[shape.index] = which + 1
        row = (which, None, 1, shape.key_of(values), shape.raw_key(values), 0, *values)
        self._scratch.execute(shape.insertion, row)
        self._log(shape, which, None)

    def _free_id(self, shape: Shape[Any]) -> int:
        """An id that no row ever had: whatever comes in the place of one that was taken out is another record."""
        if shape.index not in self._free:
            found = self._scratch.one(f"SELECT max(id) FROM {shape.table}")
            self._free[shape.index] = ((found[0] if found else None) or 0) + 1
        return self._free[shape.index]

    def update(self, shape: Shape[Any], which: int, changed: Sequence[tuple[ColumnShape, Any]]) -> None:
        """New values of some columns of a row, given by its id."""
        self._log(shape, which, self._row(shape, which))
        columns = ", ".join(f"{column.sql} = ?" for column, _ in changed)
        values = (*(stored for _, stored in changed), which)
        self._scratch.execute(f"UPDATE {shape.table} SET {columns} WHERE id = ?", values)

    def remove(self, shape: Shape[Any], which: int) -> None:
        """Take a row out."""
        self._free_id(shape)  # seen while the row is there
        self._log(shape, which, self._row(shape, which))
        self._scratch.execute(f"DELETE FROM {shape.table} WHERE id = ?", (which,))

    def rests_on(self, shape: Shape[Any], which: int, columns: Sequence[ColumnShape]) -> None:
        """Changes of this row that are taken next say what these columns held before."""
        self._step += 1
        self._scratch.execute_many(
            "INSERT INTO rested VALUES (?, ?, ?, ?)",
            ((self._step, shape.index, which, column.position) for column in columns),
        )

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Go back to where it began when an exception leaves it."""
        mark, taken = self._step, self._taken
        self._open += 1
        try:
            yield
        except BaseException:
            self._go_back(mark, taken)
            raise
        finally:
            self._open -= 1

    def _go_back(self, mark: int, taken: int) -> None:
        steps = self._scratch.query("SELECT sheet, id, before FROM staged WHERE step > ? ORDER BY step DESC", (mark,))
        for index, which, held in list(steps):
            shape = self._shapes[index]
            self._scratch.execute(f"DELETE FROM {shape.table} WHERE id = ?", (which,))
            if held is not None:
                self._scratch.execute(shape.insertion, json.loads(held))
        self._scratch.execute("DELETE FROM staged WHERE step > ?", (mark,))
        self._scratch.execute("DELETE FROM rested WHERE step > ?", (mark,))
        self._step, self._taken = mark, taken  # what was taken meanwhile counts for nothing

    def take(self) -> list[RecordChange]:
        """The net changes since the last time, by record, in the order of their first steps."""
        changes = []
        for (index, which), net in self._nets().items():
            change = self._change(self._shapes[index], net, self._row(self._shapes[index], which))
            if change is not None:
                changes.append(change)
        self._taken = self._step
        if not self._open:  # nobody can want to go back behind this
            self._scratch.execute("DELETE FROM staged")
            self._scratch.execute("DELETE FROM rested")
        return changes

    def _nets(self) -> dict[tuple[int, int], _Net]:
        nets: dict[tuple[int, int], _Net] = {}
        for index, which, held in self._scratch.query(
            "SELECT sheet, id, before FROM staged WHERE step > ? ORDER BY step", (self._taken,)
        ):
            if (index, which) not in nets:
                nets[index, which] = _Net(None if held is None else json.loads(held))
        for index, which, position in self._scratch.query(
            "SELECT sheet, id, position FROM rested WHERE step > ?", (self._taken,)
        ):
            if (index, which) in nets:
                nets[index, which].rested.add(position)
        return nets

    def _change(self, shape: Shape[Any], net: _Net, now: list[Any] | None) -> RecordChange | None:
        old = None if net.before is None else net.before[LEADING:]
        new = None if now is None else now[LEADING:]
        if old == new:
            return None
        row = net.before or now
        assert row is not None
        key = key_of_text(row[3])
        if old is None:
            assert new is not None
            filled = {c.name: c.write(new[c.position]) for c in shape.columns if new[c.position] is not None}
            return RecordChange(shape.kind.sheet, key, None, filled)
        if new is None:
            before = {c.name: c.write(old[c.position]) for c in shape.columns}
            return RecordChange(shape.kind.sheet, key, before, dict.fromkeys(before))
        changed = [c for c in shape.columns if old[c.position] != new[c.position]]
        stands = [c for c in shape.columns if c in changed or c.position in net.rested]
        return RecordChange(
            shape.kind.sheet,
            key,
            {c.name: c.write(old[c.position]) for c in stands},
            {c.name: c.write(new[c.position]) for c in changed},
        )
