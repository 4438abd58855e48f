"""The test server speaks the protocols as they are written down."""

from __future__ import annotations

import base64
import datetime as dt
import email
import hashlib
import http.client
import json
import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest

from tests.servers.asking import SIMPLE_JSON, Client, ask, batch, page_of, query
from tests.servers.made import MadePackage, MadeRelease, make_advisory, make_cve, make_package
from tests.servers.registry import Registry

NEW_YEAR = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
THING = make_package(
    "My.Thing",
    {
        "1.0": "2023-01-02T03:04:05",
        "1.1": MadeRelease("1.1", NEW_YEAR, requires_python=">=3.9,<4", yanked="<broken>"),
        "1!2.0+local.1": None,
    },
    requires=("other>=2", 'third; python_version < "3.12"'),
    development_status="4 - Beta",
    repository="https://github.com/made-up/thing",
    home_page="https://thing.example",
    status="archived",
    status_reason="no time",
)
ONE = make_advisory("PYSEC-1", "my-thing", fixed="1.1", aliases=["CVE-2024-1000"])
TWO = make_advisory("PYSEC-2", "My_Thing", introduced="1.0", last_affected="1.1")
GONE = make_advisory("PYSEC-3", "my-thing", withdrawn="2024-06-01T00:00:00Z")


@pytest.fixture
def server() -> Iterator[Registry]:
    with Registry([THING], [ONE, TWO, GONE], {"CVE-2024-1000": make_cve("CVE-2024-1000")}) as server:
        yield server


def files(page: dict) -> dict[str, dict]:
    return {one["filename"]: one for one in page["files"]}


# The index


def test_a_page_in_json_has_versions_times_and_what_was_yanked_and_why(server: Registry) -> None:
    page = page_of(server.index_url, "my-thing")
    assert page["meta"] == {"api-version": "1.4"}
    assert page["name"] == "my-thing"
    assert page["versions"] == ["1.0", "1.1", "1!2.0+local.1"]
    assert page["project-status"] == {"status": "archived", "reason": "no time"}
    first, second = files(page)["my_thing-1.0-py3-none-any.whl"], files(page)["my_thing-1.1.tar.gz"]
    assert first["upload-time"] == "2023-01-02T03:04:05.000000Z"
    assert first["yanked"] is False
    assert first["requires-python"] is None
    assert first["size"] > 0
    assert second["yanked"] == "<broken>"
    assert second["requires-python"] == ">=3.9,<4"
    assert "upload-time" not in files(page)["my_thing-1!2.0+local.1.tar.gz"]


def test_the_metadata_of_a_wheel_is_beside_it_with_its_hash(server: Registry) -> None:
    for name in ("my_thing-1.0-py3-none-any.whl", "my_thing-1!2.0+local.1-py3-none-any.whl"):
        shown = files(page_of(server.index_url, "my-thing"))[name]
        got = ask(shown["url"] + ".metadata")
        assert got.status == 200
        assert "immutable" in got.headers["cache-control"]
        assert shown["core-metadata"] == {"sha256": hashlib.sha256(got.body).hexdigest()}
    read = email.message_from_bytes(got.body)
    assert read["Version"] == "1!2.0+local.1"
    assert read.get_all("Requires-Dist") == ["other>=2", 'third; python_version < "3.12"']
    assert read["Classifier"] == "Development Status :: 4 - Beta"
    assert read["Project-URL"] == "Source, https://github.com/made-up/thing"
    assert read["Home-page"] == "https://thing.example"


def test_a_source_distribution_has_no_metadata(server: Registry) -> None:
    shown = files(page_of(server.index_url, "my-thing"))["my_thing-1.0.tar.gz"]
    assert shown["core-metadata"] is False
    assert ask(shown["url"] + ".metadata").status == 404
    assert ask(shown["url"]).status == 200


def test_a_name_not_in_its_normal_form_is_sent_to_the_page_of_its_normal_form(server: Registry) -> None:
    for written in ("My.Thing/", "my__thing/", "my-thing"):
        got = ask(server.index_url + written)
        assert got.status == 301
        assert urljoin(server.index_url, got.headers["location"]) == f"{server.index_url}my-thing/"


def test_a_name_that_there_is_not_is_404(server: Registry) -> None:
    assert ask(f"{server.index_url}nothing/").status == 404
    assert ask(f"{server.url}/elsewhere").status == 404
    assert ask(f"{server.url}/files/nothing/a.whl").status == 404


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (SIMPLE_JSON, SIMPLE_JSON),
        (f"text/html;q=0.5, {SIMPLE_JSON}", SIMPLE_JSON),
        (f"text/html, {SIMPLE_JSON};q=0.2", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        (f"{SIMPLE_JSON};q=0, */*;q=0.1", "text/html; charset=utf-8"),
    ],
)
def test_the_form_is_the_one_accepted_most(server: Registry, accept: str, kind: str) -> None:
    got = ask(f"{server.index_url}my-thing/", Accept=accept)
    assert got.headers["content-type"] == kind
    assert "Accept" in got.headers["vary"]


def test_a_form_that_there_is_not_is_406(server: Registry) -> None:
    assert ask(f"{server.index_url}my-thing/", Accept="image/png").status == 406


def test_a_page_that_is_known_costs_no_body_until_it_changes(server: Registry) -> None:
    url = f"{server.index_url}my-thing/"
    first = ask(url, Accept=SIMPLE_JSON)
    assert first.headers["cache-control"] == "max-age=600, public"
    again = ask(url, Accept=SIMPLE_JSON, If_None_Match=first.headers["etag"])
    assert (again.status, again.raw) == (304, b"")
    assert ask(url, Accept="text/html", If_None_Match=first.headers["etag"]).status == 200
    server.publish(make_package("my-thing", {"3.0": "2024-05-05"}))
    changed = ask(url, Accept=SIMPLE_JSON, If_None_Match=first.headers["etag"])
    assert changed.status == 200
    assert changed.json["versions"] == ["3.0"]


def test_a_page_can_be_stale_at_once_or_have_no_tag() -> None:
    with Registry([THING], max_age=0) as stale, Registry([THING], etags=False) as plain:
        first = ask(f"{stale.index_url}my-thing/")
        assert first.headers["cache-control"] == "max-age=0, public"
        assert ask(f"{stale.index_url}my-thing/", If_None_Match=f'W/{first.headers["etag"]}, "x"').status == 304
        got = ask(f"{plain.index_url}my-thing/", If_None_Match=first.headers["etag"])
        assert (got.status, "etag" in got.headers) == (200, False)


def test_a_setting_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError):
        Registry(html=True)
    with pytest.raises(ValueError, match="metadata is one of"):
        Registry(metadata="some")


def test_a_page_is_compressed_where_that_is_accepted(server: Registry) -> None:
    url = f"{server.index_url}my-thing/"
    plain, small = ask(url, Accept=SIMPLE_JSON), ask(url, Accept=SIMPLE_JSON, Accept_Encoding="gzip, deflate")
    assert small.headers["content-encoding"] == "gzip"
    assert small.body == plain.raw
    assert len(small.raw) < len(plain.raw)


def test_an_index_that_knows_only_html_answers_html_without_times() -> None:
    with Registry([THING], html_only=True, metadata="none") as server:
        got = ask(f"{server.index_url}my-thing/", Accept=SIMPLE_JSON)
        text = got.body.decode()
        assert got.headers["content-type"].startswith("text/html")
        assert 'data-yanked="&lt;broken&gt;"' in text
        assert 'data-requires-python="&gt;=3.9,&lt;4"' in text
        assert 'name="pypi:project-status" content="archived"' in text
        assert "metadata=" not in text
        assert "2023" not in text
        wheel = re.search(r'href="([^"#]+whl)#sha256=', text)
        assert wheel is not None
        assert ask(wheel[1]).status == 200
        assert ask(wheel[1] + ".metadata").status == 404


def test_html_tells_of_metadata_where_it_is_to() -> None:
    with Registry([THING], html_only=True) as server:
        assert b'data-core-metadata="sha256=' in ask(f"{server.index_url}my-thing/").body


def test_an_old_json_form_has_neither_versions_nor_times() -> None:
    with Registry([THING], api_version="1.0", metadata="old") as server:
        page = page_of(server.index_url, "my-thing")
        assert set(page) == {"meta", "name", "files"}
        assert set(page["files"][0]) == {"filename", "url", "hashes", "requires-python", "yanked", "dist-info-metadata"}


def test_metadata_can_be_told_without_hashes_and_addresses_without_a_host() -> None:
    with Registry([THING], metadata="true", relative_urls=True) as server:
        shown = page_of(server.index_url, "my-thing")["files"][0]
        assert shown["core-metadata"] is True
        assert not urlsplit(shown["url"]).netloc
        assert ask(urljoin(f"{server.index_url}my-thing/", shown["url"]) + ".metadata").status == 200


def test_what_is_given_of_a_release_is_shown_as_it_is() -> None:
    odd = MadeRelease("1.0", yanked=True, wheel=False, other_files=("odd-1.0.win32.exe",))
    told = MadeRelease("2.0", metadata="Metadata-Version: 9.9\n", sdist=False)
    with Registry({"odd": MadePackage("odd", (odd, told))}) as server:
        page = page_of(server.index_url, "odd")
        assert list(files(page)) == ["odd-1.0.tar.gz", "odd-1.0.win32.exe", "odd-2.0-py3-none-any.whl"]
        assert page["files"][1]["yanked"] is True
        assert ask(page["files"][2]["url"] + ".metadata").body == b"Metadata-Version: 9.9\n"


def test_a_private_index_answers_nobody_without_its_credentials() -> None:
    with Registry([THING], [ONE], credentials=("me", "s3cret:ä")) as server:
        url = f"{server.index_url}my-thing/"
        right = "Basic " + base64.b64encode("me:s3cret:ä".encode()).decode()
        refused = ask(url)
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert ask(url, Authorization="Basic bWU6bm8=").status == 401
        assert ask(url, Authorization=right).status == 200
        assert ask(f"{server.url}/files/my-thing/my_thing-1.0.tar.gz").status == 401
        assert ask(f"{server.osv_url}/v1/vulns/PYSEC-1").status == 200
        assert server.requests[2].headers["authorization"] == right


# OSV


def test_a_batch_answers_in_the_order_of_its_queries(server: Registry) -> None:
    queries = [query("nothing"), query("My.Thing"), query("my-thing", version="1.0"), query("my-thing", version="1.1")]
    got = batch(server.osv_url, [*queries, query("my-thing", version="1.2")])
    ids = [[one["id"] for one in result.get("vulns", [])] for result in got.json["results"]]
    assert ids == [[], ["PYSEC-1", "PYSEC-2"], ["PYSEC-1", "PYSEC-2"], ["PYSEC-2"], []]
    assert got.json["results"][0] == {}
    assert got.json["results"][3]["vulns"] == [{"id": "PYSEC-2", "modified": "2024-05-01T00:00:00Z"}]
    assert not {"cache-control", "etag", "last-modified"} & set(got.headers)


def test_a_record_is_given_in_full_and_withdrawn_ones_too(server: Registry) -> None:
    assert ask(f"{server.osv_url}/v1/vulns/PYSEC-1").json == ONE
    assert ask(f"{server.osv_url}/v1/vulns/PYSEC-3").json["withdrawn"]
    unknown = ask(f"{server.osv_url}/v1/vulns/PYSEC-9")
    assert (unknown.status, unknown.json) == (404, {"code": 5, "message": "Bug not found."})


def test_a_record_that_comes_later_is_found(server: Registry) -> None:
    batch(server.osv_url, [query("my-thing")])
    server.advise(make_advisory("PYSEC-4", "my-thing", introduced="1.2"))
    got = batch(server.osv_url, [query("my-thing", version="1.3")])
    assert got.json["results"] == [{"vulns": [{"id": "PYSEC-4", "modified": "2024-05-01T00:00:00Z"}]}]


@pytest.mark.parametrize("empty_pages", [False, True])
def test_pages_come_one_by_one_until_there_is_no_token(empty_pages: bool) -> None:
    records = [make_advisory(f"PYSEC-{number}", "thing") for number in range(5)]
    with Registry(advisories=records, osv_page_size=2, osv_empty_pages=empty_pages) as server:
        found, sizes, token = [], [], ""
        while True:
            result = batch(server.osv_url, [query("thing", page_token=token)]).json["results"][0]
            found += [one["id"] for one in result.get("vulns", [])]
            sizes.append(len(result.get("vulns", [])))
            token = result.get("next_page_token")
            if token is None:
                break
        assert found == [one["id"] for one in records]
        assert sizes == ([0] if empty_pages else []) + [2, 2, 1]


def test_a_token_of_another_query_is_refused() -> None:
    records = [make_advisory(f"PYSEC-{number}", "thing") for number in range(3)]
    with Registry(advisories=records, osv_page_size=2) as server:
        token = batch(server.osv_url, [query("thing")]).json["results"][0]["next_page_token"]
        assert batch(server.osv_url, [query("other", page_token=token)]).status == 400
        assert batch(server.osv_url, [query("thing", page_token="made up")]).status == 400


def test_more_queries_than_allowed_or_what_is_no_query_is_400(server: Registry) -> None:
    assert batch(server.osv_url, [query("thing")] * 1000).status == 200
    too_many = batch(server.osv_url, [query("thing")] * 1001)
    assert (too_many.status, too_many.json["message"]) == (400, "Too many queries.")
    assert batch(server.osv_url, [{"package": {"name": "x", "ecosystem": "Pypi"}}]).status == 400
    assert batch(server.osv_url, [{"version": "1"}]).status == 400
    assert ask(f"{server.osv_url}/v1/querybatch", "POST", b"{").status == 400
    assert ask(f"{server.osv_url}/v1/querybatch", "POST", b"[]").status == 400
    assert ask(f"{server.osv_url}/v1/querybatch").status == 405
    assert ask(f"{server.osv_url}/v1/vulns/PYSEC-1", "POST", b"").status == 405


def test_bounds_in_any_order_and_versions_that_nobody_can_read_are_judged() -> None:
    record = make_advisory("PYSEC-1", "thing", versions=["NEW", "5.0.0"])
    record["affected"][0]["ranges"][0]["events"] = [
        {"fixed": "2.0"},
        {"introduced": "1.0"},
        {"fixed": "nonsense"},
        {"introduced": "1!1.0"},
    ]
    with Registry(advisories=[record]) as server:
        versions = ("0.9", "1.0", "1.5+local", "2.0", "5.0", "NEW", "OLD", "1!0.5", "1!2")
        got = batch(server.osv_url, [query("thing", version=one) for one in versions]).json["results"]
        affected = [version for version, result in zip(versions, got, strict=True) if result]
        assert affected == ["1.0", "1.5+local", "5.0", "NEW", "1!2"]


# NVD


def test_a_cve_is_given_with_its_score(server: Registry) -> None:
    got = ask(f"{server.nvd_url}?cveId=CVE-2024-1000").json
    assert (got["totalResults"], got["format"], got["version"]) == (1, "NVD_CVE", "2.0")
    cve = got["vulnerabilities"][0]["cve"]
    assert cve["id"] == "CVE-2024-1000"
    assert cve["metrics"]["cvssMetricV31"][0]["cvssData"]["baseScore"] == 7.5
    assert cve["metrics"]["cvssMetricV31"][0]["cvssData"]["baseSeverity"] == "HIGH"


def test_a_cve_that_there_is_not_is_404_or_an_empty_page(server: Registry) -> None:
    assert ask(f"{server.nvd_url}?cveId=CVE-2024-9999").status == 404
    assert ask(f"{server.nvd_url}?cveId=GHSA-1").headers["message"] == "Invalid cveId parameter."
    with Registry(nvd_unknown_status=200) as other:
        assert ask(f"{other.nvd_url}?cveId=CVE-2024-9999").json["vulnerabilities"] == []


def test_a_key_that_is_wrong_or_missing_is_refused() -> None:
    with Registry(cves={"CVE-2024-1000": make_cve("CVE-2024-1000", "")}, nvd_key="right") as server:
        url = f"{server.nvd_url}?cveId=CVE-2024-1000"
        assert ask(url).status == 403
        wrong = ask(url, apiKey="wrong")
        assert (wrong.status, wrong.headers["message"], wrong.raw) == (404, "Invalid apiKey.", b"")
        right = ask(url, apiKey="right")
        assert right.json["vulnerabilities"][0]["cve"]["metrics"] == {}
        assert [seen.headers.get("apikey") for seen in server.requests] == [None, "wrong", "right"]


@pytest.mark.parametrize("status", [403, 429])
def test_more_than_the_limit_is_refused(status: int) -> None:
    cves = {"CVE-2024-1000": make_cve("CVE-2024-1000")}
    with Registry(cves=cves, nvd_limit=(2, 60.0), nvd_limit_status=status) as server:
        got = [ask(f"{server.nvd_url}?cveId=CVE-2024-1000").status for _ in range(4)]
        assert got == [200, 200, status, status]


# The server


def test_a_connection_is_kept_for_many_requests(server: Registry) -> None:
    with Client(server.url) as client:
        ports = set()
        for _ in range(5):
            assert client.ask(f"{server.index_url}my-thing/").status == 200
            assert client.connection.sock is not None
            ports.add(client.connection.sock.getsockname()[1])
        assert client.ask(f"{server.index_url}nothing/").status == 404
        assert client.ask(f"{server.index_url}my-thing/", "HEAD").raw == b""
        body = json.dumps({"queries": [query("my-thing")]}).encode()
        assert client.ask(f"{server.osv_url}/v1/querybatch", "POST", body).status == 200
        assert client.ask(f"{server.index_url}my-thing/").status == 200
        assert len(ports) == 1


def test_nobody_listens_when_it_is_closed_and_open_connections_end() -> None:
    with Registry([THING]) as server, Client(server.url) as client:
        client.ask(f"{server.index_url}my-thing/")
        idle = client.connection.sock
        assert idle is not None
        server.close()
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            ask(server.index_url)


def test_a_mistake_of_the_server_itself_is_raised_at_its_end() -> None:
    broken = MadePackage("broken", releases=(None,))  # type: ignore[arg-type]
    server = Registry([broken])
    with pytest.raises(RuntimeError, match="test server itself failed"), server:
        with pytest.raises(http.client.RemoteDisconnected):
            ask(f"{server.index_url}broken/")
        with pytest.raises(http.client.RemoteDisconnected):
            ask(server.index_url, Content_Length="many")
    assert len(server.broken) == 2
