import datetime as dt

import pytest

from batchbook.batch.selection import Selector, as_moment
from tests.batch.helpers import Site, counted, people

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)
CHECKED = ("Key", "Name", "Result", "Checked at")


def selected(site, **request):
    work, seen = counted()
    site.use(work)
    site.run(**request)
    return seen


@pytest.mark.parametrize(
    ("request_", "keys"),
    [
        ({"start_row": 6}, ["K5", "K6"]),
        ({"end_row": 3}, ["K1", "K2"]),
        ({"start_row": 3, "end_row": 4}, ["K2", "K3"]),
        ({"keys": ("K5", "K2", "nobody")}, ["K2", "K5"]),
        ({"start_row": 100}, []),
    ],
)
def test_rows_are_chosen_by_excel_row_or_key(site, request_, keys):
    assert selected(site, **request_) == keys


def test_blank_takes_the_rows_that_have_no_result_whatever_their_marks_say(tmp_path):
    site = Site(tmp_path / "w", select="blank", marks={"status": "Note"})
    site.cell("C3", "there")
    assert selected(site) == ["K1", "K3", "K4", "K5", "K6"]


def test_a_row_with_one_of_two_results_is_not_blank(tmp_path):
    site = Site(tmp_path / "w", select="blank", writes=["Result", "Note"])
    site.edit(lambda sheet: [sheet.cell(row, 4).__setattr__("value", None) for row in range(2, 8)])
    site.cell("C3", "there")
    assert "K2" not in selected(site)


def test_stale_takes_what_was_checked_too_long_ago_or_never(tmp_path):
    site = Site(tmp_path / "w", select={"stale": "7d"}, marks={"checked_at": "Checked at"})
    ages = {"K1": "2026-03-09T12:00:00+00:00", "K2": "2026-03-01T12:00:00+00:00", "K3": None, "K4": "yesterday"}
    ages["K5"] = dt.datetime(2026, 3, 9)
    ages["K6"] = dt.datetime(2026, 2, 1)
    site.make_book([[key, "n", "old", at] for key, at in ages.items()], CHECKED)
    assert selected(site, clock=lambda: NOW) == ["K2", "K3", "K4", "K6"]
    assert selected(site, clock=lambda: NOW + dt.timedelta(hours=1)) == [], "all were checked just now"


def test_a_failed_row_stays_stale_and_a_rejected_one_does_not(tmp_path):
    from batchbook.errors import Rejected

    def work(row):
        raise {"K1": Rejected("no"), "K2": OSError("no route")}[row.key[0]]

    site = Site(tmp_path / "w", processor=work, select={"stale": "7d"}, marks={"checked_at": "Checked at"})
    site.make_book(people(2), CHECKED)
    site.edit(lambda sheet: [sheet.cell(row, 4).__setattr__("value", None) for row in (2, 3)])
    site.run(clock=lambda: NOW)
    assert selected(site, clock=lambda: NOW) == ["K2"]


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-03-01T10:00:00+02:00", dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)),
        (" 2026-03-01 ", dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
        (dt.datetime(2026, 3, 1), dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
        ("soon", None), (7, None), (None, None), (dt.time(1), None),
    ],
)  # fmt: skip
def test_a_checked_at_cell_is_a_moment_or_nothing(value, moment):
    assert as_moment(value, dt.UTC) == moment


def test_the_selection_of_a_run_is_empty_where_no_row_is_wanted(site):
    assert Selector(site.job(), NOW, only=frozenset()).only == frozenset()
    result = site.run(keys=("nobody",))
    assert (result.rows.selected, result.status) == (0, "completed")
