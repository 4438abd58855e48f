"""Which machine, boot and process this is, and what kind of file system a path lies on."""

from __future__ import annotations

import getpass
import os
import re
import socket
import sys
import uuid
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil

_LOCAL = {
    "aufs", "bcachefs", "btrfs", "ecryptfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "jfs",
    "msdos", "nilfs2", "ntfs", "ntfs3", "overlay", "ramfs", "reiserfs", "rootfs", "tmpfs", "ubifs", "ufs", "vfat",
    "xfs", "zfs", "apfs", "hfs", "hfsplus", "fat", "fat32", "refs",
}  # fmt: skip
"""File systems on which an OS lock is known to every process that can see the file. All others count as network."""

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process so that no other, on whatever machine and at whatever time, is taken for it."""

    machine: str
    boot: str
    namespace: str
    pid: int
    start: int
    """Clock ticks from the boot to the process's start (on other systems than Linux, hundredths since 1970)."""

    @property
    def here(self) -> bool:
        """Whether it ran in this boot of this machine, and in the same process namespace."""
        return (self.boot, self.namespace) == (boot_id(), pid_namespace()) and bool(self.boot)

    @property
    def earlier_boot(self) -> bool:
        """Whether it ran on this machine before its last start; certain only where boots have an identity."""
        if sys.platform != "linux":
            return False
        return bool(self.boot and boot_id()) and self.machine == machine_id() != "" and self.boot != boot_id()

    @property
    def gone(self) -> bool:
        """Whether it is certain that it has ended, by what can be seen of processes from here."""
        if not self.here or self.pid <= 0:
            return False
        if not _pid_exists(self.pid):
            return True
        start = start_ticks(self.pid)
        return start is not None and start != self.start

    @property
    def alive(self) -> bool | None:
        """True, False, or None where it cannot be told from here."""
        if not self.here or self.pid <= 0:
            return None
        return not self.gone


def current() -> ProcessIdentity:
    """This process."""
    pid = os.getpid()
    return ProcessIdentity(machine_id(), boot_id(), pid_namespace(), pid, start_ticks(pid) or 0)


def this_process() -> dict[str, str | int]:
    """This process as it is recorded: host, user, process id, and what tells it from all others."""
    return {"host": host_name(), "user": user_name(), **asdict(current())}


def host_name() -> str:
    """This machine's name."""
    return socket.gethostname()


def user_name() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):  # a user id without a name, as in containers
        return str(os.getuid()) if sys.platform != "win32" else "unknown"


@cache
def machine_id() -> str:
    """What tells this machine's installation from others; empty where nothing does."""
    for file in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        text = _text(Path(file))
        if text:
            return text
    if sys.platform == "linux":
        return ""
    return f"{uuid.getnode():012x}"


@cache
def boot_id() -> str:
    """What tells this boot from others."""
    return _text(Path("/proc/sys/kernel/random/boot_id")) or f"{psutil.boot_time():.0f}"


def pid_namespace() -> str:
    """The namespace in which process ids count; empty where there is only one."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def start_ticks(pid: int) -> int | None:
    """When a process started; None where it is gone or cannot be seen."""
    if sys.platform == "linux":
        try:
            text = Path(f"/proc/{pid}/stat").read_bytes()
            fields = text[text.rindex(b")") + 2 :].split()
            return -1 if fields[0] in (b"Z", b"X") else int(fields[19])
        except (OSError, ValueError, IndexError):
            return None
    try:
        return int(psutil.Process(pid).create_time() * 100)
    except psutil.Error:
        return None


def _pid_exists(pid: int) -> bool:
    if sys.platform == "win32":
        return psutil.pid_exists(pid)
    # Not by /proc, which may hide the processes of others.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


# --- file systems --------------------------------------------------------------------------------------------------


def is_network_path(path: Path) -> bool:
    """Whether a path lies on a network file system, or on one of which it is not known that it is local."""
    return file_system(path) not in _LOCAL


def file_system(path: Path) -> str:
    """The kind of file system that a path lies (or would lie) on; empty where it cannot be found."""
    path = path.resolve()
    mounts = _linux_mounts() if sys.platform == "linux" else _other_mounts()
    best, kind = -1, ""
    for point, name in mounts:
        # Later mounts lie over earlier ones of the same place.
        if len(point.parts) >= best and path.is_relative_to(point):
            best, kind = len(point.parts), name
    return kind


def _linux_mounts() -> list[tuple[Path, str]]:
    found = []
    for line in _text(Path("/proc/self/mountinfo")).splitlines():
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(" "), right.split(" ")
        if len(fields) > 4:
            point = _ESCAPE.sub(lambda m: chr(int(m[1], 8)), fields[4])
            found.append((Path(point), kinds[0]))
    return found


def _other_mounts() -> list[tuple[Path, str]]:
    remote = ("remote", "network")
    return [
        (Path(part.mountpoint), "network" if any(word in part.opts for word in remote) else part.fstype.lower())
        for part in psutil.disk_partitions(all=True)
    ]
