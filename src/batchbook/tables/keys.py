"""Keys: the text that names a row, and rows whose key is empty or doubled."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from batchbook.tables.row import Key
from batchbook.xlsx.values import CellValue, ErrorValue, Link


def key_part(value: CellValue) -> str:
    """One key column's value as text: 7 and "7" name the same row, blanks around a text do not count."""
    if value is None or isinstance(value, ErrorValue):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Link):
        return value.text.strip()
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dt.datetime | dt.time | dt.date):
        return value.isoformat()
    return str(value)


def key_text(key: Key) -> str:
    """A key as the ledger stores it."""
    return json.dumps(list(key), ensure_ascii=False)


def key_of_text(text: str) -> Key:
    """The inverse of `key_text`."""
    return tuple(json.loads(text))


def key_shown(key: Key) -> str:
    """A key as it is shown to people and typed after ``--keys``."""
    return "|".join(key)


@dataclass
class KeyIndex:
    """Where each key of a table stands. Wholly empty rows never come here: they are gaps, not rows."""

    rows: dict[str, int] = field(default_factory=dict)
    """Excel row by key text, of keys that name exactly one row."""
    doubled: dict[str, list[int]] = field(default_factory=dict)
    empty: list[int] = field(default_factory=list)

    def add(self, number: int, key: Key) -> None:
        """Take in one row."""
        if not all(key):
            self.empty.append(number)
            return
        text = key_text(key)
        if text in self.doubled:
            self.doubled[text].append(number)
        elif text in self.rows:
            self.doubled[text] = [self.rows.pop(text), number]
        else:
            self.rows[text] = number

    def problems(self) -> dict[int, str]:
        """By row number: why the row cannot be named."""
        found = dict.fromkeys(self.empty, "the key is empty")
        for text, numbers in self.doubled.items():
            shown = key_shown(key_of_text(text))
            places = ", ".join(map(str, numbers))
            found.update(dict.fromkeys(numbers, f"the key {shown!r} stands in {len(numbers)} rows: {places}"))
        return found


def index_of(rows: Iterable[tuple[int, Key]]) -> KeyIndex:
    """The index of (row number, key) pairs."""
    index = KeyIndex()
    for number, key in rows:
        index.add(number, key)
    return index


def matches(key: Key, wanted: Sequence[str]) -> bool:
    """Whether a key is among those typed after ``--keys`` (several key columns joined by ``|``)."""
    return key_shown(key) in wanted or (len(key) > 1 and key[0] in wanted)


def named(columns: Sequence[str], values: Mapping[str, CellValue]) -> Key:
    """The key of a row from its key columns."""
    return tuple(key_part(values[name]) for name in columns)
