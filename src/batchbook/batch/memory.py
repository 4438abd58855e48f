"""How much memory is in use, as a share of what there is to use.

Limits are read from cgroup v2, then v1, then the machine; a resource limit of this process (ulimit -v) counts too.
Page cache that the kernel can drop does not count as used.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil

_CGROUP = Path("/sys/fs/cgroup")
_SELF = Path("/proc/self/cgroup")
_UNLIMITED = 1 << 60  # cgroup v1 writes a huge number where there is no limit


class MemoryReader(Protocol):
    """Anything that tells how full the memory is."""

    def pressure(self) -> float | None:
        """The highest share in use (0 to 1) of all limits that hold here; None where there are no figures."""
        ...


class SystemMemory:
    """The memory of this process, its cgroup and the machine."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._cgroups = list(_memory_cgroups())

    def pressure(self) -> float | None:
        """The highest share in use of: the process's own limit, its cgroups', the machine's memory."""
        shares = [share for share in (self._own(), self._machine(), *map(_share, self._cgroups)) if share is not None]
        return max(shares) if shares else None

    def _own(self) -> float | None:
        if sys.platform == "win32":
            return None
        import resource  # does not exist on Windows

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit in (resource.RLIM_INFINITY, -1) or limit <= 0:
            return None
        return float(self._process.memory_info().vms) / limit

    @staticmethod
    def _machine() -> float | None:
        try:
            memory = psutil.virtual_memory()
        except (OSError, RuntimeError):
            return None
        return 1.0 - memory.available / memory.total if memory.total else None


def _memory_cgroups() -> Iterator[Path]:
    """The folders of this process's memory cgroup and of those above it."""
    try:
        lines = _SELF.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root = _CGROUP
        elif "memory" in controllers.split(","):
            root = _CGROUP / "memory"
        else:
            continue
        folder = root / path.lstrip("/")
        # Inside a container the path named may not exist: the container's own root is what counts then.
        if not folder.is_dir():
            folder = root
        while folder == root or root in folder.parents:
            yield folder
            if folder == root:
                break
            folder = folder.parent


def _share(folder: Path) -> float | None:
    for limit_file, used_file in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        limit, used = _number(folder / limit_file), _number(folder / used_file)
        if limit and used is not None and limit < _UNLIMITED:
            return max(0, used - _droppable(folder)) / limit
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such file, or the word "max"
        return None


def _droppable(folder: Path) -> int:
    try:
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines() if line.count(" ") == 1)
    except OSError:
        return 0
    names = (
        ("inactive_file", "active_file") if "inactive_file" in stat else ("total_inactive_file", "total_active_file")
    )
    return sum(int(stat.get(name, 0)) for name in names)
