"""What the engine is meant to reach, as ratios that travel between machines, and whether it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for one figure of one case at one size."""

    case: str
    rows: int
    figure: str
    bound: float
    least: bool
    """Whether the figure has to be at least the bound, not at most."""
    text: str

    def verdict(self, value: float) -> dict[str, Any]:
        """The goal with the figure that was measured, and whether it is met."""
        met = value >= self.bound if self.least else value <= self.bound
        return {
            "case": self.case, "rows": self.rows, "goal": self.text, "figure": self.figure, "bound": self.bound,
            "value": value, "met": met,
        }  # fmt: skip


UPDATE, SAVE, READ_FEW, READ_ALL, RUN = "update 6 of 24", "save one batch", "read 3 of 24", "read 24 of 24", "run"


def _goals() -> tuple[Goal, ...]:
    large = 200_000
    flat = [
        Goal(case, large, "over_interpreter_mib", 64, False, "under 64 MiB over the interpreter")
        for case in (UPDATE, READ_FEW, READ_ALL)
    ]
    saves = [
        goal
        for rows in (50_000, large)
        for goal in (
            Goal(SAVE, rows, "times_openpyxl", 200, True, "200 x openpyxl's save"),
            Goal(SAVE, rows, "times_floor", 2.5, False, "at most 2.5 x the floor"),
        )
    ]
    return (
        Goal(UPDATE, 50_000, "times_openpyxl", 40, True, "40 x openpyxl"),
        Goal(UPDATE, 50_000, "times_floor", 5, False, "at most 5 x the floor"),
        *saves,
        Goal(READ_FEW, large, "times_calamine", 1, True, "faster than python-calamine"),
        Goal(READ_FEW, large, "share_of_calamine", 0.2, False, "a fifth of python-calamine's memory"),
        *flat,
    )


GOALS = _goals()


def verdicts(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The goals that a case's figures answer."""
    return [
        goal.verdict(figures[goal.figure])
        for goal in GOALS
        if (goal.case, goal.rows) == (figures["case"], figures["rows"]) and figures.get(goal.figure) is not None
    ]
