"""How the test server behaves."""

from __future__ import annotations

from dataclasses import dataclass

METADATA = ("hashes", "true", "old", "none")


@dataclass(frozen=True)
class Settings:
    """How a server behaves; the fields are the keyword arguments of `Registry`."""

    html_only: bool = False
    """The index answers HTML whatever is accepted."""
    api_version: str = "1.4"
    """Of the JSON form; below 1.1 there are no versions, sizes and upload times."""
    relative_urls: bool = False
    metadata: str = "hashes"
    """How files tell of their metadata: ``hashes``, ``true``, ``old`` (by its first key only), ``none``."""
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

    def __post_init__(self) -> None:
        if self.metadata not in METADATA:
            raise ValueError(f"metadata is one of {', '.join(METADATA)}, not {self.metadata}")
