"""The command line: parse, call, show. Only here is anything printed."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # as in `batchbook`: what is imported here is what Ctrl-C can come before
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

__all__ = ["main"]

_INTERRUPTED = 130


class _EarlyInterrupt:
    """Ctrl-C while modules are loaded, which is most of a short command's time.

    An exception in the middle of an import can come out as another one, or not at all. So the first Ctrl-C is only
    noted, and told when all is loaded, a moment later; a second one ends the process at once. Nothing has been begun.
    """

    def __init__(self) -> None:
        self.noted = False
        # Who ignores it (`nohup`, a shell's background) or has a handler of his own keeps that.
        self._holds = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._holds:
            signal.signal(signal.SIGINT, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.noted:
            os.write(2, b"batchbook: interrupted; nothing was changed\n")
            os._exit(_INTERRUPTED)
        self.noted = True

    def over(self) -> bool:
        """From now on Ctrl-C is KeyboardInterrupt as ever; gives whether there was one before."""
        if self._holds:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return self.noted


def main() -> None:
    """The console entry point."""
    early = _EarlyInterrupt()
    try:
        from batchbook.cli.app import main as start

        code = start(early.over)
    except KeyboardInterrupt:  # in the few steps around a call, where nothing is at work
        os.write(2, b"batchbook: interrupted\n")
        code = _INTERRUPTED
    # What is still to come is the interpreter's end: a Ctrl-C changes nothing any more, and waits for nobody.
    signal.signal(signal.SIGINT, lambda *_: os._exit(code))
    if code == _INTERRUPTED:
        _leave()
    sys.exit(code)


def _leave() -> NoReturn:
    """End with the exit code of Ctrl-C: CPython ends itself by the signal where one went through code of `exec`."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # whoever read it has gone
            continue
    os._exit(_INTERRUPTED)
