import pytest

from batchbook.batch.history import (
    clear_checkpoints,
    diff_run,
    find_run,
    list_checkpoints,
    list_runs,
    open_ledger,
    show_run,
    validate_checkpoint,
)  # fmt: skip
from batchbook.errors import Rejected, UsageError
from tests.batch.helpers import shout


def test_without_a_run_there_is_no_ledger_and_none_is_made(site):
    with pytest.raises(UsageError, match="nothing has run yet"):
        open_ledger(site.job().base)
    assert not site.ledger_path.exists()


def test_runs_are_found_by_id_beginning_or_as_the_last(site):
    first, second = site.run(), site.run()
    with site.ledger() as ledger:
        assert find_run(ledger, "last").id in (first.run_id, second.run_id)
        assert find_run(ledger, first.run_id).id == first.run_id
        with pytest.raises(UsageError, match=second.run_id):
            find_run(ledger, "1999")
        assert {line.run_id for line in list_runs(ledger)} == {first.run_id, second.run_id}


def test_a_run_shows_its_attempts_saves_problems_and_counts(site):
    def work(row):
        if row.key == ("K2",):
            raise Rejected("bad data")
        return shout(row)

    first = site.interrupted(3, processor=work)
    site.run("auto")
    with site.ledger() as ledger:
        shown = show_run(ledger, first.run_id)
        problems, saves = list(shown["problems"]), list(shown["saves"])
    assert [one["result"] for one in shown["attempts"]] == ["interrupted", "completed_with_failures"]
    assert shown["rows"] == {"selected": 6, "done": 5, "rejected": 1}
    assert [(one["key"], one["reason"]) for one in problems] == [("K2", "bad data")]
    assert {one["state"] for one in saves} == {"saved"}


def test_each_attempt_shows_its_rows_and_the_time_of_each_phase_and_the_run_their_sum(site):
    first = site.interrupted(4)
    site.run("auto")
    with site.ledger() as ledger:
        shown = show_run(ledger, first.run_id)
    attempts = shown["attempts"]
    assert [one["rows"] for one in attempts] == [4, 2]
    for one in attempts:
        assert one["rows_per_second"] > 0
        assert 0 < one["seconds"]["save"] < one["seconds"]["total"]
        assert 0 < one["seconds"]["process"] + one["seconds"]["ledger"] < one["seconds"]["total"]
    for phase in ("process", "ledger", "save", "total"):
        assert shown["seconds"][phase] == pytest.approx(sum(one["seconds"][phase] for one in attempts), abs=0.001)


def test_an_attempt_that_was_killed_shows_what_its_commits_tell_and_that_the_rest_is_unknown(site):
    site.died(4)
    with site.ledger() as ledger:
        (attempt,) = show_run(ledger, "last")["attempts"]
    assert (attempt["ended"], attempt["rows"]) == (None, 6)
    assert attempt["seconds"]["process"] > 0
    assert attempt["seconds"]["total"] >= 0
    assert (attempt["seconds"]["ledger"], attempt["seconds"]["save"]) == (None, None)


def test_the_difference_of_a_run_is_every_cell_before_and_after(site):
    site.cell("C2", "old")
    run = site.run(end_row=3)
    with site.ledger() as ledger:
        found = [(one.key, one.column, one.before, one.after) for one in diff_run(ledger, run.run_id)]
    assert found == [("K1", "Result", "old", "name 1!"), ("K2", "Result", None, "name 2!")]


def test_a_sound_checkpoint_has_no_findings_and_a_damaged_one_says_what_is_lost(site):
    run = site.interrupted(4)
    with site.ledger() as ledger:
        assert validate_checkpoint(ledger, run.run_id) == []
        ((listed, points),) = list_checkpoints(ledger)
        assert (listed.id, points[-1].counts) == (run.run_id, {"done": 4})
        with ledger.transaction():
            ledger.execute("UPDATE outcomes SET writes = '{}' WHERE ordinal = 4")
            ledger.execute("UPDATE checkpoints SET chain = 'x' WHERE number = 1")
        said = validate_checkpoint(ledger, run.run_id)
    assert any("holds up to commit 1 of 2" in line for line in said)
    assert any("checkpoint 1 is not on the chain" in line for line in said)


def test_a_finished_run_has_no_state_to_resume(site):
    run = site.run()
    with site.ledger() as ledger:
        assert validate_checkpoint(ledger, run.run_id) == []
        assert list_checkpoints(ledger) == []


def test_cleared_checkpoints_are_not_resumed_and_the_history_stays(site):
    run = site.interrupted(2)
    with site.ledger() as ledger:
        assert clear_checkpoints(ledger, None, "2026-01-01T00:00:00+00:00") == [run.run_id]
        assert clear_checkpoints(ledger, run.run_id, "2026-01-01T00:00:00+00:00") == []
        assert show_run(ledger, run.run_id)["rows"]["done"] == 2
    assert site.run("ask").resumed is None
