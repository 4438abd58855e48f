from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbook.errors import LedgerDamaged
from batchbook.storage.lastwritten import last_written
from batchbook.storage.ledger import Ledger
from batchbook.storage.mending import Mended, mend, must_know_changes
from batchbook.storage.runlog import RunLog
from batchbook.storage.savelog import Change, SaveLog, open_intents, saves_of
from batchbook.storage.schema import VERSION
from batchbook.storage.settling import settle_intents
from tests.storage.ledgers import AT, begin, commit

BOOK = "/w/book.xlsx"
KEYS = [f'["K{n}"]' for n in range(1, 10)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as opened:
        yield opened


def save(run: RunLog, *places: int, done: bool = True) -> int:
    """A save of what is unsaved, which changes the rows in these places."""
    log = SaveLog(run.ledger, run.run.id, BOOK, lambda: AT)
    log.clear_plan()
    log.plan(Change("Data", KEYS[n - 1], n + 1, '{"Result":null}', '{"Result":"x"}') for n in places)
    log.plan_outcomes(run.seq)
    number = log.intend("old", "new", ".t")
    if done:
        log.saved(number, None)
    return number


def saved_run(ledger: Ledger) -> RunLog:
    """Two saves of two rows each, and two more results that are in the ledger only."""
    run = begin(ledger, workbook=BOOK)
    for first in (1, 3):
        commit(run, first, first + 1)
        save(run, first, first + 1)
    commit(run, 5, 6)
    return run


def again(run: RunLog) -> RunLog:
    found = run.ledger.run(run.run.id)
    assert found is not None
    return RunLog(run.ledger, found)


def test_a_sound_record_stays_as_it_is(ledger: Ledger) -> None:
    run = saved_run(ledger)
    assert mend(run) == Mended()
    assert Mended().lines == ()
    assert again(run).run.digest == "new"
    assert run.unsaved() == 2


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE outcomes SET save = 1 WHERE save IS NULL",
        "UPDATE outcomes SET save = 77 WHERE save IS NULL",
        "UPDATE outcomes SET save = NULL WHERE ordinal = 1",
        "UPDATE outcomes SET save = 2 WHERE ordinal = 1",
    ],
)
def test_results_that_may_not_be_in_the_workbook_are_compared_with_it(ledger: Ledger, edit: str) -> None:
    run = saved_run(ledger)
    ledger.execute(edit)
    found = mend(run)
    assert found.unsure > 0
    assert "compared with it" in found.lines[0]
    assert {5, 6} <= {outcome.ordinal for outcome in run.outcomes(unsaved=True)}
    assert 1 in {outcome.ordinal for outcome in run.outcomes(unsaved=True)} or "save = 77" in edit
    assert again(run).run.digest == "", "rows are found by key and every cell is looked at"
    assert mend(again(run)) == Mended(), "once is enough"


@pytest.mark.parametrize("column", ["run", "workbook", "old", "new", "temporary", "state", "at"])
def test_a_save_whose_record_was_changed_counts_for_nothing(ledger: Ledger, column: str) -> None:
    run = saved_run(ledger)
    begin(ledger, "run0")
    ledger.execute(f"UPDATE saves SET {column} = 'run0' WHERE id = 2")
    mend(run)
    assert run.unsaved() == 4
    if column != "run":  # else it is not among this run's any more
        assert [one.state for one in saves_of(ledger, "run1")] == ["saved", "damaged"]


@pytest.mark.parametrize("table", ["changes", "seals"])
def test_a_save_whose_changes_or_seals_are_gone_counts_for_nothing(ledger: Ledger, table: str) -> None:
    run = saved_run(ledger)
    ledger.execute(f"DELETE FROM {table} WHERE save = 1")
    assert mend(run).saves == (1,)
    assert run.unsaved() == 4
    with pytest.raises(LedgerDamaged, match="save 1") as caught:
        must_know_changes(ledger, "run1")
    assert caught.value.exit_code == 6


def test_an_older_result_that_counts_again_is_not_taken(ledger: Ledger) -> None:
    run = begin(ledger)
    commit(run, 1, 2)
    commit(run, 2, kind="rejected")
    run.drop_unsaved(1, AT)
    commit(run, 1, kind="failed")
    ledger.execute("UPDATE outcomes SET superseded = 0")
    assert mend(run).revived == 5
    assert run.counts() == {"failed": 1}
    assert 2 in {row.ordinal for row in run.selection(pending=True)}


def test_checkpoints_of_results_that_are_gone_are_named(ledger: Ledger) -> None:
    run = saved_run(ledger)
    run.checkpoint(AT, "new")
    ledger.execute("DELETE FROM commits WHERE seq = 3")
    ledger.execute("DELETE FROM outcomes WHERE seq = 3")
    found = mend(again(run))
    assert found.ahead == 1
    assert "no longer has" in found.lines[0]


def test_an_open_save_whose_record_was_changed_is_not_settled_by_it(ledger: Ledger, tmp_path: Path) -> None:
    workbook = tmp_path / "book.xlsx"
    run = begin(ledger, workbook=ledger.name_of(workbook))
    commit(run, 1, 2)
    log = SaveLog(ledger, "run1", ledger.name_of(workbook), lambda: AT)
    log.clear_plan()
    log.plan([Change("Data", KEYS[0], 2, "{}", '{"Result":"x"}')])
    log.plan_outcomes(run.seq)
    log.intend("old", "new", ".t")
    ledger.execute('UPDATE changes SET after = \'{"Result":"forged"}\'')
    assert settle_intents(ledger, workbook) == 1
    assert open_intents(ledger, ledger.name_of(workbook)) == []
    assert run.unsaved() == 2
    assert ledger.one("SELECT 1 FROM written") is None


# --- values last written ---------------------------------------------------------------------------------------------


def test_a_damaged_value_last_written_is_put_together_from_the_saves(ledger: Ledger) -> None:
    saved_run(ledger)
    ledger.execute("UPDATE written SET cells = replace(cells, 'x', 'y')")
    assert set(last_written(ledger, BOOK, "Data", KEYS).values()) == {'{"Result":"x"}'}
    stored = ledger.one("SELECT cells FROM written")
    assert stored is not None
    assert stored[0].startswith('{"Result":"x"}'), "it is mended for good"


@pytest.mark.parametrize(
    "edit",
    ["DELETE FROM changes", 'UPDATE changes SET after = \'{"Result":"y"}\'', "UPDATE saves SET state = 'abandoned'"],
)
def test_a_damaged_value_last_written_that_no_sound_save_tells_is_not_known(ledger: Ledger, edit: str) -> None:
    saved_run(ledger)
    ledger.execute("UPDATE written SET cells = x'01' WHERE key = ?", [KEYS[0]])
    ledger.execute(edit)
    found = last_written(ledger, BOOK, "Data", KEYS[:2])
    assert found == {KEYS[0]: None, KEYS[1]: '{"Result":"x"}'}


def test_a_value_moved_to_another_row_is_damaged(ledger: Ledger) -> None:
    saved_run(ledger)
    ledger.execute("DELETE FROM changes")
    ledger.execute("UPDATE written SET key = ? WHERE key = ?", [KEYS[8], KEYS[0]])
    assert last_written(ledger, BOOK, "Data", [KEYS[8]]) == {KEYS[8]: None}


# --- older ledgers, and files that are no ledger any more ------------------------------------------------------------


def test_a_ledger_without_seals_gets_them_and_stays_sound(path: Path) -> None:
    with Ledger.open(path) as ledger:
        run = saved_run(ledger)
        ledger.execute("DROP TABLE seals")
        ledger.execute("UPDATE written SET cells = substr(cells, 1, instr(cells, '#') - 1)")
        ledger.execute("PRAGMA user_version = 2")
    for _ in range(2):
        with Ledger.open(path) as ledger:
            assert json.loads(last_written(ledger, BOOK, "Data", KEYS)[KEYS[0]] or "") == {"Result": "x"}
            found = ledger.run("run1")
            assert found is not None
            run = RunLog(ledger, found)
            assert mend(run) == Mended()
            must_know_changes(ledger, "run1")
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_an_empty_ledger_beside_its_log_is_not_taken_for_a_new_one(path: Path) -> None:
    path.touch()
    log = path.with_name("ledger.db-wal")
    log.write_bytes(b"results")
    with pytest.raises(LedgerDamaged, match="its log"):
        Ledger.open(path)
    assert log.read_bytes() == b"results"


def test_an_index_that_lacks_a_row_is_found_before_anything_is_believed(path: Path) -> None:
    with Ledger.open(path) as ledger:
        saved_run(ledger)
        ledger.must_be_sound(BOOK)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        sql = "UPDATE sqlite_master SET sql = replace(sql, 'save IS NULL', 'save = 1') WHERE name = 'outcomes_unsaved'"
        connection.execute(sql)
    with Ledger.open(path) as ledger, pytest.raises(LedgerDamaged, match="outcomes_unsaved"):
        ledger.must_be_sound(BOOK)


def test_a_run_whose_settings_cannot_be_read_is_damage_with_the_way_out(ledger: Ledger) -> None:
    saved_run(ledger)
    ledger.execute("UPDATE runs SET settings = '{'")
    with pytest.raises(LedgerDamaged, match="settings") as caught:
        ledger.runs()
    assert "--start-fresh" in caught.value.advice
