"""The states of a number, and the steps between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from batchbook.isbn.errors import IsbnRefused

STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "available": ("reserved", "scheduled"),
    "reserved": ("available", "scheduled"),
    "scheduled": ("assigned", "reserved", "available"),
    "assigned": ("published", "cancelled"),
    "published": ("cancelled",),
    "cancelled": (),
}
"""To which states a number can go from each."""

COMMANDS: Final[Mapping[str, str]] = {
    "available": "release",
    "reserved": "reserve",
    "scheduled": "schedule",
    "assigned": "assign",
    "published": "publish",
    "cancelled": "cancel",
}
"""By which command of `batchbook isbn` a number gets into each state."""

CHECK: Final = "batchbook isbn check"
"""The command that names all that is wrong."""

FREE: Final = "available"
"""The only state in which a number can be given; one without a row is in it too."""

SPENT: Final = frozenset({"assigned", "published", "cancelled"})
"""From these no steps lead back: the number is never available again."""

LASTING: Final = frozenset({"published", "cancelled"})
"""Of these not even an undo leads to a number that can be given: others know of it."""


class StepRefused(IsbnRefused, code="step-refused"):
    """A number cannot go from its state to the one that is wanted; nothing was changed."""


def allowed(current: str | None) -> tuple[str, ...]:
    """The states that a number can go to; None is the state of a number without a row, which is available."""
    return STEPS[current or FREE]


def step(current: str | None, wanted: str, isbn: str = "") -> str:
    """The wanted state, where the step to it is allowed. Raises StepRefused with the steps that are.

    isbn: how the number is called in the error. KeyError: one of the states is none.
    """
    state = current or FREE
    if wanted not in STEPS:
        raise KeyError(wanted)
    if wanted in STEPS[state]:
        return wanted
    name = f"ISBN {isbn}" if isbn else "The number"
    if wanted == state:
        what = f"{name} is {state} already."
    else:
        what = f"{name} is {state}; it cannot become {wanted}."
    raise StepRefused(what, _advice(state))


def _advice(state: str) -> str:
    steps = [f"{to} (`batchbook isbn {COMMANDS[to]}`)" for to in STEPS[state]]
    if not steps:
        return f"No step is allowed: a number that is {state} stays so for ever. Schedule another number."
    return f"Allowed from {state}: {', '.join(steps)}."
