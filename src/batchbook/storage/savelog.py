"""Saves in the ledger: the plan of a save, its intent, and what it changed in the workbook.

A save is planned into temporary tables (so that a plan may be larger than memory), becomes an intent just before the
workbook is replaced, and is settled as saved or abandoned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchbook.storage import seals
from batchbook.storage.blockindexes import BlockIndexes
from batchbook.storage.ledger import Ledger
from batchbook.xlsx import SheetIndex


@dataclass(frozen=True, slots=True)
class Change:
    """What a save does to one row: columns before and after as canonical JSON texts (tables.codec).

    For a row of the job's sheet the texts map headers to values; for the rows of a detail sheet that belong to one
    key they are ``{"rows": [...]}``.
    """

    sheet: str
    key: str
    number: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ConflictRecord:
    """A cell in which a person's value and the run's differ; `kept` is ``theirs`` or ``ours``."""

    sheet: str
    key: str
    number: int
    column: str
    base: str
    theirs: str
    ours: str
    kept: str


@dataclass(frozen=True, slots=True)
class SaveRecord:
    """One save; `state` is intent, pending, saved, abandoned, unsure or undone."""

    id: int
    run: str
    workbook: str
    old: str
    new: str
    temporary: str
    state: str
    at: str
    backup: str | None


class SaveLog:
    """Plans and records the saves of one run into one workbook; a `SaveJournal` for the AtomicSaver."""

    def __init__(self, ledger: Ledger, run: str, workbook: str, now: Any) -> None:
        self.ledger = ledger
        self.run = run
        self.workbook = workbook
        self.indexes = BlockIndexes(ledger, workbook)
        self._now = now

    # --- the plan --------------------------------------------------------------------------------------------------

    def clear_plan(self) -> None:
        """Begin a plan anew."""
        for table in ("staged", "staged_conflicts", "staged_outcomes", "staged_confirmed"):
            self.ledger.execute(f"DELETE FROM temp.{table}")

    def plan(self, changes: Iterable[Change]) -> None:
        """Add changes to the plan; a later one for the same sheet and key takes the earlier's place."""
        self.ledger.execute_many(
            "INSERT OR REPLACE INTO temp.staged VALUES (?, ?, ?, ?, ?)",
            ((c.sheet, c.key, c.number, c.before, c.after) for c in changes),
        )

    def plan_more(self, changes: Iterable[Change]) -> None:
        """Add changes to the plan; a later one for the same sheet and key goes on from the earlier, at its place."""
        self.ledger.execute_many(
            """INSERT INTO temp.staged VALUES (?, ?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET before = merge_cells(excluded.before, before),
                                         after = merge_cells(after, excluded.after)""",
            ((c.sheet, c.key, c.number, c.before, c.after) for c in changes),
        )

    def plan_conflicts(self, conflicts: Iterable[ConflictRecord]) -> None:
        """Add conflicts to the plan."""
        self.ledger.execute_many(
            "INSERT INTO temp.staged_conflicts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (tuple(getattr(c, n) for n in ConflictRecord.__slots__) for c in conflicts),
        )

    def plan_confirmed(self, sheet: str, key: str, cells: str) -> None:
        """Cells that hold what the machine wrote, though no change of the plan under this key says so."""
        self.ledger.execute(
            """INSERT INTO temp.staged_confirmed VALUES (?, ?, ?)
               ON CONFLICT DO UPDATE SET cells = merge_cells(cells, excluded.cells)""",
            [sheet, key, cells],
        )

    def drop_listed(self) -> None:
        """Take conflicts that the run has listed already out of the plan."""
        self.ledger.execute(
            """DELETE FROM temp.staged_conflicts WHERE rowid IN (
                   SELECT s.rowid FROM temp.staged_conflicts s JOIN conflicts c
                   ON c.run = ? AND c.sheet = s.sheet AND c.key = s.key AND c.column = s.column
                   AND c.theirs = s.theirs AND c.ours = s.ours AND c.kept = s.kept)""",
            [self.run],
        )

    def plan_outcomes(self, seq_upto: int) -> int:
        """Take every unsaved outcome of the run up to a commit into the plan; gives how many."""
        cursor = self.ledger.execute(
            """INSERT OR REPLACE INTO temp.staged_outcomes SELECT seq, ordinal FROM outcomes INDEXED BY outcomes_unsaved
               WHERE run = ? AND save IS NULL AND superseded = 0 AND seq <= ?""",
            [self.run, seq_upto],
        )
        return cursor.rowcount

    def planned(self, sheet: str) -> Iterator[Change]:
        """The planned changes of a sheet, by row number."""
        for row in self.ledger.query("SELECT * FROM temp.staged WHERE sheet = ? ORDER BY number, key", [sheet]):
            yield Change(*row)

    def confirms(self) -> bool:
        """Whether the plan says of cells that they hold what the machine wrote."""
        return self.ledger.one("SELECT 1 FROM temp.staged_confirmed LIMIT 1") is not None

    def planned_for(self, sheet: str, key: str) -> Change | None:
        """The planned change of one key in a sheet."""
        row = self.ledger.one("SELECT * FROM temp.staged WHERE sheet = ? AND key = ?", [sheet, key])
        return Change(*row) if row else None

    def plans_for(self, sheet: str) -> bool:
        """Whether anything of a sheet is to change."""
        return self.ledger.one("SELECT 1 FROM temp.staged WHERE sheet = ? LIMIT 1", [sheet]) is not None

    def planned_conflicts(self) -> Iterator[ConflictRecord]:
        """The planned conflicts in order."""
        for row in self.ledger.query("SELECT * FROM temp.staged_conflicts ORDER BY rowid"):
            yield ConflictRecord(*row)

    def plan_size(self) -> tuple[int, int]:
        """How many rows change, and how many conflicts there are, in the plan."""
        row = self.ledger.one("SELECT (SELECT count(*) FROM temp.staged), (SELECT count(*) FROM temp.staged_conflicts)")
        return (row[0], row[1]) if row else (0, 0)

    # --- the journal -----------------------------------------------------------------------------------------------

    def intend(self, old: str, new: str, temporary: str, indexes: Mapping[str, SheetIndex] | None = None) -> int:
        """Record durably that the workbook is about to become `new`, whose block indexes are kept with it.

        Gives the save's number.
        """
        return self._begin("intent", old, new, temporary, indexes)

    def put_by(self, old: str, new: str, name: str, indexes: Mapping[str, SheetIndex] | None = None) -> int:
        """Record durably that a finished save is about to lie beside the workbook; gives its number.

        Its outcomes count as saved from now on, unless the save is taken back.
        """
        return self._begin("pending", old, new, name, indexes)

    def _begin(self, state: str, old: str, new: str, name: str, indexes: Mapping[str, SheetIndex] | None) -> int:
        with self.ledger.transaction():
            save = self._add(state, old, new, name)
            self.indexes.keep(old, new, indexes or {})
        return save

    def _add(self, state: str, old: str, new: str, name: str) -> int:
        """A save with what is planned; it is made from the state that the workbook is in (see `restored`)."""
        save = self.ledger.execute(
            # A number is never given twice, whatever was pruned or lost: other records name it.
            """INSERT INTO saves (id, run, workbook, old, new, temporary, state, at)
               SELECT 1 + max(coalesce((SELECT max(id) FROM saves), 0), coalesce((SELECT max(save) FROM lineage), 0)),
                      ?, ?, ?, ?, ?, ?, ?""",
            [self.run, self.workbook, old, new, name, state, self._now()],
        ).lastrowid
        assert save is not None
        self.ledger.execute(
            "INSERT INTO lineage VALUES (?1, ?2, coalesce((SELECT place FROM places WHERE workbook = ?2), 0))",
            [save, self.workbook],
        )
        self._attach(save)
        return save

    def _attach(self, save: int) -> None:
        run = self.ledger.execute
        run("INSERT INTO changes SELECT ?, sheet, key, number, before, after FROM temp.staged", [save])
        run(
            """INSERT INTO conflicts (run, save, sheet, key, number, column, base, theirs, ours, kept)
               SELECT ?, ?, sheet, key, number, column, base, theirs, ours, kept FROM temp.staged_conflicts""",
            [self.run, save],
        )
        run(
            """INSERT INTO written SELECT ?1, sheet, key, sealed(?1, sheet, key, cells) FROM temp.staged_confirmed
               WHERE true
               ON CONFLICT DO UPDATE SET cells = merge_sealed(workbook, sheet, key, cells, excluded.cells)""",
            [self.workbook],
        )
        run(
            """UPDATE outcomes SET save = ? WHERE run = ? AND EXISTS
               (SELECT 1 FROM temp.staged_outcomes t WHERE t.seq = outcomes.seq AND t.ordinal = outcomes.ordinal)""",
            [save, self.run],
        )
        seals.put_seal(self.ledger, save, seals.outcomes_staged(self.ledger))

    def saved(self, save: int, backup: str | None) -> None:
        """Record durably that the workbook was replaced, and what the machine wrote last in each cell."""
        settle_saved(self.ledger, save, backup)

    def abandoned(self, save: int) -> None:
        """Record that the workbook was not replaced: the outcomes are unsaved again."""
        settle_abandoned(self.ledger, save)

    def settled_without_change(self) -> None:
        """Nothing in the workbook has to change for the planned outcomes: they count as saved, conflicts are listed."""
        if not self.confirms() and not self.ledger.one(
            "SELECT 1 FROM temp.staged_outcomes UNION ALL SELECT 1 FROM temp.staged_conflicts LIMIT 1"
        ):
            return
        with self.ledger.transaction():
            save = self._add("saved", "", "", "")
            remember_persons(self.ledger, save)
            _goes_to(self.ledger, save)


def _goes_to(ledger: Ledger, save: int) -> None:
    """The workbook is in the state after a save."""
    ledger.execute("INSERT OR REPLACE INTO places SELECT workbook, id FROM saves WHERE id = ?", [save])


def open_intents(ledger: Ledger, workbook: str) -> list[SaveRecord]:
    """Saves of a workbook of which nobody recorded how they ended."""
    rows = ledger.query("SELECT * FROM saves WHERE workbook = ? AND state = 'intent' ORDER BY id", [workbook])
    return [SaveRecord(*row) for row in rows]


def count_saves(ledger: Ledger, run: str) -> int:
    """How many times a run replaced the workbook."""
    row = ledger.one("SELECT count(*) FROM saves WHERE run = ? AND state = 'saved' AND new <> ''", [run])
    return int(row[0]) if row else 0


def pending_saves(ledger: Ledger, workbook: str) -> list[SaveRecord]:
    """Finished saves of a workbook that wait beside it to be published."""
    rows = ledger.query("SELECT * FROM saves WHERE workbook = ? AND state = 'pending' ORDER BY id", [workbook])
    return [SaveRecord(*row) for row in rows]


def was_put_by(ledger: Ledger, workbook: str, digest: str, name: str) -> bool:
    """Whether a pending file with this digest was made by this ledger's runs, or displaced by it, and settled since."""
    return bool(
        ledger.one(
            "SELECT 1 FROM saves WHERE workbook = ?1 AND ?2 IN (new, old) AND temporary = ?3 AND state <> 'pending'",
            [workbook, digest, name],
        )
    )


def has_put_by(ledger: Ledger, workbook: str, name: str, *, damaged: bool) -> bool:
    """Whether a save lay beside the workbook under this name; with `damaged`, one whose record was found damaged."""
    sql = "SELECT 1 FROM saves WHERE workbook = ? AND temporary = ? AND (NOT ? OR state = 'damaged')"
    return ledger.one(sql, [workbook, name, damaged]) is not None


def saves_of(ledger: Ledger, run: str) -> list[SaveRecord]:
    """All saves of a run in order."""
    return [SaveRecord(*row) for row in ledger.query("SELECT * FROM saves WHERE run = ? ORDER BY id", [run])]


def settle_saved(ledger: Ledger, save: int, backup: str | None) -> None:
    """Mark a save as done and take over its changes as the values last written."""
    with ledger.transaction():
        ledger.execute("UPDATE saves SET state = 'saved', backup = coalesce(?, backup) WHERE id = ?", [backup, save])
        ledger.execute(
            """UPDATE runs SET digest = (SELECT new FROM saves WHERE id = ?1)
               WHERE id = (SELECT run FROM saves WHERE id = ?1)""",
            [save],
        )
        ledger.execute(
            """INSERT INTO written SELECT s.workbook, c.sheet, c.key, sealed(s.workbook, c.sheet, c.key, c.after)
               FROM changes c JOIN saves s ON s.id = c.save WHERE c.save = ?
               ON CONFLICT DO UPDATE SET cells = merge_sealed(workbook, sheet, key, cells, excluded.cells)""",
            [save],
        )
        remember_persons(ledger, save)
        _goes_to(ledger, save)
        seals.reseal(ledger, save)


def remember_persons(ledger: Ledger, save: int) -> None:
    """Where a person's value was kept: what it was weighed against, so that the next run knows it for a person's too.

    Without this a cell that the machine never wrote would hold just what the next run found there, free to be written.
    """
    ledger.execute(
        """INSERT INTO written
           SELECT s.workbook, c.sheet, c.key, sealed(s.workbook, c.sheet, c.key, json_object(c.column, json(c.base)))
           FROM conflicts c JOIN saves s ON s.id = c.save WHERE c.save = ? AND c.kept = 'theirs'
           ON CONFLICT DO UPDATE SET cells = merge_sealed(workbook, sheet, key, excluded.cells, cells)""",
        [save],
    )


def settle_unsure(ledger: Ledger, save: int) -> None:
    """Nobody can tell whether a save was made, for the file was changed since: its outcomes are unsaved again.

    Its changes stay: where a cell turns out to hold what it was to write, it was the machine that wrote it.
    """
    with ledger.transaction():
        ledger.execute("UPDATE saves SET state = 'unsure' WHERE id = ?", [save])
        _unsave_outcomes(ledger, save)
        # What was overwritten can no longer be found in the sheet; all else is found again.
        ledger.execute("DELETE FROM conflicts WHERE save = ? AND kept = 'theirs'", [save])
        seals.reseal(ledger, save)


def settle_damaged(ledger: Ledger, save: int, run: str) -> int:
    """The record of a save is not what was written: nothing of it is believed.

    Gives how many outcomes are unsaved again. Within a transaction.
    """
    ledger.execute("UPDATE saves SET state = 'damaged' WHERE id = ?", [save])
    count = unsave_outcomes(ledger, run, save)
    ledger.execute("DELETE FROM changes WHERE save = ?", [save])
    ledger.execute("DELETE FROM conflicts WHERE save = ?", [save])
    seals.put_seal(ledger, save, seals.NO_OUTCOMES)
    return count


def unsave_outcomes(ledger: Ledger, run: str, save: int) -> int:
    """Outcomes of a run that a save brought count as unsaved again; gives how many. Within a transaction."""
    return ledger.execute("UPDATE outcomes SET save = NULL WHERE run = ? AND save = ?", [run, save]).rowcount


def _unsave_outcomes(ledger: Ledger, save: int) -> None:
    ledger.execute(
        "UPDATE outcomes SET save = NULL WHERE save = ?1 AND run = (SELECT run FROM saves WHERE id = ?1)", [save]
    )


def has_unsure(ledger: Ledger, run: str) -> bool:
    """Whether a run has saves of which nobody knows whether they were made."""
    return ledger.one("SELECT 1 FROM saves WHERE run = ? AND state = 'unsure'", [run]) is not None


def unsure_cells(ledger: Ledger, run: str, sheet: str, keys: Sequence[str]) -> dict[str, str]:
    """By key: what saves of a run may have written of which nobody knows whether they were made."""
    return by_key(
        ledger,
        """SELECT c.key, c.after FROM saves s JOIN changes c ON c.save = s.id
           WHERE s.run = ? AND s.state = 'unsure' AND c.sheet = ? AND c.key IN ({}) ORDER BY s.id""",
        [run, sheet],
        keys,
    )


def by_key(ledger: Ledger, sql: str, first: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """Pairs of key and text, asked for some keys at a time; the last pair of a key counts."""
    found: dict[str, str] = {}
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        marks = ",".join("?" * len(part))
        found.update((row[0], row[1]) for row in ledger.query(sql.format(marks), [*first, *part]))
    return found


def settle_abandoned(ledger: Ledger, save: int) -> None:
    """Mark a save as not done; its outcomes are unsaved again."""
    with ledger.transaction():
        ledger.execute("UPDATE saves SET state = 'abandoned' WHERE id = ?", [save])
        _unsave_outcomes(ledger, save)
        ledger.execute("DELETE FROM changes WHERE save = ?", [save])
        ledger.execute("DELETE FROM conflicts WHERE save = ?", [save])
        seals.reseal(ledger, save)


def unsave(ledger: Ledger, run: str, saves: Iterable[int]) -> int:
    """The workbook was put back to before these saves: their outcomes are unsaved again; gives how many.

    What was written last is `restored.remember_restore`'s.
    """
    count = 0
    with ledger.transaction():
        for save in saves:
            count += unsave_outcomes(ledger, run, save)
            ledger.execute("UPDATE saves SET state = 'undone' WHERE id = ?", [save])
            seals.reseal(ledger, save)
    return count


def changes_of(ledger: Ledger, run: str) -> Iterator[Change]:
    """What a run changed, save by save."""
    sql = """SELECT c.sheet, c.key, c.number, c.before, c.after FROM changes c JOIN saves s ON s.id = c.save
             WHERE s.run = ? AND s.state = 'saved' ORDER BY s.id, c.sheet, c.number"""
    for row in ledger.query(sql, [run]):
        yield Change(*row)


def conflicts_of(ledger: Ledger, run: str) -> Iterator[ConflictRecord]:
    """The conflicts that a run listed."""
    sql = "SELECT sheet, key, number, column, base, theirs, ours, kept FROM conflicts WHERE run = ? ORDER BY id"
    for row in ledger.query(sql, [run]):
        yield ConflictRecord(*row)


def conflicts_kept_theirs(ledger: Ledger, run: str) -> Iterator[ConflictRecord]:
    """The conflicts of a run in which a person's value was kept, row by row, each row's in the order of listing."""
    sql = """SELECT sheet, key, number, column, base, theirs, ours, kept FROM conflicts INDEXED BY conflicts_by_row
             WHERE run = ? AND kept = 'theirs' ORDER BY sheet, key, id"""
    for row in ledger.query(sql, [run]):
        yield ConflictRecord(*row)


def count_overwritten(ledger: Ledger, run: str) -> int:
    """In how many of a run's conflicts its own value was written."""
    row = ledger.one("SELECT count(*) FROM conflicts WHERE run = ? AND kept = 'ours'", [run])
    return int(row[0]) if row else 0


def count_conflicts(ledger: Ledger, run: str) -> int:
    """How many conflicts a run listed."""
    row = ledger.one("SELECT count(*) FROM conflicts WHERE run = ?", [run])
    return int(row[0]) if row else 0
