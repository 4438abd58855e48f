from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.storage import seals
from batchbook.storage.celltexts import merge_cells
from batchbook.storage.ledger import Ledger
from tests.storage.ledgers import AT, begin, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


def test_a_ledger_that_is_not_there_is_not_made_by_looking(path: Path) -> None:
    assert Ledger.open_existing(path) is None
    assert not path.parent.exists()


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
