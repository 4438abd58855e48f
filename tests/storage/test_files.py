from __future__ import annotations

import errno
import io
import os
import stat
import sys
from pathlib import Path

import pytest

from batchbook.storage import files, private
from batchbook.storage.attributes import copy_attributes
from tests.storage.helpers import FaultyOperations, names


def test_a_file_that_is_there_is_never_overwritten_by_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("kept")
    with pytest.raises(FileExistsError):
        files.create_exclusive(tmp_path / "a")
    private.create_private(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "kept"


def test_a_link_is_not_followed_by_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        files.create_exclusive(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_private_files_are_for_their_owner_only(tmp_path: Path) -> None:
    private.create_private(tmp_path / "a")
    private.write_private(tmp_path / "b", [b"o", b"ne"])
    private.write_private(tmp_path / "b", [b"two"])
    for name in "ab":
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert (tmp_path / "b").read_bytes() == b"two"
    assert names(tmp_path) == {"a", "b"}


def test_a_private_file_is_whole_or_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    for k in range(1, 5):
        file.write_bytes(b"old")
        monkeypatch.setattr(files, "ops", FaultyOperations(k, errno.ENOSPC))
        with pytest.raises(OSError, match="No space"):
            private.write_private(file, [b"new"])
        assert file.read_bytes() == b"old"
        assert names(tmp_path) == {"a"}


def test_writes_that_take_only_a_part_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(files.Operations):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            return os.write(fd, data[:7])

    monkeypatch.setattr(files, "ops", Slow())
    content = bytes(range(256)) * 5
    fd = files.create_exclusive(tmp_path / "a")
    files.write(fd, content)
    with io.BufferedWriter(files.OutputStream(fd), 64) as stream:
        stream.write(content)
        stream.seek(3)
        stream.write(b"xyz")
    os.close(fd)
    assert (tmp_path / "a").read_bytes() == content[:3] + b"xyz" + content[6:] + content


def test_an_abandoned_stream_writes_nothing_more(tmp_path: Path) -> None:
    fd = files.create_exclusive(tmp_path / "a")
    raw = files.OutputStream(fd)
    stream = io.BufferedWriter(raw, 1024)
    stream.write(b"buffered")
    raw.abandon()
    stream.close()
    os.close(fd)
    assert (tmp_path / "a").read_bytes() == b""


def test_folders_are_made_with_their_parents_and_are_fine_if_there(tmp_path: Path) -> None:
    for _ in range(2):
        files.make_folder(tmp_path / "a" / "b" / "c", 0o700)
    assert stat.S_IMODE((tmp_path / "a" / "b" / "c").stat().st_mode) == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        files.make_folder(tmp_path / "file", 0o700)


def test_a_folder_that_cannot_be_synced_on_this_file_system_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ops", FaultyOperations(1, errno.EINVAL))
    files.fsync_folder(tmp_path)
    monkeypatch.setattr(files, "ops", FaultyOperations(1, errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        files.fsync_folder(tmp_path)


def test_a_replace_is_tried_again_while_another_windows_program_has_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shared(files.Operations):
        left = 3

        def replace(self, source: Path, target: Path) -> None:
            self.left -= 1
            if self.left:
                error = PermissionError(errno.EACCES, "sharing violation")
                error.winerror = 32
                raise error
            super().replace(source, target)

    (tmp_path / "a").write_text("new")
    monkeypatch.setattr(files, "ops", Shared())
    files.replace(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "new"
    monkeypatch.setattr(files, "REPLACE_SECONDS", 0)
    monkeypatch.setattr(files, "ops", Shared())
    with pytest.raises(PermissionError):
        files.replace(tmp_path / "b", tmp_path / "a")


@pytest.mark.parametrize("refuse", [{}, {"clone": errno.EOPNOTSUPP}, {"clone": errno.EXDEV}])
def test_a_copy_has_the_content_however_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuse: dict[str, int]
) -> None:
    (tmp_path / "a").write_bytes(os.urandom(3_000_000))
    monkeypatch.setattr(files, "ops", FaultyOperations(0, 0, refuse=refuse))
    with (tmp_path / "a").open("rb") as source, (tmp_path / "b").open("wb") as target:
        how = files.clone_or_copy(source.fileno(), target.fileno())
    assert how == "copy" or not refuse
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
def test_an_access_list_is_kept_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("")
    entries = [(1, 6, -1), (2, 4, 1234), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
    acl = b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + rights.to_bytes(2, "little") + (who & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, rights, who in entries
    )
    try:
        os.setxattr(one, "system.posix_acl_access", acl)
    except OSError:
        pytest.skip("this file system has no access lists")
    fd = files.create_exclusive(two)
    assert copy_attributes(one, fd) == []
    assert os.getxattr(two, "system.posix_acl_access") == acl
    one.unlink()
    one.write_text("")
    assert copy_attributes(one, fd) == []
    assert "system.posix_acl_access" not in os.listxattr(two)
    os.setxattr(one, "system.posix_acl_access", acl)
    monkeypatch.setattr(files, "ops", FaultyOperations(0, 0, refuse={"set_attribute": errno.EPERM}))
    assert copy_attributes(one, fd) == ["its access list"]
    os.close(fd)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="needs extended attributes")
def test_attributes_that_people_set_are_kept_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("")
    try:
        os.setxattr(one, "user.xdg.tags", b"a,b")
    except OSError:
        pytest.skip("this file system has no attributes")
    fd = files.create_exclusive(two)
    assert copy_attributes(one, fd) == []
    assert os.getxattr(two, "user.xdg.tags") == b"a,b"
    monkeypatch.setattr(files, "ops", FaultyOperations(0, 0, refuse={"set_attribute": errno.ENOSPC}))
    with pytest.raises(OSError, match="space"):
        copy_attributes(one, fd)
    monkeypatch.setattr(files, "ops", FaultyOperations(0, 0, refuse={"set_attribute": errno.ENOTSUP}))
    assert copy_attributes(one, fd) == ["its attributes (user.xdg.tags)"]
    os.close(fd)


class _InPieces(files.Operations):
    """Copies a little at a time, as a system may."""

    def copy_range(self, source: int, target: int, count: int, offset: int) -> int:
        return super().copy_range(source, target, min(count, 7), offset)


@pytest.mark.skipif(sys.platform != "linux", reason="the system call is Linux's")
def test_bytes_copied_by_the_system_stand_where_they_would_have_been_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").write_bytes(bytes(range(200)))
    monkeypatch.setattr(files, "ops", _InPieces())
    fd = files.create_exclusive(tmp_path / "target")
    with (tmp_path / "source").open("rb") as source, files.BufferedOutput(files.OutputStream(fd), 1000) as out:
        out.write(b"before")
        assert out.copy_range(source.fileno(), 50, 100) == 100
        out.write(b"after")
        out.seek(0)
        out.write(b"B")
        out.seek(0, os.SEEK_END)
        out.write(b".")
    os.close(fd)
    assert (tmp_path / "target").read_bytes() == b"Before" + bytes(range(50, 150)) + b"after."


def test_a_system_that_does_not_copy_by_itself_copies_nothing_and_a_full_disk_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").write_bytes(b"x" * 100)
    fd = files.create_exclusive(tmp_path / "target")
    with (tmp_path / "source").open("rb") as source:
        for code in (errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP):
            monkeypatch.setattr(files, "ops", FaultyOperations(0, 0, refuse={"copy_range": code}))
            assert files.copy_range(source.fileno(), fd, 0, 100) == 0
        monkeypatch.setattr(files, "ops", FaultyOperations(0, 0, refuse={"copy_range": errno.ENOSPC}))
        with pytest.raises(OSError, match="space"):
            files.copy_range(source.fileno(), fd, 0, 100)
    os.close(fd)
