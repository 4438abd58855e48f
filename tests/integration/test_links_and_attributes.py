"""What surrounds a workbook: symbolic links to it, its permissions, access list and attributes."""

from __future__ import annotations

import os
import stat
import struct
import sys
from pathlib import Path

import pytest

from tests.integration.helpers import Folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and modes are a matter of POSIX")

ACL = "system.posix_acl_access"
NO_ONE = 0xFFFFFFFF
# user::rw- user:20002:rw- group::r-- mask::rw- other::---
ENTRIES = ((0x01, 6, NO_ONE), (0x02, 6, 20002), (0x04, 4, NO_ONE), (0x10, 6, NO_ONE), (0x20, 0, NO_ONE))
LIST = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in ENTRIES)


def elsewhere(folder: Folder) -> Path:
    """The workbook put into another folder, with nothing in its place."""
    other = folder.path.parent / "elsewhere"
    other.mkdir()
    return folder.book.rename(other / "real.xlsx")


def beside(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_link_to_a_file_in_another_folder_is_followed_and_stays_a_link(folder: Folder) -> None:
    real = elsewhere(folder)
    folder.book.symlink_to(real)
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 0, called.err
    assert folder.book.is_symlink()
    assert not real.is_symlink()
    assert folder.cells()[0][3] == "name 1 has 1"
    assert beside(real.parent) == {"real.xlsx"}
    assert not [name for name in beside(folder.path) if "batchbook-" in name]
    assert folder.run("runs", "undo", "last").code == 0
    assert folder.book.is_symlink()
    assert folder.cells()[0][3] is None
    backup = folder.run("backups", "list", "book.xlsx", "--json").json["backups"][0]["name"]
    assert folder.run("backups", "restore", "book.xlsx", backup).code == 0
    assert folder.book.is_symlink()
    assert folder.cells()[0][3] == "name 1 has 1"


def test_a_chain_of_links_is_followed_and_each_of_them_stays(folder: Folder) -> None:
    real = elsewhere(folder)
    middle = folder.path.parent / "middle"
    middle.mkdir()
    (middle / "two.xlsx").symlink_to(Path("..") / "elsewhere" / "real.xlsx")
    (folder.path / "one.xlsx").symlink_to(middle / "two.xlsx")
    folder.book.symlink_to("one.xlsx")
    called = folder.run("run", "job.yaml")
    assert called.code == 0, called.err
    assert folder.book.readlink() == Path("one.xlsx")
    assert (middle / "two.xlsx").readlink() == Path("..") / "elsewhere" / "real.xlsx"
    assert folder.cells()[0][3] == "name 1 has 1"
    assert beside(real.parent) == {"real.xlsx"}
    assert beside(middle) == {"two.xlsx"}


def test_the_file_and_a_link_to_it_are_one_workbook_with_one_history(folder: Folder) -> None:
    (folder.path / "link.xlsx").symlink_to("book.xlsx")
    first = folder.run("run", "job.yaml", "--json").json
    folder.make_job(workbook="link.xlsx")
    second = folder.run("run", "job.yaml", "--json").json
    assert (second["rows"]["unchanged"], second["conflicts"]) == (12, 0)
    runs = folder.run("runs", "list", "--json").json["runs"]
    assert {run["workbook"] for run in runs} == {str(folder.book)}
    assert {run["run_id"] for run in runs} == {first["run_id"], second["run_id"]}


@pytest.mark.parametrize("target", ["nowhere.xlsx", "book.xlsx"])
def test_a_dangling_link_or_one_to_itself_is_said_to_be_missing_and_left_as_it_is(folder: Folder, target: str) -> None:
    folder.book.unlink()
    folder.book.symlink_to(target)
    called = folder.run("run", "job.yaml", "--json")
    assert called.code == 2, called.err
    assert called.json["error"]["code"] == "workbook-missing"
    assert "book.xlsx" in called.json["error"]["what"]
    assert folder.book.readlink() == Path(target)
    assert not (folder.path / "nowhere.xlsx").exists()
    assert not (folder.path / "data" / "checkpoints").exists()


def test_an_output_that_is_a_link_is_followed_too(folder: Folder) -> None:
    other = folder.path.parent / "elsewhere"
    other.mkdir()
    (other / "out.xlsx").write_bytes(folder.book.read_bytes())
    (folder.path / "out.xlsx").symlink_to(other / "out.xlsx")
    called = folder.run("run", "job.yaml", "--output", "out.xlsx")
    assert called.code == 0, called.err
    assert (folder.path / "out.xlsx").is_symlink()
    assert folder.cells(name="out.xlsx")[0][3] == "name 1 has 1"
    assert folder.cells()[0][3] is None


@pytest.mark.skipif(sys.platform != "linux", reason="access lists and attributes are kept on Linux")
def test_permissions_access_list_and_attributes_are_those_from_before_in_workbook_and_backup(folder: Folder) -> None:
    try:
        os.setxattr(folder.book, ACL, LIST)
        os.setxattr(folder.book, "user.xdg.tags", b"quarterly")
    except OSError:
        pytest.skip("this file system has no access lists or attributes")
    called = folder.run("run", "job.yaml")
    assert called.code == 0, called.err
    assert "could not keep" not in called.err
    assert folder.cells()[0][3] == "name 1 has 1"
    backups = list((folder.path / "data" / "backups").rglob("*.xlsx"))
    assert backups
    for path in (folder.book, *backups):
        assert os.getxattr(path, ACL) == LIST
        assert os.getxattr(path, "user.xdg.tags") == b"quarterly"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.mark.skipif(sys.platform != "linux", reason="access lists are kept on Linux")
def test_a_folders_default_access_list_is_not_put_on_a_workbook_that_had_none(folder: Folder) -> None:
    folder.book.chmod(0o600)
    try:
        os.setxattr(folder.path, "system.posix_acl_default", LIST)
    except OSError:
        pytest.skip("this file system has no access lists")
    called = folder.run("run", "job.yaml")
    assert called.code == 0, called.err
    assert ACL not in os.listxattr(folder.book)
    assert stat.S_IMODE(folder.book.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to any group")
def test_in_a_set_group_id_folder_a_workbook_keeps_its_own_group(folder: Folder) -> None:
    os.chown(folder.path, -1, 12345)
    folder.path.chmod(0o2775)
    assert folder.book.stat().st_gid != 12345
    before = folder.book.stat()
    called = folder.run("run", "job.yaml")
    assert called.code == 0, called.err
    after = folder.book.stat()
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)
    assert after.st_ino != before.st_ino
