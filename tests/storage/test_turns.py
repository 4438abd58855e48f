"""What became of runs in the end: undone, put back, undone again; asked once for all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchbook.batch.history import list_runs
from batchbook.storage.ledger import Ledger
from batchbook.storage.schema import VERSION
from batchbook.storage.turns import DoneBy, Turns, undone_by
from tests.storage.ledgers import record

NEWER_TABLES = {
    1: ("blocks", "facts", "pruned", "times", "seals", "held", "lineage", "places", "left_states"),
    2: ("pruned", "times", "seals", "held", "lineage", "places", "left_states"),
    3: ("lineage", "places", "left_states"),
}
"""By an older form of the ledger: the tables that it did not have."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "ledger.db")


def at(number: int) -> str:
    return f"2026-03-01T12:00:00.{number:03}+00:00"


def add(ledger: Ledger, name: str, number: int, verb: str = "", of: str = "", **changes: Any) -> None:
    turn = {"job": f"{verb} of {of}", "settings": {"turn": verb}} if verb else {}
    times = {"started": at(number), "active": at(number), "ended": at(number), "status": "completed"}
    with ledger.transaction():
        ledger.add_run(record(name, **{**turn, **times, **changes}))


def test_of_several_turns_the_newest_that_stands_counts(ledger: Ledger) -> None:
    add(ledger, "r", 1)
    assert Turns(ledger).last("r") is None
    add(ledger, "u1", 2, "undo", "r")
    assert Turns(ledger).last("r") == DoneBy("undo", "u1")
    add(ledger, "u2", 3, "undo", "u1")
    assert Turns(ledger).last("r") is None
    add(ledger, "u3", 4, "undo", "u2")
    assert Turns(ledger).last("r") == DoneBy("undo", "u1")
    add(ledger, "p", 5, "reapply", "r")
    assert Turns(ledger).last("r") == DoneBy("reapply", "p")
    run = ledger.run("r")
    assert run is not None
    assert undone_by(ledger, run) is None


def test_an_undo_that_did_nothing_or_is_only_a_job_of_that_name_undoes_nothing(ledger: Ledger) -> None:
    add(ledger, "r", 1)
    add(ledger, "u", 2, "undo", "r", status="cleared")
    add(ledger, "j", 3, job="undo of r")
    assert Turns(ledger).last("r") is None


def test_turns_of_another_workbook_do_not_count_where_one_is_named(ledger: Ledger) -> None:
    add(ledger, "r", 1)
    add(ledger, "u", 2, "undo", "r", workbook="/w/other.xlsx")
    assert Turns(ledger, workbook="/w/book.xlsx").last("r") is None
    assert Turns(ledger).last("r") == DoneBy("undo", "u")


@given(st.lists(st.tuples(st.sampled_from(["undo", "reapply"]), st.integers(0, 30)), max_size=12))
def test_whatever_was_turned_a_run_stands_as_its_last_standing_turn_left_it(turns: list[tuple[str, int]]) -> None:
    with Ledger.vanishing(Path("/w")) as ledger:
        names = ["r0"]
        add(ledger, "r0", 0)
        told: dict[str, list[tuple[str, str]]] = {}
        for number, (verb, pick) in enumerate(turns, 1):
            of = names[pick % len(names)]
            names.append(f"r{number}")
            add(ledger, names[-1], number, verb, of)
            told.setdefault(of, []).append((verb, names[-1]))

        def stands(name: str) -> bool:
            there = True
            for verb, turn in told.get(name, ()):  # the oldest first
                there = (verb == "reapply") if stands(turn) else there
            return there

        found = Turns(ledger)
        for name in names:
            last = found.last(name)
            assert stands(name) == (last is None or last.verb == "reapply")


def test_a_list_of_runs_asks_for_turns_once_however_many_runs_there_are(ledger: Ledger) -> None:
    def questions() -> int:
        asked: list[str] = []
        ledger._connection.set_trace_callback(asked.append)
        list_runs(ledger)
        ledger._connection.set_trace_callback(None)
        return sum("FROM runs" in sql for sql in asked)

    add(ledger, "r1", 1)
    few = questions()
    for number in range(2, 30):
        add(ledger, f"r{number}", number)
        add(ledger, f"u{number}", number, "undo", f"r{number}")
    assert questions() == few == 2


def test_what_undid_one_run_is_found_by_an_index(ledger: Ledger) -> None:
    asked: list[str] = []
    ledger._connection.set_trace_callback(asked.append)
    Turns(ledger, workbook="book.xlsx")
    ledger._connection.set_trace_callback(None)
    (sql,) = asked
    plan = [row[3] for row in ledger.query(f"EXPLAIN QUERY PLAN {sql}")]
    assert any("runs_by_workbook" in step for step in plan), plan


@pytest.mark.parametrize("form", range(1, VERSION))
def test_a_ledger_of_an_older_form_opens_and_says_which_runs_were_undone(tmp_path: Path, form: int) -> None:
    path = tmp_path / "ledger.db"
    with Ledger.open(path) as ledger:
        add(ledger, "r", 1)
        add(ledger, "u", 2, "undo", "r")
        for table in NEWER_TABLES[form]:
            ledger.execute(f"DROP TABLE {table}")
        ledger.execute(f"PRAGMA user_version = {form}")
    for reading in (True, False):
        opened = Ledger.reading(path) if reading else Ledger.open(path)
        assert opened is not None
        with opened as ledger:
            notes = {line.run_id: line.note for line in list_runs(ledger)}
            assert notes == {"r": "undone by run u", "u": ""}
            assert ledger.one("PRAGMA user_version")[0] == VERSION  # type: ignore[index]
