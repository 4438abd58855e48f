"""A run's record after damage: what is not certain no longer counts, so that it is done or compared again."""

from __future__ import annotations

from dataclasses import dataclass

from batchbook.errors import LedgerDamaged
from batchbook.storage.ledger import Ledger
from batchbook.storage.runlog import RunLog
from batchbook.storage.savelog import saves_of, settle_damaged, unsave_outcomes
from batchbook.storage.seals import NO_OUTCOMES, faults, outcomes_of, put_seal


@dataclass(frozen=True, slots=True)
class Mended:
    """What was found damaged in the record of a run; all zero where it is sound."""

    lost: int = 0
    """Results after the place where the chain breaks; their rows are done again."""
    revived: int = 0
    """Results that counted though later ones had taken their place."""
    unsure: int = 0
    """Results of which it is not certain that they are in the workbook; they are compared with it."""
    saves: tuple[int, ...] = ()
    """Saves whose record is not what was written; what they changed is no longer known."""
    ahead: int = 0
    """Checkpoints of results that the ledger does not have."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The same in words, nothing where nothing was damaged."""
        saves = ", ".join(map(str, self.saves))
        said = (
            (self.ahead, f"{self.ahead} checkpoints name results that the ledger no longer has; they are done again"),
            (self.lost, f"{self.lost} results at the end of the ledger were damaged; their rows are done again"),
            (self.revived, f"{self.revived} results were wrongly marked as the ones that count; they are not taken"),
            (
                self.unsure,
                f"for {self.unsure} results the ledger does not say for certain that they are in the workbook; "
                "they are compared with it and written where they are not",
            ),
            (
                len(self.saves),
                f"the record of save {saves} was damaged: `batchbook runs diff` and `runs undo` do not know what it "
                "changed (the backups do)",
            ),
        )
        return tuple(line for count, line in said if count)


def mend(log: RunLog) -> Mended:
    """Take back what a run's record does not prove. The caller holds the workbook's lock."""
    sound = log.sound_until()
    lost = log.cut(sound) if sound != log.seq else 0
    ledger, run = log.ledger, log.run.id
    with ledger.transaction():
        ahead = log.drop_checkpoints_ahead()
        revived = log.drop_revived()
        unsure, damaged = _mend_saves(ledger, run)
        if unsure or damaged or lost:
            # Rows are found by key then, and each cell is compared with what the ledger has.
            ledger.update_run(run, digest="")
    return Mended(lost, revived, unsure, tuple(damaged), ahead)


def _mend_saves(ledger: Ledger, run: str) -> tuple[int, list[int]]:
    unsure, damaged = 0, []
    found = outcomes_of(ledger, run)
    for save in saves_of(ledger, run):
        wrong = faults(ledger, save.id, found.get(save.id, NO_OUTCOMES))
        if wrong == {"outcomes"}:
            unsure += unsave_outcomes(ledger, run, save.id)
            put_seal(ledger, save.id, NO_OUTCOMES)
        elif wrong:
            unsure += settle_damaged(ledger, save.id, run)
            damaged.append(save.id)
    unsure += ledger.execute(
        """UPDATE outcomes SET save = NULL WHERE run = ?1 AND save IS NOT NULL AND NOT EXISTS
           (SELECT 1 FROM saves s WHERE s.id = outcomes.save AND s.run = ?1 AND s.state IN ('saved', 'pending'))""",
        [run],
    ).rowcount
    return unsure, damaged


def must_know_changes(ledger: Ledger, run: str) -> None:
    """See that what a run changed is what was recorded; LedgerDamaged where it is not."""
    states = {save.id: save.state for save in saves_of(ledger, run)}
    wrong = [save for save, state in states.items() if state == "damaged" or faults(ledger, save, None)]
    if wrong:
        record = ledger.run(run)
        workbook = ledger.path_of(record.workbook) if record is not None else "WORKBOOK"
        raise LedgerDamaged(
            f"The ledger's record of what run {run} changed is damaged (save {', '.join(map(str, wrong))}).",
            f"Nothing was changed. The states before and after are among `batchbook backups list {workbook}`; put one "
            f"back with `batchbook backups restore {workbook} NAME`.",
        )
