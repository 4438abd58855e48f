"""The ISBN system: its settings, its sheets, and the rules that go beyond one record."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from pydantic import Field, ValidationError

from batchbook.batch.systems import Actor, System, Turning
from batchbook.config.checking import Settings, Text, Texts, findings_of
from batchbook.config.layers import Layers
from batchbook.errors import ConfigurationError, Finding
from batchbook.isbn.checks import check
from batchbook.isbn.numbers import Isbn
from batchbook.isbn.rangemessage import ranges_in_use
from batchbook.isbn.records import BLOCKS, FORMATS, HISTORY, assignments_type, with_ranges
from batchbook.isbn.rules import assignment_rule, block_rule
from batchbook.isbn.session import Memory
from batchbook.isbn.turning import turned
from batchbook.tables.records import R, RecordChange, RecordType, Rule
from batchbook.tables.workspace import Workspace


class IsbnSettings(Settings):
    """``isbn:`` of the base configuration."""

    formats: Texts = Field(default=(), description="a list of texts")
    """Formats beside paperback, hardcover, ebook and audiobook."""
    ranges: Text | None = Field(default=None, description="the path of a RangeMessage.xml")
    date_order: Literal["dmy", "mdy", "ymd"] | None = Field(default=None, description="dmy, mdy or ymd")
    """How 03/04/2026 is read in imports; None: refused as ambiguous."""


class IsbnSystem(System):
    """Blocks, assignments and history of a workbook, with the range table that belongs to them."""

    name = "isbn"

    def __init__(
        self, settings: IsbnSettings | None = None, base_folder: Path | None = None, zone: dt.tzinfo | None = None
    ) -> None:
        """Relative paths in the settings count from the base folder (the current one where None).

        zone: in which people's dates are; None where that is not known.

        Raises ConfigurationError where the range table that they name cannot be used.
        """
        self.settings = settings or IsbnSettings()
        self.zone = zone
        path = self.settings.ranges
        self.ranges = ranges_in_use(None if path is None else (base_folder or Path()) / path)
        self.isbn = Isbn(self.ranges)
        formats = tuple(dict.fromkeys((*FORMATS, *self.settings.formats)))
        self.blocks = _ruled(with_ranges(BLOCKS, self.ranges), block_rule(self.ranges))
        self.assignments = _ruled(with_ranges(assignments_type(formats), self.ranges), assignment_rule)
        self.history = with_ranges(HISTORY, self.ranges)
        self.types = (self.blocks, self.assignments, self.history)
        self._memories: WeakKeyDictionary[Workspace, Memory] = WeakKeyDictionary()

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats that a number can be for."""
        return self.assignments.column("format").allowed

    @property
    def ranges_date(self) -> str:
        """The range table in use and its date, for people."""
        return str(self.ranges)

    @property
    def date_order(self) -> Literal["dmy", "mdy", "ymd"] | None:
        """In which order day, month and year stand in imports; None: dates that are ambiguous are refused."""
        return self.settings.date_order

    def memory_of(self, workspace: Workspace) -> Memory:
        """What commands on this workspace remember from one to the next."""
        memory = self._memories.get(workspace)
        if memory is None:
            memory = self._memories[workspace] = Memory()
        return memory

    def check(self, workspace: Workspace) -> Iterable[Finding]:
        """What is wrong across records, each with sheet, row, column, value and rule."""
        return check(workspace, self)

    def turned(
        self, workspace: Workspace, verb: str, run: str, changes: Sequence[RecordChange], actor: Actor
    ) -> Turning:
        """What an undo or reapply has to leave, and the history rows that say what it does."""
        return turned(workspace, self, verb, run, changes, actor)


def _ruled(kind: RecordType[R], rule: Rule[R]) -> RecordType[R]:
    return replace(kind, rules=(*kind.rules, rule))


def isbn_system(
    section: Mapping[str, Any], base_folder: Path | None = None, *, file: str = "", zone: dt.tzinfo | None = None
) -> IsbnSystem:
    """The system by what the base configuration says under ``isbn:``.

    Raises ConfigurationError with all that is wrong in it; `file` names the configuration in messages.
    """
    file = file or "config/batchbook.yaml"
    try:
        settings = IsbnSettings.model_validate(dict(section))
    except ValidationError as error:
        layers = Layers()
        layers.set(("isbn",), dict(section), file)
        raise ConfigurationError(
            f"The section `isbn:` of {file} is wrong.",
            "Mend the places named.",
            findings=findings_of(error, IsbnSettings, layers, ("isbn",)),
        ) from None
    return IsbnSystem(settings, base_folder, zone)
