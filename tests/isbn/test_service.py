"""The commands on ISBNs: what they do, what they refuse, and what the history says of it."""

import datetime as dt

import pytest

from batchbook.errors import BatchbookError
from batchbook.isbn.allocation import NoNumberLeft
from batchbook.isbn.errors import Differs, IsbnRefused, Taken, UnknownIsbn, WrongValues
from batchbook.isbn.states import StepRefused
from batchbook.tables.workspace import RecordRefused
from tests.isbn.desks import BLOCK, DAY, Desk, small_desk, wanted

FIRST, SECOND, THIRD = "9781608880003", "9781608880010", "9781608880027"


@pytest.fixture
def desk():
    return small_desk()


def test_a_block_is_entered_by_its_registrant_prefix_with_all_that_follows_from_it():
    desk = Desk()
    block = desk.add_block(block="978-1-60888", imprint="Night", publisher="Lamp").block
    assert (block.prefix, block.publisher_code, block.first, block.last, block.total) == (
        "978", "1-60888", FIRST, "9781608889990", 1000,
    )  # fmt: skip
    assert (block.imprint, block.publisher) == ("Night", "Lamp")


@pytest.mark.parametrize(
    "given",
    [
        {"prefix": "978", "publisher_code": "1-60888", "first": "010", "last": "019"},
        {"prefix": "978", "publisher_code": "1-60888", "first": "978-1-60888-010-2", "total": 10},
        {"block": "978-1-60888", "first": "10", "last": "19"},
    ],
)
def test_a_block_is_entered_as_prefix_publisher_code_and_stretch(given):
    block = Desk().add_block(**given).block
    assert (block.total, block.first[:12], block.last[:12]) == (10, "978160888010", "978160888019")


def test_everything_that_is_wrong_with_a_block_is_told_at_once():
    with pytest.raises(BatchbookError) as refused:
        Desk().add_block(prefix="977", publisher_code="x", first="a", last="b")
    assert {finding.column for finding in refused.value.findings} >= {"prefix", "publisher code"}
    with pytest.raises(WrongValues) as refused:
        Desk().add_block()
    assert [finding.column for finding in refused.value.findings] == ["prefix", "publisher code"]


@pytest.mark.parametrize("given", [{"block": "978-1-60888"}, {"prefix": "978", "publisher_code": "1-60888"}])
def test_a_total_that_is_not_the_whole_registrants_is_refused_with_how_many_numbers_it_has(given):
    desk = Desk()
    with pytest.raises(WrongValues, match=r"has 1,000 numbers; nothing was changed\.\s.*--start and --end") as refused:
        desk.add_block(**given, total=999)
    assert [(one.column, one.value, one.rule) for one in refused.value.findings] == [("total", 999, "block-total")]
    assert desk.add_block(**given, total=1000).block.total == 1000


def test_a_block_that_overlaps_is_entered_with_a_warning_that_names_the_other(desk):
    done = desk.add_block(block=BLOCK, first="5", last="9")
    assert [(one.rule, one.warning) for one in done.warnings] == [("overlap", True)]
    assert BLOCK in done.warnings[0].message


def test_a_block_is_not_entered_twice(desk):
    with pytest.raises(IsbnRefused, match="is there already"):
        desk.add_block(block=BLOCK)


def test_the_lowest_free_number_is_scheduled_with_all_that_was_given(desk):
    asked = wanted(imprint="Night", publisher="Lamp", priority=1, notes="blue")
    row = desk.schedule(asked).assignment
    assert (row.isbn, row.status, row.title, row.book_id, row.format) == (
        FIRST, "scheduled", "Title of B-1", "B-1", "ebook",
    )  # fmt: skip
    assert (row.scheduled_date, row.imprint, row.publisher, row.priority, row.notes) == (
        DAY,
        "Night",
        "Lamp",
        1,
        "blue",
    )
    assert row.block == BLOCK
    assert [(one.what, one.field, one.before, one.after, one.who) for one in desk.history[1:]] == [
        ("schedule", "status", None, "scheduled", "ann")
    ]


def test_blocks_of_the_imprint_come_first_and_others_after():
    desk = small_desk(first="0", last="0")
    desk.add_block(block=BLOCK, first="5", last="5", imprint="Night")
    given = [desk.schedule(wanted(f"B-{n}", imprint="night")).assignment.isbn for n in range(2)]
    assert [isbn[9:12] for isbn in given] == ["005", "000"]


def test_where_no_number_is_left_the_shortage_is_told_in_figures():
    desk = small_desk(first="0", last="1")
    for n in range(2):
        desk.schedule(wanted(f"B-{n}"))
    with pytest.raises(NoNumberLeft, match="1 number wanted, 0 free: of 2 numbers in 1 block 2 are taken"):
        desk.schedule(wanted("B-3"))
    with pytest.raises(NoNumberLeft, match="no block"):
        Desk().schedule(wanted())


def test_the_same_book_and_format_gets_its_number_back(desk):
    first = desk.schedule(wanted()).assignment
    again = desk.schedule(wanted(priority=None))
    assert (again.outcome, again.assignment) == ("unchanged", first)
    assert desk.schedule(wanted(form="paperback")).assignment.isbn == SECOND
    desk.assign(FIRST)
    assert desk.schedule(wanted()).outcome == "unchanged"
    assert desk.schedule(wanted("b-1", title="Title of B-1")).assignment.isbn == FIRST
    with pytest.raises(Differs, match="Title is Title of B-1, not Another"):
        desk.schedule(wanted("b-1", title="Another"))
    with pytest.raises(IsbnRefused, match="has a number for ebook already"):
        desk.update(SECOND, {"book_id": "b-1", "format": "ebook"})


def test_a_rebuild_with_other_details_is_refused_with_each_difference_or_taken_over(desk):
    desk.schedule(wanted())
    other = wanted(title="Other", scheduled_date=dt.date(2027, 1, 1))
    with pytest.raises(Differs) as refused:
        desk.schedule(other)
    assert "Title is Title of B-1, not Other; Scheduled Date is 2026-12-01, not 2027-01-01" in refused.value.what
    done = desk.schedule(other, on_difference="update")
    assert (done.outcome, done.assignment.title) == ("updated", "Other")
    assert [(one.field, one.before, one.after) for one in done.history] == [
        ("title", "Title of B-1", "Other"),
        ("scheduled_date", "2026-12-01", "2027-01-01"),
    ]


def test_a_book_without_a_format_means_the_one_number_that_it_has(desk):
    desk.schedule(wanted())
    assert desk.schedule(wanted(form=None)).assignment.isbn == FIRST
    desk.schedule(wanted(form="paperback"))
    with pytest.raises(Differs, match="2 numbers that could be meant"):
        desk.schedule(wanted(form=None))


def test_a_number_of_no_certain_format_becomes_that_of_a_format_only_where_said(desk):
    desk.schedule(wanted(form=None))
    with pytest.raises(Differs, match="Format is blank, not ebook"):
        desk.schedule(wanted())
    assert desk.schedule(wanted(), on_difference="update").assignment.format == "ebook"
    assert len(desk.rows) == 1


def test_a_certain_number_can_be_asked_for_in_any_form(desk):
    assert desk.schedule(wanted(isbn="1-60888-002-8")).assignment.isbn == THIRD
    assert desk.schedule(wanted("B-2")).assignment.isbn == FIRST


@pytest.mark.parametrize(
    ("isbn", "error", "said"),
    [
        ("978-1-60888-000-4", WrongValues, "check digit"),
        ("978-3-16-148410-0", UnknownIsbn, "in no block"),
        ("978-1-60888-000-3", Taken, "is scheduled for book B-0"),
        ("979-0-2600-0043-8", WrongValues, "ISMN"),
    ],
)
def test_a_certain_number_that_cannot_be_had_is_refused_with_the_reason(desk, isbn, error, said):
    desk.schedule(wanted("B-0"))
    with pytest.raises(error) as refused:
        desk.schedule(wanted(isbn=isbn))
    assert said in " ".join(map(str, (refused.value, *refused.value.findings)))
    assert len(desk.rows) == 1


def test_a_book_that_has_a_number_is_not_given_a_second_one(desk):
    desk.schedule(wanted())
    with pytest.raises(Differs, match="has ISBN 978-1-60888-000-3"):
        desk.schedule(wanted(isbn=SECOND))


def test_assigned_numbers_have_the_moment_with_offset_and_unknown_ones_are_refused(desk):
    desk.schedule(wanted())
    done = desk.assign("978-1-60888-000-3")
    assert done.after.status == "assigned"
    assert done.after.assigned_at.tzinfo is not None
    assert done.after.assigned_at == done.history[0].at
    with pytest.raises(StepRefused, match="is assigned already"):
        desk.assign(FIRST)
    with pytest.raises(UnknownIsbn):
        desk.assign("978-3-16-148410-0")
    with pytest.raises(StepRefused, match="it cannot become assigned"):
        desk.assign(SECOND)


def test_a_reserved_number_has_a_reason_and_is_out_of_automatic_assignment(desk):
    with pytest.raises(WrongValues, match="reason is needed"):
        desk.reserve(reason="  ")
    done = desk.reserve(reason="for the fair", notes="ask Ann")
    assert (done.before, done.after.status, done.after.reason, done.after.notes) == (
        None, "reserved", "for the fair", "ask Ann",
    )  # fmt: skip
    assert done.history[0].reason == "for the fair"
    assert desk.schedule(wanted()).assignment.isbn == SECOND


def test_a_reserved_number_is_given_only_when_it_is_asked_for_and_its_notes_are_kept(desk):
    desk.reserve(reason="for the fair", notes="ask Ann", isbn=SECOND)
    row = desk.schedule(wanted(isbn=SECOND)).assignment
    assert (row.status, row.reason, row.notes) == ("scheduled", None, "ask Ann")
    assert ("reason", "for the fair", None) in {(one.field, one.before, one.after) for one in desk.history}


def test_a_reserved_number_of_a_book_is_not_passed_over_in_silence(desk):
    desk.schedule(wanted())
    desk.reserve(isbn=FIRST, reason="on hold")
    with pytest.raises(Taken, match="reserved: on hold"):
        desk.schedule(wanted())
    assert desk.schedule(wanted(isbn=FIRST)).assignment.status == "scheduled"


def test_the_next_free_number_of_a_named_block_is_reserved(desk):
    desk.add_block(block="978-1-4028", first="7", last="7")
    name = "978-1-4028:0007-0007"
    assert desk.reserve(reason="kept", block=name).after.block == name
    with pytest.raises(NoNumberLeft):
        desk.reserve(reason="kept", block=name)
    with pytest.raises(IsbnRefused, match=f"no block 978-1-60889; did you mean '{BLOCK}'"):
        desk.reserve(reason="kept", block="978-1-60889")


def test_a_released_number_is_free_again_and_the_history_has_what_it_was_booked_for(desk):
    desk.schedule(wanted(notes="blue"))
    done = desk.release(FIRST, reason="dropped")
    assert (done.after.status, done.after.title, done.after.book_id, done.after.scheduled_date) == (
        "available", None, None, None,
    )  # fmt: skip
    cleared = {(one.field, one.before) for one in done.history}
    assert cleared >= {("title", "Title of B-1"), ("book_id", "B-1"), ("format", "ebook"), ("notes", "blue")}
    assert {one.reason for one in done.history} == {"dropped"}
    assert desk.schedule(wanted("B-2")).assignment.isbn == FIRST
    assert len(desk.rows) == 1


def test_a_number_that_was_released_in_between_is_given_before_untouched_ones(desk):
    for n in range(4):
        desk.schedule(wanted(f"B-{n}"))
    desk.release(SECOND)
    assert [desk.schedule(wanted(f"C-{n}")).assignment.isbn[9:12] for n in range(2)] == ["001", "004"]


def test_what_is_updated_is_checked_as_a_whole_and_told_field_by_field(desk):
    desk.schedule(wanted())
    with pytest.raises(WrongValues) as refused:
        desk.update(FIRST, {"title": "x" * 600, "priority": "4", "scheduled_date": "31/02/2026", "format": "ebok"})
    assert {finding.rule for finding in refused.value.findings} == {"length", "range", "date-impossible", "not-allowed"}
    assert desk.row(FIRST).title == "Title of B-1"
    done = desk.update(FIRST, {"title": "New", "notes": "n", "priority": "3"}, reason="typo")
    assert {(one.field, one.before, one.after, one.reason) for one in done.history} == {
        ("title", "Title of B-1", "New", "typo"), ("notes", None, "n", "typo"), ("priority", "2", "3", "typo"),
    }  # fmt: skip
    assert not desk.update(FIRST, {"title": "New"}).changed


def test_only_what_is_editable_can_be_updated(desk):
    desk.schedule(wanted())
    for name in ("status", "isbn", "block", "assigned_at", "titel"):
        with pytest.raises(WrongValues, match="1 value is wrong"):
            desk.update(FIRST, {name: "x"})
    with pytest.raises(WrongValues) as refused:
        desk.update(FIRST, {"title": ""})
    assert "a number that is scheduled needs it" in str(refused.value.findings[0])
    desk.release(FIRST)
    with pytest.raises(IsbnRefused, match="is available"):
        desk.update(FIRST, {"title": "x"})


def test_an_update_does_not_make_two_numbers_of_one_book_and_format(desk):
    desk.schedule(wanted())
    desk.schedule(wanted("B-2"))
    with pytest.raises(IsbnRefused, match="has a number for ebook already: 978-1-60888-000-3"):
        desk.update(SECOND, {"book_id": "B-1"})


def test_a_spent_number_never_comes_back(desk):
    desk.schedule(wanted())
    desk.assign(FIRST)
    with pytest.raises(StepRefused, match="cannot become available"):
        desk.release(FIRST)
    desk.publish(FIRST)
    assert desk.row(FIRST).published_at is not None
    with pytest.raises(WrongValues):
        desk.cancel(FIRST, reason="")
    assert desk.cancel(FIRST, reason="recalled").after.reason == "recalled"
    for refused in (desk.publish, desk.assign, desk.release):
        with pytest.raises(StepRefused):
            refused(FIRST)
    assert desk.schedule(wanted()).assignment.isbn == SECOND


def test_a_number_whose_row_was_lost_is_never_given_again(desk):
    desk.workspace.set_lost(desk.system.assignments, {(FIRST,)})
    assert desk.schedule(wanted()).assignment.isbn == SECOND
    with pytest.raises(IsbnRefused, match="was given once"):
        desk.schedule(wanted("B-2", isbn=FIRST))
    with pytest.raises(IsbnRefused, match="was given once"):
        desk.reserve(reason="x", isbn=FIRST)


def test_what_is_due_comes_by_date_then_priority_then_number(desk):
    for book, day, priority in (("a", 3, 1), ("b", 1, 3), ("c", 1, 1), ("d", 9, 1), ("e", 1, 1)):
        desk.schedule(wanted(book, scheduled_date=dt.date(2026, 12, day), priority=priority))
    from batchbook.isbn.service import due

    found = due(desk.workspace, desk.system, dt.date(2026, 12, 3))
    assert [row.book_id for row in found] == ["c", "e", "b", "a"]


def test_what_is_staged_in_a_whole_that_fails_burns_no_number(desk):
    with pytest.raises(RuntimeError), desk.workspace.whole():
        for n in range(3):
            desk.schedule(wanted(f"B-{n}"))
        raise RuntimeError
    assert [desk.schedule(wanted(f"C-{n}")).assignment.isbn for n in range(3)] == [FIRST, SECOND, THIRD]


def test_texts_of_a_block_are_checked_as_those_of_a_booking_and_told_with_all_else():
    desk = Desk()
    with pytest.raises(WrongValues) as caught:
        desk.add_block(block=BLOCK, imprint="a\nb", publisher="\x1b[31m", notes="x" * 20_000)
    assert [(one.column, one.rule) for one in caught.value.findings] == [
        ("Imprint", "control-character"), ("Publisher", "control-character"), ("Notes", "length"),
    ]  # fmt: skip
    with pytest.raises(RecordRefused) as refused:
        desk.add_block(prefix="977", publisher_code="1-60888", imprint="a\nb")
    assert {one.rule for one in refused.value.findings} == {"ean-prefix", "control-character"}
    assert desk.add_block(block=BLOCK, imprint="  ", publisher=" Northmoor ").block.publisher == "Northmoor"


SPENT = ("assign",), ("assign", "publish")


@pytest.mark.parametrize("steps", [(), *SPENT])
@pytest.mark.parametrize("name", ["title", "book_id", "format"])
def test_what_says_whose_number_it_is_is_changed_but_not_cleared(desk, name, steps):
    desk.schedule(wanted())
    for step in steps:
        getattr(desk, step)(FIRST)
    with pytest.raises(WrongValues) as refused:
        desk.update(FIRST, {name: ""})
    assert [finding.rule for finding in refused.value.findings] == ["required"]
    other = {"title": "Other", "book_id": "B-9", "format": "hardcover"}[name]
    assert getattr(desk.update(FIRST, {name: other}).after, name) == other


@pytest.mark.parametrize("steps", [(), *SPENT])
def test_a_number_without_a_format_is_right_in_every_state_for_every_command(desk, steps):
    desk.schedule(wanted(form=None))
    for step in steps:
        getattr(desk, step)(FIRST)
    assert desk.update(FIRST, {"format": "", "notes": "n"}).after.notes == "n"
    assert desk.faults() == []


def test_a_number_without_a_title_is_not_published(desk):
    from batchbook.isbn.adopt import AgencyRow, adopt

    list(adopt(desk.workspace, desk.system, desk.actor, [AgencyRow({"isbn": FIRST, "status": "in use"})]))
    with pytest.raises(IsbnRefused) as refused:
        desk.publish(FIRST)
    assert "has no Title, which a number that is published needs" in refused.value.what
    desk.update(FIRST, {"title": "The River"})
    assert desk.publish(FIRST).after.status == "published"
