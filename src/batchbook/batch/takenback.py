"""Results that a run had saved and that were taken back while it was going: somebody saved an older copy over them.

The run lists each such cell as a conflict, like any edit. What tells at its end is how many rows hold again what they
held before the run wrote there; why they do nobody can know, so it only says how to have the results again.
"""

from __future__ import annotations

import json
from itertools import groupby

from batchbook.batch.vanished import FEWEST_ROWS
from batchbook.storage.celltexts import folded
from batchbook.storage.ledger import Ledger
from batchbook.storage.runchanges import RunChange, RunChanges
from batchbook.storage.savelog import ConflictRecord, conflicts_kept_theirs
from batchbook.tables.codec import decanonical, same, unpack


def what_was_taken_back(ledger: Ledger, run: str) -> str | None:
    """What to say where rows that a run had written hold again what they held before; None where they are few.

    It goes by the conflicts that the run has listed; the workbook is not read.
    """
    if not _enough(ledger, run):
        return None
    changes = RunChanges(ledger, run)
    cells = rows = 0
    with ledger.temporary():
        for (sheet, key), some in groupby(conflicts_kept_theirs(ledger, run), lambda one: (one.sheet, one.key)):
            change = changes.find(sheet, key)
            # A later conflict says what the same cell held then.
            latest = {folded(one.column): one for one in some}
            again = sum(_again(one, change) for one in latest.values()) if change is not None else 0
            cells, rows = cells + again, rows + bool(again)
    if rows < FEWEST_ROWS:
        return None
    return (
        f"{cells} cells in {rows} rows that this run had written hold again what they held before it: somebody saved "
        f"an older copy over the workbook during the run, or emptied them. They were left so and are listed as "
        f"conflicts; `batchbook runs reapply {run}` puts the results back"
    )


def _enough(ledger: Ledger, run: str) -> bool:
    """Whether conflicts are in rows enough: most runs have none, and need no further look."""
    found = groupby(conflicts_kept_theirs(ledger, run), lambda one: (one.sheet, one.key))
    return sum(1 for _ in zip(found, range(FEWEST_ROWS), strict=False)) == FEWEST_ROWS


def _again(conflict: ConflictRecord, change: RunChange) -> bool:
    """Whether the person's value of a conflict is what the cell held before the run wrote there."""
    before = {folded(column): value for column, value in decanonical(change.before).items()}
    after = {folded(column): value for column, value in decanonical(change.after).items()}
    column, theirs = folded(conflict.column), unpack(json.loads(conflict.theirs))
    return column in after and same(theirs, before.get(column)) and not same(theirs, after[column])
