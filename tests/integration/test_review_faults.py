"""Servers in trouble during a review by the real command: a row is right or unknown with the reason, never safe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.integration.online import (
    AFFECTED,
    LATEST,
    OF_INDEX,
    OF_METADATA,
    UNKNOWN,
    Night,
    Reviewed,
    Serve,
    some_packages,
)
from tests.servers.faults import (
    GARBAGE,
    Action,
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
    WrongType,
)
from tests.servers.made import make_cve
from tests.servers.registry import Registry

HARMLESS: Sequence[Action] = (
    Latency(0.1),
    HangUp(),
    Dribble(size=1000, every=0.01),
    Redirect(301),
    Redirect(302),
    Redirect(308),
)
"""What a client gets along with."""
DOWN: Sequence[Action] = (
    *(Status(code) for code in (400, 403, 429, 500, 502, 503, 504)),
    Silence(),
    Dribble(),
    Drop(),
    Drop(reset=True),
    NotHttp(),
    *(Half(how) for how in ("length", "chunked", "gzip", "text")),
    Redirect(to="loop"),
    Redirect(to="dead"),
    Huge(megabytes=3),
    Huge(megabytes=3, compressed=True),
)
"""What no answer can be read out of, whatever was asked."""
READABLE = [what for what in GARBAGE if what != "fewer"]
"""Garbage in which the damage to a page can be seen; one with a file less looks sound."""
PATIENCE = {"tries": 1, "timeout": 0.5, "max_answer_mib": 1}


def named(actions: Sequence[Action], first: int = 1) -> dict[str, Action]:
    """Each action for every third package; others between are well, so that nobody gives up on the server."""
    return {f"pkg-{3 * place + first:02}": action for place, action in enumerate(actions)}


def right_by_index(row: Reviewed) -> bool:
    """Whether a row has what the made-up index says of releases."""
    name = row["Package Name"]
    told = row.text(*OF_INDEX)
    return told == (
        f"1.2 | 2024-02-03 00:00:00 | 2023-01-02 00:00:00 | needed-by-{name}>=2 | 4 - Beta | "
        f"https://github.com/made-up/{name}"
    )


def not_checked(row: Reviewed, *headers: str) -> bool:
    """Whether the columns all say that they were not checked, and one of them why: what came of asking."""
    told = "Latest Version" if str(row["Latest Version"]).startswith("not checked") else "Requires"
    why = str(row[told]).startswith("not checked: package index could not be asked (")
    return why and all(row[one] == "not checked: package index in trouble" for one in headers if one != told)


@pytest.mark.parametrize("html_only", [False, True])
def test_a_page_that_cannot_be_had_costs_the_columns_of_the_index_and_nothing_else(
    serve: Serve, html_only: bool
) -> None:
    # Garbage made out of JSON leaves the links of an HTML page as they are.
    what = ("html", "html-as-told", "binary", "bad-encoding", "empty", "null", "deep") if html_only else READABLE
    bad = named([*DOWN, WrongType(), WrongType(None), *map(Garbage, what)])
    fine = named(HARMLESS, first=2)
    some = some_packages(3 * len(bad))
    night = serve(some, some.server(html_only=html_only), **PATIENCE)
    for name, action in {**bad, **fine}.items():
        night.server.faults.add(action, kind="index", package=name)
    rows = night.review()
    assert {name: row.status for name, row in rows.items()} == some.expected(), "OSV was asked"
    wrong = {
        f"{name} {bad.get(name, fine.get(name))}": row.text(*OF_INDEX)
        for name, row in rows.items()
        if not (not_checked(row, *OF_INDEX) if name in bad else html_only or right_by_index(row))
    }
    assert wrong == {}
    assert all("latest not checked" in rows[name]["Recommendation"] for name in bad)
    assert all(rows[name]["Latest Version"] == "1.2" for name in rows if name not in bad)


def test_metadata_that_cannot_be_had_costs_its_columns_only(serve: Serve) -> None:
    bad = named([*DOWN, *(Garbage(what) for what in READABLE if what != "other"), Status(404)])
    some = some_packages(3 * len(bad))
    night = serve(some, **PATIENCE)
    for name, action in bad.items():
        night.server.faults.add(action, kind="metadata", package=name)
    rows = night.review()
    assert {name: row.status for name, row in rows.items()} == some.expected()
    wrong = {
        f"{name} {bad.get(name)}": row.text(*OF_INDEX)
        for name, row in rows.items()
        if not (not_checked(row, *OF_METADATA) if name in bad else right_by_index(row))
    }
    assert wrong == {}
    assert all(rows[name].text(*LATEST) == rows["pkg-00"].text(*LATEST) for name in bad)


@pytest.mark.parametrize("kind", ["osv-batch", "osv-vuln"])
def test_advisories_that_cannot_be_had_make_a_row_unknown_with_the_reason(serve: Serve, kind: str) -> None:
    bad = named([*DOWN, *map(Garbage, GARBAGE), *([Status(404)] if kind == "osv-vuln" else [])])
    # A question that is moved by 301 or 302 is not asked again: by rule it becomes one without a body.
    fine = named([one for one in HARMLESS if kind == "osv-vuln" or one not in (Redirect(301), Redirect(302))], first=2)
    some = some_packages(3 * len(bad))
    night = serve(some, **PATIENCE)
    night.job["batch"] = {"size": 1}  # a question about each package by itself
    night.set()
    for name, action in {**bad, **fine}.items():
        about = name if kind == "osv-batch" else f"PYSEC-2024-{int(name[4:])}"
        night.server.faults.add(action, kind=kind, package=about)
    rows = night.review()
    # Of a record that cannot be had another one of the same advisory may tell that the package is affected.
    told = {AFFECTED} if kind == "osv-vuln" else set()
    expected = {n: status if n not in bad or status in told else UNKNOWN for n, status in some.expected().items()}
    wrong = {
        f"{name} {bad.get(name, fine.get(name))}": row["Recommendation"]
        for name, row in rows.items()
        if row.status != expected[name]
    }
    assert wrong == {}
    assert all("OSV could not be asked" in rows[name]["Recommendation"] for name in bad)
    assert all(right_by_index(row) for row in rows.values()), "the index was asked"
    safe = [name for name in bad if "none known" in str(rows[name].cells) or "not affected" in str(rows[name].cells)]
    assert safe == []


def test_servers_that_are_not_there_cost_their_own_columns_and_not_the_row(serve: Serve) -> None:
    some = some_packages(12)
    night = serve(some, tries=1)
    dead = night.server.dead_url()
    given = dict(night.options)

    night.options["index"] = {"url": f"{dead}/simple/", "rate": "1000/s"}
    rows = night.set().review()
    assert statuses(rows) == some.expected()
    assert all(not_checked(row, *OF_INDEX) for row in rows.values())

    night.options.update(index=given["index"], osv={"url": f"{dead}/osv", "rate": "1000/s"})
    rows = night.set().review()
    assert set(statuses(rows).values()) == {UNKNOWN}
    assert all("OSV could not be asked" in row.reason for row in rows.values())
    assert all(right_by_index(row) for row in rows.values())

    night.options.update(index={"url": f"{dead}/simple/", "rate": "1000/s"})
    rows = night.set().review()
    assert set(statuses(rows).values()) == {UNKNOWN}
    assert all(not_checked(row, *OF_INDEX) for row in rows.values())


def test_a_server_that_is_down_for_good_is_left_alone_after_some_requests(serve: Serve) -> None:
    some = some_packages(30)
    night = serve(some, tries=2)
    night.server.faults.add(Status(500), kind="index")
    rows = night.review()
    assert statuses(rows) == some.expected()
    assert all(not_checked(row, *OF_INDEX) for row in rows.values())
    # Five failures of two tries, and what was under way meanwhile.
    assert 10 <= night.server.count("index") <= 20


def test_files_still_judge_where_the_api_is_down(serve: Serve) -> None:
    some = some_packages(10)
    night = serve(some, tries=1)
    records = night.folder.path / "records"
    records.mkdir()
    half = some.advisories[:10]
    (records / "some.jsonl").write_text("".join(json.dumps(one) + "\n" for one in half))
    night.options["advisories"] = {"path": "records", "name": "our file", "date": "2024-06-01"}
    night.server.faults.add(Status(500), kind="osv-batch")
    rows = night.set().review()
    for place, (name, row) in enumerate(rows.items()):
        in_file = place < 5
        assert row.status == (AFFECTED if in_file and place % 2 else UNKNOWN), name
        assert "OSV could not be asked" in row["Recommendation"]
        assert "our file of 2024-06-01" in row["Recommendation"]


def test_nvd_in_trouble_changes_nothing_of_the_other_sources(serve: Serve) -> None:
    some = some_packages(6)
    night = serve(some, tries=1, timeout=1)
    night.options["nvd"] = {"url": night.server.dead_url("/nvd"), "api_key": "none", "rate": "1000/s"}
    rows = night.set().review()
    assert statuses(rows) == some.expected()
    assert all(right_by_index(row) for row in rows.values())
    assert all("not checked" in str(row["NVD Result"]) for row in rows.values() if row.status == AFFECTED)


def test_a_cve_that_cannot_be_had_says_so_and_the_others_have_their_severity(serve: Serve) -> None:
    bad = [*DOWN, *(Garbage(what) for what in GARBAGE if what != "numbers"), Status(401), Status(404)]
    some = some_packages(4 * len(bad))
    cves = {f"CVE-2024-{1000 + place}": make_cve(f"CVE-2024-{1000 + place}") for place in range(4 * len(bad))}
    server = Registry(some.packages, some.advisories, cves, nvd_key="key-1234567")
    night = serve(some, server, **PATIENCE)
    night.options["nvd"] = {"url": server.nvd_url, "api_key": "key-1234567", "rate": "1000/s"}
    for place, action in enumerate(bad):  # each for one affected package of two, so that nobody gives up on NVD
        server.faults.add(action, kind="nvd", package=f"CVE-2024-{1000 + 4 * place + 1}")
    rows = night.set().review()
    assert statuses(rows) == some.expected(), "NVD decides no status"
    assert all(right_by_index(row) for row in rows.values())
    told = {place: str(rows[f"pkg-{place:02}"]["NVD Result"]) for place in range(1, 4 * len(bad), 2)}
    wrong = {
        f"{place} {bad[place // 4] if place % 4 == 1 else None}": text
        for place, text in told.items()
        if ("NVD could not be asked" in text) != (place % 4 == 1) or ("HIGH 7.5" in text) == (place % 4 == 1)
    }
    assert wrong == {}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_goes_wrong_together_no_row_is_safe_that_is_not(serve: Serve, seed: int) -> None:
    """Faults of all kinds at once, each for a share of the requests that the seed chooses."""
    some = some_packages(30)
    night = serve(some, **PATIENCE)
    night.options["network"].update(tries=2)
    share = (0.005, 0.01, 0.02, 0.04)[seed]
    # A page with a file less looks sound, as does metadata with another text in it: nobody can know.
    for place, action in enumerate([*DOWN, *HARMLESS, *(Garbage(what) for what in READABLE if what != "other")]):
        night.server.faults.add(action, share=share, seed=100 * seed + place)
    for what in ("fewer", "other"):
        night.server.faults.add(Garbage(what), kind="osv-batch", share=share, seed=seed)
    rows = night.set().review()
    hit = sum(bool(seen.fault) for seen in night.server.requests)
    assert hit >= 5, "something did go wrong"
    assert_right_or_unknown(night, rows, some.expected())


def assert_right_or_unknown(night: Night, rows: Mapping[str, Reviewed], expected: Mapping[str, Any]) -> None:
    assert set(rows) == set(expected)
    for name, row in rows.items():
        assert row.status in (expected[name], UNKNOWN), row
        told = row.text(*OF_INDEX)
        if row.status == UNKNOWN:
            assert "OSV could not be asked" in row.reason
            assert not any(word in row["Recommendation"] for word in ("none known", "PROCEED", "UPDATE"))
        assert right_by_index(row) or not_checked(row, *OF_METADATA), told
        assert right_by_index(row) or not_checked(row, *LATEST) or row["Latest Version"] == "1.2", told


def statuses(rows: Mapping[str, Reviewed]) -> dict[str, str]:
    return {name: row.status for name, row in rows.items()}


def test_a_run_tells_at_its_end_which_sources_were_in_trouble(serve: Serve) -> None:
    some = some_packages(6)
    night = serve(some, tries=1)
    assert "remarks" not in night.run().json
    night.options["index"] = {"url": f"{night.server.url}/nowhere/", "rate": "1000/s"}
    night.server.faults.add(Status(500), kind="osv-batch")
    called = night.set().run()
    index, osv = sorted(called.json["remarks"], reverse=True)
    assert index == "package index knows no such package as 6 of 6; is its address right?"
    assert osv.startswith("OSV could not be asked about 6 of 6 packages, the last time: ")
    assert index in night.logs() and osv in night.logs()
    assert f"warning: {index}" in called.err
