"""How often a host is asked: so many requests in so much time, and none while it has asked for a pause."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

_FORM = re.compile(r"([1-9]\d{0,5})\s*/\s*([1-9]\d{0,3})?\s*([smh])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `requests` in any span of `seconds`."""

    requests: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> Rate:
        """A rate as people write it: ``100/s``, ``50/30s``, ``10/m``; ValueError where it is none."""
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ValueError("must be a rate such as 100/s, 50/30s or 10/m")
        return cls(int(found[1]), int(found[2] or 1) * _UNITS[found[3]])


class Hold:
    """A pause that a host asked for; it holds for all who ask it. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._until = 0.0

    def wait(self, now: float) -> float:
        """How many seconds the next request has to wait."""
        return max(0.0, self._until - now)

    def until(self, moment: float) -> None:
        """No request before a time."""
        self._until = max(self._until, moment)


class Pace:
    """The turns of one source at one host. Not for several threads at once."""

    def __init__(self, rate: Rate, hold: Hold) -> None:
        self._rate = rate
        self.hold = hold
        self._sent: deque[float] = deque()

    def wait(self, now: float) -> float:
        """How many seconds the next request has to wait; 0 where it may be sent now."""
        while self._sent and self._sent[0] <= now - self._rate.seconds:
            self._sent.popleft()
        most = self._rate.requests
        free = self._sent[-most] + self._rate.seconds if len(self._sent) >= most else 0.0
        return max(0.0, free - now, self.hold.wait(now))

    def sent(self, now: float) -> None:
        """A request is sent now."""
        self._sent.append(now)
