from __future__ import annotations

import datetime as dt
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from batchbook.packages.online.endpoint import Answer
from batchbook.packages.online.http import HttpEndpoint
from batchbook.packages.online.network import Network
from batchbook.packages.online.store import FILE
from batchbook.packages.online.wire import retry_after
from batchbook.packages.options import NetworkOptions
from batchbook.packages.sources import NotAsked, SourceUnreachable
from tests.servers.faults import (
    Dribble,
    Drop,
    Garbage,
    Half,
    HangUp,
    Huge,
    Latency,
    NotHttp,
    Redirect,
    Silence,
    Status,
    dead_url,
)
from tests.servers.made import make_package
from tests.servers.registry import Registry

NAMES = [f"thing-{number}" for number in range(40)]
QUICK = {"timeout": 2.0, "tries": 2, "longest_wait": 5.0}
Make = Callable[..., "Browser"]


@pytest.fixture
def server() -> Iterator[Registry]:
    with Registry([make_package(name, {"1.0": "2024-01-01"}) for name in NAMES], max_age=0) as running:
        yield running


@pytest.fixture
def endpoint(tmp_path: Path, server: Registry) -> Iterator[Make]:
    networks: list[Network] = []

    def make(*, offline: bool = False, now: dt.datetime | None = None, rate: str = "1000/s", **options: Any) -> Any:
        told = {"now": lambda: now} if now else {}
        home = options.pop("home", server.index_url)
        ways = {name: options.pop(name) for name in ("headers", "auth", "again") if name in options}
        network = Network(NetworkOptions(**QUICK | options), tmp_path / "cache", offline=offline, **told)
        networks.append(network)
        return Browser(network.endpoint(home, rate, **ways))

    yield make
    for network in networks:
        network.close()


class Browser:
    """An endpoint that asks for the JSON form."""

    def __init__(self, way: HttpEndpoint) -> None:
        self.way = way
        self.remember, self.post = way.remember, way.post

    def get(self, url: str, **how: Any) -> Answer:
        return self.way.get(url, accept="application/vnd.pypi.simple.v1+json", **how)


def page(server: Registry, name: str = "thing-0") -> str:
    return f"{server.index_url}{name}/"


def test_an_answer_comes_with_its_kind_and_day(server: Registry, endpoint: Make) -> None:
    day = dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-2)))
    answer = endpoint(now=day).get(page(server))
    assert (answer.status, answer.content_type) == (200, "application/vnd.pypi.simple.v1+json")
    assert answer.date == "2026-11-21"  # in UTC
    assert answer.json()["name"] == "thing-0"


def test_a_stored_answer_is_validated_again_and_takes_the_day_of_that(server: Registry, endpoint: Make) -> None:
    first = endpoint(now=dt.datetime(2026, 11, 20, tzinfo=dt.UTC)).get(page(server))
    again = endpoint(now=dt.datetime(2026, 11, 21, tzinfo=dt.UTC)).get(page(server))
    assert again.body == first.body
    assert (first.date, again.date) == ("2026-11-20", "2026-11-21")
    assert [seen.status for seen in server.requests] == [200, 304]


def test_offline_gives_what_is_stored_however_old_and_sends_nothing(server: Registry, endpoint: Make) -> None:
    stored = endpoint(now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).get(page(server))
    server.forget()
    away = endpoint(offline=True)
    assert away.get(page(server)) == stored
    for ask in (lambda: away.get(page(server, "thing-1")), lambda: away.get("x", keep="y"), lambda: away.post("x", {})):
        with pytest.raises(NotAsked, match="offline, no stored answer"):
            ask()
    assert server.requests == ()


def test_that_there_is_no_such_thing_is_known_offline_with_its_day_until_there_is(
    server: Registry, endpoint: Make
) -> None:
    days = [dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (1, 2, 3)]
    for day, status in zip(days, (404, 200, 404), strict=True):
        if status == 200:
            server.publish(make_package("new", {"1.0": "2026-01-02"}))
        else:
            server.packages.pop("new", None)
        assert endpoint(now=day).get(page(server, "new")).status == status
        told = endpoint(offline=True).get(page(server, "new"))
        assert (told.status, told.date) == (status, day.date().isoformat())


def test_what_is_kept_is_asked_for_once_until_it_is_too_old(server: Registry, endpoint: Make) -> None:
    week = dt.timedelta(days=7)
    for day in (1, 1, 8, 9, 10):
        answer = endpoint(now=dt.datetime(2026, 1, day, tzinfo=dt.UTC)).get(page(server), keep="a page", max_age=week)
        assert answer.body
    assert server.count() == 2
    assert endpoint(now=dt.datetime(2027, 1, 1, tzinfo=dt.UTC)).get(page(server), keep="a page").date == "2026-01-09"


def test_what_is_kept_of_a_day_to_come_is_asked_for_again(server: Registry, endpoint: Make) -> None:
    for day in (20, 5, 6):  # the clock was wrong, and set back
        now = dt.datetime(2026, 1, day, tzinfo=dt.UTC)
        answer = endpoint(now=now).get(page(server), keep="a page", max_age=dt.timedelta(days=7))
    assert (server.count(), answer.date) == (2, "2026-01-05")


def test_what_is_unknown_is_told_apart_from_trouble(server: Registry, endpoint: Make) -> None:
    assert endpoint().get(page(server, "nothing")).status == 404
    assert server.count() == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Status(500), "it answered 500"),
        (Status(502), "it answered 502"),
        (Silence(), "no answer in time"),
        (Dribble(1, 0.4), "no answer in time (no whole answer within 2 s)"),
        (Drop(), "the connection ended within the answer, or it is no HTTP, 2 times"),
        (Drop(reset=True), "the connection ended within the answer, 2 times"),
        (Half("length"), "the connection ended within the answer, or it is no HTTP, 2 times"),
        (Half("chunked"), "the connection ended"),
        (Half("gzip"), "the packed answer ends too early"),
        (NotHttp(), "or it is no HTTP, 2 times"),
        (Redirect(302, "dead"), "no connection, 2 times"),
    ],
    ids=repr,
)
def test_trouble_is_tried_again_and_told(server: Registry, endpoint: Make, fault: Any, said: str) -> None:
    server.faults.add(fault, package="thing-0")
    with pytest.raises(SourceUnreachable) as raised:
        endpoint().get(page(server))
    assert said in str(raised.value)
    assert str(raised.value).endswith(", 2 times")
    assert server.count(package="thing-0") == 2


@pytest.mark.parametrize("fault", [Status(503), Drop(), Half("length"), Silence(), Half("gzip")], ids=repr)
def test_trouble_that_passes_costs_a_try(server: Registry, endpoint: Make, fault: Any) -> None:
    server.faults.add(fault, first=1)
    assert endpoint(timeout=1).get(page(server)).json()["name"] == "thing-0"
    assert server.count() == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Status(401), "it answered 401: credentials are missing, wrong or not enough"),
        (Status(400), "it answered 400 Bad Request"),
        (Huge(70), "its answer is larger than 64 MiB"),
        (Huge(70, compressed=True), "its answer is larger than 64 MiB"),
        (Redirect(301, "loop"), "it redirects more than 5 times"),
    ],
    ids=repr,
)
def test_what_no_further_try_would_mend_is_not_tried_again(
    server: Registry, endpoint: Make, fault: Any, said: str
) -> None:
    server.faults.add(fault)
    with pytest.raises(SourceUnreachable) as raised:
        endpoint(tries=4).get(page(server))
    assert str(raised.value) == said
    assert server.count() <= 6


def test_a_redirect_is_followed_and_the_answer_found_again_offline(server: Registry, endpoint: Make) -> None:
    server.faults.add(Redirect(301, "moved"), path="/simple/")
    answer = endpoint().get(page(server))
    assert answer.url.endswith("/moved/simple/thing-0/")
    assert endpoint(offline=True).get(page(server)) == answer


def test_an_answer_that_ends_with_the_connection_is_whole(server: Registry, endpoint: Make) -> None:
    server.faults.add(HangUp())
    way = endpoint()
    for name in NAMES[:3]:
        assert way.get(page(server, name)).json()["name"] == name


@pytest.mark.parametrize("pause", [Status(429, retry_after=1), Status(503, retry_after_date=1)], ids=repr)
def test_a_pause_that_a_server_asks_for_is_kept_by_all(server: Registry, endpoint: Make, pause: Status) -> None:
    server.faults.add(pause, package="thing-0", first=1)
    way = endpoint(tries=3)
    assert way.get(page(server)).status == 200
    assert way.get(page(server, "thing-1")).status == 200
    assert server.too_early() == ()
    assert server.count() == 3


def test_a_pause_that_is_too_long_ends_the_asking_for_that_time(server: Registry, endpoint: Make) -> None:
    server.faults.add(Status(429, retry_after=3600), first=1)
    way = endpoint()
    with pytest.raises(SourceUnreachable, match="it asked to be left alone for 3600 s"):
        way.get(page(server))
    with pytest.raises(SourceUnreachable, match=r"^not asked for a while: it asked to be left alone"):
        way.get(page(server, "thing-1"))
    assert server.count() == 1


def test_a_server_that_is_not_there_is_given_up_after_some_requests(endpoint: Make) -> None:
    home = dead_url("/simple/")
    way = endpoint(home=home, tries=1)
    said = []
    for name in NAMES:
        with pytest.raises(SourceUnreachable) as raised:
            way.get(f"{home}{name}/")
        said.append(str(raised.value))
    assert all(one == "no connection" for one in said[:5])
    assert all(one == "not asked for a while after 5 failures, the last: no connection" for one in said[5:])


def test_a_server_that_refuses_the_credentials_is_given_up_too(server: Registry, endpoint: Make) -> None:
    server.faults.add(Status(401))
    way = endpoint()
    for name in NAMES:
        with pytest.raises(SourceUnreachable, match="credentials are missing, wrong or not enough"):
            way.get(page(server, name))
    assert server.count() == 5


def no_list(answer: Answer) -> None:
    if not isinstance(answer.json(), dict):
        raise SourceUnreachable("it is a list")


@pytest.mark.parametrize("keep", ["", "a page"])
def test_what_is_not_what_was_asked_for_is_tried_again_and_not_stored(
    server: Registry, endpoint: Make, keep: str
) -> None:
    rule = server.faults.add(Garbage("list"))
    with pytest.raises(SourceUnreachable, match="it is a list, 2 times"):
        endpoint().get(page(server), keep=keep, check=no_list)
    with pytest.raises(NotAsked):
        endpoint(offline=True).get(page(server), keep=keep, check=no_list)
    server.faults.remove(rule)
    assert endpoint().get(page(server), keep=keep, check=no_list).json()["name"] == "thing-0"


def test_a_bad_stored_answer_is_asked_for_again(server: Registry, endpoint: Make) -> None:
    endpoint().remember("a page", b"[]")
    assert endpoint().get(page(server), keep="a page", check=no_list).json()["name"] == "thing-0"
    assert endpoint(offline=True).get("elsewhere", keep="a page", check=no_list).json()["name"] == "thing-0"


def ask_all(way: Browser, server: Registry, threads: int) -> list[str]:
    left, wrong, lock = list(NAMES), [], threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not left:
                    return
                name = left.pop()
            try:
                if way.get(page(server, name)).json()["name"] != name:
                    wrong.append(name)
            except Exception as error:  # noqa: BLE001 - told by the test
                wrong.append(f"{name}: {error!r}")

    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(worker.is_alive() for worker in workers)
    return wrong


def test_however_many_rows_ask_no_more_requests_than_allowed_are_under_way(server: Registry, endpoint: Make) -> None:
    server.faults.add(Latency(0.02, 0.05))
    assert ask_all(endpoint(concurrency=3), server, 20) == []
    assert server.most_at_once == 3
    assert server.count() == len(NAMES)


def test_a_host_is_not_asked_more_often_than_its_rate(server: Registry, endpoint: Make) -> None:
    began = time.monotonic()
    assert ask_all(endpoint(rate="10/1s", concurrency=8), server, 20) == []
    assert server.rate(0.5) <= 10  # half of a span: on a busy machine what was sent in time comes late
    assert time.monotonic() - began >= 2.9  # forty requests: three spans have to pass


def test_credentials_go_to_the_source_alone_and_are_not_stored(
    tmp_path: Path, server: Registry, endpoint: Make
) -> None:
    with Registry([make_package("thing-0", {"1.0": "2024-01-01"})]) as other:
        server.faults.add(Redirect(302, f"{other.url}*"), package="thing-0")
        way = endpoint(auth=httpx.BasicAuth("ann", "very secret"), headers={"apiKey": "key-1234567"})
        assert way.get(page(server)).status == 200
        assert way.get(page(server, "thing-1")).status == 200
        (seen,) = other.requests
        assert "authorization" not in seen.headers
        assert "apikey" not in seen.headers
    assert all("authorization" in one.headers and "apikey" in one.headers for one in server.requests)
    stored = b"".join(file.read_bytes() for file in (tmp_path / "cache").glob(f"{FILE}*"))
    assert b"thing-1" in stored
    assert b"key-1234567" not in stored
    assert b"Basic" not in stored


def test_a_program_tells_who_it_is(server: Registry, endpoint: Make) -> None:
    endpoint().get(page(server))
    assert server.requests[0].headers["user-agent"].startswith("batchbook/")


def test_closing_ends_what_is_under_way(tmp_path: Path, server: Registry) -> None:
    server.faults.add(Silence())
    network = Network(NetworkOptions(**QUICK | {"timeout": 60}), tmp_path / "cache", offline=False)
    way = network.endpoint(server.index_url, "100/s")
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            way.get(page(server))
        except BaseException as error:  # noqa: BLE001 - told by the test
            ended.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    assert server.wait_for(1)
    network.close()
    thread.join(10)
    assert not thread.is_alive()
    assert ended
    with pytest.raises(RuntimeError, match="the run has ended"):
        way.post(server.osv_url, {})
    assert server.count() == 1


def test_closing_ends_the_wait_for_another_try(tmp_path: Path, server: Registry) -> None:
    server.faults.add(Status(500))
    network = Network(NetworkOptions(**QUICK | {"tries": 10}), tmp_path / "cache", offline=False)
    way = network.endpoint(server.index_url, "100/s")

    def ask() -> None:
        with pytest.raises(RuntimeError, match="the run has ended"):
            way.get(page(server), keep="a page")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    assert server.wait_for(3)
    network.close()
    thread.join(1)  # up to four seconds of wait would be next
    assert not thread.is_alive()


NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Saturday, 21-Nov-26 12:00:30 GMT", 30.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1e9", None),
        ("9" * 400, 999999999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds


def test_a_header_that_cannot_be_sent_is_not_quoted_for_it_may_hold_a_key(server: Registry, endpoint: Make) -> None:
    with pytest.raises(SourceUnreachable) as trouble:
        endpoint(headers={"apiKey": "hidden\n"}).get(page(server))
    assert "cannot be sent" in str(trouble.value)
    assert "hidden" not in str(trouble.value)


def test_a_request_that_waits_for_a_free_slot_keeps_a_pause_that_the_server_asks_for_meanwhile(
    server: Registry, endpoint: Make
) -> None:
    server.faults.add(Latency(0.3), package="thing-0")
    server.faults.add(Status(429, retry_after=1), package="thing-0", first=1)
    way = endpoint(concurrency=1)
    threads = [threading.Thread(target=way.get, args=(page(server, f"thing-{number}"),)) for number in range(3)]
    threads[0].start()
    assert server.wait_for(1)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(30)
    first, *others = server.requests
    assert first.not_before is not None
    assert len(others) == 3
    assert [one.thing for one in others if one.time < first.not_before] == []


def test_of_a_page_that_changed_within_a_day_the_last_one_is_kept(
    server: Registry, endpoint: Make, tmp_path: Path
) -> None:
    for number in range(6):
        server.publish(make_package("thing-0", {f"1.{one}": "2024-01-01" for one in range(number + 1)}))
        answer = endpoint().get(page(server))
        assert len(answer.json()["files"]) >= number + 1
        offline = endpoint(offline=True).get(page(server))
        assert (offline.body, offline.date) == (answer.body, answer.date)
    with sqlite3.connect(tmp_path / "cache" / FILE) as stored:
        assert stored.execute("SELECT count(*) FROM entries WHERE expires_at > ?", (time.time(),)).fetchone() == (1,)


@pytest.mark.parametrize(("max_age", "asked"), [(600, 5), (0, 20)])
def test_only_an_answer_of_the_server_itself_says_that_it_is_there(endpoint: Make, max_age: int, asked: int) -> None:
    packages = [make_package(name, {"1.0": "2024-01-01"}) for name in NAMES]
    with Registry(packages, max_age=max_age) as server:
        way = endpoint(home=server.index_url, tries=1)
        way.get(page(server))
        for name in NAMES[1:11]:
            server.faults.add(Status(500), package=name)
        server.forget()
        for name in NAMES[1:11]:
            with pytest.raises(SourceUnreachable):
                way.get(page(server, name))
            with suppress(SourceUnreachable):
                way.get(page(server))  # out of the store, or asked for again with its tag
        assert server.count() == asked


def test_cookies_are_neither_sent_back_nor_stored(tmp_path: Path, server: Registry, endpoint: Make) -> None:
    server.faults.add(Status(200, headers={"Set-Cookie": "who=somebody; Path=/"}, body=b"{}"), package="thing-0")
    way = endpoint()
    assert way.get(page(server)).body == b"{}"
    assert way.get(page(server, "thing-1")).status == 200
    stored = b"".join(file.read_bytes() for file in (tmp_path / "cache").glob(f"{FILE}*"))
    assert b"somebody" not in stored
    assert all("cookie" not in one.headers for one in server.requests)


def test_a_server_that_never_answers_is_given_up_within_some_time_outs(server: Registry, endpoint: Make) -> None:
    server.faults.add(Silence())
    way = endpoint(timeout=0.3, tries=4, concurrency=5)
    assert len(ask_all(way, server, 5)) == len(NAMES)
    assert server.count() <= 14  # ten tries weigh as five requests; up to four more are under way then


def test_two_sources_at_one_host_have_each_their_own_rate(tmp_path: Path, server: Registry) -> None:
    network = Network(NetworkOptions(**QUICK), tmp_path / "cache", offline=False)
    slow, quick = (network.endpoint(server.url, rate) for rate in ("1/1h", "1000/s"))
    assert slow.get(page(server)).status == 200

    def wait() -> None:
        with pytest.raises(RuntimeError, match="the run has ended"):
            slow.get(page(server, NAMES[1]))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    for name in NAMES[2:8]:
        assert quick.get(page(server, name)).status == 200
    assert waiting.is_alive()
    network.close()
    waiting.join(10)
    assert not waiting.is_alive()
