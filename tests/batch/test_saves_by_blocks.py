"""Runs whose saves redo only the blocks that hold changed rows."""

import sqlite3

import pytest

from batchbook.batch.controller import local_now
from batchbook.batch.undo import undo_run
from batchbook.storage import saver
from batchbook.xlsx import inspect
from tests.batch.helpers import people, shout

ROWS = 30


@pytest.fixture
def receipts(monkeypatch):
    """What each save's splice did."""
    seen = []
    build = saver._Save.build

    def noting(self, expected, make):
        receipt = build(self, expected, make)
        seen.append(receipt)
        return receipt

    monkeypatch.setattr(saver._Save, "build", noting)
    return seen


def expected(rows=ROWS):
    return {f"K{n}": f"name {n}!" for n in range(1, rows + 1)}


def test_the_first_save_lays_the_sheet_down_and_the_later_ones_go_by_its_blocks(site, receipts):
    site.make_book(people(ROWS))
    assert site.run().status == "completed"
    assert [bool(receipt.redone) for receipt in receipts] == [False, *[True] * 9]
    assert site.results() == expected()
    assert inspect(site.book) == []


def test_the_next_run_goes_on_by_the_blocks_of_the_last_one(site, receipts):
    site.make_book(people(ROWS))
    site.run()
    del receipts[:]
    site.use(lambda row: {"Result": f"{row['Name']}?"})
    site.run()
    assert all(receipt.redone for receipt in receipts)
    assert site.results()["K7"] == "name 7?"


def test_a_workbook_that_a_person_saved_is_laid_down_anew(site, receipts):
    site.make_book(people(ROWS))

    def work(row):
        if row.key == ("K13",):
            site.cell("D2", "a person was here")
        return shout(row)

    site.use(work)
    assert site.run().status == "completed"
    assert [bool(receipt.redone) for receipt in receipts].count(False) == 2
    assert site.results() == expected()
    assert site.rows()[0][3] == "a person was here"


@pytest.mark.parametrize("damage", ["UPDATE blocks SET content = x'00'", "DELETE FROM blocks"])
def test_a_damaged_or_lost_index_costs_a_whole_save_and_no_row(site, receipts, damage):
    site.make_book(people(ROWS))
    site.interrupted(14)
    with sqlite3.connect(site.ledger_path) as connection:
        connection.execute(damage)
    del receipts[:]
    assert site.run("auto").status == "completed"
    assert not receipts[0].redone
    assert site.results() == expected()


def test_an_index_that_does_not_fit_the_file_is_forgotten_and_the_whole_sheet_is_written(site, receipts):
    site.make_book(people(ROWS))
    site.interrupted(14)
    with sqlite3.connect(site.ledger_path) as connection:
        ((content,),) = connection.execute(
            "SELECT content FROM blocks WHERE digest = (SELECT digest FROM runs) ORDER BY part"
        )
        changed = bytearray(content)
        changed[-8] ^= 1  # the checksum of the last block
        connection.execute("UPDATE blocks SET content = ?", [bytes(changed)])
    del receipts[:]
    assert site.run("auto").status == "completed"
    assert not receipts[0].redone
    assert site.results() == expected()


def test_an_undo_whose_index_does_not_fit_writes_the_whole_sheet(site):
    site.make_book(people(ROWS))
    run = site.run().run_id
    with sqlite3.connect(site.ledger_path) as connection:
        for digest, content in list(connection.execute("SELECT digest, content FROM blocks")):
            changed = bytearray(content)
            changed[-8] ^= 1
            connection.execute("UPDATE blocks SET content = ? WHERE digest = ?", [bytes(changed), digest])
    with site.ledger() as ledger:
        undone = undo_run(site.job().base, ledger, run, wait=0, clock=local_now, warn=print)
    assert (undone.restored, list(undone.kept)) == (ROWS, [])
    assert set(site.results().values()) == {None}
