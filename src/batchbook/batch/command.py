"""A single command as a run: one change set through ledger and saver, which `runs undo` takes back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from batchbook.batch.systems import Actor, System
from batchbook.config import BaseConfig
from batchbook.tables.records import RecordChange
from batchbook.tables.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """What a command did."""

    value: T
    """What its function returned."""
    run: str | None
    """The run that it is in the ledger; None where it changed nothing."""
    changes: Sequence[RecordChange] = ()
    warnings: Sequence[str] = ()


def run_command(
    base: BaseConfig,
    workbook: Path,
    system: System,
    verb: str,
    act: Callable[[Workspace, Actor], T],
    *,
    note: str = "",
    user: str,
    wait: float,
    clock: Callable[[], dt.datetime],
    dry_run: bool = False,
) -> Done[T]:
    """Read the system's sheets, let `act` stage changes, and bring them into the workbook in one durable save.

    The workbook's lock is held from the reading to the save. Where a person saves the workbook meanwhile, the changes
    are merged by key where they still hold; where they do not, `act` is called again on what is there by then (it must
    have no effect but what it stages). After a few times CannotSave with the difference. What `act` raises passes
    through and leaves nothing behind. With `dry_run` nothing is written.
    """
    raise NotImplementedError


def look(base: BaseConfig, workbook: Path, system: System) -> Workspace:
    """The system's sheets as they are, for reading only: without a lock, and nothing is written."""
    raise NotImplementedError
