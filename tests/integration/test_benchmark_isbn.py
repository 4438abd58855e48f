"""The benchmark of the ISBN system, run for real on a few rows: that it measures, not how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import batchbook

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "isbn.py"
SOURCES = str(Path(batchbook.__file__).parents[1])


def test_every_case_is_measured_and_what_it_left_was_counted(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ["--rows", "5,20", "--sheet", "40", "--each", "3", "--json", str(figures)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options], env={**os.environ, "PYTHONPATH": SOURCES}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    assert list(found["bulk"]) == ["5", "20"]
    assert found["bulk"]["20"]["rows_per_second"] == pytest.approx(20 / found["bulk"]["20"]["seconds"])
    assert found["large"]["rows"] == 40 and found["at_once"]["commands"] == 6
    assert "exponent" in done.stdout and "all numbers distinct" in done.stdout
