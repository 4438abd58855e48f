"""Whether XML is well-formed, found out beside the writing of it: by a process of its own, for large parts.

The check takes about as long as the writing, and a second processor is mostly idle. What the process cannot tell, for
whatever reason, is simply checked again later by who reads the file back: it only ever saves time.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections import deque
from contextlib import suppress
from xml.parsers import expat

LARGE = 8 << 20
"""Parts smaller than this, in bytes, are checked sooner than a process starts."""

_PROGRAM = """
import sys
from xml.parsers import expat
parser = expat.ParserCreate(None, " ")
def refuse(*_):
    raise SystemExit(1)
parser.StartDoctypeDeclHandler = refuse
while piece := sys.stdin.buffer.read1(1 << 20):
    parser.Parse(piece, False)
parser.Parse(b"", True)
sys.stdout.write("well-formed")
"""
_ANSWER = b"well-formed"
_WAITING = 8 << 20
"""So many bytes may wait for a process that has other things to do."""
_PATIENCE = 60.0
"""Seconds without progress after which the process is given up."""


class WellFormedness:
    """One part on its way through the check. `feed` it, then ask for `confirmed`; `close` is right at any moment."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process
        self._pieces: deque[memoryview] = deque()
        self._waiting = 0
        if process is not None:
            assert process.stdin is not None
            self._pipe = process.stdin.fileno()
            _widen(self._pipe)
            # Nothing here may wait for a process that does not read what it is given.
            os.set_blocking(self._pipe, False)
            self._room = select.poll()
            self._room.register(self._pipe, select.POLLOUT)

    @classmethod
    def of_part(cls, size: int) -> WellFormedness:
        """A check of a part of about so many bytes; one that never confirms where it is not worth a process."""
        # In a frozen program the executable is the program itself; elsewhere pipes cannot be asked for room.
        possible = sys.executable and not getattr(sys, "frozen", False) and os.name == "posix"
        if size < LARGE or (os.cpu_count() or 1) < 2 or not possible:
            return cls(None)
        try:
            # In a session of its own: an interrupt at the terminal is none of its business.
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return cls(None)
        return cls(process)

    def feed(self, data: bytes) -> None:
        """More of the part."""
        if self._process is not None:
            self._pieces.append(memoryview(data))
            self._waiting += len(data)
            self._hand_over(_WAITING)

    def _hand_over(self, most: int) -> None:
        """Write what the process takes, until at most so many bytes wait for it; or give it up."""
        try:
            while self._pieces:
                try:
                    taken = os.write(self._pipe, self._pieces[0])
                except BlockingIOError:
                    if self._waiting <= most:
                        return
                    if not self._room.poll(_PATIENCE * 1000):
                        self.close()
                    continue
                self._waiting -= taken
                rest = self._pieces.popleft()[taken:]
                if rest:
                    self._pieces.appendleft(rest)
        except OSError:  # it has ended
            self.close()

    def confirmed(self) -> bool:
        """Whether all that was fed is known to be well-formed; ends the check."""
        self._hand_over(0)
        process = self._process
        if process is None:
            return False
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.close()
            process.wait(_PATIENCE)  # its answer is a word, which waits in the pipe
            return process.returncode == 0 and process.stdout.read() == _ANSWER
        except (OSError, subprocess.SubprocessError):
            return False
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the process."""
        process, self._process = self._process, None
        self._pieces.clear()
        if process is None:
            return
        with suppress(OSError):
            process.kill()
        with suppress(OSError, subprocess.SubprocessError):
            process.wait(_PATIENCE)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _widen(pipe: int) -> None:
    """Give the pipe room, so that the two wait for one another less often."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)


def is_well_formed(data: bytes) -> bool:
    """Whether a whole document in UTF-8 (or as it declares) is well-formed and has no document type."""
    parser = expat.ParserCreate(None, " ")
    declared: list[object] = []
    parser.StartDoctypeDeclHandler = lambda *names: declared.append(names)
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        return False
    return not declared
