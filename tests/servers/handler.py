"""One connection of the test server: reads requests, has them answered, and sends what the faults leave of it."""

from __future__ import annotations

import contextlib
import gzip
import json
import select
import socket
import struct
import time
import traceback
import zlib
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.servers import faults
from tests.servers.damage import damaged
from tests.servers.faults import Action, dead_url
from tests.servers.measures import OF_INTEREST, Seen
from tests.servers.wire import Answer, Asked

if TYPE_CHECKING:
    from tests.servers.registry import Registry

BLOCK = 1 << 16
SMALLEST_COMPRESSED = 200


class Gone(Exception):
    """The client has closed the connection, or the server closes."""


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with connections kept alive."""

    protocol_version = "HTTP/1.1"
    # Without this the kernel waits for acknowledgements, tens of milliseconds a request.
    disable_nagle_algorithm = True
    registry: Registry

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged; what came stands in the measures."""

    def handle_one_request(self) -> None:
        """As the library's, and a connection that breaks ends quietly."""
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def _serve(self) -> None:
        asked = self._asked()
        target, packages, queries = self.registry.target(asked)
        seen = Seen(
            time=time.monotonic(),
            method=self.command,
            path=self.path,
            kind=target.kind,
            thing=target.thing,
            packages=packages,
            headers={name: asked.headers[name] for name in OF_INTEREST if name in asked.headers},
            queries=queries,
        )
        self.registry.measures.begin(seen, self._given_up)
        try:
            wait, action = self.registry.faults.choose(target)
            self._pause(wait)
            if action is not None:
                seen.fault = type(action).__name__
            self._answer(asked, action, seen)
        except (Gone, OSError):
            self.close_connection = True
        except Exception:  # noqa: BLE001  a mistake of the test server fails the test that uses it
            self.registry.broken.append(traceback.format_exc())
            self.close_connection = True
        finally:
            self._end(seen)

    def _end(self, seen: Seen) -> None:
        """Before the last byte is sent: the client may ask again as soon as it has it, and is not at two then."""
        self.registry.measures.end(seen)

    def _given_up(self) -> bool:
        """Whether the client has closed the connection."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _asked(self) -> Asked:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        return Asked(
            method=self.command,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )

    def _answer(self, asked: Asked, action: Action | None, seen: Seen) -> None:
        match action:
            case faults.Silence():
                self._pause(None)
            case faults.Drop(reset):
                self._end(seen)
                self._drop(reset)
            case faults.NotHttp():
                self._end(seen)
                self.wfile.write(b"\x00\x01\x02 this is no HTTP \r\n\r\n")
                self.close_connection = True
            case faults.Status():
                self._send(Answer(action.code, action.body, "", action.all_headers()), asked, seen)
            case faults.Redirect():
                self._send(Answer(action.code, headers={"Location": self._elsewhere(action)}), asked, seen)
            case faults.Huge():
                self._huge(action, seen)
            case _:
                self._send(self._changed(self.registry.answer(asked), action), asked, seen, action)

    def _changed(self, answer: Answer, action: Action | None) -> Answer:
        """The answer with what an action changes of its body and type."""
        match action:
            case faults.WrongType(content_type):
                return replace(answer, content_type=content_type or "")
            case faults.Garbage(what):
                kind = "text/html" if what == "html" else answer.content_type
                return Answer(200, damaged(what, answer.body), kind)
            case faults.Half("text", share):
                return replace(answer, body=answer.body[: int(len(answer.body) * share)])
        return answer

    def _send(self, answer: Answer, asked: Asked, seen: Seen, action: Action | None = None) -> None:
        headers, body = dict(answer.headers), answer.body
        if answer.content_type:
            headers["Content-Type"] = answer.content_type
        squeezed = isinstance(action, faults.Half) and action.how == "gzip"
        if squeezed or (len(body) >= SMALLEST_COMPRESSED and _accepts_gzip(asked)):
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        if answer.status == HTTPStatus.NOT_MODIFIED:
            headers.pop("Content-Type", None)
        half = action if isinstance(action, faults.Half) else None
        cut = int(len(body) * half.share) if half else len(body)
        chunked = half is not None and half.how == "chunked"
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%s\r\n" % (cut, body[:cut])
        elif squeezed:
            body = body[:cut]
        if not chunked and answer.status != HTTPStatus.NOT_MODIFIED:
            headers["Content-Length"] = str(len(body))
        if half is not None and half.how == "length":
            body = body[:cut]
        self._write(answer.status, headers, b"" if self.command == "HEAD" else body, seen, action)
        if isinstance(action, faults.HangUp) or (half is not None and half.how in ("length", "chunked")):
            self.close_connection = True

    def _write(
        self, status: int, headers: dict[str, str], body: bytes, seen: Seen, action: Action | None = None
    ) -> None:
        seen.status = status
        seen.retry_after = _seconds(headers.get("Retry-After"))
        if seen.retry_after is not None:
            seen.not_before = time.monotonic() + seen.retry_after
        head = self._head(status, headers)
        if not isinstance(action, faults.Dribble):
            seen.sent = len(body)
            self._end(seen)
            self.wfile.write(head + body)  # in one piece: two would wait for each other
            return
        self.wfile.write(head)
        for start in range(0, len(body), action.size):
            self._pause(action.every)
            seen.sent = min(start + action.size, len(body))
            if seen.sent == len(body):
                self._end(seen)
            self.wfile.write(body[start : start + action.size])

    def _head(self, status: int, headers: dict[str, str]) -> bytes:
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
        lines = [f"HTTP/1.1 {status} {phrase}", f"Date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _elsewhere(self, action: faults.Redirect) -> str:
        match action.to:
            case "moved":
                return f"{self.registry.url}/moved{self.path}"
            case "loop":
                return f"{self.registry.url}{self.path}"
            case "dead":
                return dead_url(self.path)
        return action.to.removesuffix("*") + self.path if action.to.endswith("*") else action.to

    def _huge(self, action: faults.Huge, seen: Seen) -> None:
        seen.status = 200
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        if action.compressed:
            headers["Content-Encoding"] = "gzip"
        self.wfile.write(self._head(200, headers))
        for block in _blocks(action):
            if self.registry.closing.is_set():
                raise Gone
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            seen.sent += len(block)
        self._end(seen)
        self.wfile.write(b"0\r\n\r\n")

    def _drop(self, reset: bool) -> None:
        if reset:
            # Closing with a linger time of zero sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()
        self.close_connection = True

    def _pause(self, seconds: float | None) -> None:
        """Waits, without end where `seconds` is None; Gone where the client or the server does not wait with it."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or end > time.monotonic():
            left = 60.0 if end is None else max(0.0, end - time.monotonic())
            if self.registry.closing.is_set():
                raise Gone
            # On closing the server shuts the connection down, which makes it readable.
            if select.select([self.connection], [], [], left)[0]:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    raise Gone
                self.registry.closing.wait(min(left, 0.01))  # the next request is there already


def _accepts_gzip(asked: Asked) -> bool:
    return any(
        one.split(";")[0].strip() in ("gzip", "*") for one in asked.headers.get("accept-encoding", "").split(",")
    )


def _blocks(action: faults.Huge) -> Iterator[bytes]:
    """A JSON text of blanks, one bracket open, in blocks as they go over the wire."""
    count = action.megabytes * (1 << 20) // BLOCK
    if not action.compressed:
        yield b"["
        yield from (b" " * BLOCK for _ in range(count))
        yield b"]"
        return
    squeeze = zlib.compressobj(wbits=31)
    pieces = (squeeze.compress(piece) for piece in (b"[", *[b" " * BLOCK] * count, b"]"))
    yield from (piece for piece in pieces if piece)
    yield squeeze.flush()


def _seconds(retry_after: str | None) -> float | None:
    """How long a Retry-After asks to wait from now."""
    if retry_after is None:
        return None
    if retry_after.isdigit():
        return float(retry_after)
    with contextlib.suppress(ValueError):
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    return None


def queries_of(body: bytes) -> list[dict[str, object]]:
    """The queries of a batch as far as they can be read, for the record."""
    try:
        queries = json.loads(body)["queries"]
        return [one for one in queries if isinstance(one, dict)]
    except (ValueError, KeyError, TypeError):
        return []
