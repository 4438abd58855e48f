"""The ledger: runs, checkpoints and changes in one SQLite file, durable at every commit."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchbook.errors import LedgerDamaged
from batchbook.storage.database import WAY_OUT, Database, connect, make_file
from batchbook.storage.links import followed
from batchbook.storage.schema import STAGING, VERSION

PENDING = "pending"
"""Status of a run whose rows are all done, but whose results are not in the workbook yet: it was open."""
UNFINISHED = ("running", "interrupted", "failed", PENDING)
"""Statuses of a run that can be taken up again."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as the ledger has it; times are ISO 8601 with offset, hashes hexadecimal."""

    id: str
    job: str
    workbook: str
    """Its name in the ledger (`Ledger.name_of`)."""
    source: str
    sheet: str
    definition: str
    processor: str
    reference: Mapping[str, str]
    settings: Mapping[str, Any]
    started: str
    active: str
    ended: str | None
    status: str
    selected: int
    selection_hash: str
    digest: str
    note: str
    summary: Mapping[str, Any] | None

    @property
    def unfinished(self) -> bool:
        """Whether the run can be taken up again."""
        return self.status in UNFINISHED


@dataclass(frozen=True, slots=True)
class Times:
    """Where the time of one attempt went, in seconds, and how many rows it did."""

    rows: int
    process: float
    ledger: float
    save: float
    total: float


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One process that worked on a run: how it was started, who it was, how it ended."""

    run: str
    number: int
    started: str
    ended: str | None
    holder: Mapping[str, Any]
    how: str
    result: str | None
    times: Times | None
    """As of its end, or of its last checkpoint where it did not end by itself; None where it came to neither."""


class Ledger(Database):
    """The store of runs in one SQLite file. Used from one thread; several processes may have it open."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None, root: Path | None = None) -> None:
        super().__init__(connection, path)
        self._root = root.resolve() if root is not None else None

    @classmethod
    def open(cls, path: Path, *, root: Path | None = None, allow_network: bool = False) -> Ledger:
        """Open the ledger, creating it (see `private`: who can read it) where there is none.

        `root` is the base folder (see `name_of`); without it the one that the ledger was opened with last counts.

        Raises LedgerError where it lies on a network file system (unless allowed), is damaged or cannot be opened.
        """
        network = make_file(path, allow_network=allow_network)
        ledger = cls(connect(path), path, root)
        with ledger.named_errors():
            ledger.prepare(network)
            ledger._settle_root(path.parent.resolve())
        return ledger

    @classmethod
    def open_existing(cls, path: Path, *, root: Path | None = None, allow_network: bool = False) -> Ledger | None:
        """The ledger, or None where there is none; nothing is created."""
        return cls.open(path, root=root, allow_network=allow_network) if path.exists() else None

    @classmethod
    def reading(
        cls, path: Path, *, root: Path | None = None, allow_network: bool = False, renew: bool = True
    ) -> Ledger | None:
        """The ledger as it is now, or None where there is none, or an empty file: only read, and not waited for.

        One of an older form is opened as ever, which renews it, or not at all where it is not to (None). Raises
        LedgerError where it cannot be read, as while a run on a network file system has it for itself.
        """
        if not path.exists():
            return None
        if not path.stat().st_size and not path.with_name(f"{path.name}-wal").exists():
            return None  # nothing is in it, and to be read nothing is made of it
        connection = connect(path, read_only=True)
        ledger = cls(connection, path, root)
        with ledger.named_errors():
            if connection.execute("PRAGMA user_version").fetchone()[0] == VERSION:
                connection.execute("PRAGMA temp_store = FILE")
                connection.executescript(STAGING)
                ledger._settle_root(path.parent.resolve(), keep=False)
                return ledger
        ledger.close()
        return cls.open(path, root=root, allow_network=allow_network) if renew else None

    @classmethod
    def vanishing(cls, root: Path) -> Ledger:
        """A ledger that leaves no trace, for dry runs: in memory while small, else in a file that SQLite removes."""
        ledger = cls(connect(None), None, root)
        with ledger.named_errors():
            ledger.prepare(network=False)
        return ledger

    def _settle_root(self, folder: Path, *, keep: bool = True) -> None:
        """Remember (unless not to `keep`) how the base folder is reached from the ledger, or recall it."""
        kept = self.one("SELECT value FROM facts WHERE name = 'root'")
        if self._root is None:
            self._root = Path(os.path.normpath(folder / kept[0])) if kept is not None else None
        elif not folder.is_relative_to(self._root):
            self._root = None  # it does not move with the folder, and may serve several
        elif keep:
            way = os.path.relpath(self._root, folder)
            if kept is None or kept[0] != way:
                self.execute("INSERT OR REPLACE INTO facts VALUES ('root', ?)", [way])

    def copy_written(self, path: Path, workbook: str) -> None:
        """Take over the values last written into a workbook from the ledger at `path`, if any; it is only read."""
        if not path.exists():
            return
        source = connect(path, read_only=True)
        try:
            with self.named_errors():
                rows = source.execute("SELECT workbook, sheet, key, cells FROM written WHERE workbook = ?", [workbook])
                # Those of an older form have no seals yet; the others keep theirs.
                sql = "INSERT INTO written VALUES (?1, ?2, ?3, sealed(?1, ?2, ?3, ?4))"
                self._connection.executemany(sql, map(tuple, rows))
        finally:
            source.close()

    def must_be_sound(self, workbook: str) -> None:
        """LedgerDamaged where the file's structure is not sound, before anything of it is believed.

        All of it where a run over that workbook (its name here) is to be taken up again or settled; otherwise only
        the values last written matter.
        """
        wrong = self.check("" if self.unfinished(workbook) else "written")
        if wrong:
            raise self.damaged("; ".join(wrong[:3]).rstrip("."))

    # --- workbooks -------------------------------------------------------------------------------------------------

    def name_of(self, workbook: Path) -> str:
        """The name that a workbook goes by in here: its path in the base folder, where the ledger lies in that too.

        So a folder that is moved or copied as a whole keeps what is known of its workbooks, and a copy's runs never
        mean the original's. Other workbooks go by their full path.
        """
        target = followed(workbook)
        if self._root is not None and target.is_relative_to(self._root):
            return target.relative_to(self._root).as_posix()
        return target.as_posix()

    def path_of(self, name: str) -> Path:
        """The workbook that a name stands for; an absolute path, whether or not it is there."""
        return Path(os.path.normpath((self._root or Path()) / name))

    # --- runs ------------------------------------------------------------------------------------------------------

    def add_run(self, run: RunRecord) -> None:
        """Record a new run; within a transaction."""
        values = [getattr(run, name) for name in RunRecord.__dataclass_fields__]
        packed = [json.dumps(v, sort_keys=True) if isinstance(v, Mapping) else v for v in values]
        self.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(packed))})", packed)

    def run(self, name: str) -> RunRecord | None:
        """The run with this id, or the only one whose id begins so."""
        rows = list(self.query("SELECT * FROM runs WHERE id = ?", [name]))
        if not rows:
            rows = list(self.query("SELECT * FROM runs WHERE substr(id, 1, ?) = ? LIMIT 2", [len(name), name]))
        return _record(rows[0]) if len(rows) == 1 else None

    def runs(self, *, workbook: str | None = None, job: str | None = None) -> list[RunRecord]:
        """Runs, newest first."""
        rows = self.query(
            """SELECT * FROM runs WHERE (?1 IS NULL OR workbook = ?1) AND (?2 IS NULL OR job = ?2)
               ORDER BY started DESC, id DESC""",
            [workbook, job],
        )
        return [_record(row) for row in rows]

    def unfinished(self, workbook: str, job: str | None = None) -> list[RunRecord]:
        """Runs (of this job) over this workbook that could be taken up, newest first."""
        # Not by `runs`: with commands a workbook has many thousand, of which these are a few.
        rows = self.query(
            f"""SELECT * FROM runs WHERE workbook = ?1 AND (?2 IS NULL OR job = ?2)
                AND status IN ({", ".join(f"'{one}'" for one in UNFINISHED)}) ORDER BY started DESC, id DESC""",
            [workbook, job],
        )
        return [_record(row) for row in rows]

    def update_run(self, run: str, **columns: Any) -> None:
        """Set columns of a run; within a transaction."""
        names = ", ".join(f"{name} = ?" for name in columns)
        values = [json.dumps(v, sort_keys=True) if isinstance(v, Mapping) else v for v in columns.values()]
        self.execute(f"UPDATE runs SET {names} WHERE id = ?", [*values, run])

    def add_attempt(self, run: str, started: str, holder: Mapping[str, Any], how: str) -> int:
        """Record that a process takes up a run; gives the attempt's number, from 1. Within a transaction."""
        row = self.one("SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE run = ?", [run])
        number = int(row[0]) if row else 1
        self.execute(
            "INSERT INTO attempts VALUES (?, ?, ?, NULL, ?, ?, NULL)",
            [run, number, started, json.dumps(dict(holder)), how],
        )
        return number

    def end_attempt(self, run: str, number: int, ended: str, result: str) -> None:
        """Record how an attempt ended; within a transaction."""
        self.execute(
            "UPDATE attempts SET ended = ?, result = ? WHERE run = ? AND number = ?", [ended, result, run, number]
        )

    def attempts(self, run: str) -> list[AttemptRecord]:
        """All attempts of a run in order."""
        times = {
            row[0]: Times(*tuple(row)[1:])
            for row in self.query("SELECT attempt, rows, process, ledger, save, total FROM times WHERE run = ?", [run])
        }
        rows = self.query("SELECT * FROM attempts WHERE run = ? ORDER BY number", [run])
        return [
            AttemptRecord(**{**dict(row), "holder": json.loads(row["holder"])}, times=times.get(row["number"]))
            for row in rows
        ]

    def keep_times(self, run: str, attempt: int, times: Times) -> None:
        """Record where the time of an attempt went so far; within a transaction."""
        self.execute(
            "INSERT OR REPLACE INTO times VALUES (?, ?, ?, ?, ?, ?, ?)",
            [run, attempt, times.rows, times.process, times.ledger, times.save, times.total],
        )


def _record(row: sqlite3.Row) -> RunRecord:
    plain = dict(row)
    try:
        for name in ("reference", "settings", "summary"):
            plain[name] = None if plain[name] is None else json.loads(plain[name])
    except (ValueError, TypeError) as error:
        raise LedgerDamaged(
            f"The ledger's record of run {plain['id']!r} is damaged: its {name} cannot be read.", WAY_OUT
        ) from error
    return RunRecord(**plain)
