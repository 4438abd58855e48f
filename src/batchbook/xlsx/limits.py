"""How much a workbook's parts may inflate to: settings of a run, not of the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchbook.config import LimitSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_part`: bytes that no part may inflate to more than; `max_ratio`: how far a large part may have shrunk."""

    max_part: int = 4 << 30
    max_ratio: int = 400

    @classmethod
    def of(cls, settings: LimitSettings) -> Limits:
        """The limits that a base configuration sets."""
        return cls(settings.max_part_mib << 20, settings.max_ratio)


_current: ContextVar[Limits | None] = ContextVar("batchbook_limits", default=None)


def current_limits() -> Limits:
    """The limits that hold here; a workbook keeps those it was opened under."""
    return _current.get() or Limits()


def use_limits(limits: Limits) -> None:
    """Let limits hold for what follows in this context (see `contextvars`)."""
    _current.set(limits)


@contextmanager
def within(limits: Limits) -> Iterator[None]:
    """Let limits hold for a block."""
    token = _current.set(limits)
    try:
        yield
    finally:
        _current.reset(token)
