"""What records are asked for by: a plain value means equality, these mean more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Between:
    """From `low` to `high`, both included; None leaves a side open."""

    low: Any = None
    high: Any = None


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of some values."""

    values: Collection[Any]


@dataclass(frozen=True, slots=True)
class Alike:
    """This text, in whatever case."""

    text: str


@dataclass(frozen=True, slots=True)
class Containing:
    """A text with this text in it, in whatever case."""

    text: str
