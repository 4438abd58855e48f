"""Other users of the machine: state that a group shares, workbooks that are somebody else's. Needs root."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

import batchbook
from tests.integration.helpers import SECONDS, Called, Folder, make_folder

GROUP = "users"
ANN, BEN = 20001, 20002


def _gid() -> int | None:
    try:
        import grp

        return grp.getgrnam(GROUP).gr_gid
    except (ImportError, KeyError):
        return None


# The interpreter may lie where only root can go: a run in a copy of the folder loads all that is needed, before root's
# rights are given up.
LAUNCHER = """
import _strptime, contextlib, grp, io, os, shutil, sys, tempfile
from batchbook.cli.app import call, main
user, groups, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
here = os.getcwd()
with tempfile.TemporaryDirectory() as copy:
    shutil.copytree(here, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("data"))
    os.chdir(copy)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for loading in ("run job.yaml --json", "run job.yaml --resume-from-batch 9", "runs undo last", "runs list"):
            call(loading.split())
    os.chdir(here)
os.setgroups([int(group) for group in groups.split(",") if group])
os.setgid(user)
os.setuid(user)
sys.argv = ["batchbook", *arguments]
sys.exit(main())
"""


def _can() -> bool:
    """Whether this is a machine on which we can become other users."""
    return sys.platform == "linux" and os.geteuid() == 0 and _gid() is not None


def _as(user: int, folder: Path, *arguments: str, groups: str | None = None) -> Called:
    """The command as another user with a group of its own, and further groups (by number; the shared one)."""
    source = str(Path(batchbook.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-B", "-c", LAUNCHER, str(user), str(_gid()) if groups is None else groups, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Called(done.returncode, done.stdout, done.stderr)


pytestmark = pytest.mark.skipif(not _can(), reason="needs root on Linux, to become other users")


@pytest.fixture
def shared() -> Iterator[Folder]:
    """A folder that the group shares, outside of pytest's own, which is root's alone."""
    above = Path(tempfile.mkdtemp())
    above.chmod(0o755)
    folder = make_folder(above / "shared")
    folder.make_job()
    folder.make_book([1, 2, 3])
    (folder.path / "config").mkdir()
    (folder.path / "config" / "batchbook.yaml").write_text(f"state: {{group: {GROUP}}}\n")
    gid = _gid()
    assert gid is not None
    for path in (folder.path, *folder.path.rglob("*")):
        os.chown(path, ANN, gid)
        path.chmod(0o2775 if path.is_dir() else 0o664)
    yield folder
    shutil.rmtree(above)


def modes(folder: Path) -> dict[str, tuple[int, int]]:
    """By path: permissions and group of all state files and folders."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        info = path.lstat()
        found[path.relative_to(folder.parent).as_posix()] = (stat.S_IMODE(info.st_mode), info.st_gid)
    return found


def test_two_users_of_the_group_run_undo_and_list_on_the_same_state(shared: Folder) -> None:
    called = _as(ANN, shared.path, "run", "job.yaml", "--json")
    assert called.code == 0, called.err
    book = openpyxl.load_workbook(shared.book)
    book["Data"]["C2"] = 7
    book.save(shared.book)
    called = _as(BEN, shared.path, "run", "job.yaml", "--json")
    assert called.code == 0, called.err
    run = called.json["run_id"]
    called = _as(ANN, shared.path, "runs", "undo", run)
    assert called.code == 0, called.err
    assert len(_as(BEN, shared.path, "runs", "list", "--json").json["runs"]) == 3
    assert shared.cells()[0][3:5] == ("name 1 has 1", 2)
    gid = _gid()
    assert _as(BEN, shared.path, "run", "job.yaml", "--only-failed", "never").code == 2  # is logged
    assert modes(shared.path / "data")["data"] == modes(shared.path / "data" / "backups")["backups"] == (0o2770, gid)
    for area in ("checkpoints", "reports", "logs"):
        found = modes(shared.path / "data" / area)
        folders = {info for path, info in found.items() if (shared.path / "data" / path).is_dir()}
        others = {info for path, info in found.items() if (shared.path / "data" / path).is_file()}
        assert (folders, others) == ({(0o2770, gid)}, {(0o660, gid)}), found


def test_a_user_outside_of_the_group_is_told_so_at_the_start(shared: Folder) -> None:
    called = _as(BEN, shared.path, "run", "job.yaml", groups="")
    assert called.code == 2
    assert "state.group names the group 'users', of which this user is no member" in called.err
    assert "batchbook.yaml, line 1" in called.err
    assert not (shared.path / "data").exists()


def test_without_a_group_nobody_else_can_read_the_state_nor_the_log(shared: Folder) -> None:
    (shared.path / "config" / "batchbook.yaml").write_text("timezone: UTC\n")
    assert _as(ANN, shared.path, "run", "job.yaml").code == 0
    assert _as(ANN, shared.path, "run", "job.yaml", "--resume-from-batch", "9").code == 6  # is logged
    for path in (shared.path / "data").rglob("*"):
        if path.is_file() and "backups" not in path.parts:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for name in ("checkpoints", "reports", "logs"):
        assert stat.S_IMODE((shared.path / "data" / name).stat().st_mode) & 0o777 == 0o700
    assert (shared.path / "data" / "logs" / "batchbook.log").exists()
    called = _as(BEN, shared.path, "runs", "list")
    assert called.code != 0
    assert "ledger" in called.err


# --- the workbook's own owner, group and permissions ------------------------------------------------------------------


def test_root_leaves_a_workbook_its_owner_group_and_permissions(shared: Folder) -> None:
    os.chown(shared.book, BEN, 12345)
    shared.book.chmod(0o640)
    assert shared.run("run", "job.yaml").code == 0
    info = shared.book.stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (BEN, 12345, 0o640)
    assert shared.cells()[0][3] == "name 1 has 1"


def test_an_ordinary_user_keeps_the_group_and_is_warned_that_the_owner_changes(shared: Folder) -> None:
    gid = _gid()
    called = _as(BEN, shared.path, "run", "job.yaml", "--json")
    assert called.code == 0, called.err
    assert f"book.xlsx could not keep its owner (user {ANN})" in called.err
    info = shared.book.stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (BEN, gid, 0o664)


def test_an_ordinary_user_is_warned_of_a_group_that_cannot_be_kept(shared: Folder) -> None:
    os.chown(shared.book, ANN, 12345)
    called = _as(ANN, shared.path, "run", "job.yaml")
    assert called.code == 0, called.err
    assert "book.xlsx could not keep its group (12345)" in called.err
    # A set-group-id folder gives what is made in it its own group.
    assert shared.book.stat().st_gid == _gid()
    assert stat.S_IMODE(shared.book.stat().st_mode) == 0o664


def test_a_workbook_that_its_user_may_only_read_is_not_replaced(shared: Folder) -> None:
    os.chown(shared.book, ANN, ANN)
    shared.book.chmod(0o644)
    before = shared.book.read_bytes()
    called = _as(BEN, shared.path, "run", "job.yaml")
    assert called.code != 0
    assert "book.xlsx" in called.err
    assert shared.book.read_bytes() == before
    assert shared.book.stat().st_uid == ANN
