"""The network of one run: the stored answers, the wire, and a way to each source's server."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from netrc import NetrcParseError
from pathlib import Path

import httpx

from batchbook.packages.online.breaker import Breaker
from batchbook.packages.online.http import HttpEndpoint, Trying
from batchbook.packages.online.pace import Rate
from batchbook.packages.online.store import Store
from batchbook.packages.online.wire import Manners, Wire
from batchbook.packages.options import NetworkOptions

log = logging.getLogger(__name__)


class Network:
    """Opened once a run; its parts are made at the first need."""

    def __init__(
        self,
        options: NetworkOptions,
        cache: Path,
        *,
        offline: bool,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        """`cache` is the folder of stored answers; `offline` gives these only and sends nothing."""
        self._options = options
        self._offline = offline
        self._now = now
        self._store = Store(cache, dt.timedelta(days=options.cache_days))
        self._wire = Wire(
            concurrency=options.concurrency,
            timeout=options.timeout,
            most_bytes=options.max_answer_mib * 2**20,
            now=now,
        )

    def endpoint(
        self,
        home: str,
        rate: str,
        *,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
        again: frozenset[int] = frozenset(),
    ) -> HttpEndpoint:
        """The way to the server at `home`; headers and credentials are sent to that host only.

        `again` are further statuses after which a request is tried again.
        """
        manners = Manners(Rate.parse(rate), self._options.longest_wait, dict(headers or {}), auth, httpx.URL(home))
        trying = Trying(self._options.tries, also=again)
        return HttpEndpoint(self._store, self._wire, manners, trying, Breaker(), self._now, offline=self._offline)

    def close(self) -> None:
        """End what is under way and close the stored answers."""
        self._wire.close()
        self._store.close()


def basic_auth(username: str, password: str) -> httpx.Auth | None:
    """Credentials of a source: those given, else those of the user's ``.netrc``, else none."""
    if username or password:
        return httpx.BasicAuth(username, password)
    try:
        return httpx.NetRCAuth()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, NetrcParseError) as problem:
        # Without its words: they quote what stands in the file.
        kind = getattr(problem, "strerror", None) or "others may read it, or it is not of the form that is expected"
        log.warning("the credentials in ~/.netrc are not used, the file cannot be read: %s", kind)
        return None
