import asyncio
import dataclasses
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.batch import processor as module
from batchbook.batch.interrupt import StopToken
from batchbook.batch.processor import RowFeed
from batchbook.batch.processors import Processor
from batchbook.batch.strategies import BatchPlan
from batchbook.errors import Rejected, Transient, Unknown
from tests.batch.helpers import CONTEXT, processor_for, rows_of


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr(module, "RETRY_FIRST", 0.001)
    monkeypatch.setattr(module, "RETRY_MOST", 0.002)


def work(processor, rows, plan=None):
    """All outcomes of one batch, by key."""
    outcomes = []
    count = processor.run(RowFeed(rows), plan or BatchPlan(len(rows) or 1), outcomes.extend)
    assert count == len(outcomes)
    return {outcome.taken.key: outcome for outcome in outcomes}


@pytest.mark.parametrize("concurrency", [1, 5])
def test_a_bad_row_fails_alone(concurrency):
    def function(row):
        if row.key == ("K3",):
            raise ValueError("broken")
        return {"Result": row["Name"]}

    outcomes = work(processor_for(function, concurrency=concurrency), rows_of(10))
    assert len(outcomes) == 10
    assert [o.taken.ordinal for o in outcomes.values() if o.outcome != "done"] == [3]


def test_a_processor_that_calls_exit_fails_its_row_only():
    def function(row):
        if row.key == ("K2",):
            raise SystemExit(1)
        return {"Result": 1}

    outcomes = work(processor_for(function), rows_of(3))
    assert sorted(o.outcome for o in outcomes.values()) == ["done", "done", "failed"]


def test_trouble_is_tried_again_and_counted():
    tries = []

    def function(row):
        tries.append(row.key)
        if len(tries) < 3:
            raise Transient("busy")
        return {"Result": "at last"}

    (outcome,) = work(processor_for(function, tries=3), rows_of(1)).values()
    assert outcome.outcome == "done"
    assert len(tries) == 3


@pytest.mark.parametrize("verdict", [Rejected("wrong"), Unknown("nobody knows")])
def test_a_verdict_is_never_tried_again(verdict):
    tries = []

    def function(row):
        tries.append(1)
        raise verdict

    (outcome,) = work(processor_for(function, tries=5), rows_of(1)).values()
    assert outcome.reason == verdict.reason
    assert len(tries) == 1


def test_a_rejected_row_never_reaches_the_processor():
    rows = rows_of(2)
    rows[0] = type(rows[0])(1, rows[0].key, rows[0].table_row, "the key is empty")
    seen = []
    outcomes = work(processor_for(lambda row: seen.append(row.number)), rows)
    assert seen == [2]
    assert outcomes[rows[0].key].outcome == "rejected"


def test_rows_run_side_by_side_up_to_the_concurrency():
    together = threading.Barrier(4, timeout=10)

    def function(row):
        together.wait()
        return {"Result": 1}

    outcomes = work(processor_for(function, concurrency=4), rows_of(8))
    assert {o.outcome for o in outcomes.values()} == {"done"}


def test_an_async_processor_runs_rows_side_by_side_and_retries():
    running, most = 0, 0
    failed = set()

    class Async(Processor):
        async def process(self, row):
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            if row.key == ("K5",) and row.key not in failed:
                failed.add(row.key)
                raise Transient("once")
            if row.key == ("K6",):
                raise Rejected("no")
            return {"Result": 1}

    outcomes = work(processor_for(concurrency=4, tries=2, processor=Async(None, CONTEXT)), rows_of(12))
    assert len(outcomes) == 12
    assert 1 < most <= 4
    assert [o.taken.ordinal for o in outcomes.values() if o.outcome == "rejected"] == [6]
    assert sum(o.outcome == "done" for o in outcomes.values()) == 11


def test_a_whole_batch_that_fails_is_isolated_row_by_row():
    class Whole(Processor):
        def process_batch(self, rows):
            if any(row.key == ("K2",) for row in rows):
                raise ValueError("one of them is bad")
            return [{"Result": row.number} for row in rows]

    outcomes = work(processor_for(tries=2, processor=Whole(None, CONTEXT)), rows_of(5))
    assert [o.taken.ordinal for o in outcomes.values() if o.outcome == "failed"] == [2]
    assert sum(o.outcome == "done" for o in outcomes.values()) == 4


def test_a_batch_processor_that_returns_too_few_results_fails_all_of_them_with_the_reason():
    class Short(Processor):
        def process_batch(self, rows):
            return []

    outcomes = work(processor_for(processor=Short(None, CONTEXT)), rows_of(3))
    assert {o.reason for o in outcomes.values()} == {"process_batch returned 0 results for 3 rows"}


def test_results_are_committed_while_a_slow_row_still_runs(monkeypatch):
    monkeypatch.setattr(module, "COMMIT_SECONDS", 0.05)
    release = threading.Event()
    commits = []

    def commit(outcomes):
        commits.append(len(outcomes))
        release.set()

    def function(row):
        if row.key == ("K2",):
            assert release.wait(10)
        return {"Result": 1}

    count = processor_for(function, concurrency=2).run(RowFeed(rows_of(2)), BatchPlan(2), commit)
    assert count == 2
    assert commits == [1, 1]


def test_a_stop_takes_no_further_row_and_waits_for_those_in_hand():
    stop = StopToken()

    def function(row):
        stop.stop()
        time.sleep(0.1)
        return {"Result": 1}

    feed = RowFeed(rows_of(10))
    committed = []
    count = processor_for(function, concurrency=2, stop=stop).run(feed, BatchPlan(10), committed.extend)
    assert 1 <= count <= 2
    assert len(feed.take(100)) == 10 - count


def test_a_row_that_hangs_does_not_hold_a_stop_for_longer_than_the_grace(monkeypatch):
    from batchbook.batch import interrupt

    monkeypatch.setattr(interrupt, "GRACE_SECONDS", 0.2)
    stop = StopToken()
    never = threading.Event()

    def function(row):
        stop.stop()
        never.wait(30)

    assert processor_for(function, stop=stop).run(RowFeed(rows_of(3)), BatchPlan(3), lambda _: None) == 0


def test_a_time_based_batch_ends_in_time_and_gives_back_what_it_did_not_begin():
    def function(row):
        time.sleep(0.01)
        return {"Result": 1}

    feed = RowFeed(rows_of(500))
    committed = []
    processor = processor_for(function, concurrency=2)
    first = processor.run(feed, BatchPlan(None, 0.1), committed.extend)
    assert 0 < first < 500
    rest = processor.run(feed, BatchPlan(None, 60), committed.extend)
    assert first + rest == 500
    assert sorted(o.taken.ordinal for o in committed) == list(range(1, 501))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_every_row_ends_exactly_once_whatever_the_batches(data):
    total = data.draw(st.integers(0, 60))
    sizes = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=30))
    concurrency = data.draw(st.integers(1, 6))
    feed = RowFeed(rows_of(total))
    processor = processor_for(lambda row: {"Result": row.number}, concurrency=concurrency)
    ended = []
    for size in [*sizes, 1000]:
        processor.run(feed, BatchPlan(size), ended.extend)
    assert sorted(o.taken.ordinal for o in ended) == list(range(1, total + 1))


class Told(Processor):
    """Knows which rows it was told of, and at which of them it was told."""

    def __init__(self, trouble=None):
        super().__init__(None, CONTEXT)
        self.told, self.done, self.trouble = [], [], trouble

    def coming(self, rows):
        assert not set(self.done) & {row.key for row in rows}
        self.told.extend(row.key for row in rows)
        if self.trouble:
            raise self.trouble

    def process(self, row):
        self.done.append(row.key)
        return {"Result": 1}


def test_a_processor_is_told_of_the_rows_of_a_batch_before_it_gets_the_first():
    processor = Told()
    rows = rows_of(7)
    rows[2] = dataclasses.replace(rows[2], problem="its key is empty")
    assert len(work(processor_for(processor=processor, concurrency=3), rows)) == 7
    assert processor.told == [row.table_row.key for row in rows if row is not rows[2]]
    assert sorted(processor.told) == sorted(processor.done)


def test_trouble_with_rows_to_come_costs_no_row():
    outcomes = work(processor_for(processor=Told(RuntimeError("no"))), rows_of(3))
    assert [one.outcome for one in outcomes.values()] == ["done"] * 3
