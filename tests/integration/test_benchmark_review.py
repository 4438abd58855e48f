"""The benchmark of the online review, run for real on a few packages: that it measures, not how fast anything is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.benches import measured_by


def test_the_three_nights_are_measured_with_what_the_server_was_asked(tmp_path: Path) -> None:
    printed, found = measured_by("review.py", tmp_path, "--rows", "8", "--repeat", "1", "--latency", "0.01")
    first, alone, second = found["cases"].values()
    assert first["requests"]["index"] == alone["requests"]["index"] == second["requests"]["index"] == 8
    assert alone["requests"]["osv-batch"] == 8 >= first["requests"]["osv-batch"]
    assert first["requests"]["osv-vuln"] == alone["requests"]["osv-vuln"] > 0
    assert alone["most_at_once"] == 1 < first["most_at_once"] <= 5
    assert set(second["requests"]) == {"index", "osv-batch"}
    assert second["not_modified"] == 8
    assert found["ratios"]["one after another"] == pytest.approx(alone["seconds"] / first["seconds"])
    assert "one after another takes" in printed
