"""The way onto the network: one event loop in a thread of its own sends all requests, whoever asks.

There pacing, concurrency and the time that a request may take as a whole are one thing; a server that sends a byte now
and then is cut off like one that sends none. What comes back is read in full before anybody sees it.
"""

from __future__ import annotations

import asyncio
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version

import httpx

from batchbook.packages.online.pace import Hold, Pace, Rate
from batchbook.packages.online.store import ASKED

RETRY_AFTER = (429, 503)
"""What asks for a pause by `Retry-After` (RFC 9110, 10.2.3; RFC 6585, 4)."""

ENDED = "the run has ended; nothing is sent any more"
USER_AGENT = f"batchbook/{version('batchbook')} (package review)"


@dataclass(frozen=True, slots=True, eq=False)
class Manners:
    """How a source is asked."""

    rate: Rate
    longest_wait: float
    """Seconds that a server may ask for by `Retry-After`; a longer pause means not to ask it for that time."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent to the source's own host only, as credentials are."""
    auth: httpx.Auth | None = None
    home: httpx.URL | None = None
    """The address whose scheme, host and port is the source's own."""

    def is_home(self, url: httpx.URL) -> bool:
        """Whether an address is at the source's own host."""
        home = self.home
        return home is not None and _origin(home) == _origin(url)


class TooLarge(httpx.TransportError):
    """An answer is larger than is read."""


class LongPause(Exception):
    """A server asked for a longer pause than a request waits."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class Wire:
    """Sends requests. `send` may be called from any thread, and blocks it."""

    def __init__(
        self,
        *,
        concurrency: int,
        timeout: float,
        most_bytes: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Up to `concurrency` requests at once over all sources, each with `timeout` seconds and `most_bytes`."""
        self._concurrency = concurrency
        self._timeout = timeout
        self._most = most_bytes
        self._now = now
        self._paces: dict[tuple[Manners, str], tuple[Pace, asyncio.Lock]] = {}
        """The turns of each source at each host, and the queue for them."""
        self._holds: dict[str, Hold] = {}
        self._lock = threading.Lock()
        self.closed = threading.Event()
        """Set from `close` on: nobody is to wait for another try."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: httpx.AsyncClient | None = None
        self._slots: asyncio.Semaphore | None = None

    def send(self, request: httpx.Request, manners: Manners) -> httpx.Response:
        """The answer, read in full.

        Raises httpx.TransportError for trouble, LongPause where the server asks for one, RuntimeError after `close`.
        """
        with self._lock:  # what is handed over after the end would never be answered
            loop = self._running()
            answer = asyncio.run_coroutine_threadsafe(self._send(request, manners), loop)
        try:
            return answer.result()
        except CancelledError:
            raise RuntimeError(ENDED) from None

    def close(self) -> None:
        """End what is under way, and the thread."""
        with self._lock:
            self.closed.set()
            loop, self._loop = self._loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(self._end(), loop).result(timeout=5)
            loop.call_soon_threadsafe(loop.stop)

    def _running(self) -> asyncio.AbstractEventLoop:
        """The loop, begun at the first need; the lock is held."""
        if self.closed.is_set():
            raise RuntimeError(ENDED)
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._slots = asyncio.Semaphore(self._concurrency)
            # Proxies and certificates are taken from the environment, as with other clients.
            self._client = httpx.AsyncClient(
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # nobody is to know us again
                timeout=self._timeout,
                limits=httpx.Limits(max_connections=self._concurrency),
            )
            threading.Thread(target=self._loop.run_forever, name="batchbook-network", daemon=True).start()
        return self._loop

    async def _end(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, request: httpx.Request, manners: Manners) -> httpx.Response:
        assert self._slots is not None
        host = f"{request.url.host}:{request.url.port}"
        place = (manners, host)
        if place not in self._paces:
            self._paces[place] = Pace(manners.rate, self._holds.setdefault(host, Hold())), asyncio.Lock()
        pace, turns = self._paces[place]
        async with turns:
            await self._take_turn(pace, self._slots)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(request, manners, pace)
        except TimeoutError:
            raise httpx.ReadTimeout(f"no whole answer within {self._timeout:g} s") from None
        finally:
            self._slots.release()

    @staticmethod
    async def _take_turn(pace: Pace, slots: asyncio.Semaphore) -> None:
        """Wait for a turn and a slot; the turn is counted last, for what waits for a slot is not sent yet."""
        while True:
            await _sleep_until_turn(pace)
            await slots.acquire()
            now = time.monotonic()
            if pace.wait(now) <= 0:
                break
            slots.release()  # while it waited for the slot, the host asked for a pause
        pace.sent(now)

    async def _exchange(self, request: httpx.Request, manners: Manners, pace: Pace) -> httpx.Response:
        assert self._client is not None
        own = manners.is_home(request.url)
        sent = self._client.build_request(request.method, request.url, headers=request.headers, content=request.read())
        sent.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"})
        if own:
            sent.headers.update(manners.headers)
        auth = manners.auth if own and manners.auth is not None else httpx.USE_CLIENT_DEFAULT
        response = await self._client.send(sent, stream=True, auth=auth, follow_redirects=False)
        try:
            body = await self._read(response)
        finally:
            await response.aclose()
        if response.status_code in RETRY_AFTER:
            self._hold(response, manners, pace)
        return self._told(response, body)

    async def _read(self, response: httpx.Response) -> bytes:
        unpacked = _unpacker(response)
        body = bytearray()
        async for piece in response.aiter_raw():
            body += unpacked.decompress(piece, self._most + 1 - len(body))
            if len(body) > self._most:
                raise TooLarge(f"its answer is larger than {self._most // 2**20} MiB")
        if not unpacked.eof:
            raise httpx.RemoteProtocolError("the packed answer ends too early")
        return bytes(body)

    def _hold(self, response: httpx.Response, manners: Manners, pace: Pace) -> None:
        seconds = retry_after(response.headers.get("retry-after", ""), self._now())
        if seconds is None:
            return
        if seconds > manners.longest_wait:
            raise LongPause(seconds)
        pace.hold.until(time.monotonic() + seconds)

    def _told(self, response: httpx.Response, body: bytes) -> httpx.Response:
        """The answer without what only the transport was to know, and with the day of it."""
        headers = httpx.Headers(
            [
                (name, value)
                for name, value in response.headers.multi_items()
                if name not in ("content-encoding", "content-length", "transfer-encoding", "set-cookie", ASKED)
            ]
        )
        headers[ASKED] = self._now().astimezone(UTC).isoformat(timespec="microseconds")
        if response.status_code >= 400:
            headers["cache-control"] = "no-store"  # trouble is not stored, whatever the server thinks of it
        return httpx.Response(response.status_code, headers=headers, content=body)


class _Plain:
    """What is not packed, in the form of an unpacker."""

    eof = True

    def decompress(self, piece: bytes, most: int) -> bytes:
        return piece


class _Gzip:
    """An unpacker that says whether the end came; httpx takes what is there for the whole."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._unpacker.eof

    def decompress(self, piece: bytes, most: int) -> bytes:
        try:
            unpacked = self._unpacker.decompress(piece, most)
        except zlib.error as problem:
            raise httpx.RemoteProtocolError(f"the packed answer is damaged: {problem}") from None
        if self._unpacker.unused_data:
            raise httpx.RemoteProtocolError("the packed answer goes on behind its end")
        return unpacked


def _unpacker(response: httpx.Response) -> _Plain | _Gzip:
    packed = response.headers.get("content-encoding", "").strip().lower()
    if packed in ("", "identity") or response.status_code in (204, 304):
        return _Plain()
    if packed in ("gzip", "x-gzip"):
        return _Gzip()
    raise httpx.RemoteProtocolError(f"the answer is packed in a way that was not asked for, {packed[:20]}")


async def _sleep_until_turn(pace: Pace) -> None:
    while (wait := pace.wait(time.monotonic())) > 0:
        await asyncio.sleep(wait)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def retry_after(text: str, now: datetime) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or a date; None where it says nothing readable."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
