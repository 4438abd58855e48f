"""Saves that a process left open when it died: finding out how they ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from batchbook.errors import BatchbookError
from batchbook.storage.copying import digest_or_none
from batchbook.storage.ledger import Ledger
from batchbook.storage.leftovers import give_back, settle
from batchbook.storage.links import followed
from batchbook.storage.lockfile import LockInfo
from batchbook.storage.restored import settle_restore
from batchbook.storage.savelog import open_intents, settle_abandoned, settle_damaged, settle_saved, settle_unsure
from batchbook.storage.seals import faults
from batchbook.storage.turns import COMMAND, TURN


def settle_intents(ledger: Ledger, workbook: Path, warn: Callable[[str], None] = lambda _: None) -> int:
    """Settle every open save, and restore, of a workbook in a ledger; gives how many saves. Needs its lock."""
    give_back(workbook, warn)
    settle_restore(ledger, ledger.name_of(workbook), lambda: digest_or_none(followed(workbook)))
    intents = open_intents(ledger, ledger.name_of(workbook))
    for save in intents:
        if faults(ledger, save.id, None):
            with ledger.transaction():
                settle_damaged(ledger, save.id, save.run)
            continue
        ended = settle(workbook, save.old, save.new, save.temporary, warn)
        if ended == "saved":
            settle_saved(ledger, save.id, None)
        elif ended == "not saved":
            settle_abandoned(ledger, save.id)
        else:
            # Somebody changed the file since: the merge finds out cell by cell what is there.
            settle_unsure(ledger, save.id)
    _end_runs_of_one_save(ledger, ledger.name_of(workbook))
    return len(intents)


def _end_runs_of_one_save(ledger: Ledger, workbook: str) -> None:
    """An undo, a reapply or a command that failed, or whose process died, was saved all the same, or is over."""
    with ledger.transaction():
        ledger.execute(
            f"""UPDATE runs SET status = CASE WHEN EXISTS
                (SELECT 1 FROM saves s WHERE s.run = runs.id AND s.state = 'saved') THEN 'completed' ELSE 'cleared' END
                WHERE workbook = ? AND status IN ('running', 'cleared')
                      AND (json_extract(settings, '$.{TURN}') IS NOT NULL
                           OR json_extract(settings, '$.{COMMAND}') IS NOT NULL)""",
            [workbook],
        )


def settle_dead_holder(workbook: Path, info: LockInfo, *, warn: Callable[[str], None] = lambda _: None) -> None:
    """Settle what the dead holder of a workbook's lock left open in its ledger, if that is to be found here."""
    if not info.ledger or not Path(info.ledger).is_file():
        return
    if not Path(info.ledger).stat().st_size:
        return  # it holds nothing, and opened it would no longer be seen that it was emptied
    try:
        with Ledger.open(Path(info.ledger)) as ledger:
            settle_intents(ledger, followed(workbook), warn)
    except BatchbookError as error:
        warn(f"the ledger of the process that held {workbook.name} before cannot be settled: {error.what}")
