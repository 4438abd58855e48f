"""What a source sees of the network: answers, and one way to its server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from batchbook.packages.documents import parse_json
from batchbook.packages.sources import SourceUnreachable


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    """200, or 404 where the server knows no such thing; every other answer is raised as SourceUnreachable."""
    body: bytes
    content_type: str
    """Without parameters, in lower case."""
    url: str
    """The final one, behind redirects."""
    date: str
    """The day (ISO, UTC) of the answer, or of its last validation where it came out of the store."""

    def json(self) -> Any:
        """The body as JSON, its numbers as text; SourceUnreachable where it is none."""
        try:
            return parse_json(self.body.decode("utf-8-sig"))
        except ValueError as problem:
            raise SourceUnreachable(f"answered with what is no JSON ({problem})") from None


T = TypeVar("T")
Check = Callable[[Answer], object]
"""Raises SourceUnreachable for an answer that is not what was asked for; its result is not looked at."""


class Reading(Generic[T]):
    """A check that keeps what it read, so that an answer is read once."""

    def __init__(self, read: Callable[[Answer], T]) -> None:
        self._read = read
        self._last: tuple[Answer, T] | None = None

    def __call__(self, answer: Answer) -> None:
        """Read an answer; what `read` raises goes through."""
        self._last = answer, self._read(answer)

    def of(self, answer: Answer) -> T:
        """What an answer says."""
        if self._last is not None and self._last[0] is answer:
            return self._last[1]
        return self._read(answer)


class Endpoint(Protocol):
    """One source's way to its server: pacing, retries, store and giving up for a while lie behind it.

    Called from many threads at once. All that asks raises SourceUnreachable for trouble (with the reason), and NotAsked
    in offline mode where no answer is stored.
    """

    @property
    def offline(self) -> bool:
        """Whether only stored answers are given."""
        ...

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: str = "",
        keep: str = "",
        max_age: timedelta | None = None,
        check: Check | None = None,
    ) -> Answer:
        """The answer for an address.

        `keep` blank: stored by the rules of HTTP and revalidated. Otherwise stored under that text and not asked for
        again while it is there (with `max_age`: while it is not older). What fails `check` is tried again and is not
        stored.
        """
        ...

    def post(self, url: str, payload: object, *, check: Check | None = None) -> Answer:
        """The answer to a payload, sent as JSON. Never stored; may be sent more than once."""
        ...

    def remember(self, key: str, body: bytes) -> None:
        """Put something of one's own into the store, dated today."""
        ...

    def recall(self, key: str) -> tuple[bytes, str] | None:
        """What was remembered, with its day (ISO)."""
        ...
