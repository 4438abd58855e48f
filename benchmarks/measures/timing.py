"""Repeated, timed calls in the process that a case has to itself, and the peak of that process's memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Stopwatch:
    """Takes the time of each block that runs in it: seconds by the clock, and seconds of the processor."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.cpu: list[float] = []

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds.append(time.perf_counter() - self._start[0])
        self.cpu.append(time.process_time() - self._start[1])

    def split(self, first: int) -> tuple[Stopwatch, Stopwatch]:
        """So many of the first blocks, and the others."""
        parts = Stopwatch(), Stopwatch()
        for part, which in zip(parts, (slice(first), slice(first, None)), strict=True):
            part.seconds, part.cpu = self.seconds[which], self.cpu[which]
        return parts


def interpreter() -> dict[str, Any]:
    """An interpreter that has only imported batchbook; the memory of all cases is held against its."""
    with Stopwatch() as watch:
        __import__("batchbook")
    return figures(watch)


def repeated(action: Callable[[], object], times: int, budget: float = 20.0) -> Stopwatch:
    """The times of some calls: at least one, no further one after `budget` seconds."""
    watch = Stopwatch()
    while len(watch.seconds) < max(1, times) and sum(watch.seconds) < budget:
        with watch:
            action()
    return watch


def figures(watch: Stopwatch, **more: Any) -> dict[str, Any]:
    """What a case reports; to be called before anything is checked, so that the peak is that of the case."""
    return {"seconds": watch.seconds, "cpu": watch.cpu, "peak_bytes": peak_bytes(), **more}


def peak_bytes() -> int:
    """The most memory that this process has had in RAM."""
    # Linux counts the peak of a parent into `ru_maxrss` of its child; this line is the process's own.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def warm(path: Path) -> None:
    """Have a file in the system's cache, without having it in this process."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
