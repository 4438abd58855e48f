"""Keys: the text that names a row, and rows whose key is empty or doubled."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring
from typing import Protocol

from batchbook.storage.scratch import Scratch
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
    return f"[{', '.join(map(encode_basestring, key))}]"  # as json.dumps does, in a third of the time


def key_of_text(text: str) -> Key:
    """The inverse of `key_text`."""
    return tuple(json.loads(text))


def key_shown(key: Key) -> str:
    """A key as it is shown to people and typed after ``--keys``."""
    return "|".join(key)


_SCHEMA = """
CREATE TABLE keys (position INTEGER PRIMARY KEY, number INTEGER NOT NULL, key TEXT);
CREATE TABLE problems (number INTEGER PRIMARY KEY, key TEXT);
"""
_PAGE = 2000
_MOST_PLACES = 20


class KeyOrder(Protocol):
    """The sound keys of a table, as texts, in its order."""

    def __iter__(self) -> Iterator[str]:
        """One after the other."""
        ...

    def __contains__(self, key: object) -> bool:
        """Whether a key text is among them."""
        ...


class KeyIndex:
    """Where each key of a table stands. Wholly empty rows never come here: they are gaps, not rows.

    The keys lie in scratch tables, so that memory does not grow with the sheet.
    """

    def __init__(self, rows: Iterable[tuple[int, Key]] = ()) -> None:
        """`rows` are pairs of row number and key in the table's order."""
        self._scratch = Scratch(_SCHEMA)
        pairs = iter(rows)
        while page := list(islice(pairs, _PAGE)):
            self._scratch.execute_many(
                "INSERT INTO keys (number, key) VALUES (?, ?)",
                ((number, key_text(key) if all(key) else None) for number, key in page),
            )
        self._scratch.execute("CREATE INDEX by_key ON keys (key)")
        self._scratch.execute(
            """INSERT OR IGNORE INTO problems SELECT number, key FROM keys WHERE key IS NULL OR key IN
               (SELECT key FROM keys WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1)"""
        )
        self._bad = self._scratch.count("problems")

    def __iter__(self) -> Iterator[str]:
        """The texts of the keys that name exactly one row, in the table's order."""
        sql = "SELECT key FROM keys WHERE number NOT IN (SELECT number FROM problems) ORDER BY position"
        for (text,) in self._scratch.query(sql):
            yield text

    def __contains__(self, key: object) -> bool:
        """Whether a key text names exactly one row."""
        return len(self._places(key, 2)) == 1

    def _places(self, key: object, most: int) -> list[int]:
        sql = "SELECT number FROM keys WHERE key = ? ORDER BY position LIMIT ?"
        return [number for (number,) in self._scratch.query(sql, (key, most))]

    def problems(self) -> Mapping[int, str]:
        """By row number: why the row cannot be named."""
        return _Problems(self._scratch, self) if self._bad else {}

    def doubled(self, key: str) -> str | None:
        """Why a key text does not name one row, where it stands in several; None otherwise."""
        places = self._places(key, _MOST_PLACES + 1)
        if len(places) < 2:
            return None
        row = self._scratch.one("SELECT count(*) FROM keys WHERE key = ?", (key,))
        count = row[0] if row else 0
        said = ", ".join(map(str, places[:_MOST_PLACES]))
        more = f" and {count - _MOST_PLACES} more" if count > _MOST_PLACES else ""
        return f"the key {key_shown(key_of_text(key))!r} stands in {count} rows: {said}{more}"


class _Problems(Mapping[int, str]):
    """The rows of an index that cannot be named, looked up as they are asked for."""

    def __init__(self, scratch: Scratch, index: KeyIndex) -> None:
        self._scratch = scratch
        self._reason = lru_cache(maxsize=64)(index.doubled)

    def __getitem__(self, number: int) -> str:
        found = self._scratch.one("SELECT key FROM problems WHERE number = ?", (number,))
        if found is None:
            raise KeyError(number)
        key = found[0]
        if key is None:
            return "the key is empty"
        return self._reason(key) or ""

    def __contains__(self, number: object) -> bool:
        return self._scratch.one("SELECT 1 FROM problems WHERE number = ?", (number,)) is not None

    def __iter__(self) -> Iterator[int]:
        for (number,) in self._scratch.query("SELECT number FROM problems ORDER BY number"):
            yield number

    def __len__(self) -> int:
        return self._scratch.count("problems")


class KeySet:
    """Any number of key texts, to be asked whether one is among them; one lookup each."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._scratch = Scratch("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID;")
        self._scratch.execute_many("INSERT OR IGNORE INTO keys VALUES (?)", ((key,) for key in keys))

    def __contains__(self, key: object) -> bool:
        return self._scratch.one("SELECT 1 FROM keys WHERE key = ?", (key,)) is not None

    def __len__(self) -> int:
        return self._scratch.count("keys")


def matches(key: Key, wanted: Sequence[str]) -> bool:
    """Whether a key is among those typed after ``--keys`` (several key columns joined by ``|``)."""
    return key_shown(key) in wanted or (len(key) > 1 and key[0] in wanted)


def named(columns: Sequence[str], values: Mapping[str, CellValue]) -> Key:
    """The key of a row from its key columns."""
    return tuple(key_part(values[name]) for name in columns)
