from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

import httpx
import pytest

from batchbook.packages.online.pace import Rate
from batchbook.packages.online.wire import Manners, Wire
from tests.servers.faults import Status
from tests.servers.made import make_package
from tests.servers.registry import Registry

MANNERS = Manners(Rate.parse("1000/s"), 5)


def test_a_request_that_is_handed_over_while_the_wire_is_closed_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire = Wire(concurrency=2, timeout=5, most_bytes=2**20)
    real = asyncio.run_coroutine_threadsafe
    closing = threading.Thread(target=wire.close, daemon=True)

    def late(work: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> Future[Any]:
        if not closing.ident:
            closing.start()
            closing.join(0.5)
        return real(work, loop)

    said: list[str] = []

    def ask() -> None:
        try:
            wire.send(httpx.Request("GET", server.index_url), MANNERS)
        except (RuntimeError, httpx.HTTPError) as problem:
            said.append(str(problem))
        else:
            said.append("answered")

    with Registry([]) as server:
        monkeypatch.setattr("batchbook.packages.online.wire.asyncio.run_coroutine_threadsafe", late)
        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(10)
        closing.join(10)
    assert not asking.is_alive()
    assert len(said) == 1


def test_a_packed_answer_that_goes_on_behind_its_end_is_none() -> None:
    body = gzip.compress(b"{}") + gzip.compress(b"more")
    with Registry([make_package("thing", {"1.0": "2024-01-01"})]) as server:
        server.faults.add(Status(200, headers={"Content-Encoding": "gzip"}, body=body))
        wire = Wire(concurrency=2, timeout=5, most_bytes=2**20)
        try:
            with pytest.raises(httpx.RemoteProtocolError, match="goes on behind its end"):
                wire.send(httpx.Request("GET", f"{server.index_url}thing/"), MANNERS)
        finally:
            wire.close()
