"""Scratch tables: what has to be looked up once more while one pass over a sheet goes on, whatever its size.

Small ones stay in memory; what grows is written into a temporary file that SQLite removes again. Nothing of it has to
survive, so nothing is journalled or synced.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from batchbook.errors import LedgerError

_CACHE_KIB = 4096
_PAGE = 500


class Scratch:
    """A private database of temporary tables, gone with the object. Threads may share it: they take turns."""

    def __init__(self, schema: str) -> None:
        """`schema` is the SQL that creates the tables; LedgerError where no temporary file can be made."""
        # Without it two threads could get the same prepared statement, and one the other's row.
        self._lock = threading.Lock()
        with _named():
            self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._connection.executescript(
                f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KIB};{schema}"
            )

    def function(self, name: str, arguments: int, called: Callable[..., Any]) -> None:
        """Let SQL call a function that gives the same for the same arguments."""
        with self._lock, _named():
            self._connection.create_function(name, arguments, called, deterministic=True)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """One statement; gives how many rows it changed."""
        try:
            with self._lock:
                return self._connection.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise _failed(error) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for many rows."""
        rows = iter(rows)  # which may themselves come from here
        while page := list(islice(rows, _PAGE)):
            with self._lock, _named():
                self._connection.executemany(sql, page)

    def query(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a SELECT, fetched as they are used."""
        try:
            with self._lock:
                cursor = self._connection.execute(sql, values)
                page = cursor.fetchmany(_PAGE)
        except sqlite3.Error as error:
            raise _failed(error) from error
        while page:
            yield from page
            if len(page) < _PAGE:
                return  # that was the last one
            with self._lock, _named():
                page = cursor.fetchmany(_PAGE)

    def one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of a SELECT, or None."""
        try:
            with self._lock:
                row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
                return row
        except sqlite3.Error as error:
            raise _failed(error) from error

    def count(self, table: str) -> int:
        """How many rows a table has."""
        row = self.one(f"SELECT count(*) FROM {table}")
        return int(row[0]) if row else 0

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()


class Spool:
    """A list of plain values (JSON data) that can be longer than memory: it is added to, counted and gone through."""

    def __init__(self) -> None:
        self._scratch = Scratch("CREATE TABLE kept (place INTEGER PRIMARY KEY, value TEXT NOT NULL);")
        self._page: list[tuple[str]] = []
        self._count = 0

    def append(self, value: Any) -> None:
        """Add a value at the end."""
        self._page.append((json.dumps(value, ensure_ascii=False),))
        self._count += 1
        if len(self._page) >= _PAGE:
            self._write()

    def _write(self) -> None:
        page, self._page = self._page, []
        self._scratch.execute_many("INSERT INTO kept (value) VALUES (?)", page)

    def clear(self) -> None:
        """Forget all values."""
        self._page, self._count = [], 0
        self._scratch.execute("DELETE FROM kept")

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        self._write()
        for (text,) in self._scratch.query("SELECT value FROM kept ORDER BY place"):
            yield json.loads(text)


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _failed(error) from error


def _failed(error: sqlite3.Error) -> LedgerError:
    # What is asked some ten thousand times names its errors without `_named`, which would cost as much as the answer.
    return LedgerError(
        f"The temporary tables of this run failed: {error}.",
        "See that the folder for temporary files (SQLITE_TMPDIR, else TMPDIR, else /var/tmp or /tmp) has room and "
        "can be written; then try again (a run with --resume-auto).",
    )
