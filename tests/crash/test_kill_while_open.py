"""A run over an open workbook is killed while it puts its save by, or the next one while it publishes that."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile

import pytest

from tests.integration.helpers import Folder

ROWS = 7
MADE = [("fsync", 1), ("fsync", 2), ("fdatasync", 5), ("rename", 1), ("rename", 2)]
PUBLISHED = [("link", 1), ("fsync", 1), ("fsync", 2), ("rename", 1), ("rename", 2), ("unlink", 1)]

pytestmark = pytest.mark.skipif(sys.platform != "linux" or shutil.which("strace") is None, reason="needs strace")


def prepared(folder: Folder) -> None:
    folder.make_book(range(1, ROWS + 1))
    folder.make_job(on_open="later")
    (folder.path / ".~lock.book.xlsx#").write_text(",ann,desk,21.11.2026 10:00,p;")


def killed(folder: Folder, call: str, number: int) -> None:
    """A run with a kill at the n-th call of a kind."""
    environment = {**folder._environment({}), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [
        "strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}",
        "-e", f"inject={call}:signal=KILL:when={number}",
        os.path.realpath(sys.executable), "-m", "batchbook", "run", "job.yaml", "--resume-auto",
    ]  # fmt: skip
    code = subprocess.run(
        command, cwd=folder.path, env=environment, capture_output=True, timeout=120, check=False
    ).returncode
    assert code in (-signal.SIGKILL, 128 + signal.SIGKILL, 0)


def check(folder: Folder) -> None:
    """After the workbook is closed, one more run has everything in it and leaves nothing beside it."""
    with zipfile.ZipFile(folder.book) as archive:
        assert archive.testzip() is None
    (folder.path / ".~lock.book.xlsx#").unlink(missing_ok=True)
    called = folder.run("run", "job.yaml", "--resume-auto", "--json")
    assert called.code == 0, called.err
    assert [row[3] for row in folder.cells()] == [f"name {n} has {n}" for n in range(1, ROWS + 1)]
    assert not [path.name for path in folder.path.iterdir() if "batchbook-" in path.name]
    told = folder.run("status", "--json").json
    assert (told["unfinished"], told["workbooks"][0]["vanished"]) == ([], [])


@pytest.mark.parametrize(("call", "number"), MADE)
def test_a_run_that_is_killed_over_an_open_workbook_leaves_it_alone(folder: Folder, call: str, number: int) -> None:
    prepared(folder)
    state = folder.book.read_bytes()
    killed(folder, call, number)
    assert folder.book.read_bytes() == state
    check(folder)


@pytest.mark.parametrize(("call", "number"), PUBLISHED)
def test_a_run_that_is_killed_while_it_publishes_is_made_good_by_the_next(
    folder: Folder, call: str, number: int
) -> None:
    prepared(folder)
    assert folder.run("run", "job.yaml", "--start-fresh").code == 0
    (folder.path / ".~lock.book.xlsx#").unlink()
    killed(folder, call, number)
    check(folder)
