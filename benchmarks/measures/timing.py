"""Repeated, timed calls in the process that a case has to itself, and the peak of that process's memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def interpreter() -> dict[str, Any]:
    """An interpreter that has only imported batchbook; the memory of all cases is held against its."""
    __import__("batchbook")
    return figures([0.0])


def repeated(action: Callable[[], object], times: int, budget: float = 20.0) -> list[float]:
    """The seconds of each of some calls: at least one, no further one after `budget` seconds."""
    seconds: list[float] = []
    while len(seconds) < max(1, times) and sum(seconds) < budget:
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return seconds


def figures(seconds: Sequence[float], **more: Any) -> dict[str, Any]:
    """What a case reports; to be called before anything is checked, so that the peak is that of the case."""
    return {"seconds": list(seconds), "peak_bytes": peak_bytes(), **more}


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
