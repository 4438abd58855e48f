"""Giving up on a server for a while: one that is down must not cost every row its retries and time-outs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

GIVE_UP_AFTER = 5
"""Requests in a row that failed, each with all its tries; two tries that ran out of time weigh as much as one."""
PAUSE = 60.0
"""Seconds until one request is let through again, to see whether the server is back."""


class Breaker:
    """Counts failures of one server; after several in a row nothing is sent until a pause is over."""

    def __init__(
        self, give_up_after: int = GIVE_UP_AFTER, pause: float = PAUSE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = give_up_after
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._failed = 0.0
        self._until = 0.0
        self._asked_until = 0.0
        self._reason = ""
        self._asked_reason = ""

    def refusal(self) -> str:
        """Why nothing is to be sent now; blank where a request may be. After the pause one caller may try."""
        with self._lock:
            now = self._clock()
            if now < self._asked_until:
                return f"not asked for a while: {self._asked_reason}"
            if not self._until:
                return ""
            if now >= self._until:
                self._until = now + self._pause  # the others wait for what becomes of this one
                return ""
            return f"not asked for a while {self._reason}"

    def succeeded(self) -> None:
        """The server answered."""
        with self._lock:
            self._failed, self._until = 0.0, 0.0

    def failed(self, reason: str, weight: float = 1.0) -> None:
        """A request failed for good, or a try of one, which weighs less."""
        with self._lock:
            self._failed += weight
            if self._failed >= self._most:
                self._until = self._clock() + self._pause
                self._reason = f"after {self._failed:.0f} failures, the last: {reason}"

    def is_open(self) -> bool:
        """Whether nothing is to be sent now; unlike `refusal` it takes nobody's turn after a pause."""
        with self._lock:
            now = self._clock()
            return now < self._asked_until or now < self._until

    def closed_for(self, seconds: float, reason: str) -> None:
        """The server asked for a pause that is longer than a request waits; answers still to come do not end it."""
        with self._lock:
            self._asked_until = max(self._asked_until, self._clock() + seconds)
            self._asked_reason = reason
