"""Sending one request: redirects are followed, and trouble is told in words."""

from __future__ import annotations

import logging

import httpx

from batchbook.packages.online.store import hashed
from batchbook.packages.online.wire import TooLarge
from batchbook.packages.sources import SourceUnreachable
from batchbook.packages.wording import MOST_QUOTED, shorten

log = logging.getLogger(__name__)

MOST_REDIRECTS = 5


class Again(Exception):
    """What may go better at the next try."""


class TimedOut(Again):
    """No answer in time."""


def followed(client: httpx.Client, request: httpx.Request) -> httpx.Response:
    """The answer behind redirects; each address is an entry of its own in the store.

    Raises Again for what may go better at the next try, SourceUnreachable for other trouble.
    """
    try:
        for _ in range(MOST_REDIRECTS + 1):
            request.extensions = {**request.extensions, "caching": {"key": hashed(str(request.url))}}
            response = client.send(request)
            if response.next_request is None:
                return response
            if request.url.scheme == "https" and response.next_request.url.scheme != "https":
                raise SourceUnreachable("it redirects from https to an address that is not")
            request = response.next_request
    except TooLarge as error:
        raise SourceUnreachable(str(error)) from None
    except httpx.TimeoutException as error:
        raise TimedOut(_told(error)) from None
    except httpx.TransportError as error:
        log.debug("%s %s: %s", request.method, request.url, error)
        raise Again(_told(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceUnreachable(_told(error)) from None
    raise SourceUnreachable(f"it redirects more than {MOST_REDIRECTS} times")


def status_said(response: httpx.Response) -> str:
    """An answer's status in words."""
    return f"it answered {response.status_code} {response.reason_phrase}".strip()


_WORDS: tuple[tuple[type[httpx.TransportError], str], ...] = (
    (httpx.ConnectTimeout, "no connection in time"),
    (httpx.TimeoutException, "no answer in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.RemoteProtocolError, "the connection ended within the answer, or it is no HTTP"),
    (httpx.ReadError, "the connection ended within the answer"),
)


_SAID_ALREADY = (
    "All connection attempts failed",
    "Server disconnected",
    "peer closed connection",
    "illegal status line",
    "Connection reset by peer",
)
"""Words of the libraries and the system that tell nothing beside ours; the log has them."""


def _told(error: Exception) -> str:
    """An error of the transport in words; what the system says of it stands behind, where it tells more."""
    if isinstance(error, httpx.LocalProtocolError):
        return "the request cannot be sent as it is"  # its text quotes headers, and these hold credentials
    said = shorten(" ".join(str(error).split()), MOST_QUOTED)
    plain = next((words for kind, words in _WORDS if isinstance(error, kind)), type(error).__name__)
    if any(isinstance(error, kind) for kind, _ in _WORDS) and any(words in said for words in _SAID_ALREADY):
        return plain
    return f"{plain} ({said})" if said else plain
