"""Who can read the state: its owner alone, or the group that the configuration names."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from batchbook.errors import ConfigurationError, LedgerError
from batchbook.storage.ledger import Ledger
from batchbook.storage.private import Access, accessible, create_private, make_state_folder, write_private

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="groups and modes are a matter of POSIX")

OURS = os.getegid() if sys.platform != "win32" else 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_without_a_group_state_is_the_owners_alone_whatever_the_umask_allows(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        make_state_folder(tmp_path / "up" / "state")
        create_private(tmp_path / "a")
        write_private(tmp_path / "b", [b"x"])
    finally:
        os.umask(old)
    assert mode(tmp_path / "up" / "state") == 0o700
    assert (mode(tmp_path / "a"), mode(tmp_path / "b")) == (0o600, 0o600)


def test_with_a_group_it_can_write_too_whatever_the_umask_takes(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        with accessible(Access(OURS)):
            make_state_folder(tmp_path / "up" / "state")
            create_private(tmp_path / "a")
            write_private(tmp_path / "b", [b"x"])
    finally:
        os.umask(old)
    assert (mode(tmp_path / "up"), mode(tmp_path / "up" / "state")) == (0o2770, 0o2770)
    assert (mode(tmp_path / "a"), mode(tmp_path / "b")) == (0o660, 0o660)
    assert {(tmp_path / name).stat().st_gid for name in ("up/state", "a", "b")} == {OURS}


def test_a_folder_that_is_there_keeps_its_permissions(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with accessible(Access(OURS)):
        make_state_folder(tmp_path)
    assert mode(tmp_path) == 0o755


def test_the_ledger_of_a_group_and_the_files_beside_it_are_the_groups(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.db"
    with accessible(Access(OURS)), Ledger.open(path) as ledger:
        with ledger.transaction():
            ledger.execute("INSERT INTO facts VALUES ('a', 'b')")
        beside = sorted(path.parent.iterdir())
        assert [file.name for file in beside] == ["ledger.db", "ledger.db-shm", "ledger.db-wal"]
        assert {(mode(file), file.stat().st_gid) for file in beside} == {(0o660, OURS)}


def test_a_ledger_that_the_group_could_not_work_with_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.db"
    Ledger.open(path).close()
    with accessible(Access(OURS)):
        with pytest.raises(LedgerError, match="has the permissions 700") as caught:
            Ledger.open(path)
        assert "chmod g+s" in caught.value.advice
        path.parent.chmod(0o2770)
        with pytest.raises(LedgerError, match=r"ledger\.db has the permissions 600"):
            Ledger.open(path)
        path.chmod(0o660)
        Ledger.open(path).close()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to any group")
def test_a_ledger_of_another_group_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state" / "ledger.db"
    with accessible(Access(12345)):
        Ledger.open(path).close()
    with accessible(Access(54321)), pytest.raises(LedgerError, match="belongs to another group"):
        Ledger.open(path)


def test_a_group_that_cannot_be_given_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("batchbook.storage.files.ops.chown", refused)
    with accessible(Access(12345)), pytest.raises(PermissionError):
        create_private(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_group_that_does_not_exist_is_named_with_its_line(tmp_path: Path) -> None:
    from batchbook.config import load_base

    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "batchbook.yaml").write_text("timezone: UTC\nstate:\n  group: no-such-group-anywhere\n")
    with pytest.raises(ConfigurationError) as caught:
        load_base(tmp_path, {})
    (finding,) = caught.value.findings
    assert finding.line == 3
    assert "state.group names the group 'no-such-group-anywhere', which does not exist" in str(finding)
