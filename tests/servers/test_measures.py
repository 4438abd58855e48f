"""What the server says it saw is what came."""

from __future__ import annotations

import threading

import pytest

from tests.servers.asking import SIMPLE_JSON, ask, batch, query
from tests.servers.faults import Latency, Silence, Status
from tests.servers.made import make_package
from tests.servers.measures import Measures, Seen
from tests.servers.registry import Registry


def seen(time: float, thing: str = "thing", kind: str = "index", retry_after: float | None = None) -> Seen:
    not_before = None if retry_after is None else time + 0.5 + retry_after
    return Seen(time, "GET", "/", kind, thing, retry_after=retry_after, not_before=not_before)


def recorded(*requests: Seen) -> Measures:
    measures = Measures()
    for one in requests:
        measures.begin(one)
    return measures


def test_the_rate_is_the_most_in_any_window() -> None:
    measures = recorded(*(seen(time) for time in (0.0, 0.9, 1.0, 1.1, 1.8, 3.0)), seen(1.2, kind="nvd"))
    assert measures.rate(1.0, "index") == 4
    assert measures.rate(0.15, "index") == 2
    assert measures.rate(10.0, "nvd") == 1
    assert Measures().rate() == 0


def test_who_comes_before_retry_after_is_over_is_too_early() -> None:
    first, early, other, right = seen(0.0, retry_after=2.0), seen(2.4), seen(1.0, "another"), seen(2.5)
    assert recorded(first, other, early, right).too_early() == (early,)


def test_a_request_before_retry_after_is_over_is_found_at_the_server() -> None:
    with Registry([make_package("thing", {"1.0": "2024-01-01"})]) as server:
        server.faults.add(Status(429, retry_after=100), nth=1)
        server.faults.add(Status(429, retry_after=0), nth={1, 2})
        for _ in range(4):
            ask(f"{server.index_url}thing/")
        assert server.too_early() == (server.requests[1],)


def test_requests_at_once_are_counted_while_they_are_answered() -> None:
    count = 6
    packages = [make_package(f"thing-{number}", {"1.0": "2024-01-01"}) for number in range(count)]
    with Registry(packages) as server:
        server.faults.add(Silence(), kind="index")
        clients = [
            threading.Thread(target=_give_up, args=(f"{server.index_url}thing-{number}/",), daemon=True)
            for number in range(count)
        ]
        for client in clients:
            client.start()
        assert server.wait_for(count, "index")
        ask(f"{server.osv_url}/v1/vulns/nothing")
        assert server.most_at_once == count + 1
        assert server.measures.most_at_once("index") == count
        assert server.measures.most_at_once("osv-vuln") == 1
        assert server.measures.most_at_once("nvd") == 0
        assert max(one.at_once for one in server.requests) == count + 1
        server.close()
        for client in clients:
            client.join(30.0)
        server.forget()
        assert (server.requests, server.most_at_once) == ((), 0)


def _give_up(url: str) -> None:
    try:
        ask(url, timeout=600.0)
    except OSError:
        return
    raise AssertionError("was answered")


def test_one_after_another_is_one_at_once() -> None:
    with Registry() as server:
        server.faults.add(Latency(0.001))
        for number in range(50):
            ask(f"{server.index_url}thing-{number}/")
        assert server.most_at_once == 1
        assert all(one.ended is not None for one in server.requests)


def test_a_request_that_the_client_gave_up_is_not_at_once_with_its_next() -> None:
    with Registry() as server:
        server.faults.add(Silence())
        for number in range(30):
            with pytest.raises(TimeoutError):
                ask(f"{server.index_url}thing-{number}/", timeout=0.01)
        assert server.most_at_once == 1


def test_requests_are_told_apart_by_kind_package_and_status() -> None:
    with Registry([make_package("My.Thing", {"1.0": "2024-01-01"})]) as server:
        server.faults.add(Status(500), kind="index", first=1)
        for _ in range(2):
            ask(f"{server.index_url}My_Thing/", Accept=SIMPLE_JSON, User_Agent="me/1", X_Other="no")
        ask(f"{server.url}/files/my-thing/my_thing-1.0-py3-none-any.whl.metadata")
        batch(server.osv_url, [query("other"), query("My_Thing", version="1.0"), {"nonsense": 1}])
        ask(f"{server.nvd_url}?cveId=CVE-2024-1000")
        assert server.per_kind() == {"index": 2, "metadata": 1, "osv-batch": 1, "nvd": 1}
        assert server.per_thing("index") == {"my-thing": 2}
        assert server.per_thing("nvd") == {"CVE-2024-1000": 1}
        assert server.count(package="my-thing") == 4
        assert server.count(kind="index", status=301) == 1
        assert server.count(kind="index", status=500) == 1
        first, sent = server.requests[0], server.asked("osv-batch")[0]
        assert (first.method, first.path) == ("GET", "/simple/My_Thing/")
        assert dict(first.headers) == {"accept": SIMPLE_JSON, "user-agent": "me/1", "accept-encoding": "identity"}
        assert sent.packages == ("other", "my-thing")
        assert sent.queries[1] == query("My_Thing", version="1.0")


def test_waiting_for_requests_that_do_not_come_ends() -> None:
    with Registry() as server:
        assert not server.wait_for(1, seconds=0.05)
