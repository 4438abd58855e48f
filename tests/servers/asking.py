"""A plain client for the tests of the test server: the standard library's, for nothing to be mended on the way."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True)
class Got:
    """An answer as it came; `headers` in small letters."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> bytes:
        return gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection, kept open; a context manager."""

    def __init__(self, url: str, timeout: float = 20.0) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def ask(self, url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Got:
        """`_` in names of headers stands for `-`."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self.connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = self.connection.getresponse()
        return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())


def ask(url: str, method: str = "GET", body: bytes | None = None, timeout: float = 20.0, **headers: str) -> Got:
    """One request on a connection of its own."""
    with Client(url, timeout) as client:
        return client.ask(url, method, body, **headers)


def page_of(index_url: str, name: str) -> Any:
    """The JSON page of a project."""
    return ask(f"{index_url}{name}/", Accept=SIMPLE_JSON).json


def batch(osv_url: str, queries: Sequence[Mapping[str, Any]]) -> Got:
    """A batch of queries."""
    return ask(f"{osv_url}/v1/querybatch", "POST", json.dumps({"queries": queries}).encode())


def query(name: str, **more: str) -> dict[str, Any]:
    """One query of a batch."""
    return {"package": {"name": name, "ecosystem": "PyPI"}, **more}
