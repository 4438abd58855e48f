from __future__ import annotations

import sqlite3
import stat
import sys
from pathlib import Path

import pytest

from batchbook.errors import LedgerError
from batchbook.storage import database as module
from batchbook.storage.ledger import Ledger
from tests.storage.ledgers import begin, commit, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.mark.skipif(sys.platform == "win32", reason="modes are a matter of POSIX")
def test_only_the_owner_can_read_a_new_ledger(path: Path) -> None:
    with Ledger.open(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_ledger_is_durable_at_every_commit(path: Path) -> None:
    with Ledger.open(path) as ledger:
        assert ledger.one("PRAGMA journal_mode")[0] == "wal"  # type: ignore[index]
        assert ledger.one("PRAGMA synchronous")[0] == 2  # type: ignore[index]
        begin(ledger)
        with Ledger.open(path) as other:
            assert other.run("run1") is not None


def test_a_transaction_that_raises_leaves_nothing(path: Path) -> None:
    with Ledger.open(path) as ledger:
        with pytest.raises(KeyboardInterrupt), ledger.transaction():
            ledger.add_run(record())
            raise KeyboardInterrupt
        assert ledger.runs() == []
        begin(ledger)


def test_a_commit_that_fails_is_a_ledger_error_and_leaves_nothing(path: Path) -> None:
    class Full(sqlite3.Connection):
        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:  # type: ignore[override]
            if sql == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    Ledger.open(path).close()
    connection = sqlite3.connect(path, isolation_level=None, factory=Full)
    connection.row_factory = sqlite3.Row
    ledger = Ledger(connection, path)
    with pytest.raises(LedgerError, match="disk is full"), ledger.transaction():
        ledger.add_run(record())
    assert ledger.runs() == []
    ledger.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 300, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_ledger_is_named_with_what_to_do_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"Move .* aside"):
        Ledger.open(path)
    assert path.read_bytes() == content


def test_a_ledger_of_a_newer_version_is_refused(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="newer"):
        Ledger.open(path)


def test_a_network_file_system_is_refused_unless_allowed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "is_network_path", lambda folder: True)
    with pytest.raises(LedgerError, match="allow_network"):
        Ledger.open(path)
    with Ledger.open(path, allow_network=True) as ledger:
        begin(ledger)
        assert ledger.one("PRAGMA journal_mode")[0] == "delete"  # type: ignore[index]
        assert ledger.one("PRAGMA locking_mode")[0] == "exclusive"  # type: ignore[index]


def test_two_processes_that_make_a_ledger_at_once_make_one(path: Path) -> None:
    with Ledger.open(path) as one, Ledger.open(path) as other:
        begin(one, "a")
        begin(other, "b")
        assert {run.id for run in one.runs()} == {"a", "b"}


def test_a_sound_file_has_no_findings_and_one_with_a_torn_page_has(path: Path) -> None:
    with Ledger.open(path) as ledger:
        log = begin(ledger, rows=500)
        commit(log, *range(1, 500))
        assert ledger.check() == []
    content = bytearray(path.read_bytes())
    content[8192:-8192:97] = b"\xaa" * len(content[8192:-8192:97])
    path.write_bytes(content)
    try:
        with Ledger.open(path) as ledger:
            found = ledger.check()
    except LedgerError as error:
        found = [error.what]
    assert found


def test_an_unfinished_look_at_a_ledger_that_is_closed_says_nothing(
    path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    ledger = Ledger.open(path)
    begin(ledger)
    rows = ledger.query("SELECT * FROM selection")
    next(rows)
    ledger.close()
    rows.close()  # type: ignore[attr-defined]
    assert recwarn.list == []
