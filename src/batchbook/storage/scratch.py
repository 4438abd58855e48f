"""Scratch tables: what has to be looked up once more while one pass over a sheet goes on, whatever its size.

Small ones stay in memory; what grows is written into a temporary file that SQLite removes again. Nothing of it has to
survive, so nothing is journalled or synced.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from batchbook.errors import LedgerError

_CACHE_KIB = 4096


class Scratch:
    """A private database of temporary tables, gone with the object. Used from one thread at a time."""

    def __init__(self, schema: str) -> None:
        """`schema` is the SQL that creates the tables; LedgerError where no temporary file can be made."""
        with _named():
            self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._connection.executescript(
                f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KIB};{schema}"
            )

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """One statement; gives how many rows it changed."""
        with _named():
            return self._connection.execute(sql, values).rowcount

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for many rows."""
        with _named():
            self._connection.executemany(sql, rows)

    def query(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a SELECT, fetched as they are used."""
        with _named():
            yield from self._connection.execute(sql, values)

    def one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of a SELECT, or None."""
        with _named():
            row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
            return row

    def count(self, table: str) -> int:
        """How many rows a table has."""
        row = self.one(f"SELECT count(*) FROM {table}")
        return int(row[0]) if row else 0

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerError(
            f"The temporary tables of this run failed: {error}.",
            "See that the folder for temporary files (SQLITE_TMPDIR, else /var/tmp or /tmp) has room and can be "
            "written; then run again with --resume-auto.",
        ) from error
