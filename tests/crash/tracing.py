"""Commands run in forked children, with strace recording their file-system calls or putting faults into them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import batchbook

STRACE = shutil.which("strace")
CHANGING = (
    "write", "pwrite64", "ftruncate", "fallocate", "copy_file_range", "fsync", "fdatasync", "rename", "renameat",
    "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat", "fchmod", "fchown", "fsetxattr",
    "fremovexattr", "ioctl",
)  # fmt: skip
"""Calls that change files; `openat` does where it creates."""
READING = ("read", "pread64")
"""Locks (`fcntl`, `flock`) are in neither: an errno there means that somebody else holds one."""
RECORDED = ("openat", *CHANGING, *READING)
_LINE = re.compile(r"^(\d+)\s+(\w+)\((.*)$")
_PATH = re.compile(r"<(/[^<>]*)>|\"(/[^\"]*)\"")
_HERE = re.compile(r"AT_FDCWD<[^<>]*>")
_VARYING = re.compile(
    r"\d{8}T\d{6}\.\d{6}Z|\d{8}-\d{6}-[0-9a-f-]+|(?:(?<![a-z])|(?<=-x))[0-9a-f]{4,}(?:-[0-9a-f]+)?(?![a-z])"
)


@dataclass(frozen=True, slots=True)
class Call:
    """One file-system call on a file of the folder: the n-th of its name in the process."""

    name: str
    number: int
    paths: tuple[str, ...]
    """Relative to the folder, with what differs from run to run (times, run ids, random parts) starred out."""
    creates: bool
    counts: dict[str, int] = field(compare=False, hash=False, repr=False)
    """How many calls of each name there had been before, on whatever file."""

    @property
    def changing(self) -> bool:
        return self.creates or self.name in CHANGING

    def __str__(self) -> str:
        return f"{self.name} {self.number} ({' -> '.join(self.paths)})"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: exit code (or minus the signal), what it said, the keys that its processor saw."""

    code: int
    out: str
    err: str
    keys: tuple[str, ...]
    trace: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Runner:
    """Runs commands in children of one zygote."""

    def __init__(self, scratch: Path) -> None:
        self._trace = scratch / "trace.txt"
        own = str(Path(batchbook.__file__).parents[1])  # the package that is tested, whatever else is installed
        packages = os.pathsep.join([own, *(path for path in sys.path if path)])
        plain = {name: value for name, value in os.environ.items() if not name.startswith("BATCHBOOK_")}
        self._zygote = subprocess.Popen(
            [os.path.realpath(sys.executable), Path(__file__).with_name("zygote.py")],
            env={**plain, "PYTHONPATH": packages, "COLUMNS": "200"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=scratch,
        )

    def warm(self, folder: Path, *commands: list[str]) -> None:
        """Import, once and for all children, what these commands import."""
        for arguments in commands:
            ended = self._ask({"cwd": str(folder), "arguments": arguments, "modules": True}, [])
            for text in ended["modules"]:
                self._say({"import": json.loads(text)})

    def run(
        self, folder: Path, *arguments: str, strace: Iterable[str] | None = None, largest: int | None = None
    ) -> Ended:
        """Run a command to its end; with `strace` options, traced; `largest` bytes are allowed in a file."""
        options = None if strace is None else list(strace)
        answer = self._ask({"cwd": str(folder), "arguments": arguments, "largest": largest}, options)
        trace = self._trace.read_text(errors="replace").splitlines() if options is not None else ()
        return Ended(answer["code"], answer["out"], answer["err"], tuple(answer["keys"]), tuple(trace))

    def record(self, folder: Path, *arguments: str) -> tuple[Ended, list[Call], list[str]]:
        """Run a command and give its calls on files of the folder, and the lines of the trace that have them."""
        ended = self.run(folder, *arguments, strace=["-e", f"trace={','.join(RECORDED)}"])
        calls, lines = parsed(ended.trace, folder)
        return ended, calls, lines

    def close(self) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        self._zygote.wait(30)

    # --- speaking to the zygote ------------------------------------------------------------------------------------

    def _ask(self, request: dict[str, Any], options: list[str] | None) -> dict[str, Any]:
        self._say(request)
        pid = self._hear()["pid"]
        tracer = self._attached(pid, options) if options else None
        self._say(None)
        answer = self._hear()
        if tracer is not None:
            tracer.wait(60)
        return answer

    def _attached(self, pid: int, options: list[str]) -> subprocess.Popen[bytes]:
        assert STRACE is not None
        tracer = subprocess.Popen(
            [STRACE, "-f", "-qq", "-y", "-s0", "-e", "signal=none", "-o", self._trace, *options, "-p", str(pid)]
        )
        status = Path(f"/proc/{pid}/status")
        deadline = time.monotonic() + 30
        while "\nTracerPid:\t0\n" in status.read_text():
            assert time.monotonic() < deadline and tracer.poll() is None, "strace could not be attached"
            time.sleep(0.002)
        return tracer

    def _say(self, request: dict[str, Any] | None) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(f"{'' if request is None else json.dumps(request)}\n")
        self._zygote.stdin.flush()

    def _hear(self) -> Any:
        assert self._zygote.stdout is not None
        text = self._zygote.stdout.readline()
        assert text, "the zygote has ended"
        return json.loads(text)


def parsed(trace: Iterable[str], folder: Path) -> tuple[list[Call], list[str]]:
    """The calls on files of a folder, with the lines that have them."""
    calls, lines, counts = [], [], Counter[str]()
    for line in trace:
        found = _LINE.match(line)
        if found is None:
            continue
        name, rest = found[2], found[3]
        before = dict(counts)
        counts[name] += 1
        paths = [one or other for one, other in _PATH.findall(_HERE.sub("", rest))]
        inside = tuple(starred(path, folder) for path in paths if path.startswith(f"{folder}/") or path == str(folder))
        if inside and (name != "ioctl" or "FICLONE" in rest):
            calls.append(Call(name, counts[name], tuple(dict.fromkeys(inside)), "O_CREAT" in rest, before))
            lines.append(line)
    return calls, lines


def starred(path: str, folder: Path) -> str:
    """A path relative to the folder, without what differs from run to run."""
    return _VARYING.sub("*", os.path.relpath(path, folder).removesuffix(" (deleted)"))
