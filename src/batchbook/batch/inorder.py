"""A workbook in order: its lock held, open saves settled, a waiting one published, remnants swept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from batchbook.batch.recovery import backup_store
from batchbook.config import BaseConfig
from batchbook.storage.ledger import Ledger
from batchbook.storage.leftovers import sweep
from batchbook.storage.lock import WorkbookLock
from batchbook.storage.pending import SettledPending, settle_pending
from batchbook.storage.private import Access, accessible
from batchbook.storage.settling import settle_dead_holder, settle_intents
from batchbook.storage.trouble import refused
from batchbook.xlsx import Limits, within

Warn = Callable[[str], None]


@contextmanager
def under_settings(base: BaseConfig, kept: str) -> Iterator[None]:
    """The base configuration's limits and access hold inside, and what the system refuses is named.

    `kept` says what became of everything then.
    """
    with within(Limits.of(base.limits)), accessible(Access.of(base.state.group)):
        try:
            yield
        except OSError as error:
            raise refused(error, kept) from error


def locked(base: BaseConfig, workbook: Path, wait: float, warn: Warn) -> WorkbookLock:
    """The workbook's lock, to be entered; a dead holder's open saves are settled before it is taken over."""
    on_dead = partial(settle_dead_holder, workbook, warn=warn)
    return WorkbookLock(workbook, run=None, ledger=base.ledger, wait=wait, on_dead=on_dead)


def put_in_order(base: BaseConfig, ledger: Ledger, workbook: Path, warn: Warn) -> list[SettledPending]:
    """Settle open saves and publish a waiting one; the caller holds the lock. Gives what became of what waited."""
    settle_intents(ledger, workbook, warn)
    backups = backup_store(base, workbook)
    settled = settle_pending(ledger, workbook, backups, warn)
    sweep(workbook, backups, warn)
    backups.drop_live_links()
    return settled


@contextmanager
def in_order(
    base: BaseConfig, ledger: Ledger, workbook: Path, wait: float, warn: Warn
) -> Iterator[list[SettledPending]]:
    """The workbook's lock, with open saves settled and a waiting one published."""
    with locked(base, workbook, wait, warn):
        yield put_in_order(base, ledger, workbook, warn)
