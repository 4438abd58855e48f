"""What `status` tells of a folder, and that it only reads."""

from __future__ import annotations

import pytest

from batchbook.batch.overview import Overview, overview
from batchbook.errors import LedgerError
from batchbook.storage import files
from batchbook.storage.lock import WorkbookLock
from batchbook.storage.pendingfile import pending_path
from tests.batch.helpers import Site

MARK = ",ann,desk,21.11.2026 10:00,file:///home/ann;"


def look(site):
    return overview(site.job().base)


@pytest.fixture
def waiting(tmp_path):
    site = Site(tmp_path / "w", on_open="later")
    (site.path / ".~lock.book.xlsx#").write_text(MARK)
    return site, site.run().run_id


def test_where_nothing_ran_there_is_nothing(site):
    assert look(site) == Overview()
    assert not (site.path / "data").exists()


def test_an_unfinished_run_is_told_with_its_process(site):
    site.died(4)
    (one,) = look(site).unfinished
    assert one.as_dict()["status"] == "interrupted"
    assert one.as_dict()["process"]["alive"] is False
    assert "interrupted (its process" in str(one)
    assert site.run("auto").status == "completed"
    assert look(site).unfinished == ()


def test_a_lock_and_who_has_the_workbook_open_are_told(site):
    site.run()
    (site.path / ".~lock.book.xlsx#").write_text(MARK)
    with WorkbookLock(site.book, run="r", ledger=None):
        (book,) = look(site).workbooks
    remarks = "; ".join(book.remarks)
    assert "there; locked by process" in remarks
    assert "open: ann in LibreOffice" in remarks
    site.book.unlink()
    assert look(site).workbooks[0].as_dict()["state"] == "gone"


def test_a_save_that_waits_is_told_in_each_of_its_states(waiting):
    site, run = waiting
    found = look(site)
    assert [(one.run.id, one.standing.status) for one in found.unfinished] == [(run, "pending")]
    book = found.workbooks[0]
    assert (book.pending_run, "waits in book.xlsx.batchbook-pending" in book.pending) == (run, True)
    pending_path(site.book).unlink()
    assert "wait in the ledger" in look(site).workbooks[0].pending
    pending_path(site.book).write_bytes(b"x")
    with site.ledger() as ledger:
        ledger.execute("UPDATE saves SET state = 'abandoned'")
    assert "not known here" in look(site).workbooks[0].pending


def test_writes_that_vanished_are_told(site):
    content = site.book.read_bytes()
    run = site.run().run_id
    assert look(site).workbooks[0].as_dict()["vanished"] == []
    site.book.write_bytes(content)
    (one,) = look(site).workbooks[0].as_dict()["vanished"]
    assert (one["run_id"], one["cells"]) == (run, 6)


def test_nothing_is_written_or_waited_for(waiting, monkeypatch):
    site, _ = waiting
    site.cell("D2", "a note")

    def refused(*_values):
        raise AssertionError("status wrote something")

    for name in [name for name in dir(files.Operations) if not name.startswith("_")]:
        monkeypatch.setattr(files.Operations, name, refused)
    before = {path: path.read_bytes() for path in site.path.rglob("*") if path.is_file()}
    with LedgerHeld(site):
        assert len(look(site).workbooks) == 1
    assert {path: path.read_bytes() for path in site.path.rglob("*") if path.is_file()} == before


class LedgerHeld:
    """Another connection writes to the ledger meanwhile, and does not end."""

    def __init__(self, site):
        import sqlite3

        self._ledger = sqlite3.connect(site.ledger_path, isolation_level=None)

    def __enter__(self):
        self._ledger.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_):
        self._ledger.execute("ROLLBACK")
        self._ledger.close()


def test_what_another_process_has_written_and_not_folded_in_is_seen(site):
    site.run()
    with site.ledger() as ledger:
        run = ledger.runs()[0].id
        ledger.update_run(run, status="failed")
        assert [one.run.id for one in look(site).unfinished] == [run]


def test_a_damaged_ledger_is_an_error_and_not_an_empty_folder(site):
    site.run()
    site.ledger_path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(LedgerError, match="damaged"):
        look(site)


def test_a_ledger_of_an_older_form_is_renewed_and_read(site):
    site.run()
    with site.ledger() as ledger:
        ledger.execute("PRAGMA user_version = 1")
    assert look(site).runs == 1
