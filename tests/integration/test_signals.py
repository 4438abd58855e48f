"""Ctrl-C and its relatives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from batchbook.storage.lock import WorkbookLock
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
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "left at once; what is committed is kept" in err
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


def stopped_while_waiting(folder: Folder, number: int, *arguments: str) -> tuple[int, str, str]:
    """How a run ends that is told to stop when it has said so, or has had time to, that it waits."""
    before = folder.book.read_bytes()
    process = folder.start("run", "job.yaml", "--start-fresh", *arguments)
    log = folder.path / "data" / "logs"
    deadline = time.monotonic() + 60
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(1.5)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=30)
    assert folder.book.read_bytes() == before
    assert not folder.processed()
    return process.returncode, out, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_run_that_is_stopped_while_it_waits_for_the_lock_is_interrupted_and_begins_nothing(
    folder: Folder, number: int, code: int
) -> None:
    with WorkbookLock(folder.book, run=None, ledger=None):
        ended, out, err = stopped_while_waiting(folder, number, "--wait", "100", "--json")
    assert ended == code, err
    said = json.loads(out)
    assert (said["status"], said["run_id"], said["error"]) == ("interrupted", None, None)
    assert "book.xlsx is locked by process" in err
    assert "Nothing was begun" in err


def test_a_run_that_is_stopped_while_somebody_has_the_workbook_open_is_interrupted_and_begins_nothing(
    folder: Folder,
) -> None:
    folder.make_job(on_open="wait")
    (folder.path / ".~lock.book.xlsx#").write_text("Eva,eva,pc9,21.11.2026 11:48,file:///home/eva;")
    code, out, err = stopped_while_waiting(folder, signal.SIGINT)
    assert code == 130, err
    assert "Nothing was begun" in err
    assert out.splitlines()[-1] == "interrupted; nothing was written"
    (folder.path / ".~lock.book.xlsx#").unlink()
    assert folder.run("run", "job.yaml", "--resume-auto").code == 0
