import datetime as dt

import pytest

from batchbook.batch.details import DetailRows
from batchbook.batch.judging import LONGEST_REASON, ContractError
from batchbook.batch.processors import DetailSheet, RowResult
from batchbook.config import Marks
from batchbook.errors import Rejected, Transient, Unknown
from batchbook.xlsx import SheetColumn
from tests.batch.helpers import judge_for, rows_of

ALL_MARKS = Marks(status="Status", reason="Why", checked_at="At")
DETAILS = {"More": DetailSheet((SheetColumn("Key"), SheetColumn("Fact")))}


def test_new_values_are_done_and_only_what_differs_is_written():
    (row,) = rows_of(1, Result="old")
    outcome = judge_for().result(row, {"Result": "new"})
    assert (outcome.outcome, dict(outcome.writes)) == ("done", {"Result": "new"})


def test_values_equal_to_what_is_there_are_unchanged_and_known_all_the_same():
    (row,) = rows_of(1, Result=2)
    outcome = judge_for().result(row, {"Result": 2.0})
    assert (outcome.outcome, dict(outcome.writes)) == ("unchanged", {"Result": 2})


def test_none_is_unchanged():
    (row,) = rows_of(1, Result="old")
    assert judge_for().result(row, None).outcome == "unchanged"


@pytest.mark.parametrize(
    "result",
    [["Result"], "text", {"Other": 1}, {"Result": object()}, {"Result": "x" * 32_768}, {"Result": float("nan")},
     {"Result": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)}, RowResult(details={"More": []})],
)  # fmt: skip
def test_what_a_processor_may_not_return_is_named(result):
    (row,) = rows_of(1)
    with pytest.raises(ContractError):
        judge_for().result(row, result)


def test_a_rejected_row_loses_last_nights_value_where_nothing_else_says_so():
    (row,) = rows_of(1, Result="last night")
    outcome = judge_for(details=DETAILS).signal(row, Rejected("no such thing"))
    assert (outcome.outcome, outcome.reason) == ("rejected", "no such thing")
    assert dict(outcome.writes) == {"Result": None}
    assert outcome.details == {"More": ()}


def test_a_rejected_row_keeps_its_value_where_a_mark_says_so():
    (row,) = rows_of(1, Result="last night", At=None)
    outcome = judge_for(ALL_MARKS).signal(row, Rejected("no such thing"))
    assert dict(outcome.writes) == {
        "Status": "rejected", "Why": "no such thing", "At": "2026-03-01T12:00:00+00:00",
    }  # fmt: skip


def test_a_failed_row_is_marked_but_does_not_count_as_checked():
    (row,) = rows_of(1, At="2026-02-01T00:00:00+00:00")
    outcome = judge_for(ALL_MARKS).signal(row, OSError("no route"))
    assert outcome.outcome == "failed"
    assert "At" not in outcome.writes
    assert outcome.writes["Why"] == "OSError: no route"


def test_unknown_writes_what_it_was_given_and_clears_the_rest():
    (row,) = rows_of(1, Result="last night")
    assert dict(judge_for().signal(row, Unknown("no answer")).writes) == {"Result": None}
    outcome = judge_for().signal(row, Unknown("no answer", Result="?"))
    assert (outcome.outcome, dict(outcome.writes)) == ("unknown", {"Result": "?"})


def test_unknown_with_a_column_that_is_not_the_jobs_is_a_failure():
    (row,) = rows_of(1)
    outcome = judge_for().signal(row, Unknown("no answer", Foreign="?"))
    assert outcome.outcome == "failed"
    assert "'Foreign'" in outcome.reason


def test_a_result_can_be_written_and_unknown_at_once():
    (row,) = rows_of(1)
    outcome = judge_for().result(row, RowResult({"Result": "maybe"}, unknown="half an answer"))
    assert (outcome.outcome, outcome.reason, dict(outcome.writes)) == ("unknown", "half an answer", {"Result": "maybe"})


def test_details_that_differ_make_a_row_done():
    (row,) = rows_of(1)
    judge = judge_for(details=DETAILS, known={"More": DetailRows([(row.key, [["K1", "a"]])])})
    assert judge.result(row, RowResult(details={"More": [("K1", "a")]})).outcome == "unchanged"
    assert judge.result(row, RowResult(details={"More": [("K1", "b")]})).outcome == "done"
    assert judge.result(row, RowResult(details={"More": []})).outcome == "done"


def test_transient_trouble_that_did_not_pass_is_a_failure_with_its_reason():
    (row,) = rows_of(1)
    outcome = judge_for().signal(row, Transient("busy"))
    assert (outcome.outcome, outcome.reason) == ("failed", "busy")


def test_a_reason_of_many_lines_becomes_one_short_line():
    (row,) = rows_of(1)
    reason = judge_for().signal(row, ValueError("a\nb " + "x" * 5000)).reason
    assert "\n" not in reason
    assert len(reason) == LONGEST_REASON


def test_what_numpy_and_pandas_give_is_written_as_plain_values():
    pandas = pytest.importorskip("pandas")
    (row,) = rows_of(1)
    frame = pandas.DataFrame({"n": [3], "f": [2.5], "b": [True], "t": [pandas.Timestamp(2024, 5, 1, 12)]})
    for column, expected in (("n", 3), ("f", 2.5), ("b", True), ("t", dt.datetime(2024, 5, 1, 12))):
        written = judge_for().result(row, {"Result": frame[column].iloc[0]}).writes["Result"]
        assert (written, isinstance(written, type(expected))) == (expected, True)
    for missing in (float("nan"), pandas.NaT, pandas.NA):
        with pytest.raises(ContractError):
            judge_for().result(row, {"Result": missing})


@pytest.mark.parametrize("unknown", [None, "no answer"])
def test_a_row_of_which_nothing_was_found_out_keeps_the_time_of_its_last_check(unknown):
    judge = judge_for(Marks(checked_at="Checked"))
    (taken,) = rows_of(1)
    checked = judge.result(taken, RowResult({"Result": "x"}, unknown=unknown))
    assert checked.writes["Checked"]
    not_checked = judge.result(taken, RowResult({"Result": "x"}, unknown=unknown, checked=False))
    assert "Checked" not in not_checked.writes
    assert not_checked.writes["Result"] == "x"
