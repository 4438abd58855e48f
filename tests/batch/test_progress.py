from batchbook.batch.outcomes import Counts, Outcome, RowOutcome
from batchbook.batch.progress import (
    BatchDone,
    ProgressTracker,
    RowProblem,
    RowsCommitted,
    RunStarted,
    Saved,
    Warned,
)  # fmt: skip
from batchbook.errors import Rejected
from tests.batch.helpers import rows_of, shout


def test_counts_start_from_what_earlier_attempts_did():
    told = []
    tracker = ProgressTracker(told.append, 10, {"done": 4})
    tracker.committed([RowOutcome(row, Outcome.DONE) for row in rows_of(2)])
    assert (tracker.counts.done, tracker.counts.remaining) == (6, 4)
    assert isinstance(told[-1], RowsCommitted)
    assert told[-1].seconds_left is not None


def test_every_problem_is_told_with_its_row_and_reason():
    told = []
    tracker = ProgressTracker(told.append, 3, {})
    kinds = [Outcome.REJECTED, Outcome.FAILED, Outcome.UNKNOWN]
    tracker.committed([RowOutcome(row, kind, "why") for row, kind in zip(rows_of(3), kinds, strict=True)])
    problems = [event for event in told if isinstance(event, RowProblem)]
    assert [(one.number, one.key, one.outcome, one.reason) for one in problems] == [
        (n, f"K{n}", kind.value, "why") for n, kind in enumerate(kinds, 1)
    ]


def test_a_recount_takes_the_place_of_what_was_counted():
    tracker = ProgressTracker(lambda _: None, 3, {"done": 3})
    tracker.recount({"done": 1, "gone": 1})
    assert tracker.counts == Counts(3, done=1, gone=1)


def test_a_run_tells_its_beginning_its_batches_and_its_saves_in_order(site):
    def work(row):
        if row.key == ("K2",):
            raise Rejected("no")
        return shout(row)

    site.use(work)
    site.run()
    kinds = [type(event) for event in site.events if not isinstance(event, Warned | RowsCommitted)]
    assert kinds[:4] == [RunStarted, RowProblem, BatchDone, Saved]
    assert [event.counts.ended for event in site.events if isinstance(event, BatchDone)] == [3, 6]
    assert [event.number for event in site.events if isinstance(event, BatchDone)] == [1, 2]
