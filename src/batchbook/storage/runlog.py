"""What one run has done: its selection, its outcomes in a hash chain, its checkpoints."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from batchbook.storage.ledger import Ledger, RunRecord, Times

_PENDING = "NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.run = ?1 AND o.ordinal = s.ordinal AND o.superseded = 0)"
_PAGE = 5000
DROPPED = "dropped"
"""Outcome of a row whose result no longer holds: a link of the chain that says so, and never counts itself."""
# Why the queries below name their index: without statistics SQLite goes through all rows of a run by the primary key.

OUTCOME_COLUMNS = "ordinal, key, number, outcome, reason, inputs, taken, writes, details"
_REMARKED = "FROM outcomes WHERE run = ? AND superseded = 0 AND outcome IN ('done', 'unchanged') AND reason <> ''"


@dataclass(frozen=True, slots=True)
class Selected:
    """A row that the run will do: its place in the selection (from 1), its key as JSON text, its Excel row then.

    held: what its written columns held when it was selected, as canonical JSON text (tables.codec), blanks left out.
    """

    ordinal: int
    key: str
    number: int
    held: str = "{}"


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """What became of one row. `taken`, `writes` and `details` are canonical JSON texts (tables.codec)."""

    ordinal: int
    key: str
    number: int
    outcome: str
    reason: str
    inputs: str
    taken: str
    writes: str
    details: str

    def hashed(self) -> bytes:
        """What the chain covers of it."""
        return json.dumps([getattr(self, name) for name in self.__slots__], ensure_ascii=False, default=repr).encode()


def dropped(row: Selected) -> StoredOutcome:
    """The result of this row no longer holds: committed, it makes the row pending again."""
    return StoredOutcome(row.ordinal, row.key, row.number, DROPPED, "", "", "{}", "{}", "{}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The durable state of a run at one save."""

    run: str
    number: int
    seq: int
    batch: int
    at: str
    digest: str
    counts: Mapping[str, int]
    chain: str


@dataclass(frozen=True, slots=True)
class AttemptRows:
    """What the commits of one attempt tell: rows processed, the seconds that took, the time of the last commit."""

    rows: int
    seconds: float
    last: str


class RunLog:
    """The log of one run in the ledger."""

    def __init__(self, ledger: Ledger, run: RunRecord) -> None:
        self.ledger = ledger
        self.run = run
        self._seq = 0
        self.batch = 0
        """The number of the last batch that has an outcome."""
        self._chain = ""
        self.by_key_only = False
        """Unsaved outcomes may tell in `taken` of what no longer stands in the sheet: they are saved by a merge."""
        self._to_the_end()

    def _to_the_end(self) -> None:
        last = self.ledger.one(
            """SELECT seq, (SELECT max(batch) FROM commits WHERE run = ?1), chain
               FROM commits WHERE run = ?1 ORDER BY seq DESC LIMIT 1""",
            [self.run.id],
        )
        self._seq, self.batch, self._chain = tuple(last) if last else (0, 0, self._genesis())

    def _genesis(self) -> str:
        run = self.run
        start = [run.id, run.definition, run.processor, dict(run.reference), run.selection_hash, run.selected]
        return hashlib.sha256(json.dumps(start, sort_keys=True).encode()).hexdigest()

    # --- selection -------------------------------------------------------------------------------------------------

    @staticmethod
    def stage_selection(ledger: Ledger, rows: Iterable[Selected]) -> None:
        """Read the rows to be selected into a temporary table: reading a big sheet must not hold the ledger."""
        with ledger.temporary():
            ledger.execute("DELETE FROM temp.staged_selection")
            ledger.execute_many(
                "INSERT INTO temp.staged_selection VALUES (?, ?, ?, ?)",
                ((r.ordinal, r.key, r.number, r.held) for r in rows),
            )

    @staticmethod
    def write_selection(ledger: Ledger, run: str) -> tuple[int, str]:
        """Store what was staged as a run's selection; gives how many rows and the hash. Within a transaction."""
        ledger.execute("INSERT INTO selection SELECT ?, ordinal, key, number FROM temp.staged_selection", [run])
        ledger.execute("INSERT INTO held SELECT ?, ordinal, held FROM temp.staged_selection WHERE held != '{}'", [run])
        digest = hashlib.sha256()
        count = 0
        for row in ledger.query("SELECT ordinal, key FROM temp.staged_selection ORDER BY ordinal"):
            count += 1
            digest.update(f"{row[0]}\0{row[1]}\0".encode())
        return count, digest.hexdigest()

    def selection(self, *, pending: bool = False) -> Iterator[Selected]:
        """The selected rows in order; with `pending` only those that have no outcome yet."""
        sql = "SELECT ordinal, key, number FROM selection s WHERE run = ?1"
        if pending:
            sql += f" AND {_PENDING}"
        for row in self.ledger.query(sql + " ORDER BY ordinal", [self.run.id]):
            yield Selected(*row)

    def held(self, ordinals: Sequence[int]) -> dict[int, str]:
        """By place in the selection: what the written columns held when the row was selected; blank rows left out."""
        found: dict[int, str] = {}
        for start in range(0, len(ordinals), 500):
            part = ordinals[start : start + 500]
            sql = f"SELECT ordinal, cells FROM held WHERE run = ? AND ordinal IN ({','.join('?' * len(part))})"
            found.update((row[0], row[1]) for row in self.ledger.query(sql, [self.run.id, *part]))
        return found

    def pending_page(self, after: int, most: int) -> list[Selected]:
        """Up to so many rows without an outcome, from the place in the selection that follows `after`."""
        sql = f"""SELECT ordinal, key, number FROM selection s
                  WHERE run = ?1 AND ordinal > ?2 AND {_PENDING} ORDER BY ordinal LIMIT ?3"""
        return [Selected(*row) for row in self.ledger.query(sql, [self.run.id, after, most])]

    def pending_pages(self) -> Iterator[Selected]:
        """All rows without an outcome in order, some thousand at a time.

        One long read would keep the ledger's log from being folded in.
        """
        after = 0
        while page := self.pending_page(after, _PAGE):
            yield from page
            after = page[-1].ordinal

    def pending_by_key(self, key: str) -> Selected | None:
        """The selected row with this key text, if it has no outcome yet."""
        sql = f"""SELECT ordinal, key, number FROM selection s INDEXED BY selection_by_key
                  WHERE run = ?1 AND key = ?2 AND {_PENDING}"""
        row = self.ledger.one(sql, [self.run.id, key])
        return Selected(*row) if row else None

    def nothing_pending(self) -> bool:
        """Whether every selected row has an outcome."""
        return not self.pending_page(0, 1)

    def selection_hash(self) -> str:
        """The hash over the selection as it lies in the ledger now."""
        digest = hashlib.sha256()
        for row in self.selection():
            digest.update(f"{row.ordinal}\0{row.key}\0".encode())
        return digest.hexdigest()

    # --- outcomes --------------------------------------------------------------------------------------------------

    def commit(self, batch: int, attempt: int, outcomes: Sequence[StoredOutcome], at: str, seconds: float) -> None:
        """Make outcomes durable, as one link of the chain. Batch 0: found out while merging, not processed.

        A row that had an outcome in this run already (it was done again) has the older one superseded. Outcomes are
        either all `dropped` or none.
        """
        seq = self._seq + 1
        chain = _link(self._chain, seq, batch, outcomes)
        run = self.run.id
        with self.ledger.transaction():
            self.ledger.execute_many(
                "UPDATE outcomes SET superseded = 1 WHERE run = ? AND ordinal = ? AND superseded = 0",
                ((run, o.ordinal) for o in outcomes),
            )
            self.ledger.execute_many(
                f"INSERT INTO outcomes (run, seq, {OUTCOME_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((run, seq, *(getattr(o, n) for n in StoredOutcome.__slots__)) for o in outcomes),
            )
            if outcomes and outcomes[0].outcome == DROPPED:
                self.ledger.execute("UPDATE outcomes SET superseded = 1 WHERE run = ? AND seq = ?", [run, seq])
            self.ledger.execute(
                "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [run, seq, batch, attempt, at, len(outcomes), seconds, chain],
            )
            self.ledger.update_run(run, active=at)
        self._seq, self._chain, self.batch = seq, chain, max(batch, self.batch)

    def earlier(self, ordinals: Sequence[int]) -> dict[int, list[tuple[str, str, bool]]]:
        """By place in the selection: earlier outcomes of rows that are done again, oldest first.

        Of each: `taken`, `writes`, and whether it is in the workbook.
        """
        found: dict[int, list[tuple[str, str, bool]]] = {}
        for start in range(0, len(ordinals), 500):
            part = ordinals[start : start + 500]
            sql = f"""SELECT ordinal, taken, writes, save IS NOT NULL FROM outcomes INDEXED BY outcomes_by_row
                      WHERE run = ? AND ordinal IN ({",".join("?" * len(part))}) ORDER BY seq"""
            for row in self.ledger.query(sql, [self.run.id, *part]):
                found.setdefault(row[0], []).append((row[1], row[2], bool(row[3])))
        return found

    def redone(self) -> bool:
        """Whether a row with an unsaved outcome was done twice; its `taken` is not what the sheet holds then."""
        return bool(
            self.ledger.one(
                """SELECT 1 FROM outcomes n INDEXED BY outcomes_unsaved
                   WHERE n.run = ? AND n.superseded = 0 AND n.save IS NULL AND EXISTS
                   (SELECT 1 FROM outcomes o WHERE o.run = n.run AND o.ordinal = n.ordinal AND o.superseded = 1)
                   LIMIT 1""",
                [self.run.id],
            )
        )

    def outcomes(self, *, unsaved: bool = False, by_ordinal: bool = False) -> Iterator[StoredOutcome]:
        """The outcomes that count, by place in the sheet (or in the selection).

        With `unsaved` those that are not in the workbook yet.
        """
        sql = f"SELECT {OUTCOME_COLUMNS} FROM outcomes WHERE run = ? AND superseded = 0"
        if unsaved:
            sql += " AND save IS NULL"
        order = "ordinal" if by_ordinal else "number, ordinal"
        for row in self.ledger.query(f"{sql} ORDER BY {order}", [self.run.id]):
            yield StoredOutcome(*row)

    def unsaved_details(self) -> Iterator[str]:
        """`details` of the outcomes that count and are not in the workbook yet, in the order in which they were made.

        Outcomes without any are left out.
        """
        sql = """SELECT details FROM outcomes INDEXED BY outcomes_unsaved WHERE run = ? AND superseded = 0
                 AND save IS NULL AND details <> '{}' ORDER BY seq, ordinal"""
        for row in self.ledger.query(sql, [self.run.id]):
            yield row[0]

    def changes_nothing(self) -> bool:
        """Whether no outcome that is not in the workbook yet has any `details`."""
        return next(self.unsaved_details(), None) is None

    def unsaved(self) -> int:
        """How many outcomes are not in the workbook yet."""
        row = self.ledger.one(
            """SELECT count(*) FROM outcomes INDEXED BY outcomes_unsaved
               WHERE run = ? AND superseded = 0 AND save IS NULL""",
            [self.run.id],
        )
        return int(row[0]) if row else 0

    def counts(self) -> dict[str, int]:
        """How many rows ended in each outcome."""
        rows = self.ledger.query(
            "SELECT outcome, count(*) FROM outcomes WHERE run = ? AND superseded = 0 GROUP BY outcome", [self.run.id]
        )
        return {row[0]: row[1] for row in rows}

    def remarked(self) -> Iterator[tuple[int, str, str]]:
        """The rows that ended well with a remark: row number, key text, what is said of it."""
        rows = self.ledger.query(f"SELECT number, key, reason {_REMARKED} ORDER BY number, ordinal", [self.run.id])
        return ((number, key, said) for number, key, said in rows)

    def remarked_count(self) -> int:
        """How many rows ended well with a remark."""
        row = self.ledger.one(f"SELECT count(*) {_REMARKED}", [self.run.id])
        return int(row[0]) if row else 0

    def drop_unsaved(self, attempt: int, at: str) -> None:
        """Results that are not in the workbook no longer hold: their rows are pending again."""
        sql = """SELECT ordinal, key, number FROM outcomes INDEXED BY outcomes_unsaved
                 WHERE run = ? AND superseded = 0 AND save IS NULL LIMIT ?"""
        while page := [Selected(*row) for row in self.ledger.query(sql, [self.run.id, _PAGE])]:
            self.commit(0, attempt, [dropped(row) for row in page], at, 0.0)

    def drop_revived(self) -> int:
        """Of each row only the latest outcome can count; gives how many others did. Within a transaction."""
        return self.ledger.execute(
            """UPDATE outcomes SET superseded = 1 WHERE run = ?1 AND superseded = 0 AND (outcome = ?2 OR EXISTS
               (SELECT 1 FROM outcomes n INDEXED BY outcomes_by_row
                WHERE n.run = ?1 AND n.ordinal = outcomes.ordinal AND n.seq > outcomes.seq))""",
            [self.run.id, DROPPED],
        ).rowcount

    def drop_checkpoints_ahead(self) -> int:
        """Forget checkpoints of commits that the chain does not have; gives how many. Within a transaction."""
        wrong = [point.number for point in self.checkpoints() if self.chain_at(point.seq) != point.chain]
        self.ledger.execute_many(
            "DELETE FROM checkpoints WHERE run = ? AND number = ?", ((self.run.id, number) for number in wrong)
        )
        return len(wrong)

    def batches(self) -> Iterator[sqlite3.Row]:
        """One row a batch: batch, attempt, started, rows, seconds, first (place in the selection), key of the first."""
        yield from self.ledger.query(
            """WITH done_first (ordinal, seq) AS (
                   SELECT ordinal, min(seq) FROM outcomes INDEXED BY outcomes_by_row WHERE run = ?1 GROUP BY ordinal
               ), firsts (batch, first) AS (
                   SELECT d.batch, min(f.ordinal) FROM done_first f JOIN commits d ON d.run = ?1 AND d.seq = f.seq
                   GROUP BY d.batch
               )
               SELECT c.batch, max(c.attempt) AS attempt, min(c.at) AS at, sum(c.rows) AS rows,
                      sum(c.seconds) AS seconds, f.first AS first
               FROM commits c LEFT JOIN firsts f ON f.batch = c.batch
               WHERE c.run = ?1 AND c.batch > 0 GROUP BY c.batch ORDER BY c.batch""",
            [self.run.id],
        )

    def attempt_rows(self, attempt: int) -> AttemptRows | None:
        """What an attempt committed, None where that is nothing."""
        row = self.ledger.one(
            """SELECT sum(rows), sum(seconds), max(at) FROM commits WHERE run = ? AND attempt = ? AND batch > 0""",
            [self.run.id, attempt],
        )
        return AttemptRows(*row) if row and row[0] else None

    # --- the chain -------------------------------------------------------------------------------------------------

    def sound_until(self) -> int:
        """The number of the last commit up to which the chain holds (0 where not even the first does)."""
        if self.selection_hash() != self.run.selection_hash:
            return 0
        chain, sound = self._genesis(), 0
        for commit in self.ledger.query(
            "SELECT seq, batch, rows, chain FROM commits WHERE run = ? ORDER BY seq", [self.run.id]
        ):
            rows = self.ledger.query(
                f"SELECT {OUTCOME_COLUMNS} FROM outcomes WHERE run = ? AND seq = ? ORDER BY ordinal",
                [self.run.id, commit["seq"]],
            )
            outcomes = [StoredOutcome(*row) for row in rows]
            if any(type(outcome.ordinal) is not int for outcome in outcomes):
                break
            chain = _link(chain, commit["seq"], commit["batch"], outcomes)
            if commit["seq"] != sound + 1 or len(outcomes) != commit["rows"] or chain != commit["chain"]:
                break
            sound = commit["seq"]
        return sound

    @property
    def seq(self) -> int:
        """The number of the last commit."""
        return self._seq

    def cut(self, seq: int) -> int:
        """Forget all commits after `seq`; gives how many outcomes went. Their rows are done again."""
        with self.ledger.transaction():
            gone = self.ledger.execute("DELETE FROM outcomes WHERE run = ? AND seq > ?", [self.run.id, seq]).rowcount
            self.ledger.execute("DELETE FROM commits WHERE run = ? AND seq > ?", [self.run.id, seq])
            self.ledger.execute("DELETE FROM checkpoints WHERE run = ? AND seq > ?", [self.run.id, seq])
        self._to_the_end()
        return gone

    # --- checkpoints -----------------------------------------------------------------------------------------------

    def checkpoint(self, at: str, digest: str, attempt: int = 0, times: Times | None = None) -> Checkpoint:
        """Record the state after a save: commits so far, the workbook's digest, the counts, the head of the chain.

        `times` is where the time of an attempt went so far.
        """
        row = self.ledger.one("SELECT coalesce(max(number), 0) + 1 FROM checkpoints WHERE run = ?", [self.run.id])
        number = int(row[0]) if row else 1
        point = Checkpoint(self.run.id, number, self._seq, self.batch, at, digest, self.counts(), self._chain)
        with self.ledger.transaction():
            self.ledger.execute(
                "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [point.run, number, point.seq, point.batch, at, digest, json.dumps(dict(point.counts)), point.chain],
            )
            self.ledger.update_run(self.run.id, digest=digest, active=at)
            if times is not None:
                self.ledger.keep_times(self.run.id, attempt, times)
        return point

    def checkpoints(self) -> list[Checkpoint]:
        """The run's checkpoints in order."""
        rows = self.ledger.query("SELECT * FROM checkpoints WHERE run = ? ORDER BY number", [self.run.id])
        return [Checkpoint(**{**dict(row), "counts": json.loads(row["counts"])}) for row in rows]

    def chain_at(self, seq: int) -> str | None:
        """The chain's value after a commit, None where there is no such commit."""
        if seq == 0:
            return self._genesis()
        row = self.ledger.one("SELECT chain FROM commits WHERE run = ? AND seq = ?", [self.run.id, seq])
        return row[0] if row else None

    def clear_state(self) -> None:
        """Drop what is only needed to resume; the history stays. Within a transaction."""
        self.ledger.execute("DELETE FROM checkpoints WHERE run = ?", [self.run.id])
        self.ledger.execute("DELETE FROM selection WHERE run = ?", [self.run.id])
        self.ledger.execute("DELETE FROM held WHERE run = ?", [self.run.id])


def _link(chain: str, seq: int, batch: int, outcomes: Iterable[StoredOutcome]) -> str:
    digest = hashlib.sha256(f"{chain}\0{seq}\0{batch}\0".encode())
    for outcome in sorted(outcomes, key=lambda o: o.ordinal):
        digest.update(outcome.hashed())
        digest.update(b"\0")
    return digest.hexdigest()
