"""An endpoint in memory, and servers behind it that say what a test makes them say."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import unquote

from batchbook.packages.online.endpoint import Answer, Check
from batchbook.packages.sources import NotAsked, SourceUnreachable

TODAY = "2024-10-20"
URL = "https://osv.test"
PATIENCE = 60
"""Seconds until a thread that does not come back is a failure."""
Result = TypeVar("Result")


class FakeEndpoint:
    """Answers out of a server in memory, with a store as the real one has; `day` is moved by tests."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.offline = False
        self.forgets = False
        self.day = 0
        self.posts: list[Any] = []
        self.gets: list[str] = []
        """The addresses that the server was asked for."""
        self.wanted = 0
        """How many answers were wanted, out of the store or not."""
        self.kept: dict[str, tuple[int, Answer]] = {}
        self.notes: dict[str, tuple[bytes, str]] = {}
        self._lock = threading.Lock()

    @property
    def today(self) -> str:
        return f"2024-10-{20 + self.day}"

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
        with self._lock:
            self.wanted += 1
            stored = self.kept.get(keep)
            if stored and (self.offline or max_age is None or timedelta(days=self.day - stored[0]) < max_age):
                return stored[1]
            if self.offline:
                raise NotAsked("offline, no stored answer")
            self.gets.append(url)
        answer = self._answer(self.server.get(url, params or {}), url)
        if check is not None and answer.status == 200:
            check(answer)
        if keep and answer.status == 200 and not self.forgets:
            with self._lock:
                self.kept[keep] = (self.day, answer)
        return answer

    def post(self, url: str, payload: object, *, check: Check | None = None) -> Answer:
        if self.offline:
            raise NotAsked("offline, no stored answer")
        payload = json.loads(json.dumps(payload))
        with self._lock:
            self.posts.append(payload)
        answer = self._answer(self.server.post(url, payload), url)
        if check is not None and answer.status == 200:
            check(answer)
        return answer

    def remember(self, key: str, body: bytes) -> None:
        self.notes[key] = (body, self.today)

    def recall(self, key: str) -> tuple[bytes, str] | None:
        return self.notes.get(key)

    def _answer(self, said: Any, url: str) -> Answer:
        status, body = said if isinstance(said, tuple) else (200, said)
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Answer(status, body, "application/json", url, self.today)


@dataclass
class FakeOsv:
    """Speaks as the OSV API does, in pages of `size`."""

    records: dict[str, Any] = field(default_factory=dict)
    size: int = 1000
    down: str = ""
    alter_post: Callable[[Any], Any] = lambda said: said
    alter_get: Callable[[str, Any], Any] = lambda id, said: said

    @classmethod
    def of(cls, *records: dict[str, Any], **more: Any) -> FakeOsv:
        return cls({one["id"]: one for one in records}, **more)

    def ids(self, package: str) -> list[str]:
        return [
            id
            for id, record in self.records.items()
            if any(entry["package"]["name"] == package for entry in record["affected"])
        ]

    def post(self, url: str, payload: Any) -> Any:
        if self.down:
            raise SourceUnreachable(self.down)
        assert url == f"{URL}/v1/querybatch"
        return self.alter_post({"results": [self._page(one) for one in payload["queries"]]})

    def _page(self, query: Any) -> Any:
        assert query["package"]["ecosystem"] == "PyPI" and "version" not in query
        ids, start = self.ids(query["package"]["name"]), _start(query.get("page_token", ""))
        page: dict[str, Any] = {}
        if ids[start : start + self.size]:
            page["vulns"] = [
                {"id": id, "modified": self.records[id]["modified"]} for id in ids[start : start + self.size]
            ]
        if start + self.size < len(ids):
            page["next_page_token"] = f"from {start + self.size}"
        return page

    def get(self, url: str, params: Mapping[str, str]) -> Any:
        if self.down:
            raise SourceUnreachable(self.down)
        prefix = f"{URL}/v1/vulns/"
        assert url.startswith(prefix) and "/" not in url[len(prefix) :] and " " not in url
        id = unquote(url[len(prefix) :])
        return self.alter_get(id, self.records.get(id, (404, b"")))


def _start(token: str) -> int:
    """Where a page starts; a token that a test made up leads to the first one."""
    _, _, number = token.partition(" ")
    return int(number or 0)


def in_threads(call: Callable[[Any], Result], questions: Sequence[Any], threads: int = 50) -> list[Result]:
    """The results of a call for many at once, in order; a thread that hangs fails the test."""
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(call, one) for one in questions]
        return [future.result(PATIENCE) for future in futures]


def until(holds: Callable[[], bool]) -> None:
    """Wait for another thread to get somewhere."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "the other thread does not get there"
        time.sleep(0.001)
