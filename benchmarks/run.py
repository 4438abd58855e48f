"""Benchmarks: ratios measured in one run on one machine; times themselves do not travel.

    python benchmarks/run.py [--rows-limit N] [--repeat N] [--json FILE]

The nightly review of the sample workbook through batchbook, and through the loop that people write without it:
openpyxl, load, set the cells of a row, save after every row (or every ten). The rules are the same in all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMAND = Path(sys.executable).with_name("batchbook")


def batchbook_run(folder: Path, *settings: str) -> None:
    """The real command in a process of its own, start-up included."""
    environment = {**os.environ, **dict(setting.split("=") for setting in settings)}
    job = "config/jobs/package-review.yaml"
    subprocess.run(
        [COMMAND, "run", job, "--start-fresh", "--quiet"], cwd=folder, env=environment, check=True, timeout=600
    )


def openpyxl_loop(folder: Path, every: int, rows: int | None) -> None:
    """The review as a plain loop, in a process of its own; saves after so many rows."""
    script = Path(__file__).with_name("openpyxl_loop.py")
    command = [sys.executable, str(script), "config/jobs/package-review.yaml", str(every), str(rows or 0)]
    subprocess.run(command, cwd=folder, check=True, timeout=3600)


def timed(action: Callable[[Path], None], repeat: int) -> tuple[float, int]:
    """Median seconds of an action on a fresh copy of the sample, and the peak memory of its process in bytes."""
    seconds = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "sample"
            subprocess.run([COMMAND, "init", "--sample", str(folder)], check=True, capture_output=True, timeout=60)
            start = time.perf_counter()
            action(folder)
            seconds.append(time.perf_counter() - start)
            shutil.rmtree(folder)
    return statistics.median(seconds), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="how often each batchbook case is run (median)")
    parser.add_argument("--loop-rows", type=int, default=0, help="only so many rows in the loops, scaled up (0: all)")
    parser.add_argument("--json", type=Path, default=None, help="write the figures to this file too")
    options = parser.parse_args()
    every_batch = ("BATCHBOOK_BATCH__CHECKPOINT_FREQUENCY=1", "BATCHBOOK_SAVE__MAX_OVERHEAD=1.0")
    cases: list[tuple[str, Callable[[Path], None], int]] = [
        ("batchbook, durable every 10 rows (as delivered)", batchbook_run, options.repeat),
        ("batchbook, workbook saved every 10 rows too", lambda f: batchbook_run(f, *every_batch), options.repeat),
        ("openpyxl loop, save every 10 rows", lambda f: openpyxl_loop(f, 10, options.loop_rows), 1),
        ("openpyxl loop, save every row", lambda f: openpyxl_loop(f, 1, options.loop_rows), 1),
    ]
    scale = 486 / options.loop_rows if options.loop_rows else 1.0
    figures = []
    for name, action, repeat in cases:
        seconds, _ = timed(action, repeat)
        seconds *= scale if "loop" in name else 1.0
        figures.append({"case": name, "seconds": seconds})
        print(f"{name:50} {seconds:9.2f} s   {seconds / figures[0]['seconds']:7.1f} x", flush=True)
    if options.json:
        about = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
        options.json.write_text(json.dumps({"about": about, "figures": figures}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
