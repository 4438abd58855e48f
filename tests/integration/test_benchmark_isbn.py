"""The benchmark of the ISBN system, run for real on a few rows: that it measures, not how fast anything is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.benches import measured_by


def test_every_case_is_measured_and_what_it_left_was_counted(tmp_path: Path) -> None:
    printed, found = measured_by("isbn.py", tmp_path, "--rows", "5,20", "--sheet", "40", "--each", "3")
    assert list(found["bulk"]) == ["5", "20"]
    assert found["bulk"]["20"]["rows_per_second"] == pytest.approx(20 / found["bulk"]["20"]["seconds"])
    assert found["large"]["rows"] == 40 and found["at_once"]["commands"] == 6
    assert "exponent" in printed and "all numbers distinct" in printed
