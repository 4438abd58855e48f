from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from batchbook.packages.cvefacts import CveFact, CveFound
from batchbook.packages.online.nvd import NvdApi
from batchbook.packages.severity import highest, read_severity
from batchbook.packages.sources import NotAsked, SourceUnreachable
from tests.packages.online.helpers import TODAY, FakeEndpoint, in_threads

URL = "https://nvd.test/cves/2.0"
CVE = "CVE-2021-44228"
V2, V30 = "AV:N/AC:M/Au:N/C:C/I:C/A:C", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V31 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"
V40 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H"


def metric(vector: str, type: str = "Primary") -> dict[str, Any]:
    return {
        "source": "nvd@test",
        "type": type,
        "cvssData": {"version": "3.1", "vectorString": vector, "baseScore": 9.8},
    }


def entry(id: str = CVE, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "sourceIdentifier": "security@test",
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "es", "value": "Una"}, {"lang": "en", "value": " One\n thing. "}],
        "metrics": {"cvssMetricV31": [metric(V31)]},
        **more,
    }


def page(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resultsPerPage": len(entries),
        "startIndex": 0,
        "totalResults": len(entries),
        "format": "NVD_CVE",
        "version": "2.0",
        "timestamp": "2024-10-20T00:00:00.000",
        "vulnerabilities": [{"cve": one} for one in entries],
        **more,
    }


class FakeNvd:
    """Speaks as the NVD API does about the entries that it has, or says what a test makes it say."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {CVE: entry()}
        self.said: Any = None
        self.alter: Callable[[], None] = lambda: None

    def get(self, url: str, params: Mapping[str, str]) -> Any:
        assert (url, list(params)) == (URL, ["cveId"])
        self.alter()
        if self.said is not None:
            return self.said
        return page(*([self.entries[params["cveId"]]] if params["cveId"] in self.entries else []))


@pytest.fixture
def server() -> FakeNvd:
    return FakeNvd()


@pytest.fixture
def endpoint(server: FakeNvd) -> FakeEndpoint:
    return FakeEndpoint(server)


def fact_of(endpoint: FakeEndpoint, said: Any = None, **more: Any) -> CveFact:
    endpoint.server.said = page(entry(**more)) if said is None else said
    fact = NvdApi(endpoint, URL).lookup(CVE).fact
    assert fact is not None
    return fact


def reason(endpoint: FakeEndpoint, kind: type[Exception] = SourceUnreachable) -> str:
    with pytest.raises(kind) as problem:
        NvdApi(endpoint, URL).lookup(CVE)
    return str(problem.value)


# What it finds


def test_a_lookup_gives_the_facts_and_the_day_of_the_answer(server: FakeNvd, endpoint: FakeEndpoint) -> None:
    server.entries[CVE]["cisaExploitAdd"] = "2021-12-10"
    found = NvdApi(endpoint, URL, link="https://look.test/{id}").lookup(CVE)
    fact = CveFact(CVE, "Analyzed", (("CVSS_V3", V31),), "2021-12-10", "One thing.", "https://look.test/CVE-2021-44228")
    assert found == CveFound(fact, TODAY)


def test_names_and_dates_are_those_of_a_source_of_facts(endpoint: FakeEndpoint) -> None:
    assert (NvdApi(endpoint, URL).name, NvdApi(endpoint, URL, "own").name) == ("NVD", "own")
    assert NvdApi(endpoint, URL).reference_date == ""


def test_of_a_cve_that_it_does_not_know_it_knows_nothing(server: FakeNvd, endpoint: FakeEndpoint) -> None:
    server.entries.clear()
    assert NvdApi(endpoint, URL).lookup(CVE) == CveFound(None, TODAY)


def test_a_rejected_cve_keeps_its_status(endpoint: FakeEndpoint) -> None:
    fact = fact_of(endpoint, vulnStatus="Rejected", metrics={})
    assert (fact.status, fact.severities) == ("Rejected", ())


def test_all_vectors_are_given_primary_ones_first_then_the_newest_version(endpoint: FakeEndpoint) -> None:
    metrics = {
        "cvssMetricV2": [metric(V2)],
        "cvssMetricV30": [metric(V30, "Secondary"), metric(V30)],
        "cvssMetricV31": [metric(V30, "Secondary"), metric(V31)],
        "cvssMetricV40": [metric(V40, "Secondary")],
        "ssvcV203": [{"source": "x", "ssvcData": {}}],
        "cvssMetricV" + "1" * 9_999: [metric("no vector")],
    }
    fact = fact_of(endpoint, metrics=metrics)
    assert fact.severities == (("CVSS_V3", V31), ("CVSS_V3", V30), ("CVSS_V2", V2), ("CVSS_V4", V40))
    assert str(highest(read_severity(*one) for one in fact.severities)) == "CRITICAL 10.0 (CVSS 3.1)"


@pytest.mark.parametrize("missing", ["vulnStatus", "descriptions", "metrics"])
def test_what_an_entry_does_not_give_is_blank(endpoint: FakeEndpoint, missing: str) -> None:
    given = entry()
    del given[missing]
    fact = fact_of(endpoint, page(given))
    assert not {"vulnStatus": fact.status, "descriptions": fact.summary, "metrics": fact.severities}[missing]
    assert fact.exploited_since == fact.url == ""


def test_a_metric_without_a_vector_gives_none(endpoint: FakeEndpoint) -> None:
    assert fact_of(endpoint, metrics={"cvssMetricV31": [{"type": "Primary", "cvssData": {}}]}).severities == ()


@pytest.mark.parametrize(
    ("descriptions", "summary"),
    [
        ([], ""),
        ([{"lang": "es", "value": "Una"}], ""),
        ([{"lang": "en-US", "value": "A"}], "A"),
        ([{"lang": "en"}], ""),
    ],
)
def test_the_summary_is_the_english_description(endpoint: FakeEndpoint, descriptions: Any, summary: str) -> None:
    assert fact_of(endpoint, descriptions=descriptions).summary == summary


# What may be asked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CVE-2021",
        "CVE-2021-123",
        "GHSA-aaaa-bbbb-cccc",
        "CVE-2021-44228 ",
        "CVE-2021-44228&x=1",
        "CVE-２０２１-44228",
    ],
)
def test_what_is_no_cve_id_is_a_mistake_of_the_caller(endpoint: FakeEndpoint, text: str) -> None:
    with pytest.raises(ValueError, match="is no CVE id"):
        NvdApi(endpoint, URL).lookup(text)
    assert endpoint.gets == []


def test_an_id_is_asked_for_in_capitals(endpoint: FakeEndpoint) -> None:
    source = NvdApi(endpoint, URL)
    assert source.lookup(CVE.lower()) == source.lookup(CVE)
    assert list(endpoint.kept) == [f"nvd {URL} {CVE}"]


def test_fifty_threads_ask_for_each_id_once(server: FakeNvd, endpoint: FakeEndpoint) -> None:
    ids = [f"CVE-2024-{number:04}" for number in range(60)]
    server.entries = {id: entry(id) for id in ids}
    source = NvdApi(endpoint, URL)
    found = in_threads(source.lookup, ids * 5)
    assert [one.fact.id for one in found if one.fact] == ids * 5
    assert len(endpoint.gets) == 60


def test_an_id_that_could_not_be_asked_is_asked_again_when_it_comes_again(
    server: FakeNvd, endpoint: FakeEndpoint
) -> None:
    def fail() -> None:
        raise SourceUnreachable("timed out")

    server.alter = fail
    source = NvdApi(endpoint, URL)
    for _ in range(3):
        with pytest.raises(SourceUnreachable, match="timed out"):
            source.lookup(CVE)
    assert len(endpoint.gets) == 3


# From one night to the next


def test_a_stored_answer_is_used_until_it_is_too_old(endpoint: FakeEndpoint) -> None:
    days = []
    for day in range(9):
        endpoint.day = day
        days.append(NvdApi(endpoint, URL, max_age=timedelta(days=7)).lookup(CVE).date)
    assert days == [TODAY] * 7 + ["2024-10-27"] * 2
    assert len(endpoint.gets) == 2


def test_offline_the_stored_answer_is_given_with_its_own_day(endpoint: FakeEndpoint) -> None:
    online = NvdApi(endpoint, URL).lookup(CVE)
    endpoint.offline, endpoint.day = True, 3
    assert NvdApi(endpoint, URL).lookup(CVE) == online


def test_offline_without_a_stored_answer_it_was_not_asked(endpoint: FakeEndpoint) -> None:
    endpoint.offline = True
    assert reason(endpoint, NotAsked) == "offline, no stored answer"


def test_a_bad_answer_that_was_stored_is_asked_for_anew(server: FakeNvd, endpoint: FakeEndpoint) -> None:
    server.said = b"<html>sign in</html>"
    reason(endpoint)
    server.said = None
    assert NvdApi(endpoint, URL).lookup(CVE).fact is not None


def test_a_bad_answer_is_not_stored(server: FakeNvd, endpoint: FakeEndpoint) -> None:
    server.said = b"<html>sign in</html>"
    assert reason(endpoint).startswith("answered with what is no JSON")
    assert not endpoint.kept


# Answers that cannot be believed


def test_a_refused_key_does_not_mean_that_there_is_no_such_cve(server: FakeNvd, endpoint: FakeEndpoint) -> None:
    server.said = (404, b"")
    assert reason(endpoint) == "answered 404: its address or its key is not valid"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "answered with what is no JSON"),
        (b'{"totalResults": 1', "answered with what is no JSON"),
        ([], "answered in another form: its answer is not a mapping"),
        ({}, "answered with 0 of 'None' entries"),
        ({"error": "down"}, "answered with 0 of 'None' entries"),
        ({"totalResults": 0, "vulnerabilities": None}, "answered in another form: vulnerabilities is not a list"),
        (page(totalResults=1), "answered with 0 of '1' entries to one question"),
        (page(entry(), totalResults=0), "answered with 1 of '0' entries to one question"),
        (page(entry(), totalResults=2), "answered with 1 of '2' entries to one question"),
        (page(entry(), entry("CVE-2021-0001")), "answered with 2 of '2' entries to one question"),
        (page(entry("CVE-2021-0001")), "answered about 'CVE-2021-0001' instead"),
        (page(entry(id=None)), "answered in another form: id is not a text"),
        ({**page(entry()), "vulnerabilities": [None]}, "answered in another form: an entry is not a mapping"),
        ({**page(entry()), "vulnerabilities": [{}]}, "answered in another form: an entry is not a mapping"),
        (page(entry(vulnStatus=["Analyzed"])), "answered in another form: vulnStatus is not a text"),
        (page(entry(metrics=[])), "answered in another form: metrics is not a mapping"),
        (page(entry(metrics=None)), "answered in another form: metrics is not a mapping"),
        (page(entry(metrics={"cvssMetricV31": {}})), "answered in another form: cvssMetricV31 is not a list"),
        (page(entry(metrics={"cvssMetricV31": [None]})), "answered in another form: cvssMetricV31 is not a mapping"),
        (page(entry(metrics={"cvssMetricV31": [{}]})), "answered in another form: cvssMetricV31 is not a mapping"),
        (page(entry(descriptions={})), "answered in another form: descriptions is not a list"),
        (page(entry(descriptions=["One"])), "answered in another form: a description is not a mapping"),
        (page(entry(cisaExploitAdd="soon")), "its day of exploitation is no date: 'soon'"),
        (page(entry(cisaExploitAdd=True)), "answered in another form: cisaExploitAdd is not a text"),
    ],
)
def test_an_answer_of_another_form_is_trouble(server: FakeNvd, endpoint: FakeEndpoint, said: Any, why: str) -> None:
    server.said = said
    assert reason(endpoint).startswith(why)


def test_answers_of_two_servers_are_kept_apart() -> None:
    server = FakeNvd()
    endpoint = FakeEndpoint(server)
    NvdApi(endpoint, URL).lookup(CVE)
    endpoint.offline = True
    with pytest.raises(NotAsked):
        NvdApi(endpoint, "https://mirror.test/cves").lookup(CVE)
