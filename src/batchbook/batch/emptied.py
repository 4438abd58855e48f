"""A ledger that is an empty file, where there was one: SQLite takes it for a new one."""

from __future__ import annotations

import time
from contextlib import suppress

from batchbook.config import BaseConfig
from batchbook.errors import LedgerDamaged
from batchbook.storage.database import WAY_OUT

PATIENCE_SECONDS = 2.0
"""A process that makes the ledger anew has an empty file for a moment: so long an empty one is looked at again."""
_LOOK_SECONDS = 0.05


def must_not_be_emptied(base: BaseConfig) -> None:
    """Raise LedgerDamaged where the ledger is an empty file, although earlier runs left backups or reports.

    Without them it may be the ledger of a first run that died right after it had made the file. One that has a log
    beside it is left to SQLite.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while _is_empty(base):
        if not _left_by_runs(base):
            return
        if time.monotonic() >= end:
            raise LedgerDamaged(
                f"The ledger {base.ledger} is damaged: it is empty, though earlier runs left backups or reports.",
                WAY_OUT,
            )
        time.sleep(_LOOK_SECONDS)


def _is_empty(base: BaseConfig) -> bool:
    path = base.ledger
    beside = (path.with_name(f"{path.name}-{what}") for what in ("wal", "journal"))
    try:
        return path.stat().st_size == 0 and not any(one.exists() for one in beside)
    except OSError:  # there is none, or it cannot be looked at, which is said when it is opened
        return False


def _left_by_runs(base: BaseConfig) -> bool:
    with suppress(OSError):
        return any(base.reports.glob("*.json")) or any(base.backups_folder.glob("*/*"))
    return False
