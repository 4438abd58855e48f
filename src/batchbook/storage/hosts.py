"""Who and where this process is, and whether another one is still alive."""

from __future__ import annotations

import functools
import getpass
import os
import socket
import sys
import uuid
from pathlib import Path
from typing import Any

import psutil

_NETWORK_KINDS = frozenset(
    [
        "9p",
        "afpfs",
        "afs",
        "ceph",
        "cifs",
        "davfs",
        "fuse.davfs2",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "smb2",
        "smb3",
        "smbfs",
        "webdav",
    ]
)


@functools.cache
def machine_id() -> str:
    """What names this machine across reboots."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text:
            return text
    return f"{socket.gethostname()}-{uuid.getnode():x}"


@functools.cache
def boot_id() -> str:
    """What names this boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"booted-{int(psutil.boot_time())}"


def pid_namespace() -> str:
    """What names the set of process ids that this process sees (containers have their own)."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def start_ticks(pid: int) -> int | None:
    """When a process of this machine started, in a form that only has to be compared; None where there is none."""
    if sys.platform == "linux":
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        fields = text.rsplit(")", 1)[1].split()
        return None if fields[0] in "ZX" else int(fields[19])
    try:
        return int(psutil.Process(pid).create_time() * 100)
    except psutil.Error:
        return None


def user_name() -> str:
    """The name of the person or service that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"


def this_process() -> dict[str, Any]:
    """This process as the lock and the ledger name it."""
    return {
        "machine": machine_id(),
        "boot": boot_id(),
        "namespace": pid_namespace(),
        "host": socket.gethostname(),
        "user": user_name(),
        "pid": os.getpid(),
        "ticks": start_ticks(os.getpid()),
    }


def file_system(path: Path) -> str:
    """The kind of file system that holds a path, such as ``ext4``; empty where it cannot be told."""
    path = path.resolve()
    while not path.exists() and path != path.parent:
        path = path.parent
    best, kind = "", ""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return _by_psutil(path)
    for line in lines:
        left, _, right = line.partition(" - ")
        mount = left.split()[4].encode().decode("unicode_escape")
        if len(mount) >= len(best) and (path == Path(mount) or Path(mount) in path.parents):
            best, kind = mount, right.split()[0]
    return kind


def _by_psutil(path: Path) -> str:
    found = [part for part in psutil.disk_partitions(all=True) if path.is_relative_to(part.mountpoint)]
    return max(found, key=lambda part: len(part.mountpoint)).fstype if found else ""


def is_network_path(path: Path) -> bool:
    """Whether a path lies on a network file system, where locks and syncs may not hold."""
    return file_system(path).lower() in _NETWORK_KINDS
