"""What is staged on top of the records that were read: a log that can be gone back in, and from which changes come.

The log is a list of steps, each with the row before and after it: what `take` gives is as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple

from batchbook.storage.scratch import Scratch
from batchbook.tables.records import RecordChange
from batchbook.tables.shapes import LEADING, ColumnShape, Held, Shape, Values

Stored = tuple[Any, ...]
"""A row of a type's table."""


class _Step(NamedTuple):
    """A row that was put in (None before), changed, or taken out (None after)."""

    shape: Shape[Any]
    id: int
    before: Stored | None
    after: Stored | None


class _Rested(NamedTuple):
    """A row and the places of columns that its changes rest on."""

    sheet: int
    id: int
    positions: tuple[int, ...]


@dataclass(slots=True)
class _Net:
    """One record in a series of steps: its row before the first and after the last, and what decisions rest on."""

    shape: Shape[Any]
    before: Stored | None
    after: Stored | None
    rested: set[int] = field(default_factory=set)


class _Mark(NamedTuple):
    """A place in the log."""

    steps: int
    rested: int


class Staging:
    """Writes rows of the types' tables, and remembers what they held."""

    def __init__(self, scratch: Scratch, shapes: Sequence[Shape[Any]]) -> None:
        """`scratch` has the tables of the types."""
        self._scratch = scratch
        self._steps: list[_Step] = []
        self._rested: list[_Rested] = []
        self._taken = _Mark(0, 0)
        self._open = 0
        self._free: dict[int, int] = {}
        self._versions = [0] * len(shapes)

    def version(self, shape: Shape[Any]) -> int:
        """A number that is another one whenever a row of a type was staged since, or went back to what it was.

        Nothing else changes the rows once they were read: what was found out under one number still holds under it.
        """
        return self._versions[shape.index]

    def _log(self, shape: Shape[Any], which: int, before: Stored | None, after: Stored | None) -> None:
        self._versions[shape.index] += 1
        self._steps.append(_Step(shape, which, before, after))

    def insert(self, shape: Shape[Any], values: Values, key: str | None) -> None:
        """A new row, behind all others; `key` is its canonical key as the table holds it."""
        which = self._free_id(shape)
        self._free[shape.index] = which + 1
        row = (which, None, 1, key, shape.raw_key(values), 0, *values)
        self._scratch.execute(shape.insertion, row)
        self._log(shape, which, None, row)

    def _free_id(self, shape: Shape[Any]) -> int:
        """An id that no row ever had: whatever comes in the place of one that was taken out is another record."""
        if shape.index not in self._free:
            found = self._scratch.one(f"SELECT max(id) FROM {shape.table}")
            self._free[shape.index] = ((found[0] if found else None) or 0) + 1
        return self._free[shape.index]

    def update(self, shape: Shape[Any], held: Held, values: Values) -> None:
        """New values of a row that is there."""
        changed = [c for c in shape.columns if values[c.position] != held.values[c.position]]
        before = held.row
        columns = ", ".join(f"{column.sql} = ?" for column in changed)
        given = (*(values[column.position] for column in changed), held.id)
        self._scratch.execute(f"UPDATE {shape.table} SET {columns} WHERE id = ?", given)
        self._log(shape, held.id, before, (*before[:LEADING], *values))

    def remove(self, shape: Shape[Any], held: Held) -> None:
        """Take a row out."""
        self._free_id(shape)  # seen while the row is there
        self._scratch.execute(f"DELETE FROM {shape.table} WHERE id = ?", (held.id,))
        self._log(shape, held.id, held.row, None)

    def rests_on(self, shape: Shape[Any], which: int, columns: Sequence[ColumnShape]) -> None:
        """Changes of this row that are taken next say what these columns held before."""
        self._rested.append(_Rested(shape.index, which, tuple(column.position for column in columns)))

    def whole(self) -> _Whole:
        """A context: go back to where it began when an exception leaves it."""
        return _Whole(self)

    def begin(self) -> tuple[_Mark, _Mark]:
        """A place to go back to, until `end`."""
        self._open += 1
        return _Mark(len(self._steps), len(self._rested)), self._taken

    def end(self, begun: tuple[_Mark, _Mark], *, back: bool) -> None:
        """The end of what was begun; with `back` everything is as it was then."""
        try:
            if back:
                self._go_back(*begun)
        finally:
            self._open -= 1

    def _go_back(self, mark: _Mark, taken: _Mark) -> None:
        for step in reversed(self._steps[mark.steps :]):
            self._versions[step.shape.index] += 1
            self._scratch.execute(f"DELETE FROM {step.shape.table} WHERE id = ?", (step.id,))
            if step.before is not None:
                self._scratch.execute(step.shape.insertion, step.before)
        del self._steps[mark.steps :], self._rested[mark.rested :]
        self._taken = taken  # what was taken meanwhile counts for nothing

    def take(self) -> list[RecordChange]:
        """The net changes since the last time, by record, in the order of their first steps."""
        nets = self._nets().values()
        changes = [change for net in nets if (change := _change(net)) is not None]
        if not self._open:  # nobody can want to go back behind this
            self._steps.clear()
            self._rested.clear()
        self._taken = _Mark(len(self._steps), len(self._rested))
        return changes

    def _nets(self) -> dict[tuple[int, int], _Net]:
        nets: dict[tuple[int, int], _Net] = {}
        for step in self._steps[self._taken.steps :]:
            net = nets.get((step.shape.index, step.id))
            if net is None:
                nets[step.shape.index, step.id] = _Net(step.shape, step.before, step.after)
            else:
                net.after = step.after
        for rested in self._rested[self._taken.rested :]:
            if (rested.sheet, rested.id) in nets:
                nets[rested.sheet, rested.id].rested.update(rested.positions)
        return nets


class _Whole:
    """What is staged inside is staged as a whole, or not at all. A class: a generator costs as much as a statement."""

    __slots__ = ("_begun", "_staging")

    def __init__(self, staging: Staging) -> None:
        self._staging = staging

    def __enter__(self) -> None:
        self._begun = self._staging.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._staging.end(self._begun, back=kind is not None)


def _change(net: _Net) -> RecordChange | None:
    shape = net.shape
    old = None if net.before is None else net.before[LEADING:]
    new = None if net.after is None else net.after[LEADING:]
    if old == new:
        return None
    values = old or new
    assert values is not None
    key = tuple(str(values[column.position]) for column in shape.key)  # as `Shape.key_of` has it
    if old is None:
        assert new is not None
        return RecordChange(shape.kind.sheet, key, None, shape.cells(new))
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
