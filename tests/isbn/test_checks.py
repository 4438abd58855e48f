"""What is found wrong across the rows of an ISBN workbook, each with its place."""

import datetime as dt
from pathlib import Path

import pytest

from batchbook.isbn import service
from batchbook.isbn.errors import IsbnRefused
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.records import Assignment, Block, HistoryEntry
from batchbook.isbn.system import isbn_system
from batchbook.tables.workspace import Unsound, Workspace
from batchbook.xlsx import Book
from tests.isbn.desks import BLOCK, DAY, NOW, book_on_disk, small_desk, wanted

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "samples" / "isbn.xlsx"
N = [isbn_of(978160888000 + n) for n in range(20)]


def block(name=BLOCK, first=0, last=9, **more):
    given = {"prefix": "978", "publisher_code": "1-60888", "total": last - first + 1, "added_at": NOW}
    return Block(**{"block": name, "first": N[first], "last": N[last], **given, **more})


def row(n, status="scheduled", **more):
    given = {"title": "T", "book_id": f"B-{n}", "format": "ebook", "scheduled_date": DAY, "block": BLOCK}
    return Assignment(**{"isbn": N[n], "status": status, **given, **more})


def step(n, after="scheduled", before=None, entry=None, **more):
    given = {"entry": entry or f"r.{n}{after}", "at": NOW, "who": "ann", "what": "schedule", "field": "status"}
    return HistoryEntry(**{"isbn": N[n], "before": before, "after": after, **given, **more})


def found(path, blocks=None, rows=(), history=()):
    desk = book_on_disk(path / "isbn.xlsx", blocks or [block()], rows, history)
    assert desk.workspace.findings.errors == 0, list(desk.workspace.findings)
    return [(one.rule, one.sheet, one.row, one.column, one.warning) for one in desk.system.check(desk.workspace)]


A = "ISBN Assignments"


def test_a_sound_workbook_has_no_findings(tmp_path):
    assert found(tmp_path, rows=[row(1), row(2)], history=[step(1), step(2)]) == []


def test_the_sample_has_nothing_that_is_wrong():
    system = isbn_system({})
    with Book.open(SAMPLE) as book:
        workspace = Workspace.read(book, system.types)
        assert [str(one) for one in workspace.findings if not one.warning] == []
        assert [str(one) for one in system.check(workspace) if not one.warning] == []


def test_a_number_of_no_block_is_told_with_a_warning(tmp_path):
    rows = [row(15, block=None)]
    assert found(tmp_path, rows=rows, history=[step(15)]) == [("no-block", A, 2, "ISBN", True)]


def test_a_row_that_names_another_block_than_its_number_is_of_is_told(tmp_path):
    blocks = [block(), block("other", 10, 19)]
    rows = [row(1, block="other"), row(2, block=None)]
    assert found(tmp_path, blocks, rows, [step(1), step(2)]) == [
        ("other-block", A, 2, "Block", False),
        ("block-blank", A, 3, "Block", True),
    ]


def test_blocks_that_overlap_are_told_with_a_warning(tmp_path):
    assert found(tmp_path, [block(), block("other", 9, 12)]) == [("overlap", "ISBN Blocks", 3, "Block", True)]


def test_a_book_that_has_two_living_numbers_of_a_format_is_told_at_each(tmp_path):
    rows = [row(1, book_id="B"), row(2, book_id="b"), row(3, "cancelled", book_id="B")]
    history = [step(1), step(2), step(3, "cancelled")]
    assert found(tmp_path, rows=rows, history=history) == [
        ("book-twice", A, 2, "Book ID", False),
        ("book-twice", A, 3, "Book ID", False),
    ]


def test_a_status_that_somebody_typed_over_is_told_with_a_warning(tmp_path):
    rows = [row(1, "reserved", reason="x"), row(2)]
    assert found(tmp_path, rows=rows, history=[step(1)]) == [
        ("history-differs", A, 2, "Status", True),
        ("no-history", A, 3, "Status", True),
    ]


def test_of_rows_of_the_same_moment_the_last_in_the_sheet_counts(tmp_path):
    history = [step(1), step(1, "available", "scheduled", "r.2"), step(1, "scheduled", "available", "r.10")]
    assert found(tmp_path, rows=[row(1)], history=history) == []


def test_a_row_that_is_gone_although_the_history_knows_it_is_told(tmp_path):
    assert found(tmp_path, history=[step(1), step(2), step(2, None, "scheduled", what="undo")]) == [
        ("lost", A, None, "ISBN", False)
    ]


def test_a_number_that_the_ledger_knows_to_be_lost_is_told_once():
    desk = small_desk()
    desk.schedule(wanted())
    desk.workspace.set_lost(desk.system.assignments, {(N[5],), (N[0],)})
    assert desk.faults() == [("lost", "ISBN", False)]


def test_an_assigned_number_without_a_time_is_told_unless_it_was_adopted(tmp_path):
    rows = [row(1, "assigned"), row(2, "published")]
    history = [step(1, "assigned"), step(2, "published", what="adopt")]
    assert found(tmp_path, rows=rows, history=history) == [("assigned-when", A, 2, "Assigned At", True)]


def test_a_right_number_whose_range_is_not_known_is_told_with_a_warning(tmp_path):
    isbn = isbn_of(978_999_999_999)  # never given to a registrant
    strange = Assignment(**{name: getattr(row(1), name) for name in row(1).__dataclass_fields__} | {"isbn": isbn})
    rules = [one[0] for one in found(tmp_path, rows=[strange], history=[step(1, isbn=isbn)])]
    assert "range-unknown" in rules


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (row(1, title=None), "Title"),
        (row(1, book_id=None), "Book ID"),
        (row(1, scheduled_date=None), "Scheduled Date"),
        (row(1, "reserved"), "Reason"),
    ],
)
def test_a_row_without_what_its_state_needs_is_unsound_and_nothing_is_built_on_it(tmp_path, bad, column):
    desk = book_on_disk(tmp_path / "isbn.xlsx", [block()], [bad])
    (one,) = desk.workspace.findings
    assert (one.sheet, one.row, one.rule) == (A, 2, "needed-by-status")
    assert column in str(one.column)
    with pytest.raises(Unsound):
        desk.schedule(wanted())
    with pytest.raises(Unsound):
        desk.assign(N[1])


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (block(total=11), "block-total"),
        (block(publisher_code="1-60889"), "block-member"),
        (block(first=9, last=0, total=10), "block-order"),
    ],
)
def test_a_block_whose_columns_do_not_fit_each_other_is_unsound(tmp_path, bad, rule):
    desk = book_on_disk(tmp_path / "isbn.xlsx", [bad])
    assert rule in {one.rule for one in desk.workspace.findings}
    with pytest.raises(Unsound):
        desk.schedule(wanted())


def test_a_number_that_only_the_history_knows_is_not_given_again(tmp_path):
    desk = book_on_disk(tmp_path / "isbn.xlsx", [block()], history=[step(0)])
    assert desk.schedule(wanted()).assignment.isbn == N[1]
    assert service.due(desk.workspace, desk.system, dt.date.max)


@pytest.mark.parametrize("spent", ["assigned", "published", "cancelled"])
def test_a_spent_number_that_was_set_back_is_not_freed_by_way_of_a_reservation(tmp_path, spent):
    free = Assignment(isbn=N[0], status="available", block=BLOCK)
    history = [step(0), step(0, spent, "scheduled", at=NOW + dt.timedelta(hours=1))]
    desk = book_on_disk(tmp_path / "isbn.xlsx", [block()], [free], history)
    with pytest.raises(IsbnRefused, match=f"by its history it is {spent}"):
        desk.reserve(isbn=N[0], reason="let us see")
    assert desk.row(N[0]) == free
    assert desk.schedule(wanted()).assignment.isbn == N[1]
