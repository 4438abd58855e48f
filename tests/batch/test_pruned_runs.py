"""Runs older than `history: {details_days}`: what is still known of them, and what the runs after them rely on."""

import datetime as dt

import openpyxl
import pytest

from batchbook.batch import closing
from batchbook.batch.history import diff_run, list_runs, show_run
from batchbook.batch.undo import undo_run
from batchbook.errors import LedgerError, UsageError
from tests.batch.helpers import NOW, shout

LATER = NOW + dt.timedelta(days=100)


def at(moment):
    return lambda: moment


def undo(site, run):
    with site.ledger() as ledger:
        return undo_run(site.job().base, ledger, run, wait=0, clock=at(LATER), warn=print)


def test_the_details_of_an_old_run_go_at_the_end_of_a_later_one_and_say_so(site):
    old = site.run(clock=at(NOW))
    site.use(lambda row: {"Result": "later"})
    young = site.run(clock=at(LATER))
    with site.ledger() as ledger:
        with pytest.raises(UsageError, match=f"The details of run {old.run_id} were pruned on 2026-06-09") as caught:
            diff_run(ledger, old.run_id)
        assert "details_days" in caught.value.advice
        shown = show_run(ledger, old.run_id)
        assert (shown["rows"], shown["pruned"][:10]) == ({"selected": 6, "done": 6}, "2026-06-09")
        assert shown["counted"] == {"batches": 2, "saves": 2, "conflicts": 0}
        assert shown["seconds"]["total"] > 0
        assert list(shown["problems"]) == list(shown["batches"]) == list(shown["saves"]) == []
        assert [line.counts for line in list_runs(ledger)] == [{"done": 6}, {"done": 6}]
        assert len(list(diff_run(ledger, young.run_id))) == 6
    with pytest.raises(UsageError, match="can no longer be undone"):
        undo(site, old.run_id)
    with pytest.raises(UsageError, match="which of its rows failed is no longer known"):
        site.run("only-failed", run=old.run_id, clock=at(LATER))
    assert undo(site, young.run_id).restored == 6
    assert site.results()["K1"] == "name 1!"


def test_a_persons_edit_is_still_known_for_one_when_the_run_that_wrote_there_was_pruned(site):
    site.run(clock=at(NOW))
    site.run(clock=at(LATER), keys=("K1",))
    site.cell("C3", "mine")
    site.use(lambda row: {"Result": "later"})
    run = site.run(clock=at(LATER))
    assert (run.conflicts, site.results()["K2"], site.results()["K3"]) == (1, "mine", "later")


def test_an_unfinished_run_is_kept_and_resumed_however_old(site):
    site.make_job(resume_max_age="9999d")
    first = site.interrupted(3, clock=at(NOW))
    site.run(clock=at(LATER), keys=("K6",))
    run = site.run("auto", clock=at(LATER))
    assert (run.run_id, run.resumed["rows_kept"], run.rows.done + run.rows.unchanged) == (first.run_id, 3, 6)


def test_days_are_those_of_the_configuration(site):
    (site.path / "config").mkdir()
    (site.path / "config" / "batchbook.yaml").write_text("history: {details_days: 101}\n")
    old = site.run(clock=at(NOW))
    site.run(clock=at(LATER))
    assert undo(site, old.run_id).restored == 6


def test_an_interrupted_run_leaves_pruning_to_the_next_one(site):
    old = site.run(clock=at(NOW))
    site.interrupted(2, clock=at(LATER))
    with site.ledger() as ledger:
        assert show_run(ledger, old.run_id)["pruned"] is None


def test_a_pruning_that_fails_is_a_warning_and_the_run_is_fine(site, monkeypatch):
    def failing(*_arguments, **_more):
        raise LedgerError("The ledger is locked.")

    monkeypatch.setattr(closing, "prune", failing)
    assert site.run().status == "completed"
    assert any("could not be pruned" in one for one in site.warnings())


def test_what_was_put_back_by_an_undo_holds_when_its_run_is_pruned(site):
    site.run(clock=at(NOW))
    site.use(lambda row: {"Result": "second"})
    second = site.run(clock=at(NOW))
    with site.ledger() as ledger:
        undone = undo_run(site.job().base, ledger, second.run_id, wait=0, clock=at(LATER), warn=print)
    site.use(shout)
    run = site.run(clock=at(LATER))
    assert (run.rows.unchanged, run.conflicts) == (6, 0)
    # The undo is young, the run it undid is not: what the undo needs to be undone itself is its own.
    assert undo(site, undone.undo_run).restored == 6
    assert set(site.results().values()) == {"second"}
    assert openpyxl.load_workbook(site.book)["Data"]["C2"].value == "second"
