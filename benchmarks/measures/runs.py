"""A whole run of the real command over a large sheet, with a processor that does next to nothing."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path
from typing import Any

import memory  # the benchmark beside this folder: it makes such folders and runs commands in them

COLUMNS = 10
PARTS = ("book.xlsx", "job.yaml", "steps.py")


def make(folder: Path, rows: int, batch: int) -> dict[str, Any]:
    """The folder of a run: workbook, job, processor."""
    memory.make_folder(folder, rows, COLUMNS, batch)
    for path in folder.iterdir():
        if path.name not in PARTS:
            path.unlink()
    return {}


def run(made: Path, folder: Path) -> dict[str, Any]:
    """One fresh run in a copy of the folder, start-up included; the peak is the command's, not this process's."""
    shutil.copytree(made, folder)
    peak, seconds = memory.peak(["run", "job.yaml", "--start-fresh", "--quiet"], folder)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": [seconds], "cpu": [used.ru_utime + used.ru_stime], "peak_bytes": peak}
