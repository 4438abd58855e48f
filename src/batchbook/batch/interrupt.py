"""Stopping a run: the first signal asks, the second leaves at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_SECONDS = 8.0
"""How long rows in hand, and a last save, may take after the first signal."""


class StopToken:
    """Asked by the engine whether to go on; set by a signal or by a caller of `run_job`."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signal: int | None = None
        self._asked_at = 0.0

    def stop(self, number: int = signal.SIGINT) -> None:
        """Ask the run to stop; the first call counts."""
        if not self._event.is_set():
            self.signal = number
            self._asked_at = time.monotonic()
            self._event.set()

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop."""
        return self._event.is_set()

    @property
    def grace_left(self) -> float:
        """Seconds left for what is in hand; all of them while nobody asked."""
        return max(0.0, GRACE_SECONDS - (time.monotonic() - self._asked_at)) if self.stopping else GRACE_SECONDS

    def wait(self, seconds: float) -> bool:
        """Sleep, but wake when asked to stop; gives whether that was so."""
        return self._event.wait(seconds)

    @property
    def exit_code(self) -> int:
        """128 and the signal's number."""
        return 128 + int(self.signal or signal.SIGINT)


@contextmanager
def handle_signals(
    token: StopToken, tell: Callable[[], None] = lambda: None, leave: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP ask the token to stop; a second one ends the process where it stands.

    `tell` is called at the first one, `leave`, which must neither wait nor raise, at the second. Leaving at once loses
    nothing: what was committed is in the ledger, and a save that was cut off is settled at the next start.
    """

    def handler(number: int, _frame: FrameType | None) -> None:
        if token.stopping:
            leave()
            os._exit(128 + number)
        token.stop(number)
        tell()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP"):
        numbers.append(signal.SIGHUP)
    # A signal that the parent had us ignore (nohup) stays ignored.
    numbers = [
        number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGINT
    ]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
