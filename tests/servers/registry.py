"""A local server that speaks the protocols of the online package review.

::

    with Registry({"thing": package}, advisories=[record], cves={"CVE-2024-1": cve}) as server:
        server.faults.add(Latency(0.05))
        server.faults.add(Status(429, retry_after=1), kind="index", first=1)
        ...                                     # ask server.index_url, server.osv_url, server.nvd_url
        assert server.most_at_once <= 5
        assert server.rate(1.0) <= 20
        assert server.count(kind="index", package="thing") == 2

Only the loopback is served, on a port of the system's choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from tests.servers.faults import Faults
from tests.servers.made import MadePackage
from tests.servers.measures import Measures, Seen


@dataclass(frozen=True)
class Settings:
    """How a server behaves; the fields are the keyword arguments of `Registry`."""

    html_only: bool = False
    """The index answers HTML whatever is accepted."""
    api_version: str = "1.4"
    """Of the JSON form; below 1.1 there are no versions, sizes and upload times."""
    relative_urls: bool = False
    metadata: str = "hashes"
    """How files tell of their metadata: ``hashes``, ``true``, ``old`` (only dist-info-metadata), ``none``."""
    max_age: int = 600
    """Of index pages, in seconds."""
    etags: bool = True
    credentials: tuple[str, str] | None = None
    """User and password of the index."""
    osv_page_size: int = 1000
    osv_empty_pages: bool = False
    """The first page of every query is empty and has a token, as happens when a search runs out of time."""
    nvd_key: str | None = None
    nvd_limit: tuple[int, float] | None = None
    """So many requests in so many seconds."""
    nvd_limit_status: int = 403
    nvd_unknown_status: int = 404
    """404, or 200 with no vulnerabilities."""


class Registry:
    """Index, OSV and NVD on one port; a context manager."""

    index_url: str
    osv_url: str
    nvd_url: str
    faults: Faults
    measures: Measures
    packages: dict[str, MadePackage]
    advisories: dict[str, dict[str, Any]]
    cves: dict[str, dict[str, Any]]

    def __init__(
        self,
        packages: Mapping[str, MadePackage] | None = None,
        advisories: Iterable[Mapping[str, Any]] = (),
        cves: Mapping[str, Mapping[str, Any]] | None = None,
        **settings: Any,
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError

    @property
    def requests(self) -> tuple[Seen, ...]:
        """All requests so far, in the order they came."""
        return self.measures.requests()
