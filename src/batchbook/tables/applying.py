"""Changes of records that were decided earlier, staged where they still hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batchbook.errors import Finding
from batchbook.tables.checking import Problem
from batchbook.tables.findings import Trouble, shortened
from batchbook.tables.keys import key_shown, key_text
from batchbook.tables.records import RecordChange
from batchbook.tables.recordtable import Shared
from batchbook.tables.shapes import Look, Shape, Values
from batchbook.xlsx.values import CellValue

_LEADING = 3


class Applying:
    """Stages changes one by one; gives why one does not hold."""

    def __init__(self, shared: Shared, shapes: Mapping[str, Shape[Any]]) -> None:
        self._shared = shared
        self._shapes = shapes

    def one(self, change: RecordChange) -> Iterator[Finding]:
        """Stage a change, or say why not."""
        shape = self._shapes[change.sheet]
        row = self._row(shape, change.key)
        if row is not None and not row[2]:
            yield self._finding(shape, change, row[1], None, Trouble("unsound", "its row breaks the sheet's rules"))
            return
        held = None if row is None else tuple(row[_LEADING:])
        problems = self._apply(shape, change, None if row is None else row[0], held)
        for column, trouble in problems:
            yield self._finding(shape, change, row[1] if row else None, column.column.header, trouble)
        if not problems and row is None and change.before is not None and not _is_removal(shape, change):
            yield self._finding(shape, change, None, None, Trouble("gone", "the record is not there any more"))

    def _apply(self, shape: Shape[Any], change: RecordChange, which: int | None, held: Values | None) -> list[Problem]:
        looks = {name: shape[name].read_plain(value) for name, value in change.after.items()}
        if change.before is None:
            return self._new(shape, looks, held)
        if held is None or which is None:
            return []
        if _is_removal(shape, change):
            problems = self._moved(shape, change.before, held)
            if not problems:
                self._shared.staging.remove(shape, which)
            return problems
        return self._changed(shape, change.before, looks, which, held)

    def _new(self, shape: Shape[Any], looks: Mapping[str, Look], held: Values | None) -> list[Problem]:
        every = {column.name: looks.get(column.name, Look(None)) for column in shape.columns}
        if held is not None and held == tuple(look.stored for look in every.values()):
            return []
        values, problems = self._shared.checker.new(shape, every)
        if not problems:
            self._shared.staging.insert(shape, values)
        return problems

    def _changed(
        self,
        shape: Shape[Any],
        before: Mapping[str, CellValue],
        looks: Mapping[str, Look],
        which: int,
        held: Values,
    ) -> list[Problem]:
        if all(look.trouble is None and held[shape[name].position] == look.stored for name, look in looks.items()):
            return []
        problems = self._moved(shape, before, held)
        if problems:
            return problems
        values, problems = self._shared.checker.changed(shape, held, looks)
        if not problems:
            changed = [(c, values[c.position]) for c in shape.columns if values[c.position] != held[c.position]]
            self._shared.staging.update(shape, which, changed)
            self._shared.staging.rests_on(shape, which, [shape[name] for name in before])
        return problems

    def _moved(self, shape: Shape[Any], before: Mapping[str, CellValue], held: Values) -> list[Problem]:
        """The columns that are no longer what they were."""
        problems = []
        for name, value in before.items():
            column = shape[name]
            look = column.read_plain(value)
            if look.trouble is not None or look.stored != held[column.position]:
                now = column.write(held[column.position])
                said = f"was {_said(value)} when the change was decided, and is {_said(now)} now"
                problems.append((column, Trouble("changed-meanwhile", said)))
        return problems

    def _row(self, shape: Shape[Any], key: tuple[str, ...]) -> Sequence[Any] | None:
        sql = f"SELECT id, number, sound, {shape.names} FROM {shape.table} WHERE key = ?"
        return self._shared.scratch.one(sql, (key_text(key),))

    def _finding(
        self, shape: Shape[Any], change: RecordChange, row: int | None, column: str | None, trouble: Trouble
    ) -> Finding:
        value = trouble.value if trouble.value is not None else shortened(key_shown(change.key))
        return Finding(trouble.said, self._shared.file, shape.kind.sheet, row, column, value, rule=trouble.rule)


def _is_removal(shape: Shape[Any], change: RecordChange) -> bool:
    return all(change.after.get(column.name, 0) is None for column in shape.columns)


def _said(value: CellValue) -> str:
    return "empty" if value is None else repr(shortened(value)) if isinstance(value, str) else str(value)
