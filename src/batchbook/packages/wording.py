"""Words and numbers as the result columns show them."""

from __future__ import annotations

from collections.abc import Sequence

NOT_CHECKED = "not checked"
MOST_NAMED = 3
MOST_TEXT = 2_000
"""As much as a person reads in a cell; a cell holds more, a record may say more still."""
MOST_QUOTED = 80


def count(number: int, one: str, many: str) -> str:
    """A number with its noun: ``1 advisory``, ``2 advisories``."""
    return f"{number} {one if number == 1 else many}"


def some(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def fitting(names: Sequence[str], most: int = MOST_TEXT) -> str:
    """As many whole names as fit into a text of `most` characters, and how many more there are."""
    text = ", ".join(names)
    if len(text) <= most:
        return text
    room = most - len(f" and {len(names)} more")
    taken = text[: room + 1].count(", ")
    return shorten(some(names, max(taken, 1)), most)


def label(name: str, date: str) -> str:
    """A source and the day of its answer, as results name them."""
    return f"{name} of {date}"


def shorten(text: str, most: int = MOST_TEXT) -> str:
    """A text of at most so many characters; what was cut ends with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def quoted(text: str) -> str:
    """A text of others in quotes, short enough for a message."""
    return repr(shorten(text, MOST_QUOTED))
