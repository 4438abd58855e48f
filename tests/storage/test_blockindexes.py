from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbook.storage.blockindexes import BlockIndexes
from batchbook.storage.ledger import Ledger
from batchbook.storage.schema import VERSION
from batchbook.xlsx import SheetIndex
from batchbook.xlsx.blocks import Block

BLOCKS = (Block(9, 20, 1, 2, 0), Block(5, 10, 3, 4, 7), Block(2, 0, 0, 9, -1))
INDEX = SheetIndex(BLOCKS, 7)
OTHER = SheetIndex(BLOCKS, 8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as opened:
        yield opened


def test_the_indexes_of_the_two_latest_states_are_kept_also_for_another_process(path: Path) -> None:
    with Ledger.open(path) as ledger:
        indexes = BlockIndexes(ledger, "book")
        for old, new, index in (("a", "b", INDEX), ("b", "c", OTHER), ("c", "d", INDEX)):
            with ledger.transaction():
                indexes.keep(old, new, {"sheet1": index})
        assert indexes.find("d", "sheet1") == INDEX
    with Ledger.open(path) as ledger:
        found = {state: BlockIndexes(ledger, "book").find(state, "sheet1") for state in "abcd"}
        assert found == {"a": None, "b": None, "c": OTHER, "d": INDEX}
        assert BlockIndexes(ledger, "book").find("d", "sheet2") is None
        assert BlockIndexes(ledger, "other").find("d", "sheet1") is None


def test_what_is_forgotten_is_gone_for_this_workbook_only(ledger: Ledger) -> None:
    indexes, other = BlockIndexes(ledger, "book"), BlockIndexes(ledger, "other")
    with ledger.transaction():
        indexes.keep("a", "b", {"sheet1": INDEX})
        other.keep("a", "b", {"sheet1": INDEX})
    indexes.forget()
    assert indexes.find("b", "sheet1") is None
    assert other.find("b", "sheet1") == INDEX


def test_an_index_that_cannot_be_read_counts_as_none(ledger: Ledger) -> None:
    ledger.execute("INSERT INTO blocks VALUES ('book', 'b', 'sheet1', x'0102')")
    assert BlockIndexes(ledger, "book").find("b", "sheet1") is None


def test_a_ledger_of_the_first_form_gets_what_it_lacks_and_keeps_what_it_has(path: Path) -> None:
    with Ledger.open(path) as ledger:
        ledger.execute("INSERT INTO written VALUES ('book', 'Data', '[\"K1\"]', '{}')")
        ledger.execute("DROP TABLE blocks")
        ledger.execute("DROP INDEX saves_by_run")
        ledger.execute("PRAGMA user_version = 1")
    with Ledger.open(path) as ledger:
        assert BlockIndexes(ledger, "book").find("b", "sheet1") is None
        assert ledger.one("SELECT count(*) FROM written")[0] == 1  # type: ignore[index]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'saves_by_run'").fetchone()
