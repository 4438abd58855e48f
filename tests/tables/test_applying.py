import datetime as dt
from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchbook import edit_workbook
from batchbook.tables import RecordChange
from batchbook.tables.codec import canonical, decanonical
from batchbook.xlsx import letters
from tests.tables.library import (
    DAY,
    LOG,
    SHELVES,
    TITLES,
    Entry,
    Shelf,
    Title,
    changed,
    library_with,
    make_library,
    read_library,
    records_of,
    workspace_of,
)

NOTHING = dict.fromkeys(field.name for field in fields(Title))


def told(findings):
    return [(one.row, one.column, one.rule, one.value) for one in findings]


@pytest.fixture
def library(tmp_path):
    return read_library(
        tmp_path, [["T1", "there", "One"], ["T2", "gone"], ["T3", "LENT", None, None, None, "22.11.2026"]]
    )


def test_a_change_that_holds_is_staged(library):
    change = changed("T1", {"status": "there"}, {"status": "lost"})
    assert library.apply([change]) == []
    assert library.table(TITLES).get("T1").status == "lost"
    assert library.take() == [change]


def test_a_change_of_what_somebody_changed_meanwhile_does_not_hold(library):
    change = changed("T1", {"status": "there", "title": "Two"}, {"status": "lost"})
    (finding,) = library.apply([change])
    assert (finding.row, finding.column, finding.rule) == (2, "Title", "changed-meanwhile")
    assert "'Two'" in finding.message and "'One'" in finding.message
    assert library.take() == [] and library.table(TITLES).get("T1").status == "there"


def test_what_is_there_as_wanted_holds_and_stages_nothing(library):
    changes = [
        changed("T1", {"status": "lost"}, {"status": "there"}),
        changed("T1", None, {"code": "T1", "status": "there", "title": "One"}),
        changed("T9", {"code": "T9", "status": "there"}, NOTHING),
    ]
    assert library.apply(changes) == [] and library.take() == []


def test_before_is_read_as_the_kind_reads_it(library):
    change = changed("T3", {"status": "lent", "due": dt.datetime(2026, 11, 22)}, {"status": "lost"})
    assert library.apply([change]) == []
    assert library.table(TITLES).get("T3") == Title(code="T3", status="lost", due=DAY)


def test_each_change_that_does_not_hold_is_told_and_the_others_are_staged(library):
    changes = [
        changed("T2", {"status": "there"}, {"status": "lost"}),
        changed("T9", {"status": "there"}, {"status": "lost"}),
        changed("T1", None, {"code": "T1", "status": "lost"}),
        changed("T4", None, {"code": "T4", "status": "there", "shelf": "attic", "copies": 50}),
        changed("T5", None, {"code": "T5", "status": "there"}),
        changed("T3", {"due": DAY}, {"due": None}),
    ]
    assert told(library.apply(changes)) == [
        (3, None, "unsound", "T2"),
        (None, None, "gone", "T9"),
        (2, "Code", "key-taken", "T1"),
        (None, "Shelf", "reference", "attic"),
        (None, "Copies", "not-allowed", 50),
        (4, "Due", "due", "T3"),
    ]
    assert [change.key for change in library.take()] == [("T5",)]


def test_a_record_can_be_taken_out_where_it_still_is_what_it_was(library):
    wrong = changed("T1", {"title": "Two"}, NOTHING)
    assert told(library.apply([wrong])) == [(2, "Title", "changed-meanwhile", "T1")]
    right = changed("T1", {"title": "One"}, NOTHING)
    assert library.apply([right]) == []
    assert library.table(TITLES).get("T1") is None
    (taken,) = library.take()
    assert (taken.before["title"], taken.after) == ("One", NOTHING)


def test_a_record_that_was_taken_out_comes_back_where_the_whole_fails(library):
    with pytest.raises(ZeroDivisionError), library.whole():
        library.apply([changed("T1", {"title": "One"}, NOTHING)])
        raise ZeroDivisionError
    assert library.table(TITLES).place("T1") == 2 and library.take() == []


def test_changes_that_are_applied_keep_what_they_rest_on(library):
    change = changed("T1", {"status": "there", "title": "One"}, {"status": "lost"})
    library.apply([change])
    assert library.take() == [change]


# --- records through cells ------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
MOMENTS = st.datetimes(min_value=dt.datetime(1950, 1, 1), max_value=dt.datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=dt.timezone(dt.timedelta(minutes=moment.minute * 15 - 420)))
)
TITLE = st.builds(
    Title,
    code=st.uuids().map(str),
    status=st.sampled_from(["there", "lost"]),
    title=st.none() | TEXTS,
    shelf=st.sampled_from(["left", "right", None]),
    copies=st.none() | st.integers(0, 3),
    due=st.none() | st.dates(min_value=dt.date(1904, 1, 1)),
    seen=st.none() | MOMENTS,
    remark=st.none() | TEXTS,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TITLE, max_size=6, unique_by=lambda title: title.code))
def test_records_written_into_a_workbook_are_read_as_they_were_staged(tmp_path, titles):
    workspace = library_with()
    staged = [workspace.table(TITLES).insert(title) for title in titles]
    cells = {
        f"{letters(at)}{row}": change.after.get(column.name)
        for row, change in enumerate(workspace.take(), 2)
        for at, column in enumerate(TITLES.columns, 1)
    }
    target = tmp_path / "written.xlsx"
    edit_workbook(make_library(tmp_path / "b.xlsx"), target, {"Titles": cells})
    again = workspace_of(target)
    assert list(again.table(TITLES).where()) == staged and again.findings.errors == 0
    target.unlink()


@settings(max_examples=40, deadline=None)
@given(st.lists(TITLE, max_size=6, unique_by=lambda title: title.code), st.lists(st.integers(0, 99), unique=True))
def test_changes_that_went_through_the_ledgers_text_are_the_same_changes(titles, entries):
    workspace = library_with()
    for title in titles:
        workspace.table(TITLES).insert(title)
    for entry in entries:
        workspace.table(LOG).insert(Entry(entry=entry))
    workspace.table(SHELVES).insert(Shelf(room="B", number=7, name="new"))
    changes = [
        RecordChange(one.sheet, one.key, one.before, decanonical(canonical(one.after))) for one in workspace.take()
    ]
    again = library_with()
    assert again.apply(changes) == []
    assert records_of(again) == records_of(workspace)


def test_a_record_in_the_place_of_one_that_was_taken_out_is_another_one(tmp_path):
    workspace = read_library(tmp_path, [["T1", "there"]])
    workspace.apply([changed("T1", {"status": "there"}, NOTHING)])
    workspace.table(TITLES).insert(Title(code="T2", status="lost"))
    assert [(change.key, change.before is None) for change in workspace.take()] == [(("T1",), False), (("T2",), True)]
    assert workspace.table(TITLES).place("T2") is None
