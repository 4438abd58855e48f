"""Whether XML is well-formed, found out beside the writing of it: by a process of its own, for large parts.

The check takes about as long as the writing, and a second processor is mostly idle. What the process cannot tell, for
whatever reason, is simply checked again later by who reads the file back: it only ever saves time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from queue import Empty, Full, Queue
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
_WAITING = 8
_PATIENCE = 60.0
"""Seconds without progress after which the process is given up."""


class WellFormedness:
    """One part on its way through the check. `feed` it, then ask for `confirmed`; `close` is right at any moment."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process
        self._pieces: Queue[bytes | None] = Queue(_WAITING)
        if process is not None:
            # A thread hands the pieces over, so that a process that does not read them stops nothing here.
            threading.Thread(target=_hand_over, args=(process, self._pieces), daemon=True).start()

    @classmethod
    def of_part(cls, size: int) -> WellFormedness:
        """A check of a part of about so many bytes; one that never confirms where it is not worth a process."""
        # In a frozen program the executable is the program itself.
        possible = sys.executable and not getattr(sys, "frozen", False)
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
        self._put(data)

    def _put(self, data: bytes | None) -> None:
        if self._process is not None:
            try:
                self._pieces.put(data, timeout=_PATIENCE)
            except Full:
                self.close()

    def confirmed(self) -> bool:
        """Whether all that was fed is known to be well-formed; ends the check."""
        self._put(None)
        process = self._process
        if process is None:
            return False
        assert process.stdout is not None
        try:
            process.wait(_PATIENCE)  # its answer is a word, which waits in the pipe
            return process.returncode == 0 and process.stdout.read() == _ANSWER
        except (OSError, subprocess.SubprocessError):
            return False
        finally:
            self.close()

    def close(self) -> None:
        """End the check, whether or not it is done."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        with suppress(OSError, subprocess.SubprocessError):
            process.wait(_PATIENCE)
        if process.stdout is not None:
            process.stdout.close()
        _end(self._pieces)


def _hand_over(process: subprocess.Popen[bytes], pieces: Queue[bytes | None]) -> None:
    assert process.stdin is not None
    _widen(process.stdin.fileno())
    with suppress(OSError), process.stdin as stdin:
        while (piece := pieces.get()) is not None:
            stdin.write(piece)
        return
    while pieces.get() is not None:  # the process has ended, the writing has not
        pass


def _end(pieces: Queue[bytes | None]) -> None:
    """Have the thread that takes the pieces come to its end, whatever still waits for it."""
    while True:
        try:
            pieces.put_nowait(None)
            return
        except Full:
            with suppress(Empty):
                pieces.get_nowait()


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
