"""BatchProcessor: turns batches of rows into outcomes, several rows at a time, each row isolated from the others."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import tenacity

from batchbook.batch.interrupt import StopToken
from batchbook.batch.judging import ContractError, Judge
from batchbook.batch.outcomes import RowOutcome, TakenRow
from batchbook.batch.processors import Processor
from batchbook.batch.strategies import BatchPlan
from batchbook.errors import Rejected, Unknown

COMMIT_SECONDS = 1.0
"""Outcomes become durable at least this often while rows are slow."""
RETRY_FIRST, RETRY_MOST = 0.2, 10.0
"""Seconds before the first retry and at most; the wait doubles, with jitter."""

LOOK_SECONDS = 0.05
"""So often the run's own thread looks for outcomes for which it is not woken."""

_FINAL = (Rejected, Unknown, ContractError)


class RowFeed:
    """Rows in order, with a way to give back those that were taken but not begun."""

    def __init__(self, rows: Iterable[TakenRow]) -> None:
        self._rows: Iterator[TakenRow] = iter(rows)
        self._back: deque[TakenRow] = deque()

    def take(self, most: int) -> list[TakenRow]:
        """Up to so many rows."""
        taken = [self._back.popleft() for _ in range(min(most, len(self._back)))]
        taken.extend(islice(self._rows, most - len(taken)))
        return taken

    def give_back(self, rows: Iterable[TakenRow]) -> None:
        """Rows that were not begun; they come first next time."""
        self._back.extendleft(reversed(list(rows)))


class _Ended:
    """Outcomes on their way from the workers to the run's own thread."""

    def __init__(self) -> None:
        self._outcomes: deque[RowOutcome | None] = deque()
        self._wake = threading.Event()

    def put(self, outcome: RowOutcome | None, *, wake: bool = True) -> None:
        """One more; it is taken at once, or without `wake` when it is next looked for."""
        self._outcomes.append(outcome)
        if wake:
            self._wake.set()

    def wake(self) -> None:
        """Let what was put be taken at once."""
        self._wake.set()

    def take(self, timeout: float) -> list[RowOutcome | None]:
        """All that were put, as soon as it is woken for one or the time (in seconds) is over."""
        self._wake.wait(timeout)
        self._wake.clear()  # before they are taken: who puts one from now on wakes again
        taken = []
        with suppress(IndexError):
            while True:
                taken.append(self._outcomes.popleft())
        return taken


class BatchProcessor:
    """Runs one job's processor over batches: concurrency, retries, isolation of a bad row."""

    def __init__(self, processor: Processor, judge: Judge, *, concurrency: int, tries: int, stop: StopToken) -> None:
        self._processor = processor
        self.judge = judge
        """Decides outcomes; replaced where the workbook was opened anew."""
        self._tries = tries
        self._stop = stop
        self._concurrency = 1 if processor.takes_batches or processor.system is not None else concurrency
        self._todo: deque[TakenRow] = deque()
        self._ended = _Ended()
        # A thread that is woken for each row takes the interpreter from the one that does them: rows that go one after
        # another, and are quick, take twice as long by that. They are looked for often enough all the same.
        self._wake_each = processor.system is None
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = 0
        self._active = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, feed: RowFeed, plan: BatchPlan, commit: Callable[[list[RowOutcome]], None]) -> int:
        """Do one batch; gives how many rows have an outcome.

        `commit` is called from this thread with outcomes that are to be made durable: at the end, and at least every
        `COMMIT_SECONDS` while rows are slow. When the run is asked to stop, no further row is begun and those in hand
        have what is left of the grace; what is not done by then is not committed.
        """
        deadline = None if plan.seconds is None else time.monotonic() + plan.seconds
        begun = self._fill(feed, plan)
        return self._collect(feed, plan, deadline, begun, commit) if begun else 0

    def _fill(self, feed: RowFeed, plan: BatchPlan) -> int:
        most = plan.rows if plan.rows is not None else 4 * self._concurrency
        rows = [] if self._stop.stopping else feed.take(most)
        with suppress(Exception):  # a mere hint; each row says for itself what is wrong with it
            self._processor.coming([taken.row for taken in rows if taken.problem is None])
        self._todo.extend(rows)
        return len(rows)

    def _collect(
        self,
        feed: RowFeed,
        plan: BatchPlan,
        deadline: float | None,
        begun: int,
        commit: Callable[[list[RowOutcome]], None],
    ) -> int:
        done = 0
        fresh: list[RowOutcome] = []
        committed_at = time.monotonic()
        while begun:
            self._ensure_workers()
            ended = self._ended.take(LOOK_SECONDS if self._stop.stopping or not self._wake_each else 0.2)
            begun -= len(ended)
            fresh += [outcome for outcome in ended if outcome is not None]  # None: asked to stop between two tries
            if fresh and time.monotonic() - committed_at >= COMMIT_SECONDS:
                commit(fresh)
                done, fresh, committed_at = done + len(fresh), [], time.monotonic()
            if self._stop.stopping or (deadline is not None and time.monotonic() >= deadline):
                begun -= self._return_unbegun(feed)
                if self._stop.stopping and self._stop.grace_left <= 0:
                    break
            elif plan.rows is None and len(self._todo) < self._concurrency:
                begun += self._fill(feed, plan)
        if fresh:
            commit(fresh)
        return done + len(fresh)

    def _return_unbegun(self, feed: RowFeed) -> int:
        back = []
        while True:
            try:
                back.append(self._todo.popleft())
            except IndexError:
                break
        feed.give_back(back)
        return len(back)

    # --- workers ---------------------------------------------------------------------------------------------------

    def _ensure_workers(self) -> None:
        missing = min(len(self._todo), self._concurrency) - self._active
        for _ in range(missing):
            self._count(+1)
            if self._processor.is_async:
                asyncio.run_coroutine_threadsafe(self._drain_async(), self._event_loop())
            else:
                self._work.put(self._drain_batch if self._processor.takes_batches else self._drain)
        while not self._processor.is_async and self._threads < self._active:
            # Daemon threads: a row that hangs must not keep the process from ending.
            threading.Thread(target=self._serve, name=f"batchbook-worker-{self._threads}", daemon=True).start()
            self._threads += 1

    def _count(self, change: int) -> None:
        with self._lock:
            self._active += change

    def _serve(self) -> None:
        while True:
            self._work.get()()

    def _next_row(self) -> TakenRow | None:
        try:
            return None if self._stop.stopping else self._todo.popleft()
        except IndexError:  # nothing left to do
            return None

    def _judged(self, taken: TakenRow, verdict: Callable[[], RowOutcome | None]) -> RowOutcome | None:
        """A verdict, whatever a user's values and exceptions do while it is made: a row without one would be waited
        for without end.
        """
        try:
            return verdict()
        except BaseException as error:  # noqa: BLE001 - told as the row's outcome
            return self.judge.broken(taken, error)

    def _drain(self) -> None:
        try:
            while (taken := self._next_row()) is not None:
                outcome = self._judged(taken, partial(self._one, taken))
                self._ended.put(outcome, wake=self._wake_each or not self._todo)
        finally:
            self._count(-1)
            self._ended.wake()  # what was put without, where the run is asked to stop

    def _one(self, taken: TakenRow) -> RowOutcome | None:
        if taken.problem is not None:
            return self.judge.rejected(taken, taken.problem)

        def once() -> RowOutcome:
            return self.judge.result(taken, self._processor.process(taken.row))

        try:
            return once()
        except BaseException as error:  # noqa: BLE001 - whatever a processor raises (exit() too) fails its own row only
            return self._again(taken, error, once)

    def _again(self, taken: TakenRow, first: BaseException, once: Callable[[], RowOutcome]) -> RowOutcome | None:
        """What comes of a row whose first try raised: further tries where that may help."""
        if self._tries <= 1 or isinstance(first, _FINAL) or not isinstance(first, Exception):
            return self.judge.signal(taken, first)
        try:
            self._sleep(RETRY_FIRST)
            outcome: RowOutcome = self._retrying(tenacity.Retrying, self._sleep)(once)
            return outcome
        except _Stopped:
            return None
        except BaseException as error:  # noqa: BLE001 - as in _one
            return self.judge.signal(taken, error)

    def _retrying(self, kind: Any, sleep: Callable[[float], Any]) -> Any:
        return kind(
            # The first try was made outside: most rows need no second, and tenacity costs more than a quick row.
            stop=tenacity.stop_after_attempt(self._tries - 1),
            wait=tenacity.wait_exponential(multiplier=2 * RETRY_FIRST, max=RETRY_MOST)
            + tenacity.wait_random(0, RETRY_FIRST),
            retry=tenacity.retry_if_not_exception_type(_FINAL),
            sleep=sleep,
            reraise=True,
        )

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopped

    # --- processors that take whole batches ------------------------------------------------------------------------

    def _drain_batch(self) -> None:
        rows = []
        try:
            while (taken := self._next_row()) is not None:
                if taken.problem is None:
                    rows.append(taken)
                else:
                    self._ended.put(self._judged(taken, partial(self._judge_problem, taken, taken.problem)))
            self._whole(rows)
        finally:
            self._count(-1)

    def _judge_problem(self, taken: TakenRow, problem: str) -> RowOutcome:
        return self.judge.rejected(taken, problem)

    def _whole(self, rows: Sequence[TakenRow]) -> None:
        if not rows:
            return
        try:
            results = list(self._processor.process_batch([taken.row for taken in rows]))
            if len(results) != len(rows):
                raise ContractError(f"process_batch returned {len(results)} results for {len(rows)} rows")
        except BaseException as error:  # noqa: BLE001 - isolated below, row by row
            self._isolate(rows, error)
            return
        for taken, result in zip(rows, results, strict=True):
            self._ended.put(self._judged(taken, partial(self._verdict, taken, result)))

    def _verdict(self, taken: TakenRow, result: object) -> RowOutcome:
        try:
            if isinstance(result, BaseException):
                return self.judge.signal(taken, result)
            return self.judge.result(taken, result)
        except ContractError as error:
            return self.judge.signal(taken, error)

    def _isolate(self, rows: Sequence[TakenRow], error: BaseException) -> None:
        """A batch that failed as a whole is done row by row, so that only the bad row fails."""
        if len(rows) > 1 and not isinstance(error, ContractError):
            for taken in rows:
                self._whole([taken])
        else:
            for taken in rows:
                self._ended.put(self._judged(taken, partial(self._again, taken, error, partial(self._alone, taken))))

    def _alone(self, taken: TakenRow) -> RowOutcome:
        (result,) = self._processor.process_batch([taken.row])
        if isinstance(result, Exception):
            raise result
        return self.judge.result(taken, result)

    # --- async processors ------------------------------------------------------------------------------------------

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="batchbook-async", daemon=True).start()
        return self._loop

    async def _drain_async(self) -> None:
        try:
            while (taken := self._next_row()) is not None:
                self._ended.put(await self._judged_async(taken))
        finally:
            self._count(-1)

    async def _judged_async(self, taken: TakenRow) -> RowOutcome | None:
        try:
            return await self._one_async(taken)
        except BaseException as error:  # noqa: BLE001 - as in _judged; CancelledError and exit() too
            return self.judge.broken(taken, error)

    async def _one_async(self, taken: TakenRow) -> RowOutcome | None:
        if taken.problem is not None:
            return self.judge.rejected(taken, taken.problem)

        async def once() -> RowOutcome:
            process: Any = self._processor.process
            return self.judge.result(taken, await process(taken.row))

        try:
            return await once()
        except BaseException as error:  # noqa: BLE001 - whatever a processor raises fails its own row only
            if not isinstance(error, Exception) or self._tries <= 1 or isinstance(error, _FINAL):
                return self.judge.signal(taken, error)
        try:
            await self._sleep_async(RETRY_FIRST)
            outcome: RowOutcome = await self._retrying(tenacity.AsyncRetrying, self._sleep_async)(once)
            return outcome
        except _Stopped:
            return None
        except BaseException as error:  # noqa: BLE001 - as above
            return self.judge.signal(taken, error)

    async def _sleep_async(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._stop.stopping:
                raise _Stopped
            await asyncio.sleep(min(0.1, max(0.0, end - time.monotonic())))


class _Stopped(Exception):
    """The run was asked to stop between two tries of a row."""
