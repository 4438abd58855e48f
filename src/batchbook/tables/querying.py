"""Questions to record tables as SQL: plain values, filters, orders."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batchbook.storage.scratch import Scratch
from batchbook.tables.filters import Alike, AnyOf, Between, Containing
from batchbook.tables.kinds import Stored
from batchbook.tables.shapes import ColumnShape, Shape, Values

_PAGE = 500


class Questions:
    """What can be asked of the records of one type. Fields that are asked for by value get an index."""

    def __init__(self, scratch: Scratch, shape: Shape[Any]) -> None:
        self._scratch = scratch
        self._shape = shape
        self._asked: set[tuple[str, ...]] = set()
        self._indexed: set[tuple[str, ...]] = set()
        self._known: dict[Any, str] = {}
        """Conditions of questions that were asked before, by the names and forms of what is asked for."""

    def where(self, order: Sequence[str], wanted: Mapping[str, Any]) -> Iterator[Values]:
        """The values of the sound records that fit now, and still fit when they are come to."""
        condition, given = self._condition(wanted)
        if order:
            # The plus keeps SQLite from an index: what is sorted is a copy, whatever is staged meanwhile.
            yield from self._scratch.query(f"{self._select(condition)} ORDER BY {self._order(order, '+')}", given)
            return
        found = self._scratch.query(f"SELECT id FROM {self._shape.table} WHERE {condition} ORDER BY id", given)
        places = array("q", (which for (which,) in found))
        for start in range(0, len(places), _PAGE):
            page = places[start : start + _PAGE]
            among = f"id IN ({', '.join(map(str, page))})"
            yield from list(self._scratch.query(f"{self._select(f'{among} AND {condition}')} ORDER BY id", given))

    def first(self, order: Sequence[str], wanted: Mapping[str, Any]) -> Values | None:
        """The first of them."""
        condition, given = self._condition(wanted, order[:1])
        return self._scratch.one(f"{self._select(condition)} ORDER BY {self._order(order, '')} LIMIT 1", given)

    def _select(self, condition: str) -> str:
        return f"SELECT {self._shape.names} FROM {self._shape.table} WHERE {condition}"

    def _order(self, order: Sequence[str], mark: str) -> str:
        terms = []
        for name in order:
            column = self._shape[name.removeprefix("-")]
            if not column.column.required:
                terms.append(f"{column.sql} IS NULL")
            terms.append(f"{mark}{column.sql}{' DESC' if name.startswith('-') else ''}")
        return ", ".join((*terms, f"{mark}id"))

    def count(self, wanted: Mapping[str, Any]) -> int:
        """How many there are."""
        condition, given = self._condition(wanted)
        found = self._scratch.one(f"SELECT count(*) FROM {self._shape.table} WHERE {condition}", given)
        return int(found[0]) if found else 0

    def tally(self, by: Sequence[str], wanted: Mapping[str, Any]) -> dict[tuple[Any, ...], int]:
        """How many there are, by the values of some fields, in the order of these values."""
        condition, given = self._condition(wanted)
        columns = [self._shape[name] for name in by]
        if not columns:
            return {(): self.count(wanted)}
        names = ", ".join(column.sql for column in columns)
        order = ", ".join(f"{column.sql} IS NULL, {column.sql}" for column in columns)
        sql = f"SELECT count(*), {names} FROM {self._shape.table} WHERE {condition} GROUP BY {names} ORDER BY {order}"
        return {
            tuple(column.load(stored) for column, stored in zip(columns, row[1:], strict=True)): row[0]
            for row in self._scratch.query(sql, given)
        }

    def _condition(self, wanted: Mapping[str, Any], order: Sequence[str] = ()) -> tuple[str, list[Stored]]:
        given = [stored for name, value in wanted.items() for stored in _given(self._shape[name], value)]
        form = tuple([(name, _form(value)) for name, value in wanted.items()]), tuple(order)
        condition = self._known.get(form)
        if condition is None:
            terms = [_term(self._shape[name], form) for name, form in form[0]]
            condition = " AND ".join(("sound", *terms))
            if self._index(wanted, [name.removeprefix("-") for name in order]):
                self._known[form] = condition
        return condition, given

    def _index(self, wanted: Mapping[str, Any], order: Sequence[str]) -> bool:
        """What is asked for a second time gets an index: a thousand lookups must not be a thousand passes.

        Gives whether there is nothing left to do for this question.
        """
        equal = sorted(name for name, value in wanted.items() if not isinstance(value, Between | Containing))
        ranges = sorted(name for name, value in wanted.items() if isinstance(value, Between))
        fields = dict.fromkeys((*equal, *ranges[:1], *order))
        terms = tuple(_indexed(self._shape[name], wanted.get(name)) for name in fields)
        if not terms or terms in self._indexed:
            return True
        if terms not in self._asked:
            self._asked.add(terms)
            return False
        self._indexed.add(terms)
        self._scratch.execute(
            f"CREATE INDEX asked{len(self._indexed)}_{self._shape.table} ON {self._shape.table} ({', '.join(terms)})"
        )
        return True


def _indexed(column: ColumnShape, value: Any) -> str:
    return f"casefold({column.sql})" if isinstance(value, Alike) else column.sql


_Form = tuple[str, bool, bool]
"""How something is asked for; for an AnyOf whether a blank is among it, for a Between which sides are open."""


def _form(value: Any) -> _Form:
    if value is None:
        return "blank", False, False
    if isinstance(value, AnyOf):
        return "any", any(one is None for one in value.values), False
    if isinstance(value, Between):
        return "between", value.low is None, value.high is None
    if isinstance(value, Alike):
        return "alike", False, False
    return "containing" if isinstance(value, Containing) else "equal", False, False


def _term(column: ColumnShape, form: _Form) -> str:
    """A condition; the values for its marks are those of `_given`."""
    which, one, other = form
    if which == "blank":
        return f"{column.sql} IS NULL"
    if which == "any":
        # As one value: SQLite takes no more than some thousand.
        blank = f" OR {column.sql} IS NULL" if one else ""
        return f"({column.sql} IN (SELECT value FROM json_each(?)){blank})"
    if which == "between":
        sides = [f"{column.sql} {sign} ?" for sign, open_side in ((">=", one), ("<=", other)) if not open_side]
        return " AND ".join((f"{column.sql} IS NOT NULL", *sides))
    if which == "alike":
        return f"casefold({column.sql}) = ?"
    return f"instr(casefold({column.sql}), ?)" if which == "containing" else f"{column.sql} = ?"


def _given(column: ColumnShape, value: Any) -> list[Stored]:
    if value is None:
        return []
    if isinstance(value, AnyOf):
        return [json.dumps([column.store(one) for one in value.values if one is not None])]
    if isinstance(value, Between):
        return [column.store(side) for side in (value.low, value.high) if side is not None]
    if isinstance(value, Alike):
        return [value.text.casefold()]
    if isinstance(value, Containing):
        return [value.text.casefold()]
    return [column.store(value)]


def casefold(text: Any) -> Any:
    """`str.casefold` for SQL."""
    return None if text is None else str(text).casefold()
