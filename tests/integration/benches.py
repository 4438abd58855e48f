"""The scripts of `benchmarks/`, run for real in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import batchbook

FOLDER = Path(__file__).parents[2] / "benchmarks"
SOURCES = str(Path(batchbook.__file__).parents[1])
SECONDS = 250.0
"""No benchmark of a test takes longer; a hang fails."""


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """Python with these words, on the sources under test."""
    return subprocess.run(
        [sys.executable, *words], env={**os.environ, "PYTHONPATH": SOURCES}, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip


def measured_by(script: str, folder: Path, *options: str) -> tuple[str, dict[str, Any]]:
    """What a script printed, and the figures that it left in the folder."""
    figures = folder / "figures.json"
    done = python(str(FOLDER / script), "--json", str(figures), *options)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(figures.read_text())
