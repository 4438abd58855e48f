"""The systems that this installation has, and how their verbs get at a workbook and tell what they did there."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from batchbook.cli.listing import Line, write_csv
from batchbook.cli.output import manner, note, say, show_json
from batchbook.cli.places import base_for, runs_call, who
from batchbook.errors import UsageError

if TYPE_CHECKING:
    from batchbook.batch.command import Done
    from batchbook.batch.systems import Actor, System
    from batchbook.cli.options import Changing
    from batchbook.config import BaseConfig
    from batchbook.isbn.system import IsbnSystem
    from batchbook.tables.records import RecordType
    from batchbook.tables.workspace import Workspace

S = TypeVar("S", bound="System")
T = TypeVar("T")
_NOTHING_CHANGED = "nothing was changed"


def isbn_of(base: BaseConfig) -> IsbnSystem:
    """The ISBN system by its settings in a base configuration. Raises ConfigurationError with what is wrong there."""
    from batchbook.isbn.system import isbn_system

    return isbn_system(base.sections["isbn"], base.folder, file=str(base.file or ""), zone=base.zone)


@dataclass(frozen=True)
class Installed(Generic[S]):
    """A system that this installation has."""

    name: str
    """Of its verbs, and under `workbooks:` of the base configuration."""
    title: str
    """As in "the ISBN workbook"."""
    of: Callable[[BaseConfig], S]
    """Gives the system by its settings in a base configuration."""

    def desk(self, workbook: Path | None) -> Desk[S]:
        """The desk for a workbook, or for the one that the base configuration names. Raises UsageError without."""
        base = base_for(workbook)
        return Desk(base, self.workbook(base, workbook), self.of(base))

    def workbook(self, base: BaseConfig, given: Path | None) -> Path:
        """The absolute path of the workbook that is meant. Raises UsageError where none is named."""
        if given is not None:
            return Path(os.path.abspath(given))  # noqa: PTH100 - a link in the path stays one
        if self.name in base.workbooks:
            return base.workbooks[self.name]
        where = base.file or base.folder / "config" / "batchbook.yaml"
        raise UsageError(
            f"No {self.title} workbook is named.",
            f"Give --workbook FILE, or write `workbooks: {{{self.name}: data/{self.name}.xlsx}}` into {where}; "
            f"`batchbook {self.name} new FILE` makes an empty one.",
        )


ISBN: Final = Installed("isbn", "ISBN", isbn_of)
SYSTEMS: Final = {system.name: system for system in (ISBN,)}
"""By name. Each has a module of this package with its verbs."""
JOBS: Final = ("isbn-bulk", "isbn-assign-due")
"""The jobs that come along: system and verb."""


def systems_of(base: BaseConfig) -> Callable[[str], System | None]:
    """Gives the system of a name, by its settings in a base configuration; None where there is no such system."""

    def find(name: str) -> System | None:
        return SYSTEMS[name].of(base) if name in SYSTEMS else None

    return find


def installed_jobs() -> dict[str, Path]:
    """The files of the jobs that came along with the systems, by the jobs' names."""
    from batchbook.cli.starter import samples_folder

    return {name: samples_folder() / f"{name}.yaml" for name in JOBS}


@dataclass(frozen=True)
class Desk(Generic[S]):
    """The workbook that is worked on, with what is configured for it."""

    base: BaseConfig
    workbook: Path
    system: S

    def look(self) -> Workspace:
        """The sheets as they are, for reading only."""
        from batchbook.batch.command import look

        try:
            return look(self.base, self.workbook, self.system)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_NOTHING_CHANGED) from None

    def change(self, how: Changing, verb: str, act: Callable[[Workspace, S, Actor], T], *, note: str = "") -> Done[T]:
        """Do `act` as one run (see `run_command`); its warnings are said."""
        from batchbook.batch.command import run_command
        from batchbook.batch.controller import local_now

        decided = False

        def acted(workspace: Workspace, actor: Actor) -> T:
            nonlocal decided
            value = act(workspace, self.system, actor)
            decided = not how.dry_run
            return value

        try:
            done = run_command(
                self.base,
                self.workbook,
                self.system,
                verb,
                acted,
                note=note,
                user=who(how.user),
                wait=how.wait,
                clock=local_now,
                dry_run=how.dry_run,
            )
        except KeyboardInterrupt:
            call = runs_call("runs list", how.workbook)
            may_be_saved = f"it was being saved: `{call}` says whether it was done"
            raise KeyboardInterrupt(may_be_saved if decided else _NOTHING_CHANGED) from None
        warn(*done.warnings)
        return done

    def today(self) -> dt.date:
        """The day that it is in the zone of people's dates."""
        return dt.datetime.now(self.base.zone).date()

    def unsound(self, workspace: Workspace, *kinds: RecordType[Any], what: str = "not listed") -> int:
        """Say how many rows of these sheets break a rule and what that means here; gives their number."""
        count = sum(workspace.table(kind).unsound for kind in kinds)
        self.warn_of_unsound(count, what)
        return count

    def warn_of_unsound(self, count: int, what: str) -> None:
        """Say that so many rows break a rule, if any, and what that means here."""
        if count:
            broken = "1 row breaks a rule and is" if count == 1 else f"{count:,} rows break a rule and are"
            warn(f"{broken} {what}; `batchbook {self.system.name} check` names each")


def warn(*warnings: object) -> None:
    """Say warnings beside the result."""
    for warning in warnings:
        note(f"warning: {warning}")


def tell(
    how: Changing, verb: str, done: Done[Any], *, said: str, record: Line, more: Line, warnings: Sequence[str] = ()
) -> None:
    """Tell what a command did: a line with the run that can be taken back, an object, or the record as CSV.

    more: what the object has of its own. warnings: said besides those of the run, which were said already.
    """
    warn(*warnings)
    if manner.json:
        result = {"command": verb, "run_id": done.run, "dry_run": how.dry_run, **more}
        show_json({**result, "warnings": [*done.warnings, *warnings], "error": None})
    elif manner.csv:
        write_csv(list(record), [record])
    else:
        kept = _kept(how, done, said)
        say(f"{'would be done: ' if how.dry_run and done.changes else ''}{said}{kept}")


def _kept(how: Changing, done: Done[Any], said: str) -> str:
    """What is to be known of the run that a command was."""
    if how.dry_run:
        return " (dry run; nothing was written)"
    if done.run is None:
        return "" if said.startswith("unchanged") else " (nothing was changed)"
    call = runs_call(f"runs undo {done.run}", how.workbook)
    return f" (run {done.run}; `{call}` takes it back)"
