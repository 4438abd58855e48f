"""The real command, started anew, is killed at its k-th system call of one kind, for each k.

The resume must end as if nothing had been. `test_sweep.py` does more, faster, in forked children.
A sample runs with the other tests; all of them with `make crash`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.helpers import Folder

ROWS = 23
CALLS = ("fsync", "fdatasync", "rename", "renameat2", "link", "unlink", "ftruncate", "pwrite64")
SAMPLE = {("renameat2", 2), ("link", 1), ("pwrite64", 20)}
MOST = 400

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace"),
    pytest.mark.skipif(sys.platform != "linux", reason="needs strace"),
]


def python() -> str:
    """The real interpreter: strace does not follow the launcher of a virtual environment everywhere."""
    return os.path.realpath(sys.executable)


def prepared(folder: Folder) -> None:
    folder.make_book(range(100, 100 + ROWS))
    folder.make_job(batch={"strategy": "fixed", "size": 5, "checkpoint_frequency": 1, "concurrency": 1})


def traced(folder: Folder, call: str, number: int) -> int:
    """Run with a kill at the n-th call of that kind on the files of this folder; gives the exit code."""
    packages = os.pathsep.join(path for path in sys.path if path)
    environment = {**folder._environment({}), "PYTHONPATH": packages}
    command = [
        "strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}",
        "-e", f"inject={call}:signal=KILL:when={number}",
        python(), "-m", "batchbook", "run", "job.yaml", "--start-fresh", "--json",
    ]  # fmt: skip
    return subprocess.run(
        command, cwd=folder.path, env=environment, capture_output=True, timeout=120, check=False
    ).returncode


def check_after_kill(folder: Folder) -> None:
    with zipfile.ZipFile(folder.book) as archive:
        assert archive.testzip() is None
    for place, row in enumerate(folder.cells(), 1):
        assert row[3] in (None, f"name {place} has {99 + place}"), "a value that no row ever had"
        assert row[5] == f"note {place}"
    done_before = folder.processed()
    called = folder.run("run", "job.yaml", "--resume-auto", "--json")
    assert called.code == 0, called.err
    assert called.json["rows"]["selected"] == ROWS
    assert [row[3] for row in folder.cells()] == [f"name {place} has {99 + place}" for place in range(1, ROWS + 1)]
    again = len(folder.processed()) - len(set(folder.processed()))
    kept = (called.json["resumed"] or {}).get("rows_kept", 0)
    assert again <= max(5, len(done_before) - kept), "a committed row was processed again"
    left = [path.name for path in folder.path.iterdir() if "batchbook-" in path.name]
    assert not left, left
    second = folder.run("run", "job.yaml", "--resume-auto", "--json")
    assert second.json["rows"]["unchanged"] == ROWS


@pytest.mark.parametrize(("call", "number"), sorted(SAMPLE))
def test_a_run_killed_at_a_system_call_ends_as_if_nothing_had_been(folder: Folder, call: str, number: int) -> None:
    prepared(folder)
    assert traced(folder, call, number) in (-signal.SIGKILL, 128 + signal.SIGKILL, 0)
    check_after_kill(folder)


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("call", CALLS)
def test_a_run_killed_at_each_system_call_of_a_kind_ends_as_if_nothing_had_been(
    tmp_path: Path, new_folder: Callable[[str], Folder], call: str
) -> None:
    for number in range(1, MOST):
        folder = new_folder(f"{call}-{number}")
        prepared(folder)
        if traced(folder, call, number) == 0:
            return  # there was no n-th call: all of them have been killed in turn
        check_after_kill(folder)
    raise AssertionError(f"still killed at the {MOST}th {call}")
