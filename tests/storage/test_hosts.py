from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from batchbook.storage import hosts

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_this_process_is_alive() -> None:
    me = hosts.current()
    assert me.here
    assert me.alive is True
    assert not me.earlier_boot
    assert hosts.this_process()["pid"] == os.getpid()


def test_a_process_that_has_ended_is_gone_and_so_is_one_whose_number_another_has() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    me = hosts.current()
    assert replace(me, pid=process.pid).alive is False
    assert replace(me, start=me.start - 1).alive is False


@linux
def test_a_process_that_waits_to_be_reaped_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = hosts.start_ticks(process.pid)
    assert start is not None
    seen = replace(hosts.current(), pid=process.pid, start=start)
    assert seen.alive is True
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert seen.alive is False
    process.wait()


def test_nothing_is_known_of_processes_of_other_boots_namespaces_and_machines() -> None:
    me = hosts.current()
    for other in (replace(me, boot="x"), replace(me, namespace="x"), replace(me, boot=""), replace(me, pid=0)):
        assert other.alive is None
        assert not other.gone


def test_an_earlier_boot_is_one_of_this_machine() -> None:
    me = hosts.current()
    assert replace(me, boot="x").earlier_boot is bool(me.machine)
    assert not replace(me, boot="x", machine="other").earlier_boot
    assert not replace(me, boot="").earlier_boot


@linux
@pytest.mark.parametrize(
    ("path", "network"),
    [("/srv/local/a", False), ("/srv/my share/a/b", True), ("/srv/other", True), ("/", False), ("/srv/my", False)],
)
def test_a_file_system_is_found_by_its_longest_mount_point(
    monkeypatch: pytest.MonkeyPatch, path: str, network: bool
) -> None:
    table = "\n".join([
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw",
        "2 1 0:40 / /srv/my\\040share rw,relatime shared:1 - nfs4 host:/x rw",
        "3 1 8:2 / /srv/other rw - ext4 /dev/sdb rw",
        "4 3 0:41 / /srv/other rw - fuse.sshfs host: rw",
    ])  # fmt: skip
    monkeypatch.setattr(hosts, "_text", lambda _path: table)
    assert hosts.is_network_path(Path(path)) is network


def test_what_is_not_known_to_be_local_counts_as_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "file_system", lambda _path: "")
    assert hosts.is_network_path(Path("/"))


def test_the_folder_of_the_tests_is_on_some_file_system(tmp_path: Path) -> None:
    assert hosts.file_system(tmp_path / "not" / "there") != ""
