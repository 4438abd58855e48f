"""Words and numbers as the result columns show them."""

from __future__ import annotations

from collections.abc import Sequence

NOT_CHECKED = "not checked"
MOST_NAMED = 3


def count(number: int, one: str, many: str) -> str:
    """A number with its noun: ``1 advisory``, ``2 advisories``."""
    return f"{number} {one if number == 1 else many}"


def some(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
