"""Ctrl-C and its relatives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from tests.integration.helpers import Folder

ROWS = 40


def running(folder: Folder, after: int, **environment: str) -> subprocess.Popen[str]:
    folder.make_book(range(100, 100 + ROWS))
    folder.make_job(batch={"strategy": "fixed", "size": 10, "checkpoint_frequency": 100, "concurrency": 1})
    process = folder.start("run", "job.yaml", "--start-fresh", "--json", **environment)
    deadline = time.monotonic() + 60
    while len(folder.processed()) < after and time.monotonic() < deadline:
        time.sleep(0.005)
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_first_signal_finishes_the_row_in_hand_saves_and_says_how_it_ended(
    folder: Folder, number: int, code: int
) -> None:
    process = running(folder, 13, TEST_SLEEP="0.05")
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    said = json.loads(out)
    assert said["status"] == "interrupted"
    done = said["rows"]["done"]
    assert done == len(folder.processed()), "the row in hand was finished"
    assert sum(row[3] is not None for row in folder.cells()) == done, "what was done is in the workbook"
    called = folder.run("run", "job.yaml", "--resume-auto", "--json")
    assert called.code == 0, called.err
    assert called.json["resumed"]["rows_kept"] == done
    assert len(folder.processed()) == ROWS, "no row was done twice"


def test_the_second_signal_leaves_at_once_and_loses_nothing_that_was_committed(folder: Folder) -> None:
    process = running(folder, 21, TEST_SLEEP="0.05")
    hang = folder.path / "hang"
    hang.touch()
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.05)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGINT)
    started = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - started < 5
    called = folder.run("run", "job.yaml", "--resume-auto", "--json")
    assert called.code == 0, called.err
    assert called.json["resumed"]["rows_kept"] >= 20
    assert all(row[3] for row in folder.cells())
    assert len(folder.processed()) <= ROWS + 10
    assert not [path for path in folder.path.iterdir() if "batchbook" in path.name], "nothing is left lying about"


def test_a_row_that_hangs_is_given_up_after_the_grace_and_is_done_again_later(folder: Folder) -> None:
    steps = folder.path / "small_steps.py"
    plain = steps.read_text()
    steps.write_text(
        plain.replace("    amount = row", "    if row['Key'] == 'K015': time.sleep(600)\n    amount = row")
    )
    process = running(folder, 15)
    os.kill(process.pid, signal.SIGTERM)
    _out, err = process.communicate(timeout=30)
    assert process.returncode == 143, err
    steps.write_text(plain)
    called = folder.run("run", "job.yaml", "--resume-auto", "--json")
    assert called.code == 0, called.err
    assert called.json["resumed"]["rows_kept"] == 14
    assert all(row[3] for row in folder.cells())
