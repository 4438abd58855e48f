"""A run's rows by key, to be matched with the rows of a sheet that somebody changed.

They lie in a temporary table of the ledger beside what the match finds, so that neither takes memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from batchbook.storage.ledger import Ledger
from batchbook.storage.runlog import OUTCOME_COLUMNS, RunLog, Selected, StoredOutcome

Verdict: TypeAlias = Literal["redo", "rejected"]


@dataclass(frozen=True, slots=True)
class RunRow:
    """One row of a run: the outcome that counts, or none yet; whether the workbook has it."""

    selected: Selected
    outcome: StoredOutcome | None
    saved: bool


class RunRows:
    """All rows of one run. A later one takes the place of an earlier: there is one table for it."""

    def __init__(self, log: RunLog) -> None:
        self._ledger: Ledger = log.ledger
        self._run = log.run.id
        self._ledger.execute("DELETE FROM temp.run_rows")
        self._ledger.execute(
            """INSERT OR REPLACE INTO temp.run_rows (key, ordinal, number, seq, saved)
               SELECT key, ordinal, number, seq, save IS NOT NULL FROM outcomes WHERE run = ?1 AND superseded = 0
               UNION ALL
               SELECT key, ordinal, number, NULL, 0 FROM selection s WHERE run = ?1 AND NOT EXISTS
               (SELECT 1 FROM outcomes o WHERE o.run = ?1 AND o.ordinal = s.ordinal AND o.superseded = 0)""",
            [self._run],
        )

    def find(self, key: str) -> RunRow | None:
        """The run's row with this key text, which counts as found from now on; None where the run has none."""
        found = self._ledger.one("SELECT ordinal, number, seq, saved FROM temp.run_rows WHERE key = ?", [key])
        if found is None:
            return None
        self._ledger.execute("UPDATE temp.run_rows SET found = 1 WHERE key = ?", [key])
        return self._row(key, *found)

    def _row(self, key: str, ordinal: int, number: int, seq: int | None, saved: int) -> RunRow:
        selected = Selected(ordinal, key, number)
        if seq is None:
            return RunRow(selected, None, False)
        outcome = self._ledger.one(
            f"SELECT {OUTCOME_COLUMNS} FROM outcomes WHERE run = ? AND seq = ? AND ordinal = ?",
            [self._run, seq, ordinal],
        )
        return RunRow(selected, StoredOutcome(*outcome) if outcome else None, bool(saved))

    def missing(self, after: int, most: int) -> list[RunRow]:
        """Up to so many rows that were not found, from the place in the selection that follows `after`."""
        rows = self._ledger.query(
            """SELECT key, ordinal, number, seq, saved FROM temp.run_rows
               WHERE NOT found AND ordinal > ? ORDER BY ordinal LIMIT ?""",
            [after, most],
        )
        return [self._row(*row) for row in list(rows)]

    def missing_keys(self) -> Iterator[str]:
        """The key texts of all rows that were not found."""
        for row in self._ledger.query("SELECT key FROM temp.run_rows WHERE NOT found"):
            yield row[0]

    def __contains__(self, key: object) -> bool:
        """Whether the run has a row with this key text."""
        return self._ledger.one("SELECT 1 FROM temp.run_rows WHERE key = ?", [key]) is not None

    def judge(self, ordinal: int, verdict: Verdict, reason: str = "") -> None:
        """Keep what became of a row that was found."""
        self._ledger.execute(
            "UPDATE temp.run_rows SET verdict = ?, reason = ? WHERE ordinal = ?", [verdict, reason, ordinal]
        )

    def judged(self, verdict: Verdict, after: int, most: int) -> list[tuple[RunRow, str]]:
        """Up to so many rows of a verdict with its reason, from the place in the selection that follows `after`."""
        rows = self._ledger.query(
            """SELECT reason, key, ordinal, number, seq, saved FROM temp.run_rows
               WHERE verdict = ? AND ordinal > ? ORDER BY ordinal LIMIT ?""",
            [verdict, after, most],
        )
        return [(self._row(*row), reason) for reason, *row in list(rows)]

    def count(self, verdict: Verdict) -> int:
        """How many rows have a verdict."""
        row = self._ledger.one("SELECT count(*) FROM temp.run_rows WHERE verdict = ?", [verdict])
        return int(row[0]) if row else 0
