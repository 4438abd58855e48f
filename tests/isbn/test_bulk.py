"""Rows of an import: read with all findings at once, scheduled whole or not at all."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchbook.errors import BatchbookError
from batchbook.isbn import bulk
from batchbook.isbn.bulk import Place, read_row, row_findings
from batchbook.isbn.outcomes import Wanted
from batchbook.isbn.system import isbn_system
from batchbook.tables.kinds import ErrorValue
from tests.isbn.desks import DAY, Desk, small_desk, wanted

SYSTEM = isbn_system({})
GOOD = {"title": "T", "book_id": "B", "scheduled_date": "2026-12-01", "format": "ebook"}


def rules(values, system=SYSTEM, shown=None, place=bulk.NOWHERE):
    read, findings = read_row(system, {**GOOD, **values}, shown, place)
    assert (read is None) == any(not one.warning for one in findings)
    return [(one.column, one.rule) for one in findings]


def test_a_good_row_is_what_it_asks_for():
    row = {"title": " T ", "book_id": 12.0, "scheduled_date": dt.datetime(2026, 12, 1), "format": "EBook",
           "priority": "", "notes": None, "isbn": "978-1-60888-000-3", "imprint": "I", "publisher": "P"}  # fmt: skip
    assert read_row(SYSTEM, row, {}) == (
        Wanted(title="T", book_id="12", format="ebook", scheduled_date=DAY, imprint="I", publisher="P",
               isbn="9781608880003"),
        (),
    )  # fmt: skip


def test_a_text_that_was_read_in_another_encoding_is_scheduled_with_a_warning():
    read, (found,) = read_row(SYSTEM, {**GOOD, "title": "FlÃ¼sse"}, None, Place("in.csv", None, 7))
    assert read.title == "FlÃ¼sse"
    assert (found.column, found.rule, found.row, found.warning) == ("Title", "misread", 7, True)
    assert "'Flüsse'" in found.message


def test_what_is_said_of_a_number_that_is_taken_has_its_hyphens():
    desk = small_desk()
    desk.schedule(wanted("B-1"))
    (found,) = row_findings(desk.workspace, desk.system, wanted("B-2", isbn="9781608880003"))
    assert (found.rule, found.value) == ("taken", "978-1-60888-000-3")


def test_a_place_of_a_control_character_is_a_number():
    _, (found,) = read_row(SYSTEM, {**GOOD, "title": "a\x07b"})
    assert found.message == "has the control character U+0007 as character 2; take it out"


def test_a_blank_priority_is_2():
    desk = small_desk()
    read, _ = read_row(SYSTEM, {**GOOD, "priority": " "})
    assert read.sort_key == (1, "2026-12-01", 2)
    assert desk.schedule(read).assignment.priority == 2


def test_everything_that_is_wrong_is_found_in_one_pass_with_row_column_value_and_rule():
    place = Place("in.csv", None, 7, {"title": "Titel", "isbn": "No."})
    values = {"title": "a\x07b", "book_id": " ", "scheduled_date": "31/02/2026", "format": "eebook", "priority": "7",
              "notes": "x" * 1_000_000, "isbn": "9781608880004", "imprint": ErrorValue("#N/A")}  # fmt: skip
    _, findings = read_row(SYSTEM, values, None, place)
    assert [(one.column, one.rule) for one in findings] == [
        ("Titel", "control-character"), ("Book ID", "required"), ("Scheduled Date", "date-impossible"),
        ("Imprint", "error-value"), ("Format", "not-allowed"), ("Priority", "range"), ("Notes", "length"),
        ("No.", "check-digit"),
    ]  # fmt: skip
    assert {(one.file, one.row) for one in findings} == {("in.csv", 7)}
    assert all(len(str(one)) < 400 for one in findings)
    assert "did you mean 'ebook'" in str(findings[4])


def test_a_date_that_can_mean_two_days_is_refused_unless_the_order_is_configured():
    assert rules({"scheduled_date": "03/04/2026"}) == [("Scheduled Date", "date-ambiguous")]
    for order, day in (("dmy", dt.date(2026, 4, 3)), ("mdy", dt.date(2026, 3, 4))):
        read, _ = read_row(isbn_system({"date_order": order}), {**GOOD, "scheduled_date": "03/04/2026"})
        assert read.scheduled_date == day


def test_a_number_in_the_date_column_is_no_date():
    assert rules({"scheduled_date": 46357}, shown={"scheduled_date": "46357"}) == [("Scheduled Date", "date")]


def test_further_formats_of_the_configuration_are_known():
    assert rules({"format": "braille"}) == [("Format", "not-allowed")]
    assert rules({"format": "Braille"}, isbn_system({"formats": ["braille"]})) == []


CELLS = st.one_of(
    st.text(max_size=20), st.integers(), st.floats(), st.booleans(), st.none(), st.dates(), st.datetimes()
)


@given(st.dictionaries(st.sampled_from(sorted(bulk.HEADERS)), CELLS))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_stands_in_a_row_it_is_read_or_refused_with_findings(values):
    read, findings = read_row(SYSTEM, values)
    assert (read is None) == any(not one.warning for one in findings)
    assert all(one.rule and one.column and one.message for one in findings)
    if read is not None:
        small_desk().schedule(Wanted(**{**{n: getattr(read, n) for n in bulk.HEADERS}, "isbn": None}))


def test_a_given_number_must_be_of_a_block_and_free_or_the_same_books():
    desk = small_desk()
    desk.schedule(wanted("B-1"))
    desk.schedule(wanted("B-2"))
    desk.assign("9781608880010")
    desk.cancel("9781608880010", reason="x")

    def against(book, isbn):
        asked = wanted(book, isbn=isbn)
        return [one.rule for one in row_findings(desk.workspace, desk.system, asked, Place(row=3))]

    assert against("B-1", "9781608880003") == []
    assert against("B-3", "9781608880003") == ["taken"]
    assert against("B-3", "9783161484100") == ["no-block"]
    assert against("B-3", "9781608880010") == ["cancelled"]
    assert against("B-3", "9781608880027") == []
    for book, isbn in (("B-3", "9781608880003"), ("B-3", "9783161484100"), ("B-3", "9781608880010")):
        with pytest.raises(BatchbookError):
            desk.schedule(wanted(book, isbn=isbn))


def test_rows_sort_by_date_then_priority_then_as_they_came():
    rows = [wanted("a", priority=3), wanted("b"), wanted("c", priority=1),
            wanted("d", scheduled_date=dt.date(2026, 1, 1), priority=3), wanted("e", priority=2),
            wanted("f", isbn="9781608880003", scheduled_date=dt.date(2199, 1, 1))]  # fmt: skip
    assert [row.book_id for row in sorted(rows, key=lambda row: row.sort_key)] == ["f", "d", "c", "b", "e", "a"]


def test_an_import_that_is_repeated_changes_nothing():
    desk = small_desk()
    rows = [wanted(f"B-{n}") for n in range(5)]
    first = [bulk.schedule_row(desk.workspace, desk.system, desk.actor, row) for row in rows]
    desk = desk.saved()
    again = [bulk.schedule_row(desk.workspace, desk.system, desk.actor, row) for row in rows]
    assert {one.outcome for one in again} == {"unchanged"}
    assert [one.assignment.isbn for one in again] == [one.assignment.isbn for one in first]
    assert desk.workspace.take() == []


def test_rows_of_a_run_have_history_rows_of_their_own_also_after_a_restart():
    desk = small_desk()
    actor = desk.actor
    bulk.schedule_row(desk.workspace, desk.system, actor, wanted("B-1"))
    fresh = desk.saved()
    bulk.schedule_row(fresh.workspace, fresh.system, actor, wanted("B-2"))
    assert [one.entry for one in fresh.history] == ["run001.1", "run002.1", "run002.2"]


def test_a_workbook_without_blocks_gives_no_number():
    desk = Desk()
    with pytest.raises(BatchbookError, match="no block"):
        bulk.schedule_row(desk.workspace, desk.system, desk.actor, wanted())


def test_what_the_format_of_a_cell_hides_is_there_all_the_same():
    row = {"title": 1984, "book_id": 12.0, "scheduled_date": dt.datetime(2026, 12, 1), "format": "ebook",
           "priority": 1, "isbn": 9781608880003}  # fmt: skip
    hidden = dict.fromkeys(row, "")
    read, findings = read_row(SYSTEM, row, {**hidden, "format": "ebook"})
    assert findings == ()
    assert read == Wanted(title="1984", book_id="12", scheduled_date=DAY, format="ebook", priority=1,
                          isbn="9781608880003")  # fmt: skip


def test_a_time_on_another_day_in_the_zone_of_peoples_dates_is_ambiguous():
    here = isbn_system({}, zone=ZoneInfo("Europe/Berlin"))
    assert rules({"scheduled_date": "2026-12-01T23:30:00Z"}, here) == [("Scheduled Date", "date-ambiguous")]
    assert rules({"scheduled_date": "2026-12-01T22:30:00Z"}, here) == []
