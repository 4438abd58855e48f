"""Lists, searches, details, blocks and reports of an ISBN workbook."""

import datetime as dt
import json

import pytest

from batchbook.errors import BatchbookError
from batchbook.isbn import queries
from batchbook.isbn.errors import UnknownIsbn, WrongValues
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.queries import Selection
from batchbook.isbn.reports import report, report_sheets
from batchbook.tables.reportbook import ReportFile, write_report
from tests.isbn.desks import BLOCK, NOW, Desk, book_on_disk, small_desk, wanted
from tests.isbn.test_turning import turn, undo

FIRST, SECOND, THIRD, FOURTH = "9781608880003", "9781608880010", "9781608880027", "9781608880034"


@pytest.fixture
def desk():
    desk = small_desk(first="0", last="99")
    desk.add_block(block="978-1-4028", first="0", last="9", imprint="Night")
    day = dt.date(2026, 11, 20)
    desk.schedule(wanted("B-1", title="The River", scheduled_date=day, imprint="Day"))
    desk.schedule(wanted("B-2", "paperback", title="river of night", scheduled_date=day + dt.timedelta(days=10)))
    desk.schedule(wanted("X-1984", title="Sea", scheduled_date=day + dt.timedelta(days=40), priority=1))
    desk.schedule(wanted("B-4", title="Moon", imprint="night", scheduled_date=day + dt.timedelta(days=10), priority=1))
    desk.assign(FIRST)
    desk.reserve(reason="kept")
    return desk


def ids(rows):
    return [row.book_id for row in rows]


def listed(desk, **more):
    return ids(queries.assignments(desk.workspace, desk.system, Selection(**more)))


def test_rows_are_listed_by_status_date_imprint_block_and_format(desk):
    assert listed(desk) == ["B-1", "B-2", "X-1984", "B-4", None]
    assert listed(desk, statuses=["Assigned", "reserved"]) == ["B-1", None]
    assert listed(desk, start=dt.date(2026, 11, 21), end=dt.date(2026, 11, 30)) == ["B-2", "B-4"]
    assert listed(desk, imprint="NIGHT") == ["B-4"]
    assert listed(desk, imprint="nobody") == []
    assert listed(desk, block="978-1-4028:0000-0009") == ["B-4"]
    assert listed(desk, format="Paperback") == ["B-2"]
    assert listed(desk, statuses=["scheduled"], order=("-scheduled_date", "priority")) == ["X-1984", "B-4", "B-2"]


def test_what_nothing_can_be_selected_by_is_refused_all_at_once(desk):
    with pytest.raises(WrongValues) as refused:
        listed(desk, statuses=["asigned"], format="papyrus", block="978-1-60889", order=("titel",))
    assert {one.column for one in refused.value.findings} == {"status", "format", "block", "sort"}
    assert "did you mean 'assigned'" in str(refused.value.findings[0])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RIVER", ["B-1", "B-2"]),
        ("978-1-60888-001-0", ["B-2"]),
        ("9781608880010", ["B-2"]),
        ("1-60888-001-X", ["B-2"]),
        ("88-001", ["B-2"]),
        ("4028", ["B-4"]),
        ("1984", ["X-1984"]),
        ("x-19", ["X-1984"]),
        ("%", []),
    ],
)
def test_a_search_finds_titles_isbns_and_book_ids(desk, text, found):
    assert ids(queries.search(desk.workspace, desk.system, text)) == found


def test_a_search_for_nothing_is_refused(desk):
    with pytest.raises(WrongValues):
        queries.search(desk.workspace, desk.system, "  ")


def test_a_number_is_shown_with_its_history_and_the_steps_from_here(desk):
    found = queries.show(desk.workspace, desk.system, "978-1-60888-000-3")
    assert [entry.after for entry in found.history if entry.field == "status"] == ["scheduled", "assigned"]
    assert found.steps == ("published", "cancelled")
    with pytest.raises(UnknownIsbn, match="never scheduled or reserved"):
        queries.show(desk.workspace, desk.system, "9781608880997")


def test_upcoming_ones_come_by_date_and_priority_overdue_ones_first(desk):
    today = dt.date(2026, 12, 1)
    assert ids(queries.upcoming(desk.workspace, desk.system, today, 0)) == ["B-4", "B-2"]
    assert ids(queries.upcoming(desk.workspace, desk.system, today, 30)) == ["B-4", "B-2", "X-1984"]
    assert ids(queries.upcoming(desk.workspace, desk.system, today, 10**9)) == ["B-4", "B-2", "X-1984"]
    with pytest.raises(WrongValues):
        queries.upcoming(desk.workspace, desk.system, today, -1)


def test_blocks_have_figures_that_are_counted_from_rows(desk):
    one, other = queries.blocks(desk.workspace, desk.system)
    assert (one.used, one.reserved, one.available, one.utilisation) == (4, 1, 96, 0.04)
    assert (other.used, other.available, other.lost) == (1, 9, 0)
    desk.workspace.set_lost(desk.system.assignments, {(FOURTH,), ("9781608880997",)})
    (one, _) = queries.blocks(desk.workspace, desk.system)
    assert (one.lost, one.available) == (1, 95)


def test_a_report_counts_by_status_month_imprint_and_format(desk):
    found = report(desk.workspace, desk.system, NOW)
    assert found.totals == {
        "blocks": 2, "numbers": 110, "used": 5, "available": 105, "lost": 0, "unsure": 0, "rows": 5, "released": 0,
        "no_block": 0,
    }  # fmt: skip
    assert found.by_status == {
        "available": 0, "reserved": 1, "scheduled": 3, "assigned": 1, "published": 0, "cancelled": 0,
    }  # fmt: skip
    assert found.by_month == {
        "2026-11": {"scheduled": 2, "assigned": 1}, "2026-12": {"scheduled": 1}, "": {"reserved": 1},
    }  # fmt: skip
    assert found.by_imprint["Day"] == {"assigned": 1}
    assert found.by_format["ebook"] == {"scheduled": 2, "assigned": 1}
    assert found.upcoming == 2
    assert "python-stdnum" in found.ranges_date
    assert json.loads(json.dumps(found.as_dict()))["blocks"][0]["block"] == f"{BLOCK}:000-099"


def test_an_imprint_is_one_whatever_its_case_under_the_name_that_blocks_have(desk):
    written = ("LANTERN", "Lantern", " lantern", "Lantern", "NIGHT")
    for place, imprint in enumerate(written):
        desk.schedule(wanted(f"L-{place}", imprint=imprint))
    found = report(desk.workspace, desk.system, NOW)
    assert list(found.by_imprint) == ["Day", "Lantern", "Night", ""]
    assert (found.by_imprint["Lantern"], found.by_imprint["Night"]) == ({"scheduled": 4}, {"scheduled": 2})
    (sheet,) = (sheet for sheet in report_sheets(found) if sheet.title == "By imprint")
    assert [row[0] for row in sheet.rows] == ["Day", "Lantern", "Night", "(none)"]


def test_empty_months_are_left_out_beyond_a_year(desk):
    desk.schedule(wanted("Old", scheduled_date=dt.date(2020, 1, 1)))
    desk.schedule(wanted("New", scheduled_date=dt.date(2027, 3, 1)))
    found = report(desk.workspace, desk.system, NOW)
    assert list(found.by_month) == ["2020-01", "2026-11", "2026-12", "2027-01", "2027-02", "2027-03", ""]
    (sheet,) = (sheet for sheet in report_sheets(found) if sheet.title == "By month")
    assert [row[0] for row in sheet.rows][:2] == ["2020-01", "2026-11"]


def test_twelve_empty_months_are_told_and_thirteen_are_not(desk):
    desk.schedule(wanted("Y", scheduled_date=dt.date(2028, 1, 1)))
    assert len(report(desk.workspace, desk.system, NOW).by_month) == 16
    desk.schedule(wanted("Z", scheduled_date=dt.date(2029, 3, 1)))
    assert len(report(desk.workspace, desk.system, NOW).by_month) == 17


def test_numbers_of_blocks_that_overlap_count_once(desk):
    desk.add_block(block=BLOCK, first="50", last="149")
    assert report(desk.workspace, desk.system, NOW).totals["numbers"] == 160


def after(desk, days):
    return report(desk.workspace, desk.system, NOW + dt.timedelta(days=days))


def test_how_long_numbers_last_is_unknown_where_the_history_is_young(desk):
    found = after(desk, 1)
    assert (found.forecast.per_day, found.forecast.lasts_until) == (None, None)
    assert "fewer than 7 days" in found.forecast.why


def test_how_long_numbers_last_follows_from_the_numbers_newly_taken(desk):
    found = after(desk, 50)
    assert found.forecast.per_day == pytest.approx(5 / 50, rel=0.02)
    assert abs((found.forecast.lasts_until - found.at.date()).days - 105 * 10) <= 10
    assert found.block_forecasts["978-1-4028:0000-0009"].per_day == pytest.approx(1 / 50, rel=0.02)


def test_numbers_that_were_given_back_or_adopted_are_not_newly_taken(desk):
    from batchbook.isbn.adopt import AgencyRow, adopt

    desk.release(SECOND)
    rows = [AgencyRow({"isbn": "9781608880997", "title": "Old", "status": "published"})]
    list(adopt(desk.workspace, desk.system, desk.actor, rows))
    assert after(desk, 50).forecast.per_day == pytest.approx(4 / 50, rel=0.02)


def test_where_nothing_was_taken_of_late_no_end_is_told(desk):
    forecast = after(desk, 400).forecast
    assert (forecast.per_day, forecast.lasts_until) == (0, None)
    assert "no number was taken in the last 90 days" in forecast.why


def test_a_block_that_is_used_up_lasts_until_today():
    desk = small_desk(first="0", last="0")
    desk.schedule(wanted())
    found = after(desk, 20)
    assert (found.forecast.available, found.forecast.lasts_until) == (0, found.at.date())


def test_an_empty_workbook_has_a_report():
    desk = Desk()
    found = report(desk.workspace, desk.system, NOW)
    assert (found.totals["numbers"], found.by_month) == (0, {})
    assert len(report_sheets(found)) == 6


def test_the_report_as_a_workbook_has_charts_of_its_tables(desk, tmp_path):
    import openpyxl

    target = tmp_path / "report.xlsx"
    write_report(ReportFile(target, "", "ISBN report"), report_sheets(after(desk, 50)))
    book = openpyxl.load_workbook(target)
    drawn = {sheet.title: [chart.tagname for chart in sheet._charts] for sheet in book.worksheets}
    assert drawn == {
        "Summary": [],
        "By status": ["barChart"],
        "By month": ["barChart"],
        "By imprint": ["barChart"],
        "By format": ["pieChart"],
        "Blocks": ["barChart", "barChart"],
    }
    (months,) = book["By month"]._charts
    headers = [cell.value for cell in book["By month"][1]]
    assert months.grouping == "stacked"
    assert len(months.series) == len(headers) - 2  # all but the month's name and the sum


def test_the_report_is_written_as_a_workbook(desk, tmp_path):
    import openpyxl

    target = tmp_path / "report.xlsx"
    write_report(ReportFile(target, "", "ISBN report"), report_sheets(after(desk, 50)))
    book = openpyxl.load_workbook(target)
    assert book.sheetnames == ["Summary", "By status", "By month", "By imprint", "By format", "Blocks"]
    assert [len(sheet._charts) for sheet in book] == [0, 1, 1, 1, 1, 2]
    rows = list(book["Blocks"].iter_rows(values_only=True))
    assert rows[1][:7] == (f"{BLOCK}:000-099", None, None, 100, 4, 1, 96)
    said = [row[1] for row in book["Summary"].iter_rows(values_only=True) if row[0] == "Range table"]
    assert "python-stdnum" in said[0]


def test_a_number_that_only_the_history_knows_is_lost_in_the_figures_as_it_is_for_commands(tmp_path):
    from batchbook.isbn.records import Assignment

    made = small_desk(first="0", last="2")
    for book in ("B-1", "B-2"):
        made.schedule(wanted(book))
    # The first row was set back by hand, the second one deleted; there is no ledger.
    left = [Assignment(isbn=FIRST, status="available", block=f"{BLOCK}:000-002")]
    (block,) = made.workspace.table(made.system.blocks).where()
    desk = book_on_disk(tmp_path / "isbn.xlsx", [block], left, made.history)
    (use,) = queries.blocks(desk.workspace, desk.system)
    assert (use.used, use.lost, use.available) == (0, 2, 1)
    totals = report(desk.workspace, desk.system, NOW).totals
    assert (totals["used"], totals["lost"], totals["available"]) == (0, 2, 1)
    assert desk.schedule(wanted("B-3")).assignment.isbn == THIRD
    with pytest.raises(BatchbookError, match="0 free"):
        desk.schedule(wanted("B-4"))


def test_an_adoption_that_is_undone_and_done_again_does_not_change_the_rate(desk):
    from batchbook.isbn.adopt import AgencyRow, adopt

    before = after(desk, 50).forecast.per_day
    adopter = desk.actor
    rows = [AgencyRow({"isbn": isbn_of(978160888090 + n), "title": "Old"}) for n in range(3)]
    desk.workspace.take()
    assert {one.outcome for one in adopt(desk.workspace, desk.system, adopter, rows)} == {"done"}
    changes = desk.workspace.take()
    undo(desk, adopter.run, changes)
    assert after(desk, 50).forecast.per_day == pytest.approx(before, rel=0.02)
    turn(desk, adopter.run, [one for one in changes if one.sheet == desk.system.assignments.sheet], "reapply")
    assert desk.row(rows[0].values["isbn"]).title == "Old"
    assert after(desk, 50).forecast.per_day == pytest.approx(before, rel=0.02)
