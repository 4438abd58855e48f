"""Pruning: details of old runs leave the ledger, their summaries stay for ever.

Details are a run's outcomes, commits, changes, conflicts and saves: what `diff`, `undo` and `reapply` need. The values
last written into each row are no details of a run: they are kept whatever is pruned. A run is marked as pruned before
the first of its details goes, so that half of them never pass for all; each slice is one short transaction, and what a
crash or the time allowed leaves over goes with the next pruning.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from batchbook.storage.ledger import UNFINISHED, Ledger

_SLICE = 5000
"""Rows deleted in one transaction: a few hundredths of a second, in which no other process can commit."""

_DETAILS = (
    """DELETE FROM outcomes WHERE (run, seq, ordinal) IN
       (SELECT run, seq, ordinal FROM outcomes WHERE run = ?1 LIMIT ?2)""",
    """DELETE FROM changes WHERE (save, sheet, key) IN
       (SELECT c.save, c.sheet, c.key FROM saves s JOIN changes c ON c.save = s.id WHERE s.run = ?1 LIMIT ?2)""",
    "DELETE FROM conflicts WHERE id IN (SELECT id FROM conflicts WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM commits WHERE (run, seq) IN (SELECT run, seq FROM commits WHERE run = ?1 LIMIT ?2)",
    """DELETE FROM seals WHERE save IN
       (SELECT t.save FROM saves s JOIN seals t ON t.save = s.id WHERE s.run = ?1 LIMIT ?2)""",
    "DELETE FROM saves WHERE id IN (SELECT id FROM saves WHERE run = ?1 LIMIT ?2)",
    # Ended runs have given these two up already, unless one was ended by hand in another way.
    "DELETE FROM checkpoints WHERE (run, number) IN (SELECT run, number FROM checkpoints WHERE run = ?1 LIMIT ?2)",
    "DELETE FROM selection WHERE (run, ordinal) IN (SELECT run, ordinal FROM selection WHERE run = ?1 LIMIT ?2)",
)
_PAGES = 1000
"""Pages given back in one transaction (4 MB)."""
_SPARE = 2048
"""Free pages worth keeping for what the next run writes (8 MB), or a quarter of the file where that is more."""
BUSY_SECONDS = 1.0
"""How long pruning waits for another process that is writing: it can as well be done after the next run."""


@dataclass(frozen=True, slots=True)
class PrunedRun:
    """What is left of a pruned run's details: when they went, and how many there were."""

    at: str
    counts: Mapping[str, int]
    """Rows by outcome."""
    batches: int
    saves: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class Pruning:
    """What one pruning did: runs that lost their last details, rows deleted, whether nothing is left to be done."""

    runs: int
    rows: int
    complete: bool


def pruned_run(ledger: Ledger, run: str) -> PrunedRun | None:
    """What is left of a run's details, None where all of them are there."""
    row = ledger.one("SELECT at, counts, batches, saves, conflicts FROM pruned WHERE run = ?", [run])
    return PrunedRun(row[0], json.loads(row[1]), row[2], row[3], row[4]) if row else None


def prune(
    ledger: Ledger,
    ended_before: dt.datetime,
    *,
    seconds: float,
    now: str,
    stopping: Callable[[], bool] = lambda: False,
) -> Pruning:
    """Delete the details of runs that ended before a moment, for at most about so many seconds.

    Unfinished runs, and runs with a save of which nobody knows yet whether it was made, are left alone. LedgerError
    where the ledger cannot be written; what was deleted by then is deleted.
    """
    work = _Work(ledger, time.monotonic() + seconds, now, stopping)
    with ledger.patience(BUSY_SECONDS):
        return work.do(_due(ledger, ended_before))


def _due(ledger: Ledger, ended_before: dt.datetime) -> list[str]:
    """The ids of the runs whose details are to go, oldest first."""
    # Not by `Ledger.runs`: with commands there are many thousand, and after each of them this is asked.
    ended = ledger.query(
        f"""SELECT id, coalesce(ended, active) FROM runs WHERE status NOT IN ({", ".join("?" * len(UNFINISHED))})
            AND id NOT IN (SELECT run FROM pruned WHERE finished) ORDER BY started, id""",
        UNFINISHED,
    )
    return [run for run, when in ended if dt.datetime.fromisoformat(when) < ended_before]


class _Work:
    def __init__(self, ledger: Ledger, deadline: float, now: str, stopping: Callable[[], bool]) -> None:
        self._ledger = ledger
        self._deadline = deadline
        self._now = now
        self._stopping = stopping
        self._rows = 0

    @property
    def _over(self) -> bool:
        return time.monotonic() >= self._deadline or self._stopping()

    def do(self, due: list[str]) -> Pruning:
        done = 0
        for run in due:
            if self._over:
                break
            done += self._prune(run)
        return Pruning(done, self._rows, self._give_back() and done == len(due))

    def _prune(self, run: str) -> bool:
        """Delete a run's details; gives whether all of them are gone."""
        if not self._mark(run):
            return False
        for statement in _DETAILS:
            while True:
                if self._over:
                    return False
                with self._ledger.transaction():
                    gone = self._ledger.execute(statement, [run, _SLICE]).rowcount
                if not gone:
                    break
                self._rows += gone
        with self._ledger.transaction():
            self._ledger.execute("UPDATE pruned SET finished = 1 WHERE run = ?", [run])
        return True

    def _mark(self, run: str) -> bool:
        """Keep the counts and say that the details go, before the first of them does; False where they may not."""
        with self._ledger.transaction():
            # Judged here and not before: another process may have settled or taken up what was read earlier.
            if self._ledger.one(
                """SELECT 1 FROM saves WHERE run = ?1 AND state IN ('intent', 'pending')
                   UNION ALL SELECT 1 FROM runs WHERE id = ?1 AND ended IS NULL""",
                [run],
            ):
                return False
            counts = self._ledger.query(
                "SELECT outcome, count(*) FROM outcomes WHERE run = ? AND superseded = 0 GROUP BY outcome", [run]
            )
            self._ledger.execute(
                """INSERT OR IGNORE INTO pruned (run, at, counts, batches, saves, conflicts)
                   SELECT ?1, ?2, ?3, (SELECT coalesce(max(batch), 0) FROM commits WHERE run = ?1),
                          (SELECT count(*) FROM saves WHERE run = ?1 AND state = 'saved' AND new <> ''),
                          (SELECT count(*) FROM conflicts WHERE run = ?1)""",
                [run, self._now, json.dumps({row[0]: row[1] for row in counts})],
            )
        return True

    def _give_back(self) -> bool:
        """Give free pages back to the file system where there are many; False where time ran out before."""
        while True:
            free, pages = (self._pragma(name) for name in ("freelist_count", "page_count"))
            if free <= max(_SPARE, pages // 4) or not self._pragma("auto_vacuum"):
                return True
            if self._over:
                return False
            self._ledger.execute(f"PRAGMA incremental_vacuum({min(_PAGES, free)})").fetchall()

    def _pragma(self, name: str) -> int:
        row = self._ledger.one(f"PRAGMA {name}")
        return int(row[0]) if row else 0
