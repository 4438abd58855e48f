"""Undoing and putting back what a job did to records, and commands beside an unfinished one."""

from __future__ import annotations

import json

import pytest

from batchbook.batch.command import run_command
from batchbook.batch.controller import BatchController, local_now
from batchbook.batch.history import diff_run
from batchbook.batch.processors import RowResult
from batchbook.batch.progress import Saved
from batchbook.batch.start import StartRequest
from batchbook.batch.undo import reapply_run, undo_run
from batchbook.batch.vanished import look_for_vanished
from batchbook.errors import CannotSave
from batchbook.storage.runlog import RunLog
from tests.batch.test_recordjobs import Tickets, crowd
from tests.batch.tickets import SYSTEM, TICKETS, GiveTickets, UseTickets, give, log_in, tickets_in


def turn(verb, site, run):
    with site.ledger() as ledger:
        return verb(
            site.job().base, ledger, run, wait=0, clock=local_now, warn=print, systems=lambda _: SYSTEM, user="me"
        )


def test_a_job_that_added_records_is_undone_and_redone_as_a_whole(tmp_path):
    site = Tickets(tmp_path, crowd(7), tickets=[(1, "free", None), (2, "given", "z")])
    before = tickets_in(site.book)
    run = site.run().run_id
    after, entries = tickets_in(site.book), log_in(site.book)
    undone = turn(undo_run, site, run)
    assert list(undone.kept) == []
    assert tickets_in(site.book) == before
    assert log_in(site.book) == entries, "rows of an append-only sheet stay"
    again = turn(undo_run, site, undone.undo_run)
    assert list(again.kept) == []
    assert tickets_in(site.book) == after


def test_a_job_over_rows_of_the_sheet_is_undone(tmp_path):
    given = [(n, "given", f"p{n}") for n in range(1, 6)]
    site = Tickets(tmp_path, tickets=given, processor=UseTickets)
    run = site.run().run_id
    assert {state for state, _ in tickets_in(site.book).values()} == {"used"}
    site.edit(lambda sheet: sheet.__setitem__("B3", "free"), "Tickets")
    undone = turn(undo_run, site, run)
    assert len(undone.kept) == 1
    assert [state for state, _ in tickets_in(site.book).values()] == ["given", "free", "given", "given", "given"]


def test_an_older_copy_over_a_job_is_found_and_what_the_job_did_is_put_back(tmp_path):
    site = Tickets(tmp_path, crowd(7), tickets=[(1, "free", None), (2, "given", "z")])
    old = site.book.read_bytes()
    run = site.run().run_id
    after, entries = tickets_in(site.book), log_in(site.book)
    site.book.write_bytes(old)
    with site.ledger() as ledger:
        assert [one.run for one in look_for_vanished(ledger, site.book).vanished] == [run]
        assert len({(one.sheet, one.key) for one in diff_run(ledger, run)}) == 14
    assert list(turn(reapply_run, site, run).kept) == []
    assert tickets_in(site.book) == after
    assert sorted(log_in(site.book)) == sorted(entries)


def test_a_command_gives_no_number_that_a_job_which_died_has_given(tmp_path):
    site = Tickets(tmp_path, crowd(9), tickets=[(1, "free", None)], batch={**fixed(), "checkpoint_frequency": 1000})
    site.died(4)
    assert tickets_in(site.book) == {1: ("free", None)}
    base = site.job().base

    def act(workspace, actor):
        return give(workspace, actor, "by hand")

    done = run_command(base, site.book, SYSTEM, "give", act, user="me", wait=0, clock=local_now)
    kept = done.value
    with pytest.raises(CannotSave, match="--resume-auto"):
        run_command(
            base, site.book, SYSTEM, "use", lambda workspace, _: workspace.table(TICKETS).update(1, state="used"),
            user="me", wait=0, clock=local_now,
        )  # fmt: skip
    result = site.run("auto")
    assert (result.status, result.rows.done) == ("completed", 9)
    holders = tickets_in(site.book)
    assert holders[kept] == ("given", "by hand")
    assert sorted(holder for _, holder in holders.values()) == sorted(["by hand", *(f"p{n}" for n in range(9))])
    assert sorted(holders) == list(range(1, 11))


class Noting(GiveTickets):
    """Notes each row of the input at the lowest ticket without a note."""

    def process(self, row):
        tickets = self.workspace.table(TICKETS)
        with self.workspace.whole():
            number = min(ticket.number for ticket in tickets.where() if ticket.note is None)
            tickets.update(number, note=row["holder"])
            return RowResult(changes=self.workspace.take())


def test_a_row_that_changes_what_another_job_has_still_to_bring_in_fails_and_says_so(tmp_path):
    site = Tickets(tmp_path, crowd(4), batch={**fixed(), "size": 1, "checkpoint_frequency": 1000})
    site.died(3)
    site.make_job(Noting, job="notes")
    site.put([("n1", 1), ("n2", 2)])
    result = site.run()
    assert result.error is None and (result.rows.done, result.rows.failed) == (0, 2)
    with site.ledger() as ledger:
        (one,) = ledger.unfinished("book.xlsx")
        reasons = {outcome.reason for outcome in RunLog(ledger, ledger.run(result.run_id)).outcomes()}
    assert all(f"is changed by run {one.id}" in reason for reason in reasons)
    assert site.run(dry_run=True).rows.failed == 2


class InTwoSteps(GiveTickets):
    """Notes the first row's holder at ticket 1, and gives it to the others."""

    def process(self, row):
        column = "note" if row["holder"] == "first" else "holder"
        with self.workspace.whole():
            self.workspace.table(TICKETS).update(1, **{column: row["holder"]})
            return RowResult(changes=self.workspace.take())


def test_a_record_whose_key_was_spelled_anew_between_two_saves_is_undone_whole(tmp_path):
    site = Tickets(tmp_path, [("first", 1), ("second", 2)], processor=InTwoSteps, tickets=[(1, "given", "z")],
                   batch={**fixed(), "size": 1, "checkpoint_frequency": 1})  # fmt: skip
    spelled = []

    def listen(event):
        if isinstance(event, Saved) and not spelled:
            spelled.append(site.edit(lambda sheet: sheet.__setitem__("A2", "01"), "Tickets"))

    run = BatchController(site.job(), StartRequest(mode="fresh"), events=listen).run().run_id
    assert [row[:5] for row in site.rows("Tickets")] == [["01", "given", "second", "mine 1", "first"]]
    assert list(turn(undo_run, site, run).kept) == []
    assert [row[:5] for row in site.rows("Tickets")] == [["01", "given", "z", "mine 1", None]]


def fixed():
    return {"strategy": "fixed", "size": 2, "concurrency": 1, "max_retry_attempts": 1}


def test_settings_of_such_a_run_say_how_its_records_are_found(tmp_path):
    site = Tickets(tmp_path, crowd(2))
    run = site.run().run_id
    with site.ledger() as ledger:
        found = ledger.run(run).settings
    assert json.loads(json.dumps(found["tables"])) == {
        "Tickets": {"key": ["No."], "append_only": False}, "Log": {"key": ["Entry"], "append_only": True},
    }  # fmt: skip
