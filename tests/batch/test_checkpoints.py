import secrets

from batchbook.batch.checkpoints import CheckpointManager, stored
from batchbook.batch.outcomes import Outcome, RowOutcome
from batchbook.storage.runlog import RunLog
from tests.batch.helpers import NOW, Site, people, rows_of, shout


def manager_of(site, ledger):
    """The manager that belongs to the newest run of a site."""
    (run, *_) = ledger.runs()
    from batchbook.batch.assembly import assemble
    from batchbook.batch.controller import local_now
    from batchbook.batch.start import StartRequest

    request = StartRequest()
    assembly = assemble(site.job(), request, local_now)
    return CheckpointManager(ledger, assembly.definition(request, ledger.name_of(site.book), "Data"), local_now), run


def test_an_unfinished_run_is_found_with_nothing_against_it_and_a_finished_one_is_not(site):
    site.interrupted(2)
    with site.ledger() as ledger:
        manager, run = manager_of(site, ledger)
        (candidate,) = manager.candidates()
        assert (candidate.run.id, candidate.valid) == (run.id, True)
    site.run("auto")
    with site.ledger() as ledger:
        assert manager_of(site, ledger)[0].candidates() == []


def test_a_run_that_did_nothing_yet_can_be_summed_up(site):
    site.interrupted(1)
    with site.ledger() as ledger:
        manager, run = manager_of(site, ledger)
        with ledger.transaction():
            ledger.execute("DELETE FROM outcomes")
            ledger.execute("DELETE FROM commits")
        summary = manager.summary(run, workbook_changed=True)
    assert (summary.done, summary.remaining, summary.seconds_left) == (0, 6, None)
    assert any("nothing yet" in line for line in summary.lines)
    assert any("changed since" in line for line in summary.lines)


def test_each_save_has_a_checkpoint_with_what_was_done_until_then(tmp_path):
    batch = {"strategy": "fixed", "size": 2, "checkpoint_frequency": 1, "concurrency": 1}
    site = Site(tmp_path / "w", people(6), shout, batch=batch)
    site.interrupted(5)
    with site.ledger() as ledger:
        points = RunLog(ledger, ledger.runs()[0]).checkpoints()
    assert [point.counts for point in points] == [{"done": 2}, {"done": 4}, {"done": 5}]


def test_an_outcome_is_stored_with_what_its_cells_held_and_no_others():
    (row,) = rows_of(1, Result="old")
    kept = stored(RowOutcome(row, Outcome.DONE, writes={"Result": "new"}))
    assert (kept.taken, kept.writes, kept.inputs) == ('{"Result":"old"}', '{"Result":"new"}', row.row.digest())


def test_runs_of_the_same_second_that_draw_the_same_number_get_ids_of_their_own(site, monkeypatch):
    drawn = iter(["aaaa", "aaaa", "bbbb"])
    real = secrets.token_hex
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(drawn) if size == 2 else real(size))
    runs = [site.run(clock=lambda: NOW) for _ in range(2)]
    assert [run.run_id for run in runs] == ["20260301-120000-aaaa", "20260301-120000-bbbb"]
    assert [run.status for run in runs] == ["completed", "completed"]
