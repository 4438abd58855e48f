"""Whether XML is well-formed, found out beside the writing of it: by a process of its own, for large parts.

The check takes about as long as the writing, and a second processor is mostly idle. What the process cannot tell, for
whatever reason, is simply checked again later by who reads the file back: it only ever saves time.
"""

from __future__ import annotations

import os
import subprocess
import sys
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
_PATIENCE = 60.0


class WellFormedness:
    """One part on its way through the check. `feed` it, then ask for `confirmed`; `close` is right at any moment."""

    def __init__(self, process: subprocess.Popen[bytes] | None) -> None:
        self._process = process

    @classmethod
    def of_part(cls, size: int) -> WellFormedness:
        """A check of a part of about so many bytes; one that never confirms where it is not worth a process."""
        if size < LARGE or (os.cpu_count() or 1) < 2 or not sys.executable:
            return cls(None)
        try:
            # In a session of its own: an interrupt at the terminal is none of its business.
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _PROGRAM],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return cls(None)
        _widen(process)
        return cls(process)

    def feed(self, data: bytes) -> None:
        """More of the part."""
        if self._process is not None:
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(data)
            except OSError:
                self.close()

    def confirmed(self) -> bool:
        """Whether all that was fed is known to be well-formed; ends the check."""
        process, self._process = self._process, None
        if process is None:
            return False
        try:
            said, _ = process.communicate(timeout=_PATIENCE)
        except (OSError, subprocess.SubprocessError):
            _end(process)
            return False
        return process.returncode == 0 and said == _ANSWER

    def close(self) -> None:
        """Give the check up."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Give the pipe room, so that the two wait for one another less often."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        assert process.stdin is not None
        fcntl.fcntl(process.stdin.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)


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


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(OSError, subprocess.SubprocessError):
        process.communicate(timeout=_PATIENCE)
