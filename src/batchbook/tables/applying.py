"""Changes of records that were decided earlier, staged where they still hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batchbook.errors import Finding
from batchbook.tables.checking import Problem
from batchbook.tables.findings import Trouble, shortened
from batchbook.tables.keys import key_shown
from batchbook.tables.records import RecordChange
from batchbook.tables.recordtable import Shared
from batchbook.tables.shapes import Held, Look, Shape
from batchbook.xlsx.values import CellValue


class Applying:
    """Stages changes one by one; gives why one does not hold."""

    def __init__(self, shared: Shared, shapes: Mapping[str, Shape[Any]]) -> None:
        self._shared = shared
        self._shapes = shapes

    def one(self, change: RecordChange) -> Iterator[Finding]:
        """Stage a change, or say why not."""
        shape = self._shapes[change.sheet]
        held = shape.held(self._shared.scratch, change.key)
        number = None if held is None else held.number
        if held is not None and not held.sound:
            yield self._finding(change, number, None, Trouble("unsound", "its row breaks the sheet's rules"))
            return
        looks = {name: shape[name].read_plain(value) for name, value in change.after.items()}
        if change.before is None:
            problems = self._new(shape, looks, held)
        elif held is not None:
            problems = self._other(shape, change, looks, held)
        elif _is_removal(shape, change):
            problems = []
        else:
            yield self._finding(change, None, None, Trouble("gone", "the record is not there any more"))
            return
        for column, trouble in problems:
            yield self._finding(change, number, column.column.header, trouble)

    def _new(self, shape: Shape[Any], looks: Mapping[str, Look], held: Held | None) -> list[Problem]:
        every = {column.name: looks.get(column.name, Look(None)) for column in shape.columns}
        if held is not None and held.values == tuple(look.stored for look in every.values()):
            return []
        values, key, problems = self._shared.checker.new(shape, every)
        if not problems:
            self._shared.staging.insert(shape, values, key)
        return problems

    def _other(self, shape: Shape[Any], change: RecordChange, looks: Mapping[str, Look], held: Held) -> list[Problem]:
        """A change of a record that is there, its removal among them."""
        before = change.before or {}
        if all(not look.trouble and held.values[shape[name].position] == look.stored for name, look in looks.items()):
            return []
        problems = self._moved(shape, before, held)
        if problems:
            return problems
        if _is_removal(shape, change):
            problems = self._shared.checker.removed(shape, held)
            if not problems:
                self._shared.staging.remove(shape, held)
            return problems
        values, problems = self._shared.checker.changed(shape, held, looks)
        if not problems:
            self._shared.staging.update(shape, held, values)
            self._shared.staging.rests_on(shape, held.id, [shape[name] for name in before])
        return problems

    def _moved(self, shape: Shape[Any], before: Mapping[str, CellValue], held: Held) -> list[Problem]:
        """The columns that are no longer what they were."""
        problems = []
        for name, value in before.items():
            column = shape[name]
            look = column.read_plain(value)
            if look.trouble is not None or look.stored != held.values[column.position]:
                now = column.write(held.values[column.position])
                said = f"was {_said(value)} when the change was decided, and is {_said(now)} now"
                problems.append((column, Trouble("changed-meanwhile", said)))
        return problems

    def _finding(self, change: RecordChange, row: int | None, column: str | None, trouble: Trouble) -> Finding:
        value = trouble.value if trouble.value is not None else shortened(key_shown(change.key))
        return Finding(trouble.said, self._shared.file, change.sheet, row, column, value, rule=trouble.rule)


def _is_removal(shape: Shape[Any], change: RecordChange) -> bool:
    return all(change.after.get(column.name, 0) is None for column in shape.columns)


def _said(value: CellValue) -> str:
    return "empty" if value is None else repr(shortened(value)) if isinstance(value, str) else str(value)
