"""Runs of one save, begun and ended in one go: commands, and those that undo or reapply another run.

They are never resumed: one that failed, or whose process died before its save, did nothing and is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batchbook.storage.ledger import Ledger, RunRecord

TURN = "turn"
"""In the settings of a run that undoes or reapplies another one: which of the two."""
REAPPLIES = "reapply"
"""The word for one that puts back what a run wrote."""
LEFT_ALONE = "left_alone"
"""In the summary of a turn: how much of the run it left as it was, by reasons told."""
COMMAND = "command"
"""In the settings of a run that is a single command of a system: its verb. Turns of such a run have it too."""


@dataclass(frozen=True, slots=True)
class TurnOf:
    """What a turn is: `verb` is undo or reapply, `run` the id of the run that it turned."""

    verb: str
    run: str


def turn_of(job: str, settings: Mapping[str, Any]) -> TurnOf | None:
    """What a run with this job's name and these settings turned, None where it is a job's own."""
    verb = settings.get(TURN)
    return TurnOf(str(verb), job.removeprefix(f"{verb} of ")) if verb else None


def of_one_save(settings: Mapping[str, Any]) -> bool:
    """Whether a run with these settings is a turn or a command."""
    return TURN in settings or COMMAND in settings


def did_nothing(ledger: Ledger, run: RunRecord) -> bool:
    """Whether a run of one save changed nothing (yet): it failed, or its process died before its save."""
    if not of_one_save(run.settings):
        return False
    sql = """SELECT 1 FROM saves WHERE run = ?1 AND new <> '' AND state <> 'abandoned'
             UNION ALL SELECT 1 FROM pruned WHERE run = ?1 AND saves > 0"""
    return ledger.one(sql, [run.id]) is None


def drop_turn(ledger: Ledger, run: str) -> bool:
    """Remove the record of a run of one save that did nothing; False where a save was tried, so that it has to stay."""
    with ledger.transaction():
        # A file that such a save left behind is known by its record.
        if ledger.one("SELECT 1 FROM saves WHERE run = ? LIMIT 1", [run]) is not None:
            return False
        ledger.execute("DELETE FROM runs WHERE id = ?", [run])
    return True


def results_of(ledger: Ledger, run: RunRecord) -> RunRecord | None:
    """The job's run whose results a run left in the workbook; None where it took them out, or nobody knows.

    That is the run itself, unless it is a turn: a reapply leaves what the turned run left, an undo the opposite.
    """
    leaves, one = True, run
    while (turn := turn_of(one.job, one.settings)) is not None:
        leaves = leaves == (turn.verb == REAPPLIES)
        found = ledger.run(turn.run)
        if found is None:
            return None
        one = found
    return one if leaves else None


@dataclass(frozen=True, slots=True)
class DoneBy:
    """A turn of a run: `verb` is undo or reapply, `id` the run that it is itself."""

    verb: str
    id: str
    in_part: bool = False
    """Whether it left something of the run alone."""


class Turns:
    """The undos and reapplies of a ledger that ended well: what became of each run in the end."""

    def __init__(self, ledger: Ledger, *, workbook: str | None = None) -> None:
        """One query for all of them; `workbook` (its name in the ledger): only those over it, found by an index."""
        self._turns: dict[str, list[DoneBy]] = {}
        among = "" if workbook is None else "AND workbook = ?"
        rows = ledger.query(
            f"""SELECT id, job, json_extract(settings, '$.{TURN}') AS verb, json_extract(summary, '$.{LEFT_ALONE}')
                FROM runs
                WHERE (job >= 'undo of ' AND job < 'undo of!' OR job >= 'reapply of ' AND job < 'reapply of!')
                AND status = 'completed' AND verb IS NOT NULL {among} ORDER BY started DESC, id DESC""",
            [] if workbook is None else [workbook],
        )
        for name, job, verb, left in rows:
            turn = turn_of(job, {TURN: verb})
            assert turn is not None
            self._turns.setdefault(turn.run, []).append(DoneBy(verb, name, bool(left)))

    def last(self, run: str) -> DoneBy | None:
        """The newest turn of a run that stands; None where there is none.

        An undo that was undone itself does not stand, until that is undone again.
        """
        return next((turn for turn in self._turns.get(run, ()) if self._stands(turn.id)), None)

    def _stands(self, run: str) -> bool:
        turn = self.last(run)
        return turn is None or turn.verb == REAPPLIES


def undone_by(ledger: Ledger, run: RunRecord) -> str | None:
    """The undo that took out what a run left and stands.

    None where there is none, where it was undone itself, or where the run was put back since.
    """
    turn = Turns(ledger, workbook=run.workbook).last(run.id)
    return turn.id if turn is not None and turn.verb != REAPPLIES else None
