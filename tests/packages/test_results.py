from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchbook import Link
from batchbook.packages.recommendation import recommend
from batchbook.packages.results import MOST_LINK, cve_result, detail_row, github_result, package_link
from batchbook.packages.verdict import Question, review
from batchbook.packages.wording import MOST_TEXT

Make = Callable[..., dict[str, Any]]
Source = Callable[..., Any]


def test_a_link_replaces_the_name_or_ends_with_it() -> None:
    assert package_link("https://x.example/{name}/all", "X", "a-b") == Link("https://x.example/a-b/all", "X: a-b")
    assert package_link("https://x.example/", "X", "a-b") == Link("https://x.example/a-b", "X: a-b")


def test_a_link_too_long_for_a_formula_is_left_out() -> None:
    assert package_link("https://x.example/", "X", "a" * MOST_LINK) is None


def test_a_long_range_is_cut(record: Make, source: Source) -> None:
    versions = [f"1.{number}" for number in range(2_000)]
    verdict = review(Question("thing", "1.7"), [source(record(versions=versions))])
    text = str(detail_row(verdict, verdict.hits[0], "thing", {}, None)[7])
    assert len(text) == MOST_TEXT and text.endswith("…")


def test_no_text_of_a_record_is_longer_than_a_cell_holds(record: Make, source: Source) -> None:
    long = "x" * 40_000
    given = source(
        record(long, events=[{"introduced": "0"}], aliases=[f"{long}{number}" for number in range(9)], summary=long),
        record("B", events=[{"introduced": "0"}, {"fixed": long}], summary=long),
    )
    verdict = review(Question("thing", "1.0"), [given])
    assert (len(verdict.hits), len(verdict.undecided)) == (1, 1)
    for hit in (*verdict.hits, *verdict.undecided):
        cells = detail_row(verdict, hit, "thing", {"x": "https://x.example/"}, None)
        assert max(len(cell.text if isinstance(cell, Link) else cell or "") for cell in cells) == MOST_TEXT
    told = [recommend(verdict).text, github_result(verdict), cve_result(verdict)]
    assert max(map(len, told)) <= MOST_TEXT


def test_the_source_is_told_also_beside_long_ids(record: Make, source: Source) -> None:
    verdict = review(Question("thing", "1.0"), [source(record("GHSA-" + "x" * 40_000, events=[{"introduced": "0"}]))])
    assert "made-up advisories of 2024-10-10" in github_result(verdict)
    assert len(github_result(verdict)) <= MOST_TEXT


def test_what_only_lists_versions_shows_the_list(record: Make, source: Source) -> None:
    verdict = review(Question("thing", "1.0"), [source(record(versions=["1.0", "trunk"]))])
    assert detail_row(verdict, verdict.hits[0], "thing", {}, None)[7] == "1.0, trunk"
