"""What a server saw: every request, how many at once, how many in a time."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

OF_INTEREST = (
    "accept",
    "accept-encoding",
    "apikey",
    "authorization",
    "cache-control",
    "cookie",
    "if-modified-since",
    "if-none-match",
    "user-agent",
)


@dataclass(eq=False)
class Seen:
    """One request; filled further while it is answered."""

    time: float
    """When it came, `time.monotonic()`."""
    method: str
    path: str
    """As it came, with the query."""
    kind: str
    """One of `faults.KINDS`."""
    thing: str
    """Normalised package name (index), file name (metadata, file), advisory or CVE id; empty for a batch."""
    packages: tuple[str, ...] = ()
    """The normalised packages that it concerns; those of a batch in its order."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those of `OF_INTEREST`, in small letters."""
    queries: tuple[Mapping[str, object], ...] = ()
    """The queries of a batch, as they came."""
    at_once: int = 0
    """How many requests were being answered, this one included."""
    status: int = 0
    """The status sent, 0 where none was."""
    fault: str = ""
    """The name of the action that was applied to the answer."""
    retry_after: float | None = None
    """Seconds to wait as told by the answer."""
    not_before: float | None = None
    """When that wait is over, `time.monotonic()`."""
    sent: int = 0
    """Bytes of the body sent."""
    ended: float | None = None
    """When its answer was ready to be sent in full, or given up; None while it is being answered."""


class Measures:
    """The record of a server, safe among threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seen: list[Seen] = []
        self._now: Counter[str] = Counter()
        self._most: Counter[str] = Counter()
        self._given_up: dict[Seen, Callable[[], bool]] = {}

    def begin(self, seen: Seen, given_up: Callable[[], bool] = lambda: False) -> None:
        """A request came; `given_up` tells whether its client has closed the connection since."""
        with self._changed:
            # A client that gave one up may ask the next before the thread of the first has noticed.
            for other in [one for one, gone in self._given_up.items() if gone()]:
                self._end(other)
            self._given_up[seen] = given_up
            self._seen.append(seen)
            for key in ("", seen.kind):
                self._now[key] += 1
                self._most[key] = max(self._most[key], self._now[key])
            seen.at_once = self._now[""]
            self._changed.notify_all()

    def end(self, seen: Seen) -> None:
        """A request is answered, or given up; to be told before the client can know, and once or more."""
        with self._changed:
            self._end(seen)

    def _end(self, seen: Seen) -> None:
        if self._given_up.pop(seen, None) is None:
            return
        seen.ended = time.monotonic()
        for key in ("", seen.kind):
            self._now[key] -= 1
        self._changed.notify_all()

    def forget(self) -> None:
        """Begins anew; requests being answered still count as such."""
        with self._changed:
            self._seen.clear()
            self._most = Counter(self._now)

    def requests(self) -> tuple[Seen, ...]:
        """All requests so far, in the order they came."""
        with self._changed:
            return tuple(self._seen)

    def most_at_once(self, kind: str = "") -> int:
        """The most requests that were being answered at one time; of one kind, where it is given."""
        with self._changed:
            return self._most[kind]

    def rate(self, window: float = 1.0, kind: str | None = None) -> int:
        """The most requests that came within any `window` seconds."""
        most, recent = 0, deque[float]()
        for seen in sorted(self.requests(), key=lambda one: one.time):
            if kind is not None and seen.kind != kind:
                continue
            recent.append(seen.time)
            while recent[0] <= seen.time - window:
                recent.popleft()
            most = max(most, len(recent))
        return most

    def too_early(self) -> tuple[Seen, ...]:
        """The requests that came for a thing before the time that a Retry-After for it had told."""
        early, not_before = [], dict[tuple[str, str], float]()
        for seen in self.requests():
            key = (seen.kind, seen.thing)
            if seen.time < not_before.get(key, 0.0):
                early.append(seen)
            if seen.not_before is not None:
                not_before[key] = seen.not_before
        return tuple(early)

    def wait_for(self, count: int, kind: str | None = None, seconds: float = 30.0) -> bool:
        """Waits until so many requests came; False where they did not within `seconds`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: sum(kind is None or seen.kind == kind for seen in self._seen) >= count, seconds
            )
