"""The ISBN system: its settings, its sheets, and the rules that go beyond one record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from batchbook.batch.systems import Actor, System, Turning
from batchbook.config.checking import Settings, Text, Texts
from batchbook.errors import Finding
from batchbook.isbn.records import BLOCKS, HISTORY, Assignment, Block, HistoryEntry, assignments_type
from batchbook.tables.records import RecordChange, RecordType
from batchbook.tables.workspace import Workspace


class IsbnSettings(Settings):
    """``isbn:`` of the base configuration."""

    formats: Texts = Field(default=(), description="a list of texts")
    """Formats beside paperback, hardcover, ebook and audiobook."""
    ranges: Text | None = Field(default=None, description="the path of a RangeMessage.xml")
    date_order: Literal["dmy", "mdy", "ymd"] | None = None
    """How 03/04/2026 is read in imports; None: refused as ambiguous."""


class IsbnSystem(System):
    """Blocks, assignments and history of a workbook, with the range table that belongs to them."""

    name = "isbn"

    def __init__(self, settings: IsbnSettings | None = None, base_folder: Path | None = None) -> None:
        """Relative paths in the settings count from the base folder (the current one where None)."""
        self.settings = settings or IsbnSettings()
        self.blocks: RecordType[Block] = BLOCKS
        self.assignments: RecordType[Assignment] = assignments_type()
        self.history: RecordType[HistoryEntry] = HISTORY
        self.types = (self.blocks, self.assignments, self.history)

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats that a number can be for."""
        return self.assignments.column("format").allowed

    @property
    def ranges_date(self) -> str:
        """The date of the range table, as the table says it."""
        raise NotImplementedError

    def check(self, workspace: Workspace) -> Iterable[Finding]:
        """What is wrong across records, each with sheet, row, column, value and rule."""
        raise NotImplementedError

    def turned(
        self, workspace: Workspace, verb: str, run: str, changes: Sequence[RecordChange], actor: Actor
    ) -> Turning:
        """What an undo or reapply has to leave, and the history rows that say what it does."""
        raise NotImplementedError


def isbn_system(section: Mapping[str, Any], base_folder: Path | None = None, *, file: str = "") -> IsbnSystem:
    """The system by what the base configuration says under ``isbn:``.

    Raises ConfigurationError with all that is wrong in it; `file` names the configuration in messages.
    """
    raise NotImplementedError
