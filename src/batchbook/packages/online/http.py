"""Asking servers: retries with backoff, stored answers, and giving up on a server for a while.

From the outside in: what is kept under a text is given at once; else the breaker says whether the server may be asked;
then a page that is stored and fresh is given, or the request is sent, and sent again where that may help.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx
import tenacity
from hishel.httpx import CacheTransport
from tenacity.stop import stop_base

from batchbook.packages.online.breaker import Breaker
from batchbook.packages.online.endpoint import Answer, Check
from batchbook.packages.online.sending import MOST_REDIRECTS, Again, TimedOut, followed, status_said
from batchbook.packages.online.store import ASKED, Store
from batchbook.packages.online.wire import LongPause, Manners, Wire
from batchbook.packages.sources import NotAsked, SourceUnreachable

_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
_NONE = frozenset((404, 410))
_FIRST_WAIT, _MOST_WAIT = 0.5, 10.0
DAY = len("2026-01-01")
NOT_STORED = "offline, no stored answer"
_NONE_AT = "none at "
"""Under this and an address stands that the server had nothing there."""


@dataclass(frozen=True, slots=True)
class Trying:
    """How often a request is sent."""

    tries: int
    first_wait: float = _FIRST_WAIT
    """Seconds before the second try at most; doubled each time, chosen by chance up to that."""
    also: frozenset[int] = frozenset()
    """Further statuses after which it is tried again."""


class Refused(SourceUnreachable):
    """The server does not know who asks, or does not answer them; it would say so to every request."""


class _GivenUp(stop_base):
    """No further try of a server that was given up meanwhile."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    def __call__(self, retry_state: tenacity.RetryCallState) -> bool:
        return self._breaker.is_open()


class _WireTransport(httpx.BaseTransport):
    """The wire as the transport behind the store."""

    def __init__(self, wire: Wire, manners: Manners) -> None:
        self._wire = wire
        self._manners = manners

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._wire.send(request, self._manners)


class HttpEndpoint:
    """One source's way to its server; see `endpoint.Endpoint`."""

    def __init__(
        self,
        store: Store,
        wire: Wire,
        manners: Manners,
        trying: Trying,
        breaker: Breaker,
        now: Callable[[], datetime],
        *,
        offline: bool,
    ) -> None:
        self._is_offline = offline
        self._store = store
        self._closed = wire.closed
        self._trying = trying
        self._breaker = breaker
        self._now = now
        transport = _WireTransport(wire, manners)
        self._plain = httpx.Client(transport=transport)
        # A store for one user: what is private may be in it, its file is the user's own.
        self._stored = httpx.Client(transport=CacheTransport(transport, store.storage, rfc={"shared": False}))

    @property
    def offline(self) -> bool:
        """See `Endpoint.offline`."""
        return self._is_offline

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
        """See `Endpoint.get`."""
        address = str(httpx.URL(url, params=dict(params)) if params else httpx.URL(url))
        headers = {"Accept": accept} if accept else {}
        if keep:
            return self._kept(address, headers, keep, max_age, check)
        if self.offline:
            return self._offline(address, check)
        answer = self._ask(self._stored, self._stored.build_request("GET", address, headers=headers), check)
        self._note(address, answer)
        return answer

    def post(self, url: str, payload: object, *, check: Check | None = None) -> Answer:
        """See `Endpoint.post`."""
        if self.offline:
            raise NotAsked(NOT_STORED)
        content = json.dumps(payload, ensure_ascii=False).encode("utf-8", "surrogatepass")
        headers = {"Content-Type": "application/json"}
        return self._ask(self._plain, self._plain.build_request("POST", url, content=content, headers=headers), check)

    def remember(self, key: str, body: bytes) -> None:
        """See `Endpoint.remember`."""
        self._store.keep(key, body, self._today())

    def recall(self, key: str) -> tuple[bytes, str] | None:
        """See `Endpoint.recall`."""
        return self._store.kept(key)

    # --- stored answers --------------------------------------------------------------------------------------------

    def _kept(
        self, address: str, headers: Mapping[str, str], keep: str, max_age: timedelta | None, check: Check | None
    ) -> Answer:
        found = self._store.kept(keep)
        if found is not None and (self.offline or not self._too_old(found[1], max_age)):
            answer = Answer(200, found[0], "", address, found[1])
            if _passes(check, answer):
                return answer
        if self.offline:
            raise NotAsked(NOT_STORED)
        answer = self._ask(self._plain, self._plain.build_request("GET", address, headers=headers), check)
        if answer.status == 200:
            self._store.keep(keep, answer.body, answer.date)
        return answer

    def _note(self, address: str, answer: Answer) -> None:
        """Remember that there is no such thing: offline that is an answer, and "not stored" is none.

        It is not stored by the rules of HTTP, for a page that is new is to be seen at once.
        """
        if answer.status == 200:
            self._store.only_newest(answer.url)
            self._store.forget(_NONE_AT + address)
        else:
            self._store.forget(address)
            self._store.keep(_NONE_AT + address, b"none", answer.date)

    def _too_old(self, day: str, max_age: timedelta | None) -> bool:
        if max_age is None:
            return False
        try:
            # A day to come, for the clock was set back, says nothing of how old it is.
            return not timedelta() <= date.fromisoformat(self._today()) - date.fromisoformat(day) <= max_age
        except ValueError:
            return True

    def _offline(self, address: str, check: Check | None) -> Answer:
        asked, response = address, self._store.stored(address)
        for _ in range(MOST_REDIRECTS):
            if response is None or not response.has_redirect_location:
                break
            address = str(httpx.URL(address).join(response.headers["location"]))
            response = self._store.stored(address)
        if response is None or response.status_code != 200:
            none = self._store.kept(_NONE_AT + asked)
            if none is None:
                raise NotAsked(NOT_STORED)
            return Answer(404, b"", "", address, none[1])
        answer = _answer(response, address)
        if not _passes(check, answer):
            raise NotAsked("offline, the stored answer cannot be used")
        return answer

    def _today(self) -> str:
        moment: datetime = self._now()
        return moment.astimezone(UTC).date().isoformat()

    # --- asking ----------------------------------------------------------------------------------------------------

    def _ask(self, client: httpx.Client, request: httpx.Request, check: Check | None) -> Answer:
        refused = self._breaker.refusal()
        if refused:
            raise SourceUnreachable(refused)
        retrying = tenacity.Retrying(
            stop=tenacity.stop_any(tenacity.stop_after_attempt(self._trying.tries), _GivenUp(self._breaker)),
            wait=tenacity.wait_random_exponential(multiplier=self._trying.first_wait, max=_MOST_WAIT),
            retry=tenacity.retry_if_exception_type(Again),
            sleep=tenacity.sleep_using_event(self._closed),
            reraise=True,
        )
        try:
            answer: Answer = retrying(self._once, client, request, check)
        except Again as trouble:
            tries = retrying.statistics["attempt_number"]
            reason = f"{trouble}, {tries} times" if tries > 1 else str(trouble)
            self._breaker.failed(reason)
            raise SourceUnreachable(reason) from None
        except Refused as refusal:
            self._breaker.failed(str(refusal))
            raise
        except LongPause as pause:
            reason = f"it asked to be left alone for {pause.seconds:.0f} s"
            self._breaker.closed_for(pause.seconds, reason)
            raise SourceUnreachable(reason) from None
        return answer

    def _once(self, client: httpx.Client, request: httpx.Request, check: Check | None) -> Answer:
        try:
            response = followed(client, request)
        except TimedOut as trouble:
            self._breaker.failed(str(trouble), 0.5)  # each costs its full time: a silent server is given up sooner
            raise
        status = response.status_code
        if status in _AGAIN or status in self._trying.also:
            raise Again(status_said(response))
        if status in (401, 403):
            raise Refused(f"it answered {status}: credentials are missing, wrong or not enough")
        if status != 200 and status not in _NONE:
            raise SourceUnreachable(status_said(response))
        answer = _answer(response, str(response.url))
        if status == 200 and check is not None:
            try:
                check(answer)
            except SourceUnreachable as problem:
                self._store.forget(answer.url)  # what is not what was asked for is not to be given again
                raise Again(str(problem)) from None
        if not _is_stored(response):
            self._breaker.succeeded()
        return answer


def _is_stored(response: httpx.Response) -> bool:
    """Whether an answer came out of the store alone, so that it says nothing of the server."""
    status = response.extensions.get("caching", {})
    return bool(status.get("from_cache")) and not status.get("revalidated")


def _passes(check: Check | None, answer: Answer) -> bool:
    try:
        if check is not None and answer.status == 200:
            check(answer)
    except SourceUnreachable:
        return False
    return True


def _answer(response: httpx.Response, address: str) -> Answer:
    """An answer from the address behind all redirects."""
    return Answer(
        status=200 if response.status_code == 200 else 404,
        body=response.content,
        content_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
        url=address,
        date=response.headers.get(ASKED, "")[:DAY],
    )
