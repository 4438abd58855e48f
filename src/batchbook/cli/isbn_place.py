"""Which ISBN workbook a verb means, who asks, and how what it does gets there."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from batchbook.cli import output
from batchbook.cli.places import base_for, who
from batchbook.cli.systems import isbn_of
from batchbook.errors import UsageError

if TYPE_CHECKING:
    from batchbook.batch.command import Done
    from batchbook.batch.systems import Actor
    from batchbook.config import BaseConfig
    from batchbook.isbn.system import IsbnSystem
    from batchbook.tables.workspace import Workspace

T = TypeVar("T")
_NOTHING_CHANGED = "nothing was changed"
_MAY_BE_SAVED = "it was being saved: `batchbook runs list` says whether it was done"


@dataclass(frozen=True)
class Desk:
    """The workbook that is worked on, with what is configured for it."""

    base: BaseConfig
    workbook: Path
    system: IsbnSystem

    def look(self) -> Workspace:
        """The sheets as they are, for reading only."""
        from batchbook.batch.command import look

        try:
            return look(self.base, self.workbook, self.system)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_NOTHING_CHANGED) from None

    def change(
        self,
        verb: str,
        act: Callable[[Workspace, Actor], T],
        *,
        user: str | None,
        wait: float,
        note: str = "",
        dry_run: bool = False,
    ) -> Done[T]:
        """Do `act` as one run (see `run_command`); its warnings are said."""
        from batchbook.batch.command import run_command
        from batchbook.batch.controller import local_now

        decided = False

        def acted(workspace: Workspace, actor: Actor) -> T:
            nonlocal decided
            value = act(workspace, actor)
            decided = not dry_run
            return value

        try:
            done = run_command(
                self.base,
                self.workbook,
                self.system,
                verb,
                acted,
                note=note,
                user=who(user),
                wait=wait,
                clock=local_now,
                dry_run=dry_run,
            )
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_MAY_BE_SAVED if decided else _NOTHING_CHANGED) from None
        for warning in done.warnings:
            output.note(f"warning: {warning}")
        return done


def desk_for(workbook: Path | None) -> Desk:
    """The desk for a workbook, or for the one that the base configuration names. Raises UsageError without either."""
    base = base_for(workbook)
    return Desk(base, chosen_workbook(base, workbook), isbn_of(base))


def chosen_workbook(base: BaseConfig, given: Path | None) -> Path:
    """The absolute path of the workbook that is meant."""
    if given is not None:
        return Path(os.path.abspath(given))  # noqa: PTH100 - a link in the path stays one
    if "isbn" in base.workbooks:
        return base.workbooks["isbn"]
    where = base.file or base.folder / "config" / "batchbook.yaml"
    raise UsageError(
        "No ISBN workbook is named.",
        f"Give --workbook FILE, or write `workbooks: {{isbn: data/isbn.xlsx}}` into {where}; "
        "`batchbook isbn new FILE` makes an empty one.",
    )


def today(base: BaseConfig) -> dt.date:
    """The day that it is in the zone of people's dates."""
    return dt.datetime.now(base.zone).date()


def day_of(system: IsbnSystem, text: str | None, option: str) -> dt.date | None:
    """The day of a text on the command line; UsageError naming the option where it is none."""
    from batchbook.isbn.fields import read_date
    from batchbook.tables.kinds import Wrong

    if text is None:
        return None
    try:
        return read_date(system, text)
    except Wrong as wrong:
        raise UsageError(f"{option} {text!r} {wrong.said}.", "Give a day such as 2027-03-01.") from None
