from __future__ import annotations

import json
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.errors import LedgerError
from batchbook.storage import ledger as module
from batchbook.storage import seals
from batchbook.storage.celltexts import merge_cells
from batchbook.storage.ledger import Ledger
from tests.storage.ledgers import AT, begin, commit, record


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


def test_a_ledger_that_is_not_there_is_not_made_by_looking(path: Path) -> None:
    assert Ledger.open_existing(path) is None
    assert not path.parent.exists()


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


def test_a_run_comes_back_as_it_was_recorded(path: Path) -> None:
    with Ledger.open(path) as ledger:
        run = record(summary={"rows": {"done": 3}})
        with ledger.transaction():
            ledger.add_run(run)
        assert ledger.run("run1") == run


def test_a_run_is_found_by_the_beginning_of_its_id_where_only_one_begins_so(path: Path) -> None:
    with Ledger.open(path) as ledger:
        for name in ("20260301-a", "20260301-b", "20260302-c", "20260301"):
            begin(ledger, name)
        assert ledger.run("20260302").id == "20260302-c"  # type: ignore[union-attr]
        assert ledger.run("20260301").id == "20260301", "an exact id wins"  # type: ignore[union-attr]
        assert ledger.run("2026030") is None
        assert ledger.run("%") is None


def test_runs_come_newest_first_and_of_their_workbook_and_job_only(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger, "old", started="2026-01-01T00:00:00+00:00", status="completed")
        begin(ledger, "new")
        begin(ledger, "other", workbook="/w/other.xlsx")
        begin(ledger, "another", job="another")
        assert [run.id for run in ledger.runs(workbook="/w/book.xlsx", job="small")] == ["new", "old"]
        assert [run.id for run in ledger.unfinished("/w/book.xlsx", "small")] == ["new"]


def test_attempts_are_numbered_and_say_how_they_ended(path: Path) -> None:
    with Ledger.open(path) as ledger:
        begin(ledger)
        with ledger.transaction():
            assert [ledger.add_attempt("run1", AT, {"pid": n}, "auto") for n in (7, 8)] == [1, 2]
            ledger.end_attempt("run1", 1, AT, "interrupted")
        first, second = ledger.attempts("run1")
        assert (first.result, first.holder, second.result) == ("interrupted", {"pid": 7}, None)


def test_a_dry_runs_ledger_knows_what_was_written_last_and_changes_no_file(path: Path) -> None:
    with Ledger.open(path) as ledger, ledger.transaction():
        ledger.execute("""INSERT INTO written VALUES ('/w/book.xlsx', 'Data', '["K1"]', '{"Result":"x"}')""")
        ledger.execute("""INSERT INTO written VALUES ('/w/other.xlsx', 'Data', '["K1"]', '{"Result":"y"}')""")
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    with Ledger.vanishing(path.parent) as memory:
        memory.copy_written(path, "/w/book.xlsx")
        (row,) = memory.query("SELECT * FROM written")
        assert seals.unsealed(*row) == '{"Result":"x"}'
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


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


values = st.none() | st.text(max_size=3) | st.integers()


@given(st.dictionaries(st.sampled_from("abc"), values), st.dictionaries(st.sampled_from("abc"), values))
def test_of_two_values_last_written_the_newer_counts_a_blank_too(
    older: dict[str, object], newer: dict[str, object]
) -> None:
    assert json.loads(merge_cells(json.dumps(older), json.dumps(newer))) == {**older, **newer}


def test_a_workbook_goes_by_its_path_in_the_base_folder_so_that_a_copied_folder_means_its_own(tmp_path: Path) -> None:
    names = []
    for place in ("here", "elsewhere/there"):
        root = tmp_path / place
        with Ledger.open(root / "data" / "checkpoints" / "ledger.db", root=root) as ledger:
            names.append(ledger.name_of(root / "data" / "book.xlsx"))
            assert ledger.path_of(names[-1]) == root / "data" / "book.xlsx"
    assert names == ["data/book.xlsx"] * 2


def test_a_workbook_outside_the_base_folder_goes_by_its_full_path(tmp_path: Path) -> None:
    root = tmp_path / "project"
    with Ledger.open(root / "ledger.db", root=root) as ledger:
        outside = tmp_path / "book.xlsx"
        assert ledger.path_of(ledger.name_of(outside)) == outside
        assert ledger.name_of(outside) == outside.as_posix()


def test_a_ledger_outside_the_base_folder_may_serve_several_and_knows_full_paths_only(tmp_path: Path) -> None:
    names = set()
    for place in ("one", "two"):
        with Ledger.open(tmp_path / "ledger.db", root=tmp_path / place) as ledger:
            names.add(ledger.name_of(tmp_path / place / "book.xlsx"))
    assert len(names) == 2


def test_who_opens_a_ledger_without_knowing_the_base_folder_finds_the_same_names(tmp_path: Path) -> None:
    root = tmp_path / "project"
    with Ledger.open(root / "data" / "ledger.db", root=root) as ledger:
        name = ledger.name_of(root / "book.xlsx")
    root.rename(tmp_path / "moved")
    with Ledger.open(tmp_path / "moved" / "data" / "ledger.db") as ledger:
        assert ledger.name_of(tmp_path / "moved" / "book.xlsx") == name == "book.xlsx"
