"""A run is running while its process is at work, never because the ledger says so."""

from __future__ import annotations

import dataclasses

import pytest

from batchbook.batch.history import list_checkpoints, list_runs, show_run
from batchbook.batch.standing import standing_of
from batchbook.storage import hosts
from batchbook.storage.lock import WorkbookLock


@pytest.fixture
def died(site):
    """The ledger of a site in which a run died after four rows."""
    site.died(4)
    with site.ledger() as ledger:
        yield ledger


def hold(ledger, **changes):
    """Let the run's last attempt be that of another process."""
    (run,) = ledger.runs()
    holder = {**ledger.attempts(run.id)[-1].holder, **changes}
    ledger.execute("DELETE FROM attempts")
    with ledger.transaction():
        ledger.add_attempt(run.id, "then", holder, "fresh")
    return run


def test_a_run_whose_process_is_gone_is_interrupted(died):
    run = hold(died, pid=2**22 + 7, host="here")
    standing = standing_of(died, run)
    assert (standing.status, standing.process.alive) == ("interrupted", False)
    assert "process 4194311 on here since then is not there any more" in str(standing)


def test_one_of_an_earlier_boot_is_interrupted(died, monkeypatch):
    run = hold(died, boot="an earlier one", machine="m")
    monkeypatch.setattr(hosts, "machine_id", lambda: "m")
    assert standing_of(died, run).status == "interrupted"


def test_one_whose_process_lives_and_holds_the_lock_is_running(site, died):
    (run,) = died.runs()
    assert run.status == "running"
    with WorkbookLock(site.book, run=run.id, ledger=None):
        standing = standing_of(died, run)
        assert (standing.status, standing.process.alive) == ("running", True)
        assert f"running in process {standing.process.pid} on {hosts.host_name()} since " in str(standing)


def test_one_whose_process_has_let_go_of_the_workbook_is_interrupted(died):
    (run,) = died.runs()
    assert standing_of(died, run).status == "interrupted"


def test_one_on_another_machine_that_has_the_lock_may_be_running(site, died, monkeypatch):
    run = hold(died, boot="elsewhere", machine="another", pid=77, host="far")
    elsewhere = dataclasses.replace(hosts.current(), boot="elsewhere", machine="another", pid=77)
    monkeypatch.setattr(hosts, "current", lambda: elsewhere)
    with WorkbookLock(site.book, run=run.id, ledger=None):
        standing = standing_of(died, run)
    assert (standing.status, standing.process.alive) == ("running", None)
    assert "as far as can be told" in str(standing)


def test_a_run_that_ended_stands_as_it_ended(site):
    site.run()
    with site.ledger() as ledger:
        (run,) = ledger.runs()
        assert (str(standing_of(ledger, run)), standing_of(ledger, run).process) == ("completed", None)


def test_lists_of_runs_and_checkpoints_say_so_too(died):
    (run,) = died.runs()
    assert list_runs(died)[0].status == "interrupted"
    assert show_run(died, run.id)["status"] == "interrupted"
    assert list_checkpoints(died)[0][0].status == "interrupted"
