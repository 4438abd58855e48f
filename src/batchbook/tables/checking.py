"""What is wrong with a record that is to be staged: the same rules as for rows that are read, all at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from batchbook.storage.scratch import Scratch
from batchbook.tables.findings import Trouble, shortened
from batchbook.tables.keys import key_of_text, key_shown
from batchbook.tables.reading import broken_rules, missing, refers_to_nothing
from batchbook.tables.shapes import ColumnShape, Held, Look, Shape, Values
from batchbook.tables.staging import Staging

_FIXED = "cannot be written: it holds a formula, or lies in merged cells or an array formula; give it a cell of its own"

Problem = tuple[ColumnShape, Trouble]


class Checker:
    """Checks records of all types against what is staged."""

    def __init__(self, scratch: Scratch, shapes: Sequence[Shape[Any]], staging: Staging) -> None:
        self._scratch = scratch
        self._shapes = {shape.kind.sheet: shape for shape in shapes}
        self._staging = staging
        self._there: dict[tuple[int, int], tuple[int, set[Any]]] = {}
        """By column: the version of its type's rows in which these values were found to stand there."""

    def new(self, shape: Shape[Any], looks: Mapping[str, Look]) -> tuple[Values, str | None, list[Problem]]:
        """The stored values of a new record, its key as the type's table has it, and all that is wrong with it."""
        values = tuple(looks[column.name].stored for column in shape.columns)
        problems = list(self._of_values(shape, looks, shape.columns, values))
        key = shape.key_of(values)
        row = None if key is None else self._scratch.one(f"SELECT number FROM {shape.table} WHERE key = ?", (key,))
        if key is not None and row is not None:
            where = "is staged already" if row[0] is None else f"stands in row {row[0]} already"
            problems.append((shape.key[0], Trouble("key-taken", where, shortened(key_shown(key_of_text(key))))))
        return values, key, problems

    def changed(self, shape: Shape[Any], held: Held, looks: Mapping[str, Look]) -> tuple[Values, list[Problem]]:
        """The stored values of a record with changes, and all that is wrong with them."""
        old = held.values
        columns = [shape[name] for name in looks]
        values = tuple(looks[c.name].stored if c.name in looks else old[c.position] for c in shape.columns)
        problems = list(self._of_values(shape, looks, columns, values))
        problems += [
            (column, Trouble("key", "names the record and is never changed", shortened(column.write(values[at]))))
            for column in shape.key
            if values[at := column.position] != old[at]
        ]
        problems += [
            (column, Trouble("cell", _FIXED, shortened(column.write(values[at]))))
            for column in columns
            if values[at := column.position] != old[at] and held.fixed & 1 << at
        ]
        return values, problems

    def removed(self, shape: Shape[Any], held: Held) -> list[Problem]:
        """What is wrong with taking a record out: other records refer to it."""
        problems: list[Problem] = []
        for other in self._shapes.values():
            for column in other.columns:
                refers = column.column.refers
                if refers is None or refers.sheet != shape.kind.sheet:
                    continue
                target = shape[refers.column]
                stored = held.values[target.position]
                name = f"referring_{column.sql}_of_{other.table}"
                self._scratch.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {other.table} ({column.sql})")
                itself = held.id if other is shape else None
                sql = f"SELECT number FROM {other.table} WHERE {column.sql} = ? AND id IS NOT ? LIMIT 1"
                row = self._scratch.one(sql, (stored, itself))
                if row is not None:
                    where = "what is staged there" if row[0] is None else f"row {row[0]}"
                    said = f"is referred to by {where} of the sheet {other.kind.sheet} (column {column.column.header})"
                    problems.append((target, Trouble("referred-to", said, shortened(target.write(stored)))))
        return problems

    def _of_values(
        self, shape: Shape[Any], looks: Mapping[str, Look], columns: Collection[ColumnShape], values: Values
    ) -> Iterator[Problem]:
        sound = True
        for column in columns:
            trouble = looks[column.name].trouble or self._of_column(shape, column, values[column.position])
            if trouble is not None:
                sound = False
                yield column, trouble
        if sound and shape.kind.rules:
            yield from (found for found in broken_rules(shape, values) if not found[1].warning)

    def _of_column(self, shape: Shape[Any], column: ColumnShape, stored: Any) -> Trouble | None:
        if stored is None:
            return missing(shape, column) if column.column.required or column in shape.key else None
        refers = column.column.refers
        if refers is None:
            return None
        target = self._shapes[refers.sheet]
        return (
            None if self._stands(target, target[refers.column], stored) else refers_to_nothing(column, target, stored)
        )

    def _stands(self, target: Shape[Any], column: ColumnShape, stored: Any) -> bool:
        """Whether a value stands in a column. What was found is believed until any row of the type is staged."""
        version = self._staging.version(target)
        place = target.index, column.position
        if place not in self._there or self._there[place][0] != version:
            self._there[place] = version, set()
        known = self._there[place][1]
        if stored in known:
            return True
        found = self._scratch.one(f"SELECT 1 FROM {target.table} WHERE {column.sql} = ? LIMIT 1", (stored,))
        if found is not None:
            known.add(stored)
        return found is not None
