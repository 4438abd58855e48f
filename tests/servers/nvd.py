"""The one request of the NVD API 2.0 that the review asks: a CVE by its id."""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from tests.servers.settings import Settings
from tests.servers.wire import Answer, Asked, json_answer

_CVE = re.compile(r"CVE-\d{4}-\d{4,}")


class Nvd:
    """Answers for the NVD API."""

    def __init__(self, cves: dict[str, dict[str, Any]], settings: Settings) -> None:
        """`cves` by id; changes to it show at once."""
        self.cves = cves
        self.settings = settings
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        """A CVE, or why not: the real one says so in a header and leaves the body empty."""
        refused = self._refused(asked)
        if refused is not None:
            return refused
        identity = asked.query.get("cveId", "")
        if not _CVE.fullmatch(identity):
            return Answer(404, headers={"message": "Invalid cveId parameter."})
        found = self.cves.get(identity)
        if found is None and self.settings.nvd_unknown_status != 200:
            return Answer(self.settings.nvd_unknown_status, headers={"message": "No CVE was found."})
        return json_answer(200, _page([found] if found is not None else []))

    def _refused(self, asked: Asked) -> Answer | None:
        if self._too_many():
            return Answer(self.settings.nvd_limit_status, b"<html><body>Request forbidden</body></html>", "text/html")
        if self.settings.nvd_key is None:
            return None
        given = asked.headers.get("apikey")
        if given is None:
            return Answer(403, headers={"message": "An apiKey is needed."})
        if given != self.settings.nvd_key:
            return Answer(404, headers={"message": "Invalid apiKey."})
        return None

    def _too_many(self) -> bool:
        if self.settings.nvd_limit is None:
            return False
        count, seconds = self.settings.nvd_limit
        with self._lock:
            now = time.monotonic()
            while self._recent and self._recent[0] <= now - seconds:
                self._recent.popleft()
            if len(self._recent) >= count:
                return True
            self._recent.append(now)
            return False


def _page(found: list[Mapping[str, Any]]) -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return {
        "resultsPerPage": len(found),
        "startIndex": 0,
        "totalResults": len(found),
        "format": "NVD_CVE",
        "version": "2.0",
        "timestamp": now,
        "vulnerabilities": [{"cve": dict(one)} for one in found],
    }
