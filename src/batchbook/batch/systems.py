"""A system of record types that jobs and commands work on, behind one interface."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchbook.errors import Finding
from batchbook.tables.records import RecordChange, RecordType
from batchbook.tables.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, when, in which run, and in which zone people's dates are."""

    user: str
    now: dt.datetime
    run: str
    zone: dt.tzinfo = dt.UTC


@dataclass(frozen=True, slots=True)
class Turning:
    """What a system says to an undo or reapply of a run."""

    refused: Mapping[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    """By sheet and key: why a record has to stay as it is."""
    changes: Sequence[RecordChange] = ()
    """What is to be written besides, such as rows of a history."""


class System:
    """Base of systems: the record types of their workbook, and rules that go beyond one record."""

    name: str
    """As in ``workbooks:`` of the base configuration."""
    version: str = "1"
    types: tuple[RecordType[Any], ...]

    def check(self, workspace: Workspace) -> Iterable[Finding]:
        """What is wrong across records; the types' own rules are in `Workspace.findings`."""
        return ()

    def turned(
        self, workspace: Workspace, verb: str, run: str, changes: Sequence[RecordChange], actor: Actor
    ) -> Turning:
        """Look at what the undo or reapply (`verb`) of a run is about to do to the workbook as it is.

        changes: by record; of one that is taken out again every value in `after` is None.
        """
        return Turning()
