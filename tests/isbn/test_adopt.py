"""Taking over an agency's list: numbers with titles, blocks recognised, free numbers left free."""

import pytest

from batchbook.isbn.adopt import AgencyRow, adopt
from batchbook.isbn.agencywords import FORMAT_WORDS, STATUS_WORDS, format_of, status_of
from batchbook.isbn.bulk import Place
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.records import FORMATS, Assignment
from tests.isbn.desks import BLOCK, Desk, change_of, small_desk, wanted

FIRST, SECOND, THIRD = "978-1-60888-000-3", "978-1-60888-001-0", "978-1-60888-002-7"


def take_over(desk, *rows, **more):
    listed = [
        AgencyRow(dict(zip(("isbn", "title", "format", "status"), row, strict=True)), Place("list.csv", None, number))
        for number, row in enumerate(rows, 2)
    ]
    return list(adopt(desk.workspace, desk.system, desk.actor, listed, **more))


def one(desk, *row):
    (done,) = take_over(desk, row)
    return done


def states(desk):
    return {row.isbn[9:12]: row.status for row in desk.rows}


def test_numbers_come_with_titles_and_the_block_of_their_registrant_and_free_ones_stay_free():
    desk = Desk()
    done = take_over(
        desk,
        ("978-1-60888-000-3", "The River", "Paperback / softback", "Published"),
        ("9781608880010", "The Sea", "E-Book", "Active"),
        ("1-60888-002-8", "", "", "Available"),
        ("978-1-4028-9462-6", "Elsewhere", "hardback", "assigned"),
    )
    assert [row.outcome for row in done] == ["done", "done", "unchanged", "done"]
    assert [row.block.block if row.block else None for row in done] == [BLOCK, None, None, "978-1-4028"]
    assert [(row.title, row.format, row.status, row.block, row.assigned_at) for row in desk.rows] == [
        ("Elsewhere", "hardcover", "assigned", "978-1-4028", None),
        ("The River", "paperback", "published", BLOCK, None),
        ("The Sea", "ebook", "published", BLOCK, None),
    ]
    assert desk.schedule(wanted()).assignment.isbn == "9781608880027"
    assert desk.faults() == []
    assert {(entry.what, entry.field) for entry in desk.history} == {
        ("adopt", "status"), ("adopt", "block"), ("schedule", "status"),
    }  # fmt: skip


def test_a_workbook_that_has_blocks_gets_no_other_unless_that_is_said():
    desk = small_desk()
    rows = [(FIRST, "A", "ebook", "published"), ("3-16-148410-X", "B", "ebook", "published"), (SECOND, "", "", "")]
    done = take_over(desk, *rows)
    assert [row.outcome for row in done] == ["done", "rejected", "unchanged"]
    (finding,) = done[1].findings
    assert (finding.row, finding.column, finding.rule) == (3, "ISBN", "block-unknown")
    assert "978-3-16, with 1,000,000 numbers" in finding.message
    assert "--new-blocks" in finding.message
    assert [row.of for row in done] == [BLOCK, None, BLOCK]
    assert [block.block for block in desk.workspace.table(desk.system.blocks).where()] == [BLOCK]
    done = take_over(desk, *rows, new_blocks=True)
    assert [(row.outcome, row.of) for row in done] == [("unchanged", BLOCK), ("done", "978-3-16"), ("unchanged", BLOCK)]
    assert done[1].block.total == 1_000_000


def test_a_workbook_without_blocks_gets_none_where_that_is_said():
    desk = Desk()
    done = take_over(desk, (FIRST, "A", "ebook", "published"), (SECOND, "", "", ""), new_blocks=False)
    assert [finding.rule for row in done for finding in row.findings] == ["block-unknown"] * 2
    assert desk.workspace.take() == []


def test_a_list_that_is_taken_over_again_changes_nothing():
    desk = Desk()
    rows = [(FIRST, "A", "ebook", "published"), (SECOND, "", "", "reserved"), (THIRD, "", "", "")]
    take_over(desk, *rows)
    desk = desk.saved()
    assert [done.outcome for done in take_over(desk, *rows)] == ["unchanged"] * 3
    assert desk.workspace.take() == []


def test_a_row_without_a_status_is_assigned_where_it_has_a_title_and_free_where_not():
    desk = small_desk()
    take_over(desk, (FIRST, "A", "", ""), (SECOND, "", "", None))
    assert states(desk) == {"000": "assigned"}


def test_reserved_and_cancelled_numbers_have_a_reason_and_are_not_given():
    desk = small_desk()
    take_over(desk, (FIRST, "", "", "on hold"), (SECOND, "X", "", "Withdrawn"))
    assert [row.reason for row in desk.rows] == ["reserved in the agency's list", "cancelled in the agency's list"]
    assert desk.schedule(wanted()).assignment.isbn == "9781608880027"


def test_every_row_that_is_wrong_is_rejected_with_all_that_is_wrong_and_nothing_of_it_is_kept():
    desk = Desk()
    done = take_over(
        desk,
        ("978-1-60888-000-4", "x\x00", "papyrus", "gone fishing"),
        ("", "T", "", "published"),
        (THIRD, "Title", "ebook", "available"),
        ("978-9999999-99-5", "T", "ebook", "published"),
    )
    assert [row.outcome for row in done] == ["rejected"] * 4
    found = sorted([(f.row, f.column, f.rule) for f in row.findings] for row in done)
    found[0].sort(key=lambda one: ("ISBN", "Title", "Format", "Status").index(one[1]))
    assert found[:3] == [
        [(2, "ISBN", "check-digit"), (2, "Title", "control-character"), (2, "Format", "not-allowed"),
         (2, "Status", "not-allowed")],
        [(3, "ISBN", "required")],
        [(4, "Status", "status-ambiguous")],
    ]  # fmt: skip
    assert desk.workspace.take() == []
    assert desk.workspace.table(desk.system.blocks).count() == 0


def test_a_number_whose_range_is_not_known_wants_its_block_first():
    done = one(Desk(), isbn_of(978_999_999_999), "T", "ebook", "published")
    assert [f.rule for f in done.findings] == ["range-unknown"]


def test_a_number_that_was_released_here_is_taken_over_and_blanks_are_filled():
    desk = small_desk()
    desk.schedule(wanted())
    desk.release(FIRST)
    assert one(desk, FIRST, "", "", "published").outcome == "done"
    assert [f.rule for f in one(desk, FIRST, "", "", "published").findings] == ["title-blank"]
    assert one(desk, FIRST, "Now known", "ebook", "published").assignment.title == "Now known"


def test_what_contradicts_the_workbook_is_rejected_and_a_list_that_lags_behind_only_warns():
    desk = small_desk()
    desk.schedule(wanted())
    assert [f.rule for f in one(desk, FIRST, "Title of B-1", "ebook", "published").findings] == ["status-differs"]
    lagging = one(desk, FIRST, "", "", "available")
    assert (lagging.outcome, [f.warning for f in lagging.findings]) == ("unchanged", [True])
    desk.assign(FIRST)
    other = one(desk, FIRST, "Another", "paperback", "assigned")
    assert [f.rule for f in other.findings] == ["title-differs", "format-differs"]
    assert states(desk) == {"000": "assigned"}


def test_rows_in_are_done_unchanged_and_rejected():
    desk = Desk()
    rows = [(FIRST, "A", "ebook", "published"), (FIRST, "A", "ebook", "published"), (FIRST, "B", "ebook", "published")]
    assert [done.outcome for done in take_over(desk, *rows)] == ["done", "unchanged", "rejected"]


@pytest.mark.parametrize("state", sorted(STATUS_WORDS))
def test_each_word_means_one_state(state):
    assert all(status_of(word.upper()) == state for word in (state, *STATUS_WORDS[state]))


@pytest.mark.parametrize("form", FORMATS)
def test_each_word_means_one_format(form):
    assert all(format_of(f" {word.title()} ", FORMATS) == form for word in (form, *FORMAT_WORDS[form]))


def test_a_number_that_was_given_once_is_not_revived_by_a_list():
    desk = small_desk()
    desk.schedule(wanted())
    desk.assign(FIRST)
    desk.publish(FIRST)
    (block,) = desk.workspace.table(desk.system.blocks).where()
    for left in ([], [Assignment(isbn=isbn_of(978160888000), status="available", block=BLOCK)]):
        fresh = Desk()
        changes = [change_of(fresh.system.blocks, block)]
        changes += [change_of(fresh.system.assignments, one) for one in left]
        changes += [change_of(fresh.system.history, one) for one in desk.history]
        assert fresh.workspace.apply(changes) == []
        (done,) = adopt(fresh.workspace, fresh.system, fresh.actor, [AgencyRow({"isbn": FIRST, "status": "reserved"})])
        assert (done.outcome, [one.rule for one in done.findings]) == ("rejected", ["lost"])
        assert fresh.rows == left


def rejected_one(desk, *row):
    done = one(desk, *row)
    assert done.outcome == "rejected"
    return done


@pytest.mark.parametrize(
    "row", [("The River", "papyrus", "in print"), ("The River", "ebook", "gone fishing"), ("The River", "", "free")]
)
def test_the_number_of_a_rejected_row_is_reserved_and_given_to_nobody(row):
    desk = small_desk()
    done = rejected_one(desk, FIRST, *row)
    assert done.kept_out and done.at_stake == "9781608880003"
    held = desk.row("9781608880003")
    assert held.status == "reserved"
    assert held.reason.startswith("in the agency's list list.csv of 2026-11-22, row 2, rejected: ")
    assert desk.schedule(wanted()).assignment.isbn == "9781608880010"
    assert desk.history[-2].reason == held.reason
    assert desk.faults() == []
    assert rejected_one(desk.saved(), FIRST, *row).kept_out, "told again as long as it is so"


def test_a_number_that_a_rejected_row_says_to_be_free_stays_free():
    desk = small_desk()
    assert not rejected_one(desk, FIRST, "", "papyrus", "free").kept_out
    assert desk.rows == []


def test_the_number_of_a_rejected_row_is_kept_out_though_its_block_is_entered_for_a_later_row_only():
    desk = Desk()
    done = take_over(desk, (FIRST, "The River", "papyrus", "in print"), (SECOND, "The Sea", "ebook", "in print"))
    assert [(row.outcome, row.kept_out) for row in done] == [("done", False), ("rejected", True)]
    assert desk.schedule(wanted()).assignment.isbn == "9781608880027"


def test_a_right_row_of_the_same_number_counts_before_the_rejected_one():
    desk = small_desk()
    take_over(desk, (FIRST, "The River", "papyrus", "in print"), (FIRST, "The River", "ebook", "in print"))
    assert states(desk) == {"000": "published"}


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize(
    ("row", "status"),
    [
        (("The River", "ebook", "in print"), "published"),
        (("", "", "free"), "available"),
        (("", "", "held"), "reserved"),
    ],
)
def test_the_mended_row_gives_a_number_that_was_kept_out_its_state(row, status, saved):
    desk = small_desk()
    rejected_one(desk, FIRST, "The River", "papyrus", "in print")
    desk = desk.saved() if saved else desk
    done = one(desk, FIRST, *row)
    assert (done.outcome, done.assignment.status) == ("done", status)
    held = desk.row("9781608880003")
    assert (held.title, held.reason) == (
        row[0] or None, "reserved in the agency's list" if status == "reserved" else None
    )  # fmt: skip
    assert [fault for fault in desk.faults() if not fault[2]] == []
    given = desk.schedule(wanted()).assignment.isbn
    assert (given == "9781608880003") == (status == "available")


def test_a_number_that_a_person_reserved_is_not_let_in_by_a_list():
    desk = small_desk()
    desk.reserve(isbn=FIRST, reason="the anniversary")
    assert [f.rule for f in rejected_one(desk, FIRST, "A", "ebook", "in print").findings] == ["status-differs"]
    assert desk.row("9781608880003").reason == "the anniversary"


def test_a_row_that_is_not_whole_is_rejected_for_that():
    desk = small_desk()
    row = AgencyRow(
        {"isbn": FIRST, "title": "A", "status": "in print"}, Place("l.csv", None, 7), None, "has a field more"
    )
    (done,) = adopt(desk.workspace, desk.system, desk.actor, [row])
    assert [(f.row, f.rule, f.message) for f in done.findings] == [(7, "surplus", "has a field more")]
    assert done.kept_out
