from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchbook import Link
from batchbook.packages.results import MOST_LINK, MOST_TEXT, detail_row, package_link
from batchbook.packages.verdict import Question, review

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


def test_what_only_lists_versions_shows_the_list(record: Make, source: Source) -> None:
    verdict = review(Question("thing", "1.0"), [source(record(versions=["1.0", "trunk"]))])
    assert detail_row(verdict, verdict.hits[0], "thing", {}, None)[7] == "1.0, trunk"
