"""The benchmark of the online review, run for real on a few packages: that it measures, not how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import batchbook

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "review.py"
SOURCES = str(Path(batchbook.__file__).parents[1])


def test_the_three_nights_are_measured_with_what_the_server_was_asked(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ["--rows", "8", "--repeat", "1", "--latency", "0.01", "--json", str(figures)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options], env={**os.environ, "PYTHONPATH": SOURCES}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    first, alone, second = found["cases"].values()
    assert first["requests"]["index"] == alone["requests"]["index"] == second["requests"]["index"] == 8
    assert alone["requests"]["osv-batch"] == 8 >= first["requests"]["osv-batch"]
    assert first["requests"]["osv-vuln"] == alone["requests"]["osv-vuln"] > 0
    assert alone["most_at_once"] == 1 < first["most_at_once"] <= 5
    assert set(second["requests"]) == {"index", "osv-batch"}
    assert second["not_modified"] == 8
    assert found["ratios"]["one after another"] == pytest.approx(alone["seconds"] / first["seconds"])
    assert "one after another takes" in done.stdout
