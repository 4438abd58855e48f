"""A system of record types that jobs and commands work on, behind one interface."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchbook.errors import Finding
from batchbook.tables.keys import key_shown
from batchbook.tables.records import RecordChange, RecordType
from batchbook.tables.workspace import Workspace

MOST_NAMED = 3
"""So many of the records that a command changed are named in its note; the others are counted."""
_LONGEST_LABEL = 60


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

    def note_of(self, workspace: Workspace, changes: Sequence[RecordChange]) -> str:
        """What a command did to which records, in a line for lists of runs; every command gets it.

        A few records by key and label (see `RecordType.label`), the others by their number. Those of append-only
        sheets, which say the same, count only where there are no others. changes: they are staged in the workspace.
        """
        logs = {kind.sheet for kind in self.types if kind.append_only}
        told = [change for change in changes if change.sheet not in logs] or changes
        named = [_named(workspace, self._type(change.sheet), change) for change in told[:MOST_NAMED]]
        more = [f"{len(told) - MOST_NAMED:,} more"] if len(told) > MOST_NAMED else []
        return ", ".join([*named, *more])

    def _type(self, sheet: str) -> RecordType[Any]:
        return next(kind for kind in self.types if kind.sheet == sheet)

    def turned(
        self, workspace: Workspace, verb: str, run: str, changes: Sequence[RecordChange], actor: Actor
    ) -> Turning:
        """Look at what the undo or reapply (`verb`) of a run is about to do to the workbook as it is.

        changes: by record; of one that is taken out again every value in `after` is None.
        """
        return Turning()


def _named(workspace: Workspace, kind: RecordType[Any], change: RecordChange) -> str:
    """A record by its key and its label, such as ``978-1-60888-000-3 (The River)``."""
    record = workspace.table(kind).record_of(change.key)
    key = key_shown(tuple(_shown(kind, name, getattr(record, name)) for name in kind.key))
    if not kind.label:
        return key
    # A label that the change clears still says what the record was.
    label = getattr(record, kind.label)
    text = _shown(kind, kind.label, label) if label is not None else (change.before or {}).get(kind.label)
    return f"{key} ({short_label(str(text))})" if text is not None else key


def _shown(kind: RecordType[Any], name: str, value: Any) -> str:
    return kind.column(name).kind.show(value)


def short_label(text: str) -> str:
    """A label on one line, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 3]}..."
