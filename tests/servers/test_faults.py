"""What goes wrong with an answer goes wrong as told, where told and as often as told."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

import pytest

from tests.servers import faults
from tests.servers.asking import SIMPLE_JSON, Client, Got, ask, batch, page_of, query
from tests.servers.faults import (
    GARBAGE,
    Dribble,
    Drop,
    Faults,
    Garbage,
    Half,
    HangUp,
    Huge,
    Latency,
    NotHttp,
    Redirect,
    Silence,
    Status,
    Target,
    WrongType,
    dead_url,
)
from tests.servers.made import make_advisory, make_cve, make_package
from tests.servers.registry import Registry

NAMES = [f"thing-{number}" for number in range(40)]


@pytest.fixture
def server() -> Iterator[Registry]:
    packages = [make_package(name, {"1.0": "2024-01-01"}) for name in NAMES]
    advisories = [make_advisory(f"PYSEC-{name}", name) for name in NAMES]
    with Registry(packages, advisories, {"CVE-2024-1000": make_cve("CVE-2024-1000")}) as server:
        yield server


def page(server: Registry, name: str = NAMES[0], timeout: float = 20.0, **headers: str) -> Got:
    return ask(f"{server.index_url}{name}/", timeout=timeout, **{"Accept": SIMPLE_JSON, **headers})


# Where, and how often


def test_a_fault_hits_the_kind_it_is_told_to_hit(server: Registry) -> None:
    urls = {
        "index": f"{server.index_url}{NAMES[0]}/",
        "metadata": page(server).json["files"][0]["url"] + ".metadata",
        "osv-vuln": f"{server.osv_url}/v1/vulns/PYSEC-{NAMES[0]}",
        "nvd": f"{server.nvd_url}?cveId=CVE-2024-1000",
    }
    for kind in (*urls, "osv-batch"):
        rule = server.faults.add(Status(503), kind=kind)
        got = {other: ask(url).status for other, url in urls.items()}
        got["osv-batch"] = batch(server.osv_url, [query("thing")]).status
        assert got == {other: 503 if other == kind else 200 for other in got}
        assert rule.hits == 1
        server.faults.remove(rule)


def test_a_fault_hits_the_package_or_id_or_path_it_is_told_to_hit(server: Registry) -> None:
    server.faults.add(Status(500), package="thing-1")
    server.faults.add(Status(502), package="PYSEC-thing-2")
    server.faults.add(Status(503), path="/simple/thing-3")
    assert [page(server, name).status for name in NAMES[:4]] == [200, 500, 200, 503]
    metadata = page_of(server.index_url, NAMES[0])["files"][0]["url"].replace("thing-0", "thing-1")
    assert ask(metadata.replace("thing_0", "thing_1") + ".metadata").status == 500
    assert ask(f"{server.osv_url}/v1/vulns/PYSEC-thing-2").status == 502
    assert batch(server.osv_url, [query("thing-0"), query("Thing_1")]).status == 500
    assert batch(server.osv_url, [query("thing-0")]).status == 200


def test_a_fault_hits_the_first_requests_for_each_thing(server: Registry) -> None:
    rule = server.faults.add(Status(503), kind="index", first=2)
    got = {name: [page(server, name).status for _ in range(4)] for name in NAMES[:3]}
    assert got == {name: [503, 503, 200, 200] for name in NAMES[:3]}
    assert rule.hits == 6


def test_a_fault_hits_the_requests_of_given_numbers(server: Registry) -> None:
    server.faults.add(Status(503), nth={2, 4})
    assert [page(server).status for _ in range(5)] == [200, 503, 200, 503, 200]


def test_rules_queue_up(server: Registry) -> None:
    server.faults.add(Status(503), first=2)
    server.faults.add(Status(500), first=1)
    assert [page(server).status for _ in range(4)] == [503, 503, 500, 200]


def test_a_share_is_the_same_in_whatever_order_the_requests_come() -> None:
    def hit(names: list[str], seed: int) -> set[str]:
        rules = Faults()
        rules.add(Status(500), share=0.3, seed=seed)
        return {name for name in names if rules.choose(Target("index", "/", name, frozenset()))[1]}

    names = [f"thing-{number}" for number in range(1000)]
    assert hit(names, 1) == hit(names[::-1], 1)
    assert hit(names, 1) != hit(names, 2)
    assert 200 < len(hit(names, 1)) < 400


def test_the_first_rule_decides_and_latencies_are_added_up() -> None:
    rules = Faults()
    rules.add(Latency(0.25))
    rules.add(Status(500))
    second = rules.add(Status(501))
    rules.add(Latency(1.0, up_to=2.0))
    wait, action = rules.choose(Target("index", "/", "thing", frozenset()))
    assert 1.25 <= wait <= 2.25
    assert action == Status(500)
    assert second.hits == 0
    rules.clear()
    assert rules.choose(Target("index", "/", "thing", frozenset())) == (0.0, None)


def test_what_there_is_not_cannot_go_wrong() -> None:
    with pytest.raises(ValueError, match="a kind is one of index"):
        Faults().add(Silence(), kind="ondex")
    with pytest.raises(ValueError, match="garbage is one of"):
        Garbage("nonsense")


# What


def test_latency_is_waited_for(server: Registry) -> None:
    server.faults.add(Latency(0.2))
    page(server)
    (seen,) = server.requests
    assert seen.ended is not None
    assert seen.ended - seen.time >= 0.2


def test_a_status_has_its_headers_and_a_retry_after_of_both_forms(server: Registry) -> None:
    server.faults.add(Status(429, retry_after=7, headers={"X-Why": "too many"}), nth=1)
    server.faults.add(Status(503, retry_after_date=5.0), nth=1)
    first = page(server)
    assert (first.status, first.headers["retry-after"], first.headers["x-why"]) == (429, "7", "too many")
    second = page(server)
    left = parsedate_to_datetime(second.headers["retry-after"]).timestamp() - time.time()
    assert second.status == 503
    assert 3.0 < left <= 6.0
    assert page(server).status == 200
    told = [seen.retry_after for seen in server.requests]
    assert told[0] == 7.0
    assert told[1] is not None and 3.0 < told[1] <= 6.0
    assert told[2] is None


def test_silence_lasts_until_the_client_gives_up(server: Registry) -> None:
    server.faults.add(Silence())
    with pytest.raises(TimeoutError):
        page(server, timeout=0.1)
    server.faults.clear()
    assert page(server).status == 200
    assert [seen.status for seen in server.requests] == [0, 200]


def test_silence_and_dribble_and_latency_do_not_hold_up_the_end() -> None:
    with Registry([make_package("thing", {"1.0": "2024-01-01"})]) as server:
        server.faults.add(Silence(), nth=1)
        server.faults.add(Dribble(every=3600.0), nth=1)
        server.faults.add(Latency(3600.0), nth=frozenset({3}))

        def give_up() -> None:
            with pytest.raises((OSError, http.client.HTTPException)):
                ask(f"{server.index_url}thing/", timeout=600.0)

        waiting = [threading.Thread(target=give_up, daemon=True) for _ in range(3)]
        for thread in waiting:
            thread.start()
        assert server.wait_for(3, "index")
    for thread in waiting:
        thread.join(30.0)
        assert not thread.is_alive()
    assert all(seen.ended is not None for seen in server.requests)


def test_a_dribble_is_the_right_answer_in_the_end(server: Registry) -> None:
    right = page(server).json
    server.faults.add(Dribble(size=40, every=0.001))
    assert page(server).json == right


@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_connection_gives_nothing(server: Registry, reset: bool) -> None:
    server.faults.add(Drop(reset), first=1)
    with pytest.raises(ConnectionResetError if reset else http.client.RemoteDisconnected):
        page(server)
    assert page(server).status == 200
    assert server.count(status=0) == 1


def test_a_connection_that_is_hung_up_gave_the_right_answer_first(server: Registry) -> None:
    server.faults.add(HangUp(), first=1)
    with Client(server.url) as client:
        assert client.ask(f"{server.index_url}{NAMES[0]}/").status == 200
        assert client.connection.sock is not None
        assert client.connection.sock.recv(1) == b""


def test_what_is_no_http_is_none(server: Registry) -> None:
    server.faults.add(NotHttp())
    with pytest.raises(http.client.BadStatusLine):
        page(server)


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_half_an_answer_ends_before_its_told_end(server: Registry, how: str) -> None:
    whole = page(server).raw
    server.faults.add(Half(how))
    with pytest.raises(http.client.IncompleteRead) as caught:
        page(server)
    assert whole.startswith(caught.value.partial)
    assert len(caught.value.partial) < len(whole)


def test_half_a_gzip_and_half_a_text_are_of_the_length_they_tell(server: Registry) -> None:
    server.faults.add(Half("gzip"), nth=1)
    server.faults.add(Half("text"), nth=1)
    squeezed = page(server, Accept_Encoding="gzip")
    with pytest.raises(EOFError):
        gzip.decompress(squeezed.raw)
    with pytest.raises(json.JSONDecodeError):
        page(server).json  # noqa: B018
    with Client(server.url) as client:  # the connection is in order
        server.faults.add(Half("text"))
        assert client.ask(f"{server.index_url}{NAMES[0]}/").status == 200
        assert client.ask(f"{server.index_url}{NAMES[0]}/").status == 200


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_never_the_right_answer(server: Registry, what: str) -> None:
    urls = [
        f"{server.index_url}{NAMES[0]}/",
        f"{server.osv_url}/v1/vulns/PYSEC-{NAMES[0]}",
        f"{server.nvd_url}?cveId=CVE-2024-1000",
        f"{server.url}/files/{NAMES[0]}/{NAMES[0].replace('-', '_')}-1.0-py3-none-any.whl.metadata",
    ]
    right = [ask(url, Accept=SIMPLE_JSON) for url in urls]
    right.append(batch(server.osv_url, [query(NAMES[0]), query(NAMES[1])]))
    server.faults.add(Garbage(what))
    wrong = [ask(url, Accept=SIMPLE_JSON) for url in urls]
    wrong.append(batch(server.osv_url, [query(NAMES[0]), query(NAMES[1])]))
    for good, bad in zip(right, wrong, strict=True):
        assert (good.status, bad.status) == (200, 200)
        assert good.body != bad.body


def test_garbage_of_a_shape_is_sound_json_of_that_shape(server: Registry) -> None:
    url = f"{server.osv_url}/v1/vulns/PYSEC-{NAMES[0]}"
    right = ask(url).json
    for what in ("list", "numbers", "missing", "other", "fewer"):
        server.faults.add(Garbage(what), nth=1)
    assert ask(url).json == [right]
    assert ask(url).json["id"] == 7
    assert "id" not in ask(url).json
    assert ask(url).json["id"] == f"other-{right['id']}"
    assert ask(url).json["affected"] == []


def test_a_redirect_leads_on_or_round_or_nowhere(server: Registry) -> None:
    for code, to in ((301, "moved"), (302, "loop"), (307, "dead"), (308, "http://127.0.0.1:1/x/*")):
        server.faults.add(Redirect(code, to), path="/simple/", nth=1)
    url = f"{server.index_url}{NAMES[0]}/"
    moved, loop, dead, own = (ask(url) for _ in range(4))
    assert [got.status for got in (moved, loop, dead, own)] == [301, 302, 307, 308]
    assert ask(moved.headers["location"], Accept=SIMPLE_JSON).json["name"] == NAMES[0]
    assert loop.headers["location"] == url
    with pytest.raises(ConnectionRefusedError):
        ask(dead.headers["location"])
    assert own.headers["location"] == f"http://127.0.0.1:1/x//simple/{NAMES[0]}/"


def test_what_was_moved_is_not_moved_again(server: Registry) -> None:
    server.faults.add(Redirect(301, "moved"))
    moved = page(server)
    assert moved.status == 301
    assert ask(moved.headers["location"], Accept=SIMPLE_JSON).json["name"] == NAMES[0]
    assert [seen.thing for seen in server.requests] == [NAMES[0], NAMES[0]]


def test_a_batch_can_be_moved_too(server: Registry) -> None:
    server.faults.add(Redirect(307, "moved"), kind="osv-batch", first=1)
    body = json.dumps({"queries": [query(NAMES[0])]}).encode()
    moved = ask(f"{server.osv_url}/v1/querybatch", "POST", body)
    assert ask(moved.headers["location"], "POST", body).json["results"][0]["vulns"]


def test_a_huge_body_stops_when_the_client_has_enough(server: Registry) -> None:
    server.faults.add(Huge(megabytes=4000))
    with Client(server.url) as client:
        client.connection.request("GET", f"/simple/{NAMES[0]}/")
        answer = client.connection.getresponse()
        assert len(answer.read(1 << 20)) == 1 << 20
        answer.close()
    assert wait_until(lambda: server.requests[0].ended is not None)
    assert (1 << 20) < server.requests[0].sent < (4000 << 20)


def test_a_huge_body_is_small_where_it_is_compressed(server: Registry) -> None:
    server.faults.add(Huge(megabytes=20, compressed=True))
    got = page(server)
    assert len(got.raw) < 1 << 20
    assert len(zlib.decompress(got.raw, wbits=31)) == (20 << 20) + 2


def test_another_content_type_or_none_is_sent(server: Registry) -> None:
    right = page(server).body
    server.faults.add(WrongType("image/png"), nth=1)
    server.faults.add(WrongType(None), nth=1)
    first, second = page(server), page(server)
    assert (first.headers["content-type"], first.body) == ("image/png", right)
    assert ("content-type" in second.headers, second.body) == (False, right)


def test_nobody_listens_at_a_dead_address(server: Registry) -> None:
    for url in (dead_url("/simple/"), server.dead_url()):
        with pytest.raises(ConnectionRefusedError):
            ask(url + "/x")


def test_every_action_is_named_in_the_record(server: Registry) -> None:
    server.faults.add(Garbage("empty"), first=1)
    page(server), page(server)
    assert [seen.fault for seen in server.requests] == ["Garbage", ""]
    assert all(hasattr(faults, seen.fault) for seen in server.requests if seen.fault)


def wait_until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
