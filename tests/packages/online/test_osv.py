import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.packages.online import osv as module
from batchbook.packages.online.osv import MOST_ADVISORIES, OsvApi
from batchbook.packages.records import read_record
from batchbook.packages.sources import NotAsked, SourceUnreachable
from batchbook.packages.verdict import Question, Status, review
from tests.packages.conftest import ListSource, make_record
from tests.packages.online.helpers import PATIENCE, TODAY, URL, FakeEndpoint, FakeOsv, in_threads, until

DETAIL = f"{URL}/v1/vulns"


class Setup:
    """A server, the endpoint before it, and runs over them."""

    def __init__(self) -> None:
        self.server = FakeOsv()
        self.endpoint = FakeEndpoint(self.server)
        self.runs: list[OsvApi] = []

    def serve(self, *records: dict[str, Any], **more: Any) -> None:
        self.server = self.endpoint.server = FakeOsv.of(*records, **more)

    def run(self, **more: Any) -> OsvApi:
        """A source as a new run has it: nothing remembered but by the endpoint."""
        self.runs.append(OsvApi(self.endpoint, f"{URL}/", **{"wait": 0.001, **more}))
        return self.runs[-1]

    def asked(self) -> list[list[str]]:
        return [[query["package"]["name"] for query in post["queries"]] for post in self.endpoint.posts]


@pytest.fixture
def osv() -> Iterator[Setup]:
    made = Setup()
    yield made
    for run in made.runs:
        run.close()


def reason(call: Callable[[], object], kind: type[Exception] = SourceUnreachable) -> str:
    with pytest.raises(kind) as problem:
        call()
    assert type(problem.value) is kind
    return str(problem.value)


def ids(source: OsvApi, name: str) -> list[str]:
    return sorted(record.id for record in source.lookup(name).records)


THREE = (make_record("PYSEC-1", "one"), make_record("PYSEC-2", "two"), make_record("GHSA-3", "two"))


# What it finds


def test_a_lookup_gives_the_records_of_the_package_and_the_day_of_the_answer(osv: Setup) -> None:
    osv.serve(*THREE)
    found = osv.run().lookup("two")
    assert list(found.records) == [read_record(THREE[1]), read_record(THREE[2])]
    assert found.date == TODAY


def test_a_package_without_advisories_has_none(osv: Setup) -> None:
    osv.serve(*THREE)
    assert list(osv.run().lookup("four").records) == []


def test_names_and_dates_are_those_of_an_advisory_source(osv: Setup) -> None:
    assert (osv.run().name, osv.run(name="mirror").name, osv.run().reference_date) == ("OSV", "mirror", "")


def test_withdrawn_records_are_passed_on_even_where_they_name_no_package_any_more(osv: Setup) -> None:
    osv.serve(make_record("A", "one", withdrawn="2024-01-01T00:00:00Z"), make_record("B", "one"))
    osv.server.alter_get = lambda id, said: {**said, "withdrawn": "2024-01-01T00:00:00Z", "affected": []}
    assert [one.withdrawn for one in osv.run().lookup("one").records] == [True, True]


def test_a_review_by_the_api_is_the_one_by_the_same_records_in_a_file(osv: Setup) -> None:
    records = [
        make_record("PYSEC-1", "one", [{"introduced": "0"}, {"fixed": "2.0"}], aliases=["CVE-2024-0001"]),
        make_record("GHSA-2", "one", [{"introduced": "1.5"}], aliases=["CVE-2024-0002"]),
    ]
    osv.serve(*records, size=1)
    local = ListSource([read_record(one) for one in records], name="OSV", date=TODAY)
    for version in ("1.0", "1.7", "2.5"):
        question = Question("One", version)
        assert review(question, [osv.run()]) == review(question, [local])


def test_names_are_compared_by_their_normal_form(osv: Setup) -> None:
    osv.serve(make_record("A", "my-package"))
    osv.server.alter_get = lambda id, said: make_record("A", "My_Package")
    assert ids(osv.run(), "my-package") == ["A"]


def test_ids_are_quoted_in_addresses_and_compared_without_regard_to_case(osv: Setup) -> None:
    strange = "A/../b c?d#e%2f"
    osv.serve(make_record(strange, "one"))
    osv.server.alter_get = lambda id, said: {**said, "id": id.upper()}
    assert ids(osv.run(), "one") == [strange.upper()]
    assert osv.endpoint.gets == [f"{DETAIL}/A%2F..%2Fb%20c%3Fd%23e%252f"]


# Questions share requests


def test_fifty_threads_ask_each_name_once_and_nobody_hangs(osv: Setup) -> None:
    names = [f"p{number}" for number in range(120)]
    osv.serve(*(make_record(f"ID-{name}-{n}", name) for name in names for n in range(3)), size=2)
    source = osv.run()
    found = in_threads(lambda name: ids(source, name), names * 4)
    assert found == [[f"ID-{name}-{n}" for n in range(3)] for name in names] * 4
    first = [q["package"]["name"] for post in osv.endpoint.posts for q in post["queries"] if "page_token" not in q]
    assert sorted(first) == sorted(names)
    assert len(osv.endpoint.gets) == len(set(osv.endpoint.gets)) == 360


def test_names_asked_at_once_are_asked_in_one_request(osv: Setup) -> None:
    osv.serve(*THREE)
    source = osv.run(wait=PATIENCE, most=3)
    assert in_threads(lambda name: ids(source, name), ["one", "two", "three"]) == [
        ["PYSEC-1"],
        ["GHSA-3", "PYSEC-2"],
        [],
    ]
    assert [sorted(one) for one in osv.asked()] == [["one", "three", "two"]]


def test_a_request_never_asks_more_than_the_api_takes(osv: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.MOST_PACKAGES == 1_000
    monkeypatch.setattr(module, "MOST_PACKAGES", 10)
    source = osv.run(wait=0.1, most=5_000)
    in_threads(source.lookup, [f"p{n}" for n in range(45)])
    assert max(map(len, osv.asked())) == 10
    assert sum(map(len, osv.asked())) == 45


def test_a_name_that_could_not_be_asked_is_asked_again_when_it_comes_again(osv: Setup) -> None:
    osv.serve(*THREE)
    osv.server.down = "no route"
    source = osv.run()
    assert [reason(lambda: source.lookup("one")) for _ in range(2)] == ["no route"] * 2
    osv.server.down = ""
    assert source.lookup("one").records
    assert len(osv.endpoint.posts) == 3


def test_trouble_comes_to_every_row_with_its_reason(osv: Setup) -> None:
    osv.server.down = "answered 503 four times"
    source = osv.run()
    verdicts = in_threads(lambda n: review(Question(f"p{n}", "1.0"), [source]), range(200))
    assert {one.status for one in verdicts} == {Status.UNKNOWN}
    assert {one.reason for one in verdicts} == {"OSV could not be asked: answered 503 four times"}


def test_an_advisory_of_several_packages_is_fetched_once(osv: Setup) -> None:
    shared = make_record("A", "p0")
    shared["affected"] = [make_record("A", f"p{n}")["affected"][0] for n in range(60)]
    osv.serve(shared)
    osv.endpoint.forgets = True
    source = osv.run()
    assert in_threads(lambda n: ids(source, f"p{n}"), range(60)) == [["A"]] * 60
    assert osv.endpoint.gets == [f"{DETAIL}/A"]


def test_the_records_of_one_package_are_fetched_several_at_once_but_not_more_than_allowed(osv: Setup) -> None:
    osv.serve(*(make_record(f"ID-{n}", "one") for n in range(40)))
    at_once, most, met = 0, 0, threading.Barrier(4)
    lock = threading.Lock()

    def count_them(id: str, said: Any) -> Any:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        met.wait(PATIENCE)  # returns only where four are under way
        with lock:
            at_once -= 1
        return said

    osv.server.alter_get = count_them
    assert len(osv.run(fetchers=4).lookup("one").records) == 40
    assert most == 4


# Pages


@settings(max_examples=40, deadline=None)
@given(
    amounts=st.lists(st.integers(0, 12), min_size=1, max_size=6),
    size=st.integers(1, 13),
    most=st.integers(1, 7),
    empty=st.booleans(),
)
def test_the_result_is_the_same_whatever_the_size_of_pages(
    amounts: list[int], size: int, most: int, empty: bool
) -> None:
    osv = Setup()
    records = [make_record(f"ID-{p}-{n}", f"p{p}") for p, amount in enumerate(amounts) for n in range(amount)]
    osv.serve(*records)
    names = [f"p{p}" for p in range(len(amounts))]
    unpaged = [osv.run().lookup(name) for name in names]
    osv.server.size = size
    if empty:
        osv.server.alter_post = with_empty_pages()
    source = osv.run(most=most)
    assert in_threads(source.lookup, names, threads=len(names)) == unpaged
    for run in osv.runs:
        run.close()


def with_empty_pages() -> Callable[[Any], Any]:
    """Before each page one that holds nothing but the way to it, as a server gives that ran out of time."""
    given: set[str] = set()

    def alter(said: Any) -> Any:
        for number, page in enumerate(said["results"]):
            body = json.dumps(page)
            token = page.get("next_page_token", "")
            if token and body not in given:
                given.add(body)
                start = int(token.split()[1]) - len(page["vulns"])
                said["results"][number] = {"next_page_token": f"again {start}"}
        return said

    return alter


def test_the_pages_of_several_packages_are_asked_for_together(osv: Setup) -> None:
    osv.serve(*(make_record(f"ID-{p}-{n}", f"p{p}") for p in range(5) for n in range(4)), size=1)
    source = osv.run(wait=PATIENCE, most=5)
    in_threads(source.lookup, [f"p{p}" for p in range(5)])
    assert list(map(len, osv.asked())) == [5, 5, 5, 5]


def test_an_advisory_that_slipped_to_the_next_page_is_one(osv: Setup) -> None:
    osv.serve(make_record("A", "one"), make_record("B", "one"))
    pages = [
        {"vulns": [{"id": "A", "modified": "m1"}], "next_page_token": "t"},
        {"vulns": [{"id": "A", "modified": "m1"}, {"id": "B", "modified": "m1"}]},
    ]
    osv.server.alter_post = lambda said: {"results": [pages.pop(0)]}
    assert ids(osv.run(), "one") == ["A", "B"]


def test_the_date_of_a_list_whose_pages_came_over_midnight_is_the_first_day(osv: Setup) -> None:
    osv.serve(make_record("A", "one"), make_record("B", "one"), size=1)

    def next_day(said: Any) -> Any:
        osv.endpoint.day += 1
        return said

    osv.server.alter_post = next_day
    assert osv.run().lookup("one").date == "2024-10-21"
    assert osv.endpoint.day == 2


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_a_token_that_comes_again_is_trouble_and_no_endless_loop(osv: Setup, tokens: list[str]) -> None:
    said = iter(tokens)
    osv.server.alter_post = lambda _: {"results": [{"next_page_token": next(said)}]}
    assert "its list does not end" in reason(lambda: osv.run().lookup("one"))
    assert next(said, None) is None


def test_pages_without_end_are_trouble(osv: Setup) -> None:
    pages = iter(range(10_000))
    osv.server.alter_post = lambda _: {"results": [{"next_page_token": str(next(pages))}]}
    assert "its list does not end" in reason(lambda: osv.run(wait=0).lookup("one"))
    assert len(osv.endpoint.posts) == 1_000


def test_trouble_on_a_later_page_is_trouble_for_its_package_alone(osv: Setup) -> None:
    osv.serve(*THREE, size=1)

    def alter(said: Any) -> Any:
        if "page_token" in osv.endpoint.posts[-1]["queries"][0]:
            raise SourceUnreachable("timed out")
        return said

    osv.server.alter_post = alter
    source = osv.run()
    assert ids(source, "one") == ["PYSEC-1"]
    assert reason(lambda: source.lookup("two")) == "timed out"


@pytest.mark.parametrize("pages", [1, 50])
def test_more_advisories_than_can_be_are_trouble(osv: Setup, pages: int) -> None:
    each = MOST_ADVISORIES // pages + 1
    numbers = iter(range(pages + 1))

    def alter(_: Any) -> Any:
        page = next(numbers)
        vulns = [{"id": f"ID-{page}-{n}", "modified": "m"} for n in range(each)]
        return {"results": [{"vulns": vulns, "next_page_token": f"t{page}"}]}

    osv.server.alter_post = alter
    assert reason(lambda: osv.run().lookup("one")) == "it lists more than 10,000 advisories"
    assert osv.endpoint.gets == []


# Answers that cannot be believed


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"<html>sign in</html>", "answered with what is no JSON"),
        (b"", "answered with what is no JSON"),
        (b'{"results": [{}', "answered with what is no JSON"),
        (b'{"results": [{"vulns": NaN}]}', "answered with what is no JSON"),
        (b"\xff\xfe", "answered with what is no JSON"),
        (b"[" * 100_000, "answered with what is no JSON"),
        ([], "answered without a list of results"),
        ({}, "answered without a list of results"),
        ({"results": None}, "answered without a list of results"),
        ({"results": {"0": {}}}, "answered without a list of results"),
        ({"results": []}, "answered with 0 results to 1"),
        ({"results": [{}, {}]}, "answered with 2 results to 1"),
        ((404, b""), "answered 404 to the question for its advisories"),
        ({"results": [None]}, "its result is not a mapping"),
        ({"results": [[]]}, "its result is not a mapping"),
        ({"results": [{"error": "try later"}]}, "its result holds no list of advisories"),
        ({"results": [{"vulns": None}]}, "its result holds no list of advisories"),
        ({"results": [{"vulns": {}}]}, "its result holds no list of advisories"),
        ({"results": [{"vulns": "PYSEC-1"}]}, "its result holds no list of advisories"),
        ({"results": [{"vulns": [], "next_page_token": ["t"]}]}, "its result leads to a next page that is no text"),
        ({"results": [{"vulns": [], "next_page_token": "\ud800"}]}, "its result leads to a next page that is no text"),
    ],
)
def test_an_answer_of_another_form_is_trouble_and_never_none(osv: Setup, said: Any, why: str) -> None:
    osv.server.alter_post = lambda _: said
    assert reason(lambda: osv.run().lookup("one")).startswith(why)
    assert osv.endpoint.notes == {}


@pytest.mark.parametrize(
    "vuln",
    [
        None,
        "PYSEC-1",
        {},
        {"id": "A"},
        {"modified": "m"},
        {"id": "", "modified": "m"},
        {"id": "..", "modified": "m"},
        {"id": None, "modified": "m"},
        {"id": ["A"], "modified": "m"},
        {"id": "A", "modified": True},
        {"id": "A\nB", "modified": "m"},
        {"id": "A\ud800", "modified": "m"},
        {"id": "A" * 201, "modified": "m"},
    ],
)
def test_a_list_with_something_that_is_no_advisory_is_trouble(osv: Setup, vuln: Any) -> None:
    good = {"id": "B", "modified": "m"}
    osv.server.alter_post = lambda _: {"results": [{"vulns": [good, vuln]}]}
    assert "without an id or without the time" in reason(lambda: osv.run().lookup("one"))
    assert osv.endpoint.gets == []


def test_a_result_that_cannot_be_believed_is_trouble_for_its_package_alone(osv: Setup) -> None:
    osv.serve(*THREE)

    def alter(said: Any) -> Any:
        place = osv.asked()[-1].index("bad")
        said["results"][place] = {"vulns": 5.0}
        return said

    osv.server.alter_post = alter
    source = osv.run(wait=PATIENCE, most=3)

    def ask(name: str) -> object:
        return reason(lambda: source.lookup(name)) if name == "bad" else ids(source, name)

    expected = [["PYSEC-1"], "its result holds no list of advisories", ["GHSA-3", "PYSEC-2"]]
    assert in_threads(ask, ["one", "bad", "two"]) == expected


OLD = "2024-09-01T00:00:00Z"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((404, b""), "listed, but not to be had"),
        (b"<html>", "answered with what is no JSON"),
        ([], "is no OSV record: the document is not a mapping"),
        ({"code": 5, "message": "Bug not found."}, "is no OSV record: it has no id"),
        (make_record("PYSEC-2", "one"), "its record has another id: 'PYSEC-2'"),
        (make_record("GHSA-9", "one", aliases=["PYSEC-1"]), "its record has another id: 'GHSA-9'"),
        (make_record("PYSEC-1", "other"), "it does not name the package"),
        ({**make_record("PYSEC-1", "one"), "affected": []}, "it does not name the package"),
        ({**make_record("PYSEC-1", "one"), "affected": {}}, "is no OSV record: affected is not a list"),
        (
            {**make_record("PYSEC-1", "one"), "modified": OLD},
            f"its record is of '{OLD}', the list of '2024-10-01T00:00:00Z'",
        ),
    ],
)
def test_a_record_that_cannot_be_believed_is_trouble_with_its_id(osv: Setup, said: Any, why: str) -> None:
    osv.serve(make_record("PYSEC-1", "one"), make_record("PYSEC-5", "one"), make_record("PYSEC-6", "two"))
    osv.server.alter_get = lambda id, good: said if id == "PYSEC-1" else good
    source = osv.run()
    found = source.lookup("one")
    assert found.missing.startswith(f"1 of 2 advisories cannot be used: 'PYSEC-1' ({why}")
    assert ids(source, "one") == ["PYSEC-5"]
    assert ids(source, "two") == ["PYSEC-6"]
    osv.server.alter_get = lambda id, good: good
    if "name the package" not in why:  # a sound record is stored for good, about whomever it is
        assert (source.lookup("one").missing, ids(source, "one")) == ("", ["PYSEC-1", "PYSEC-5"])


def test_where_no_record_can_be_had_the_source_could_not_be_asked(osv: Setup) -> None:
    osv.serve(make_record("PYSEC-1", "one"))
    osv.server.alter_get = lambda id, good: (404, b"")
    assert reason(lambda: osv.run().lookup("one")).startswith("1 of 1 advisory cannot be used: 'PYSEC-1' (listed")


@pytest.mark.parametrize(("version", "status"), [("1.0", Status.AFFECTED), ("9.0", Status.UNKNOWN)])
def test_what_could_be_had_counts_and_what_could_not_leaves_doubt(osv: Setup, version: str, status: Status) -> None:
    osv.serve(make_record("PYSEC-1", "one", versions=["1.0"]), make_record("PYSEC-2", "one", versions=["1.0"]))
    osv.server.alter_get = lambda id, good: (404, b"") if id == "PYSEC-2" else good
    verdict = review(Question("one", version), [osv.run()])
    assert (verdict.status, len(verdict.hits)) == (status, int(status is Status.AFFECTED))
    assert "OSV could not be asked for all: 1 of 2 advisories cannot be used: 'PYSEC-2'" in verdict.reason


def test_a_record_in_a_later_state_than_listed_is_taken(osv: Setup) -> None:
    osv.serve(make_record("A", "one"))
    osv.server.alter_get = lambda id, said: {**said, "modified": "2024-12-01T00:00:00Z"}
    assert ids(osv.run(), "one") == ["A"]


@pytest.mark.parametrize("modified", ["2024-10-01T00:00:00", "2024-09-30T23:59:59.5Z", "yesterday", ""])
def test_a_record_is_not_refused_for_how_its_time_is_written(osv: Setup, modified: str) -> None:
    osv.serve(make_record("A", "one"))
    osv.server.alter_get = lambda id, said: {**said, "modified": modified}
    assert ids(osv.run(), "one") == ["A"]


def test_of_many_records_that_cannot_be_had_the_first_are_named(osv: Setup) -> None:
    osv.serve(*(make_record(f"ID-{n}", "one") for n in range(9)))

    def alter(id: str, said: Any) -> Any:
        raise SourceUnreachable("timed out")

    osv.server.alter_get = alter
    named = ", ".join(f"'ID-{n}' (timed out)" for n in range(3))
    assert reason(lambda: osv.run().lookup("one")) == f"9 of 9 advisories cannot be used: {named} and 6 more"


# From one night to the next


def test_a_record_is_kept_by_its_id_and_the_time_of_its_last_change(osv: Setup) -> None:
    osv.serve(*THREE)
    osv.run().lookup("one")
    assert list(osv.endpoint.kept) == [f"osv {URL} PYSEC-1 2024-10-01T00:00:00Z"]


def test_the_next_night_asks_for_lists_and_for_changed_records_alone(osv: Setup) -> None:
    osv.serve(*THREE)
    for name in ("one", "two"):
        osv.run().lookup(name)
    osv.endpoint.gets.clear()
    osv.endpoint.day = 1
    osv.server.records["GHSA-3"] = make_record("GHSA-3", "two", summary="new") | {"modified": "2024-10-20T00:00:00Z"}
    source = osv.run()
    assert source.lookup("one").date == "2024-10-21"
    assert sorted(one.summary for one in source.lookup("two").records) == ["", "new"]
    assert osv.endpoint.gets == [f"{DETAIL}/GHSA-3"]


@pytest.mark.parametrize("bad", [b"<html>", (404, b""), {**THREE[0], "modified": OLD}])
def test_a_bad_answer_that_was_stored_for_good_is_asked_for_anew(osv: Setup, bad: Any) -> None:
    osv.serve(THREE[0])
    osv.server.alter_get = lambda id, said: bad
    reason(lambda: osv.run().lookup("one"))
    osv.server.alter_get = lambda id, said: said
    assert ids(osv.run(), "one") == ["PYSEC-1"]
    osv.endpoint.gets.clear()
    assert ids(osv.run(), "one") == ["PYSEC-1"]
    assert osv.endpoint.gets == []


# Offline


def test_offline_the_stored_answer_is_given_with_its_own_day(osv: Setup) -> None:
    osv.serve(*THREE, size=1)
    online = osv.run().lookup("two")
    osv.run().lookup("none")
    osv.endpoint.day, osv.endpoint.offline, osv.server.down = 5, True, "must not be asked"
    assert osv.run().lookup("two") == online
    assert list(osv.run().lookup("none").records) == []


def test_offline_without_a_stored_list_it_was_not_asked(osv: Setup) -> None:
    osv.endpoint.offline = True
    source = osv.run()
    assert reason(lambda: source.lookup("one"), NotAsked) == "offline, no stored answer"
    verdict = review(Question("one", "1.0"), [source])
    assert (verdict.status, verdict.not_asked) == (
        Status.UNKNOWN,
        ("OSV not checked (offline, no stored answer)",),
    )


def test_offline_with_a_list_but_without_a_record_it_is_trouble_for_an_advisory_is_known(osv: Setup) -> None:
    osv.serve(*THREE)
    osv.run().lookup("two")
    osv.endpoint.kept.popitem()
    osv.endpoint.offline = True
    assert "1 of 2 advisories cannot be used" in osv.run().lookup("two").missing


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"A": null}', b'{"A": ["m"]}'])
def test_offline_a_stored_list_that_is_damaged_is_trouble(osv: Setup, body: bytes) -> None:
    osv.serve(*THREE)
    osv.run().lookup("one")
    osv.endpoint.notes = {key: (body, day) for key, (_, day) in osv.endpoint.notes.items()}
    osv.endpoint.offline = True
    assert reason(lambda: osv.run().lookup("one")) == "its stored answer cannot be read"


def test_offline_a_listed_record_that_is_not_stored_is_trouble_and_nothing_is_asked(osv: Setup) -> None:
    osv.serve(*THREE)
    osv.server.alter_get = lambda id, said: b"<html>"
    reason(lambda: osv.run().lookup("one"))
    osv.endpoint.offline = True
    osv.endpoint.gets.clear()
    assert "'PYSEC-1' (offline, no stored answer)" in reason(lambda: osv.run().lookup("one"))
    assert osv.endpoint.gets == []


def test_lists_of_two_servers_are_kept_apart(osv: Setup) -> None:
    osv.serve(*THREE)
    osv.run().lookup("one")
    osv.endpoint.offline = True
    other = OsvApi(osv.endpoint, "https://mirror.test")
    assert reason(lambda: other.lookup("one"), NotAsked) == "offline, no stored answer"
    other.close()


# The end of a run


def test_who_waits_for_records_when_the_source_is_closed_is_told(osv: Setup) -> None:
    osv.serve(*(make_record(f"ID-{n}", "one") for n in range(20)))
    under_way, go_on = threading.Event(), threading.Event()

    def slow(id: str, said: Any) -> Any:
        under_way.set()
        go_on.wait(PATIENCE)
        return said

    osv.server.alter_get = slow
    source = osv.run(fetchers=2)
    seen: list[str] = []
    row = threading.Thread(target=lambda: seen.append(source.lookup("one").missing))
    row.start()
    assert under_way.wait(PATIENCE)
    until(lambda: source._fetchers._work_queue.qsize() == 18)
    source.close()
    go_on.set()
    row.join(PATIENCE)
    assert len(seen) == 1 and "(the request was broken off)" in seen[0]


def test_a_source_that_is_closed_asks_for_no_record(osv: Setup) -> None:
    osv.serve(*THREE)
    source = osv.run()
    source.lookup("one")
    source.close()
    assert ids(source, "one") == ["PYSEC-1"]
    assert reason(lambda: source.lookup("two")) == "the request was broken off"
