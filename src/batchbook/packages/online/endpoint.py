"""How a source reaches its server: what it may ask for, and what an answer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from batchbook.packages.documents import parse_json
from batchbook.packages.sources import SourceUnreachable


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said; its body is not checked."""

    status: int
    """200, or 404 where the server knows no such thing; everything else is raised."""
    body: bytes
    content_type: str
    """Without parameters, in lower case."""
    url: str
    """The address that answered in the end."""
    date: str
    """The day (ISO, UTC) of the answer, or of its last validation where it came out of the cache."""

    def json(self) -> Any:
        """The body as JSON, every number as text; SourceUnreachable where it is none."""
        try:
            return parse_json(self.body.decode("utf-8-sig"))
        except ValueError as problem:  # UnicodeDecodeError and JSONDecodeError are of this kind
            raise SourceUnreachable(f"answered with what is no JSON ({problem})") from problem


class Endpoint(Protocol):
    """One source's way to its server: pacing, retries, cache and circuit breaker are behind it.

    Everything may be called from several threads at once, and may raise SourceUnreachable (trouble, with the reason)
    or NotAsked (offline, and no stored answer).
    """

    @property
    def offline(self) -> bool:
        """Whether only stored answers may be used."""
        ...

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        accept: str = "",
        keep: str = "",
        max_age: timedelta | None = None,
    ) -> Answer:
        """Ask for a document, by the caching rules of HTTP.

        With `keep`, the answer is stored under that text and not asked for again while it is there; with `max_age` as
        well, not while it is younger than that.
        """
        ...

    def post(self, url: str, payload: object) -> Answer:
        """Ask by a JSON document; never cached, safe to repeat."""
        ...

    def remember(self, key: str, body: bytes) -> None:
        """Store an answer of one's own, dated today."""
        ...

    def recall(self, key: str) -> tuple[bytes, str] | None:
        """What was remembered under a key, with its day (ISO); None where nothing is."""
        ...
