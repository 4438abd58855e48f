"""Undo and reapply of runs: what stays as it is, and what the history says of it."""

import pytest

from batchbook.isbn.chronicle import life_of
from batchbook.tables.records import RecordChange
from tests.isbn.desks import BLOCK, small_desk, wanted

FIRST, SECOND = "9781608880003", "9781608880010"
A, B, H = "ISBN Assignments", "ISBN Blocks", "ISBN History"


def backwards(desk, changes):
    """The changes that an undo makes of those of a run: the history stays."""
    kinds = {kind.sheet: kind for kind in desk.system.types}
    for one in changes:
        if one.sheet == H:
            continue
        if one.before is None:
            every = {column.name: None for column in kinds[one.sheet].columns}
            yield RecordChange(one.sheet, one.key, every | one.after, every)
        else:
            yield RecordChange(one.sheet, one.key, one.after, {name: one.before[name] for name in one.after})


def run(desk, command, *args, **more):
    """Do a command; gives the name of its run and its changes."""
    desk.workspace.take()
    getattr(desk, command)(*args, **more)
    return f"run{desk.runs:03}", desk.workspace.take()


def turn(desk, name, changes, verb="undo"):
    turning = desk.system.turned(desk.workspace, verb, name, changes, desk.actor)
    kept = [one for one in changes if (one.sheet, one.key) not in turning.refused]
    assert desk.workspace.apply([*kept, *turning.changes]) == []
    return turning


def undo(desk, name, changes):
    return turn(desk, name, list(backwards(desk, changes)))


@pytest.fixture
def desk():
    return small_desk()


def steps(desk, isbn=FIRST):
    life = life_of(desk.workspace.table(desk.system.history), isbn)
    return [(one.what, one.before, one.after, one.reason) for one in life.steps]


def test_an_undone_scheduling_leaves_no_row_and_a_history_that_says_so(desk):
    name, changes = run(desk, "schedule", wanted())
    assert undo(desk, name, changes).refused == {}
    assert desk.rows == []
    assert steps(desk) == [("schedule", None, "scheduled", None), ("undo", "scheduled", None, f"run {name}")]
    assert desk.faults() == []
    assert desk.schedule(wanted("B-2")).assignment.isbn == FIRST


def test_an_undone_assignment_is_scheduled_again_and_can_be_released(desk):
    desk.schedule(wanted())
    name, changes = run(desk, "assign", FIRST)
    assert undo(desk, name, changes).refused == {}
    assert (desk.row(FIRST).status, desk.row(FIRST).assigned_at) == ("scheduled", None)
    assert steps(desk)[-1] == ("undo", "assigned", "scheduled", f"run {name}")
    assert desk.faults() == []


def test_an_undone_update_is_told_field_by_field(desk):
    desk.schedule(wanted())
    name, changes = run(desk, "update", FIRST, {"title": "New", "scheduled_date": "2027-01-01", "notes": "n"})
    undo(desk, name, changes)
    assert {(one.field, one.before, one.after) for one in desk.history if one.what == "undo"} == {
        ("title", "New", "Title of B-1"), ("scheduled_date", "2027-01-01", "2026-12-01"), ("notes", "n", None),
    }  # fmt: skip


def test_a_number_that_was_assigned_in_another_run_is_not_made_free_by_an_undo(desk):
    name, changes = run(desk, "schedule", wanted())
    desk.assign(FIRST)
    # A person set the status back by hand, so that the row is again what the run left.
    desk.workspace.table(desk.system.assignments).update(FIRST, status="scheduled", assigned_at=None)
    turning = undo(desk, name, changes)
    assert "was assigned in another run" in turning.refused[A, (FIRST,)]
    assert desk.row(FIRST).status == "scheduled"
    assert turning.changes == []


def test_steps_that_were_undone_themselves_do_not_count(desk):
    name, changes = run(desk, "schedule", wanted())
    assigned, more = run(desk, "assign", FIRST)
    undo(desk, assigned, more)
    assert undo(desk, name, changes).refused == {}
    assert desk.rows == []


def test_a_block_whose_numbers_have_rows_stays(desk):
    name, changes = run(desk, "add_block", block="978-1-4028")
    desk.schedule(wanted(isbn="978-1-4028-9462-6"))
    turning = undo(desk, name, changes)
    assert "1 of its numbers have rows" in turning.refused[B, ("978-1-4028",)]


def test_a_block_without_rows_is_taken_out_and_the_history_says_so(desk):
    name, changes = run(desk, "add_block", block="978-1-4028")
    undo(desk, name, changes)
    assert desk.workspace.table(desk.system.blocks).count() == 1
    last = desk.history[-1]
    assert (last.what, last.field, last.before, last.after) == ("undo", "block", "978-1-4028", None)


def test_an_undone_adoption_takes_out_block_and_numbers_together(desk):
    from batchbook.isbn.adopt import AgencyRow, adopt

    desk.workspace.take()
    rows = [AgencyRow({"isbn": "978-1-4028-9462-6", "title": "T", "status": "published"})]
    list(adopt(desk.workspace, desk.system, desk.actor, rows))
    name, changes = f"run{desk.runs:03}", desk.workspace.take()
    assert undo(desk, name, list(reversed(changes))).refused == {}
    assert desk.rows == []
    assert desk.workspace.table(desk.system.blocks).get("978-1-4028") is None


def test_a_release_is_not_undone_where_the_book_has_another_number_by_now(desk):
    desk.schedule(wanted())
    name, changes = run(desk, "release", FIRST)
    desk.schedule(wanted(isbn=SECOND))
    turning = undo(desk, name, changes)
    assert "has another number for ebook by now: 978-1-60888-001-0" in turning.refused[A, (FIRST,)]


def test_what_vanished_is_put_back_with_a_history_row(desk):
    name, changes = run(desk, "schedule", wanted())
    mine = [one for one in changes if one.sheet == A]
    undo(desk, name, changes)
    turning = turn(desk, name, mine, "reapply")
    assert turning.refused == {}
    assert steps(desk)[-1] == ("reapply", None, "scheduled", f"run {name}")
    assert desk.faults() == []
    assert desk.row(FIRST).block == BLOCK


def test_the_history_of_an_undone_cancellation_has_the_reason_that_went_with_it(desk):
    desk.schedule(wanted())
    desk.assign(FIRST)
    name, changes = run(desk, "cancel", FIRST, reason="not printed")
    undo(desk, name, changes)
    assert desk.row(FIRST).reason is None
    told = [(one.field, one.before, one.after) for one in desk.history if one.what == "undo"]
    assert told == [("status", "cancelled", "assigned"), ("reason", "not printed", None)]
