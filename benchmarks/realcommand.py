"""The real command in a process of its own, as the benchmarks run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LIMIT = 3600
"""Seconds."""


def batchbook(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run it in a folder; what it says in JSON, where it does. Raises CalledProcessError where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "batchbook", *arguments], cwd=folder, check=True, capture_output=True, text=True,
        timeout=LIMIT,
    )  # fmt: skip
    said: dict[str, Any] = json.loads(done.stdout) if "--json" in arguments else {}
    return said
