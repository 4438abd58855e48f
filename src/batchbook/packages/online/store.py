"""Stored answers: one SQLite file in the cache folder, shared by all sources and runs.

It holds nothing that cannot be had again: where it is damaged it is put aside, where it cannot be written, runs go on
without it. Requests are stored without their credentials, which are added behind it.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from datetime import timedelta
from pathlib import Path

import httpx
from hishel import Entry, Headers, Request, Response, SqliteStorage

from batchbook.batch import kept_file

log = logging.getLogger(__name__)

FILE = "http-answers.db"
ASKED = "x-batchbook-asked"
"""The header that tells the time of an answer, or of its last validation, by its day at least (ISO, UTC)."""
_DIGEST = "x-batchbook-sha256"
"""The header that tells what is kept from what became of it on a disk."""
_MOST_BYTES = 2 * 1024**3


class _Forward(logging.Handler):
    """What the cache library says goes into this program's log, a line each; it has a fault told with a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.exc_info[1] if record.exc_info else None
        log.warning("%s%s", record.getMessage(), f": {problem}" if problem else "")


def _take_messages() -> None:
    library = logging.getLogger("hishel")
    if not any(isinstance(handler, _Forward) for handler in library.handlers):
        library.addHandler(_Forward(logging.WARNING))
        library.propagate = False


class Store:
    """Answers by HTTP's rules (through `storage`), and answers kept under a text."""

    def __init__(self, folder: Path, unused_for: timedelta) -> None:
        """Open the store of a cache folder; entries that nobody used for so long are dropped."""
        _take_messages()
        path = folder / FILE
        try:
            kept_file(path)
            _put_aside_if_damaged(path)
            _must_be_writable(path)
            connection = None
        except (OSError, sqlite3.Error) as problem:
            log.warning("answers cannot be stored in %s, each run asks for all of them: %s", path, problem)
            connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.storage = SqliteStorage(
            connection=connection,
            database_path=path,
            default_tti=unused_for.total_seconds(),
            max_size=_MOST_BYTES,
        )

    def stored(self, address: str) -> httpx.Response | None:
        """The newest answer stored for an address, however old it is."""
        found: list[tuple[str, httpx.Response]] = []
        for entry in self.storage.get_entries(hashed(address)):
            body, headers = _body(entry), entry.response.headers
            if body is not None:
                pairs = [(name, value) for name in headers for value in headers.get_list(name) or ()]
                answer = httpx.Response(entry.response.status_code, headers=pairs, content=body)
                found.append((headers.get(ASKED, ""), answer))
        return max(found, key=lambda one: one[0])[1] if found else None

    def only_newest(self, address: str) -> None:
        """Drop what newer answers for an address have taken the place of: nothing else would, for all are read."""
        entries = sorted(self.storage.get_entries(hashed(address)), key=lambda one: one.response.headers.get(ASKED, ""))
        for entry in entries[:-1]:
            self.storage.remove_entry(entry.id)

    def kept(self, key: str) -> tuple[bytes, str] | None:
        """What is kept under a text, and the day (ISO) of it; the newest, where there are several."""
        found: list[tuple[str, bytes]] = []
        for entry in self.storage.get_entries(hashed(key)):
            headers, body = entry.response.headers, _body(entry)
            if body is not None and headers.get(_DIGEST, "") != hashlib.sha256(body).hexdigest():
                log.warning("a stored answer is damaged, and asked for anew: %s", key)
            elif body is not None:
                found.append((headers.get(ASKED, ""), body))
        if not found:
            return None
        day, body = max(found, key=lambda one: one[0])
        return body, day

    def keep(self, key: str, body: bytes, day: str) -> None:
        """Keep something under a text in place of what is there."""
        old = [entry.id for entry in self.storage.get_entries(hashed(key))]
        told = {ASKED: day, _DIGEST: hashlib.sha256(body).hexdigest()}
        response = Response(200, Headers(told), iter((body,)))
        entry = self.storage.create_entry(Request("GET", key), response, hashed(key))
        _body(entry)  # it is stored while it is read
        for one in old:
            self.storage.remove_entry(one)

    def forget(self, key: str) -> None:
        """Drop all that is stored under a text or an address."""
        for entry in self.storage.get_entries(hashed(key)):
            self.storage.remove_entry(entry.id)

    def close(self) -> None:
        """Close the file."""
        self.storage.close()


def hashed(key: str) -> str:
    """A text as the name of an entry."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _body(entry: Entry) -> bytes | None:
    try:
        return b"".join(entry.response.stream or ())  # type: ignore[arg-type]
    except (RuntimeError, sqlite3.Error, OSError):
        return None  # dropped or damaged while it was read: as if it were not there


def _must_be_writable(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=5)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
    finally:
        connection.close()


def _put_aside_if_damaged(path: Path) -> None:
    if path.stat().st_size == 0:
        return
    try:
        connection = sqlite3.connect(path)
        try:
            sound = connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return  # locked by somebody: not damaged
    except sqlite3.DatabaseError:
        sound = False
    if not sound:
        log.warning("the stored answers in %s are damaged; they are put aside, and asked for anew", path)
        path.replace(path.with_suffix(".damaged"))
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        kept_file(path)
