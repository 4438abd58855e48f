"""Each strategy through the real command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.integration.helpers import Folder

ROWS = 60


def sizes(folder: Folder, run: str) -> list[int]:
    shown = folder.run("runs", "show", run, "--json").json
    return [batch["rows"] for batch in shown["batches"]]


def test_fixed_takes_exactly_the_size_in_every_batch(folder: Folder) -> None:
    folder.make_book(range(100, 123))
    called = folder.run("run", "job.yaml", "--strategy", "fixed", "--batch-size", "7", "--json")
    assert called.code == 0, called.err
    assert sizes(folder, called.json["run_id"]) == [7, 7, 7, 2]


def test_time_based_makes_batches_by_the_clock_and_saves_each(folder: Folder) -> None:
    folder.make_book(range(100, 100 + ROWS))
    folder.make_job(batch={"strategy": "time-based", "time_based_interval": 0.5, "concurrency": 1})
    called = folder.run("run", "job.yaml", "--json", TEST_SLEEP="0.03")
    assert called.code == 0, called.err
    batches = sizes(folder, called.json["run_id"])
    assert sum(batches) == ROWS
    assert 1 < len(batches) < ROWS / 2, "neither one batch nor fixed ones"
    assert called.json["saves"] >= len(batches) - 1
    assert folder.processed() == [f"K{number:03d}" for number in range(1, ROWS + 1)]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are read on Linux")
def test_memory_adaptive_shrinks_under_a_lowered_limit_recovers_and_neither_skips_nor_repeats(folder: Folder) -> None:
    steps = folder.path / "small_steps.py"
    steps.write_text(
        steps.read_text()
        + """
ballast = []
small = work

def work(row):
    if row["Key"] == "K015":
        ballast.append(bytearray(2_600_000_000))   # address space only: nobody touches the pages
    if row["Key"] == "K035":
        ballast.clear()
    return small(row)
"""
    )
    folder.make_book(range(100, 100 + ROWS))
    folder.make_job(batch={"strategy": "memory-adaptive", "size": 8, "concurrency": 1})
    command = f"ulimit -v {3_200_000_000 // 1024}; exec {sys.executable} -m batchbook run job.yaml --start-fresh --json"
    environment = folder._environment({})
    ended = subprocess.run(
        ["sh", "-c", command],
        cwd=folder.path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    run = folder.run("runs", "list", "--json").json["runs"][0]
    batches = sizes(folder, run["run_id"])
    assert batches[0] == 8
    assert min(batches) == 1, "it shrank to single rows"
    smallest = batches.index(min(batches))
    assert max(batches[smallest:-1]) == 8, "it recovered"
    assert "batches shrink" in ended.stderr
    assert "back at 8 rows" in ended.stderr
    assert folder.processed() == [f"K{number:03d}" for number in range(1, ROWS + 1)]
    assert all(row[3] for row in folder.cells())


@pytest.mark.parametrize(
    "batch",
    [{"strategy": "time-based", "time_based_interval": -5}, {"strategy": "memory-adaptive", "memory_threshold": 3}],
)
def test_a_strategy_with_a_parameter_out_of_range_goes_on_as_fixed_unless_strict(
    folder: Folder, batch: dict[str, object]
) -> None:
    folder.make_job(batch=batch)
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 0, called.err
    assert "fixed" in called.err
    folder.make_job(batch={**batch, "strict": True})
    assert folder.run("run", "job.yaml", "--json").code == 2
