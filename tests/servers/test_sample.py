"""The sample as the server knows it is the sample, with what is special where it is said to be."""

from __future__ import annotations

import queue
import threading

import pytest
from packaging.version import Version

from batchbook.packages.affected import Outcome, judge
from batchbook.packages.records import read_record
from tests.servers.asking import SIMPLE_JSON, Client, ask, batch, page_of, query
from tests.servers.faults import Latency
from tests.servers.index import metadata_text
from tests.servers.made import MadeRelease
from tests.servers.registry import Registry
from tests.servers.sample import Sample, made_from_sample


@pytest.fixture(scope="module")
def sample() -> Sample:
    return made_from_sample()


def newest(sample: Sample, name: str, prereleases: bool = False) -> MadeRelease:
    releases = sample.packages[name].releases
    found = [one for one in releases if prereleases or not Version(one.version).is_prerelease]
    return max(found, key=lambda one: Version(one.version))


def test_the_sample_is_whole_but_for_what_is_left_out_by_design(sample: Sample) -> None:
    assert len(sample.in_use) == 486
    assert set(sample.packages) == set(sample.in_use) - sample.not_on_index
    assert len(sample.not_on_index) == 5
    listed = {name: {one.version for one in package.releases} for name, package in sample.packages.items()}
    without = {name for name, versions in listed.items() if sample.in_use[name] not in versions}
    assert without == sample.version_not_on_index - sample.not_on_index
    assert len(without) == 6


def test_it_is_the_same_every_time(sample: Sample) -> None:
    assert made_from_sample() == sample


def test_every_package_has_a_later_release_and_its_times_go_up_with_its_versions(sample: Sample) -> None:
    for name, package in sample.packages.items():
        versions = [Version(one.version) for one in package.releases]
        times = [one.uploaded for one in package.releases if one.uploaded is not None]
        assert versions == sorted(set(versions))
        assert times == sorted(times)
        assert bool(times) == (name not in sample.without_times)
        assert versions[-1] > Version(sample.in_use[name])


def test_what_is_special_is_special_where_it_is_said_to_be(sample: Sample) -> None:
    for name, package in sample.packages.items():
        last = newest(sample, name)
        assert bool(last.yanked) == (name in sample.newest_yanked)
        assert (last.requires_python == ">=3.13") == (name in sample.newest_for_later_python)
        assert (newest(sample, name, prereleases=True) != last) == (name in sample.newest_is_prerelease)
        assert (package.status == "archived") == (name in sample.archived)
        assert any(one.wheel for one in package.releases) == (name not in sample.without_metadata)
    for special in (sample.newest_yanked, sample.newest_for_later_python, sample.newest_is_prerelease, sample.archived):
        assert special & set(sample.packages)


def test_osv_finds_what_the_sample_s_advisories_say(sample: Sample) -> None:
    """Two readings of the rule, the server's and the product's, come to the same."""
    records = [one for one in map(read_record, sample.advisories) if not one.withdrawn]
    expected = {
        name: {
            one.id
            for one in records
            if name in one.packages and judge(one.packages[name], Version(version)).outcome is Outcome.AFFECTED
        }
        for name, version in sample.in_use.items()
    }
    with Registry(sample.packages, sample.advisories) as server:
        queries = [query(name, version=version) for name, version in sample.in_use.items()]
        results = batch(server.osv_url, queries).json["results"]
    found = {
        name: {one["id"] for one in result.get("vulns", ())} for name, result in zip(expected, results, strict=True)
    }
    assert found == expected
    assert sum(map(len, found.values())) > 200


def test_every_cve_of_an_advisory_on_the_sample_is_known(sample: Sample) -> None:
    named = {
        alias
        for record in map(read_record, sample.advisories)
        if set(record.packages) & set(sample.in_use)
        for alias in record.names
        if alias.startswith("CVE-")
    }
    assert set(sample.cves) == named
    assert len(named) > 1000
    assert any(not cve["metrics"] for cve in sample.cves.values())


def test_the_server_answers_for_the_whole_sample_over_many_connections(sample: Sample) -> None:
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in sample.in_use:
        waiting.put(name)
    got: dict[str, tuple[int, object]] = {}

    def work() -> None:
        with Client(server.url) as client:
            while True:
                try:
                    name = waiting.get_nowait()
                except queue.Empty:
                    return
                answer = client.ask(f"{server.index_url}{name}/", Accept=SIMPLE_JSON, Accept_Encoding="gzip")
                got[name] = (answer.status, answer.json["versions"] if answer.status == 200 else None)

    with Registry(sample.packages, sample.advisories, sample.cves) as server:
        server.faults.add(Latency(0.005))
        threads = [threading.Thread(target=work) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.count(kind="index") == 486
        assert 1 < server.most_at_once <= 20
    assert {name for name, (status, _) in got.items() if status == 404} == sample.not_on_index
    for name, package in sample.packages.items():
        assert got[name] == (200, [one.version for one in package.releases])


def test_the_metadata_of_a_package_is_served(sample: Sample) -> None:
    with Registry(sample.packages) as server:
        url = page_of(server.index_url, "setuptools")["files"][0]["url"]
        version = sample.packages["setuptools"].releases[0].version
        assert ask(url + ".metadata").body.decode() == metadata_text(sample.packages["setuptools"], version)
