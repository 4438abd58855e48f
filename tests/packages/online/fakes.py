"""An endpoint in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from batchbook.packages.online.endpoint import Answer, Check
from batchbook.packages.sources import SourceUnreachable


@dataclass
class FakeEndpoint:
    """Answers with what it is given by address: a status with a body and a content type."""

    answers: dict[str, tuple[int, bytes, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    offline: bool = False

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
        self.asked.append(url)
        self.kept += [keep] if keep else []
        if url not in self.answers:
            raise SourceUnreachable("no connection")
        status, body, kind = self.answers[url]
        answer = Answer(status, body, kind, url, "2026-11-20")
        if status == 200 and check is not None:
            check(answer)
        return answer

    def post(self, url: str, payload: object, *, check: Check | None = None) -> Answer:
        raise AssertionError("an index is never posted to")

    def remember(self, key: str, body: bytes) -> None:
        raise AssertionError("an index remembers nothing of its own")

    def recall(self, key: str) -> tuple[bytes, str] | None:
        raise AssertionError("an index remembers nothing of its own")
