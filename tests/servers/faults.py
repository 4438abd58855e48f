"""What can go wrong with an answer, and the rules that say when it does.

A rule is an action and what it is limited to::

    server.faults.add(Status(429, retry_after=1), kind="index", first=2)          # twice for every package
    server.faults.add(Latency(0.05))                                              # everything
    server.faults.add(Silence(), package="requests")                              # index and metadata of one package
    server.faults.add(Garbage("list"), kind="osv-vuln", share=0.1, seed=7)        # a tenth, the same tenth every time

All latencies that match are added up. Of the other actions the first rule that applies decides. A rule counts only the
requests that no earlier rule took, so that rules queue up::

    server.faults.add(Status(503), first=2)                                       # twice, for each thing,
    server.faults.add(Half(), first=1)                                            # then once, then all is well
"""

from __future__ import annotations

import datetime as dt
import math
import random
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime

KINDS = ("index", "metadata", "file", "osv-batch", "osv-vuln", "nvd", "other")
"""What a request can be about; `other` is a path that the server does not know."""

GARBAGE = (
    "html",  # an error page, 200, text/html
    "html-as-told",  # an error page under the content type of the right answer
    "binary",
    "bad-encoding",  # bytes that are no UTF-8
    "empty",
    "null",
    "deep",  # lists in lists, deeper than parsers recurse
    "list",  # a list where an object belongs
    "numbers",  # numbers where texts belong
    "missing",  # the keys that matter are gone
    "other",  # a sound answer, about something else than was asked
    "fewer",  # the last element of every list is gone: seen in a batch, while a shorter index page looks sound
)


@dataclass(frozen=True)
class Latency:
    """Waits before it answers: `seconds`, or evenly between `seconds` and `up_to`."""

    seconds: float
    up_to: float | None = None


@dataclass(frozen=True)
class Status:
    """A status in place of the answer.

    `retry_after` is sent as it is (seconds, or any text); `retry_after_date` is seconds from now, sent as an HTTP date.
    """

    code: int
    retry_after: int | str | None = None
    retry_after_date: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"out of order\n"
    content_type: str = "text/plain"

    def all_headers(self) -> dict[str, str]:
        """The headers to send, with Retry-After as asked for."""
        headers = {"Content-Type": self.content_type, **self.headers}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        if self.retry_after_date is not None:
            # HTTP dates know whole seconds only; rounded up, for the wait never to be shorter than asked for.
            now = dt.datetime.now(dt.UTC).timestamp()
            moment = dt.datetime.fromtimestamp(math.ceil(now + self.retry_after_date), dt.UTC)
            headers["Retry-After"] = format_datetime(moment, usegmt=True)
        return headers


@dataclass(frozen=True)
class Silence:
    """Takes the request and never answers; ends when the client gives up or the server closes."""


@dataclass(frozen=True)
class Dribble:
    """The right answer, `size` bytes every `every` seconds."""

    size: int = 1
    every: float = 0.05


@dataclass(frozen=True)
class Drop:
    """Closes the connection without an answer; `reset` by a TCP reset."""

    reset: bool = False


@dataclass(frozen=True)
class HangUp:
    """The right answer, then the connection is closed without having said so."""


@dataclass(frozen=True)
class NotHttp:
    """Bytes that are no HTTP, then the connection is closed."""


@dataclass(frozen=True)
class Half:
    """The first `share` of the answer.

    `length`: Content-Length tells more than is sent; `chunked`: the last chunk never comes; `gzip`: a gzip stream cut
    off, its length told rightly; `text`: the text cut off, its length told rightly.
    """

    how: str = "length"
    share: float = 0.5


@dataclass(frozen=True)
class Garbage:
    """Another body, status 200; one of `GARBAGE`."""

    what: str = "html"

    def __post_init__(self) -> None:
        if self.what not in GARBAGE:
            raise ValueError(f"garbage is one of {', '.join(GARBAGE)}, not {self.what}")


@dataclass(frozen=True)
class Redirect:
    """Sends elsewhere.

    `to`: ``moved`` (this server answers there), ``loop`` (the same address), ``dead`` (a port where nobody listens),
    or an address of one's own, to which the path is added where it ends with a `*`.
    """

    code: int = 302
    to: str = "moved"


@dataclass(frozen=True)
class Huge:
    """A body of many megabytes, streamed until the client has enough; `compressed` sends it as little gzip."""

    megabytes: int = 64
    compressed: bool = False


@dataclass(frozen=True)
class WrongType:
    """The right body under another content type, or none (None)."""

    content_type: str | None = "text/plain"


Action = Latency | Status | Silence | Dribble | Drop | HangUp | NotHttp | Half | Garbage | Redirect | Huge | WrongType


@dataclass(frozen=True)
class Target:
    """What a request is about: its kind, its path, what it asks for (`thing`), and the packages it concerns."""

    kind: str
    path: str
    thing: str
    packages: frozenset[str]


@dataclass(eq=False)
class Rule:
    """An action and what it is limited to; `hits` counts how often it was applied."""

    action: Action
    kind: str | None = None
    package: str | None = None
    """A normalised package name, or an id of an advisory or CVE."""
    path: str | None = None
    """How the path begins."""
    first: int | None = None
    """Only the first so many requests for each thing."""
    nth: frozenset[int] | None = None
    """Only these requests for each thing, counted from 1."""
    share: float | None = None
    """Only so much of all requests, chosen by `seed`, thing and count: the same every time, in whatever order."""
    seed: int = 0
    hits: int = 0
    _seen: Counter[str] = field(default_factory=Counter)

    def applies(self, target: Target) -> bool:
        """Whether the rule applies to a request; counts it where all but the count fits."""
        if self.kind is not None and self.kind != target.kind:
            return False
        if self.path is not None and not target.path.startswith(self.path):
            return False
        if self.package is not None and self.package != target.thing and self.package not in target.packages:
            return False
        if isinstance(self.action, Redirect) and self.action.to == "moved" and target.path.startswith("/moved/"):
            return False  # it has been moved
        thing = f"{target.kind} {target.thing}"
        self._seen[thing] += 1
        count = self._seen[thing]
        if self.first is not None and count > self.first:
            return False
        if self.nth is not None and count not in self.nth:
            return False
        return self.share is None or random.Random(f"{self.seed} {thing} {count}").random() < self.share

    def seconds(self, target: Target) -> float:
        """How long a latency waits for this request."""
        if not isinstance(self.action, Latency):
            return 0.0
        if self.action.up_to is None:
            return self.action.seconds
        dice = random.Random(f"{self.seed} {target.kind} {target.thing} {self.hits}")
        return dice.uniform(self.action.seconds, self.action.up_to)


class Faults:
    """The rules of a server, safe to change while it answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(
        self,
        action: Action,
        *,
        kind: str | None = None,
        package: str | None = None,
        path: str | None = None,
        first: int | None = None,
        nth: int | frozenset[int] | set[int] | None = None,
        share: float | None = None,
        seed: int = 0,
    ) -> Rule:
        """A new rule after those that are there; ValueError for a kind that there is not."""
        if kind is not None and kind not in KINDS:
            raise ValueError(f"a kind is one of {', '.join(KINDS)}, not {kind}")
        chosen = frozenset({nth}) if isinstance(nth, int) else None if nth is None else frozenset(nth)
        rule = Rule(action, kind, package, path, first, chosen, share, seed)
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Takes a rule away."""
        with self._lock:
            self._rules.remove(rule)

    def clear(self) -> None:
        """Takes all rules away."""
        with self._lock:
            self._rules.clear()

    def choose(self, target: Target) -> tuple[float, Action | None]:
        """The seconds to wait before a request is answered, and what goes wrong with the answer, if anything."""
        wait, action = 0.0, None
        with self._lock:
            for rule in self._rules:
                if not isinstance(rule.action, Latency) and action is not None:
                    continue
                if not rule.applies(target):
                    continue
                rule.hits += 1
                if isinstance(rule.action, Latency):
                    wait += rule.seconds(target)
                else:
                    action = rule.action
        return wait, action


_held: list[socket.socket] = []


def dead_url(path: str = "") -> str:
    """The address of a port where nobody listens, as long as this process lives."""
    # A socket that is bound and does not listen keeps the port from everybody else and refuses connections.
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.bind(("127.0.0.1", 0))
    _held.append(holder)
    return f"http://127.0.0.1:{holder.getsockname()[1]}{path}"
