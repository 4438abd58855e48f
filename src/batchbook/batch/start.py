"""How a run is asked to start, what was found, and what a person may be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

Mode: TypeAlias = Literal["ask", "fresh", "auto", "row", "batch", "only-failed"]
OnChange: TypeAlias = Literal["merge", "theirs", "checkpoint"]
StartChoice: TypeAlias = Literal["resume", "fresh", "cancel"] | tuple[Literal["row", "batch"], int]
MismatchChoice: TypeAlias = Literal["force", "fresh", "cancel"]


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What the caller asks for."""

    mode: Mode = "ask"
    number: int | None = None
    """The row or batch for the modes of that name."""
    run: str | None = None
    """The run for `only-failed`."""
    start_row: int | None = None
    end_row: int | None = None
    keys: tuple[str, ...] = ()
    on_change: OnChange | None = None
    force: bool = False
    offline: bool = False
    dry_run: bool = False
    wait: float = 0.0
    """Seconds to wait for the lock."""
    user: str | None = None
    """Who asks for it, for the history of records; None: the system's user."""

    @property
    def filters(self) -> dict[str, Any]:
        """The rows that the caller asks for, where that is not the job's whole selection."""
        given = {"start_row": self.start_row, "end_row": self.end_row, "keys": list(self.keys), "run": self.run}
        return {name: value for name, value in given.items() if value}

    def resumes(self, settings: Mapping[str, Any]) -> bool:
        """Whether an unfinished run with these settings, if it can be resumed, is the one to go on with."""
        if self.mode == "auto":
            return self.filters in ({}, settings.get("rows"))
        return self.mode in ("row", "batch")


@dataclass(frozen=True, slots=True)
class WorkbookDifference:
    """How a workbook differs from the one that a run last saw."""

    rows_gone: int = 0
    rows_new: int = 0
    inputs_changed: int = 0
    results_changed: int = 0
    examples: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The difference in words."""
        parts = (
            (self.rows_gone, "rows of the run are gone (deleted, or their key was changed)"),
            (self.rows_new, "rows are new; they wait for the next run"),
            (self.inputs_changed, "rows have other inputs; they are done again"),
            (self.results_changed, "cells that the run wrote were edited"),
        )
        said = [f"{count} {what}" for count, what in parts if count]
        return tuple(said or ["the file changed, but no row of the run did"]) + self.examples


@dataclass(frozen=True, slots=True)
class ResumeSummary:
    """An unfinished run that was found."""

    run: str
    job: str
    started: str
    active: str
    attempts: int
    selected: int
    done: int
    counts: Mapping[str, int] = field(default_factory=dict)
    batches: int = 0
    seconds_left: float | None = None
    workbook_changed: bool = False
    checkpoints: tuple[str, ...] = ()
    """One line a checkpoint, newest first: number, batch, time, rows done."""

    @property
    def remaining(self) -> int:
        """Rows that have no outcome yet."""
        return self.selected - self.done

    @property
    def lines(self) -> tuple[str, ...]:
        """What was found, in words."""
        counted = ", ".join(f"{n} {what}" for what, n in self.counts.items() if n) or "nothing yet"
        left = "" if self.seconds_left is None else f", about {duration(self.seconds_left)} of work"
        lines = [
            f"run {self.run} of job {self.job}, begun {self.started}, last active {self.active}",
            f"this is attempt {self.attempts}",
            f"{self.done} of {self.selected} rows have a result ({counted}) in {self.batches} batches",
            f"{self.remaining} rows remain{left}",
        ]
        if self.workbook_changed:
            lines.append("the workbook was changed since by someone else")
        return tuple(lines)


class Decisions(Protocol):
    """Somebody who can be asked; the command line is one at a terminal."""

    def start(self, found: ResumeSummary) -> StartChoice:
        """A checkpoint exists: resume, start fresh, go on from a row or batch, or leave."""
        ...

    def changed(self, found: ResumeSummary, difference: WorkbookDifference) -> OnChange | Literal["cancel"]:
        """The workbook was changed since the checkpoint: what counts?"""
        ...

    def mismatch(self, expected: str, current: str) -> MismatchChoice:
        """The workbook is not in the state expected at the row or batch asked for."""
        ...


def duration(seconds: float) -> str:
    """A time span for people: ``4 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
