"""How many rows make a batch: fixed, memory-adaptive, time-based."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from batchbook.batch.memory import MemoryReader, SystemMemory
from batchbook.config import BatchSettings

GROW_BELOW = 0.5
"""Batches grow again only below this share of memory: between it and the threshold nothing moves."""
PAUSE_SECONDS = 2.0
MOST_PAUSES = 5


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The next batch: at most so many rows, or as many as come within so many seconds."""

    rows: int | None
    seconds: float | None = None
    save_before: bool = False
    """What is pending is saved first (flush)."""
    pause: float = 0.0
    """Seconds to wait first, so that memory can come free."""


class Strategy(Protocol):
    """Decides on batches."""

    name: str
    saves_every_batch: bool
    """Whether each batch ends with a save, whatever the cadence of checkpoints."""

    def next_batch(self) -> BatchPlan:
        """The next batch's plan."""
        ...


class Fixed:
    """Exactly N rows."""

    name = "fixed"
    saves_every_batch = False

    def __init__(self, size: int) -> None:
        self._size = size

    def next_batch(self) -> BatchPlan:
        """N rows."""
        return BatchPlan(self._size)


class TimeBased:
    """A batch, and its save, every T seconds, however many rows that is."""

    name = "time-based"
    saves_every_batch = True

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def next_batch(self) -> BatchPlan:
        """As many rows as come within T seconds."""
        return BatchPlan(None, self._seconds)


class MemoryAdaptive:
    """Keeps memory under a threshold by a ladder: shrink, then flush, then pause, then one row at a time.

    Above the threshold the size is halved; at size 1 what is pending is saved; after that the run pauses, a bounded
    number of times, and then goes on with single rows and a warning: it is never stuck. Below `GROW_BELOW` the size
    doubles again, up to the configured one.
    """

    name = "memory-adaptive"
    saves_every_batch = False

    def __init__(self, size: int, threshold: float, memory: MemoryReader, warn: Callable[[str], None]) -> None:
        self._full = size
        self._size = size
        self._threshold = threshold
        self._memory = memory
        self._warn = warn
        self._steps_at_one = 0

    def next_batch(self) -> BatchPlan:
        """The size that memory allows now."""
        pressure = self._memory.pressure()
        if pressure is None or pressure < min(GROW_BELOW, self._threshold):
            self._grow()
        elif pressure > self._threshold:
            return self._step_down(pressure)
        return BatchPlan(self._size)

    def _grow(self) -> None:
        self._steps_at_one = 0
        if self._size < self._full:
            self._size = min(self._full, self._size * 2)
            if self._size == self._full:
                self._warn(f"memory is free again: batches are back at {self._full} rows")

    def _step_down(self, pressure: float) -> BatchPlan:
        shown = f"memory is {pressure:.0%} full (threshold {self._threshold:.0%})"
        if self._size > 1:
            self._size = max(1, self._size // 2)
            self._warn(f"{shown}: batches shrink to {self._size} rows, what is pending is saved")
            return BatchPlan(self._size, save_before=True)
        self._steps_at_one += 1
        if self._steps_at_one == 1:
            return BatchPlan(1, save_before=True)
        if self._steps_at_one <= 1 + MOST_PAUSES:
            return BatchPlan(1, pause=PAUSE_SECONDS)
        if self._steps_at_one == 2 + MOST_PAUSES:
            self._warn(f"{shown} and stays so: going on one row at a time")
        return BatchPlan(1)


def strategy_for(
    settings: BatchSettings, warn: Callable[[str], None], memory: MemoryReader | None = None
) -> tuple[Strategy, list[str]]:
    """The job's strategy, and why it is another one than was asked for (then it is fixed; see BAT-5.5)."""
    problems = [said for name, said in settings.problems().items() if name in settings.own_parameters()]
    if problems or settings.strategy == "fixed":
        return Fixed(settings.usable_size), problems
    if settings.strategy == "time-based":
        return TimeBased(settings.time_based_interval), []
    memory = memory or SystemMemory()
    if memory.pressure() is None:
        return Fixed(settings.usable_size), [
            "strategy memory-adaptive cannot work: this machine gives no memory figures"
        ]
    return MemoryAdaptive(settings.usable_size, settings.memory_threshold, memory, warn), []
