"""One SQLite file: made where only those who should can read it, durable at every commit, its errors named.

Whatever goes wrong in it is a LedgerError that says so and what to do. What stands in it is a matter of the ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from batchbook.errors import LedgerDamaged, LedgerError
from batchbook.storage import seals
from batchbook.storage.celltexts import FUNCTIONS
from batchbook.storage.hosts import is_network_path
from batchbook.storage.private import create_private, make_state_folder, not_shared
from batchbook.storage.schema import RENEWAL, SCHEMA, STAGING, VERSION

BUSY_SECONDS = 30.0
"""How long those wait for another process who write."""
READ_SECONDS = 1.0
"""How long those wait for the ledger who only look at it."""
_DAMAGE = ("malformed", "not a database", "disk image", "corrupt", "decode to UTF-8", "unsupported file format",
           "no such")  # fmt: skip
WAY_OUT = (
    "The workbook itself is not touched. Move the file (with its -wal and -shm) aside and run again with "
    "--start-fresh. Without its ledger a run cannot tell what people wrote over earlier results. An older copy of it "
    "does only for the workbook of that time: later results would pass for people's, and stay; "
    "`batchbook backups list WORKBOOK` shows the workbook's earlier states."
)
"""What to do about a ledger that is damaged."""


def make_file(path: Path, *, allow_network: bool) -> bool:
    """Create an empty file (see `private`: who can read it) unless it is there; gives whether the network has it.

    Raises LedgerError where it cannot be made, lies on a network file system (unless allowed), lost its content, or
    where the group of the configuration could not work with it.
    """
    try:
        make_state_folder(path.parent)
    except OSError as error:
        raise LedgerError(
            f"The folder of the ledger, {path.parent}, cannot be made: {error.strerror}.",
            "Mend its permissions, or put `paths: {ledger: ...}` elsewhere.",
        ) from error
    network = is_network_path(path.parent)
    if network and not allow_network:
        raise LedgerError(
            f"The ledger {path} would lie on a network file system, where SQLite's locks cannot be relied on.",
            "Put `paths: {ledger: ...}` on a local disk, or set `state: {allow_network: true}` at your own risk.",
        )
    log = path.with_name(f"{path.name}-wal")
    if path.exists() and not path.stat().st_size and log.exists() and log.stat().st_size:
        # SQLite would take it for a new one and throw the log away.
        raise LedgerDamaged(f"The ledger {path} is damaged: it is empty, but its log {log.name} is not.", WAY_OUT)
    try:
        create_private(path)
    except OSError as error:
        raise LedgerError(
            f"The ledger {path} cannot be made: {error.strerror}.", "See that its folder can be written."
        ) from error
    for trouble in filter(None, (not_shared(path.parent), not_shared(path))):
        raise LedgerError(
            f"The group of `state: {{group: ...}}` could not work with the ledger: {trouble}.",
            f"Give it what is there already: chgrp -R GROUP '{path.parent}', chmod -R g+rwX '{path.parent}', "
            f"chmod g+s '{path.parent}'.",
        )
    return network


def connect(path: Path | None, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to a file (None: one that vanishes), with the functions of `celltexts`; raises LedgerError."""
    place: str | Path = path or ""
    if path is not None and read_only:
        # Beside a log that is not folded in yet (another run is going) its shared memory exists and is read too.
        beside = (path.with_name(f"{path.name}-{what}") for what in ("wal", "journal"))
        place = f"{path.absolute().as_uri()}?mode=ro{'' if any(p.exists() for p in beside) else '&immutable=1'}"
    try:
        connection = sqlite3.connect(
            place, timeout=READ_SECONDS if read_only else BUSY_SECONDS, isolation_level=None, uri=read_only
        )
    except sqlite3.Error as error:
        raise LedgerError(
            f"The ledger {path or 'of a dry run'} cannot be opened: {error}.", "Check the folder's permissions."
        ) from error
    connection.row_factory = sqlite3.Row
    for name, count, function in FUNCTIONS:
        connection.create_function(name, count, function, deterministic=True)
    return connection


class Database:
    """One file, or one that vanishes. Used from one thread; several processes may have it open."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None) -> None:
        self._connection = connection
        self._called = f"The ledger {path}" if path else "The passing ledger of a dry run"

    def prepare(self, network: bool) -> None:
        """Bring the file to the form of `schema`; one on a network file system is had by one process alone."""
        run = self._connection.execute
        # Of a new file only: pages that pruning frees can be given back (no measurable cost while rows are written).
        if not run("PRAGMA page_count").fetchone()[0]:
            run("PRAGMA auto_vacuum = INCREMENTAL")  # writes into a file that is there, even where it changes nothing
        if network:
            run("PRAGMA locking_mode = EXCLUSIVE")
            run("PRAGMA journal_mode = DELETE")
        else:
            run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA foreign_keys = ON")
        run("PRAGMA temp_store = FILE")
        self._connection.executescript(STAGING)
        version = run("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise LedgerError(
                f"{self._called} was made by a newer batchbook (form {version}, this one knows {VERSION}).",
                "Use the newer batchbook, or another `paths: {ledger: ...}`.",
            )
        if version < VERSION:
            with self.transaction():
                if run("PRAGMA user_version").fetchone()[0] == VERSION:
                    return  # another process was first
                for statement in (*filter(str.strip, SCHEMA.split(";")), *RENEWAL):
                    run(statement)
                seals.seal_unsealed(self)
                run(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        """Close the file; open transactions are rolled back."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Whatever SQLite raises inside is LedgerError, LedgerDamaged where the file is no longer sound."""
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # Of a damaged file even the text that an error quotes may be no text.
            text = str(error)
            if isinstance(error, UnicodeDecodeError) or any(word in text for word in _DAMAGE):
                raise self.damaged(text) from error
            advice = (
                "See that the disk has room and the folder can be written; then do it again (a run with --resume-auto)."
            )
            raise LedgerError(f"{self._called} failed: {text}.", advice) from error

    def temporary(self) -> AbstractContextManager[None]:
        """Many statements on temporary tables as one; the ledger itself is not locked."""
        return self._unit("BEGIN")

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing, durable when left; LedgerError when it cannot be committed."""
        return self._unit("BEGIN IMMEDIATE")

    @contextmanager
    def _unit(self, begin: str) -> Iterator[None]:
        with self.named_errors():
            self._connection.execute(begin)
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise

    def execute(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        """One statement; for the other modules of this floor."""
        with self.named_errors():
            return self._connection.execute(sql, tuple(values))

    def execute_many(self, sql: str, rows: Iterable[Iterable[Any]]) -> None:
        """One statement for many rows; for the other modules of this floor."""
        with self.named_errors():
            self._connection.executemany(sql, (tuple(row) for row in rows))

    def query(self, sql: str, values: Iterable[Any] = ()) -> Iterator[sqlite3.Row]:
        """The rows of a SELECT, fetched as they are used."""
        with self.named_errors():
            # Not `yield from`: that would close the cursor of a ledger that may be closed already.
            for row in self._connection.execute(sql, tuple(values)):  # noqa: UP028
                yield row

    def one(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Row | None:
        """The first row of a SELECT, or None."""
        with self.named_errors():
            row: sqlite3.Row | None = self._connection.execute(sql, tuple(values)).fetchone()
            return row

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Wait only so long for another process that is writing, instead of `BUSY_SECONDS`."""
        self.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        try:
            yield
        finally:
            self.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    def check(self, table: str = "") -> list[str]:
        """What SQLite finds wrong with the file, or with one table and its indexes; empty when it is sound."""
        return [row[0] for row in self.query(f"PRAGMA integrity_check({table or 20})") if row[0] != "ok"]

    def damaged(self, text: str) -> LedgerDamaged:
        """The error of a file that is damaged; the text says how."""
        return LedgerDamaged(f"{self._called} is damaged: {text}.", WAY_OUT)
