"""Rows of which nothing could be found out: they stay due for the next run over stale rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from batchbook.packages import PackageReview
from batchbook.packages.sources import AdvisorySource, Found, NotAsked, SourceUnreachable

Make = Callable[..., dict[str, Any]]


class Down:
    name, reference_date = "far away", ""

    def lookup(self, name: str) -> Found:
        raise SourceUnreachable("no answer")


class Offline:
    name, reference_date = "far away", ""

    def lookup(self, name: str) -> Found:
        raise NotAsked("offline, no stored answer")


class WithNothingStored(PackageReview):
    def advisory_sources(self) -> list[AdvisorySource]:
        return [Offline()]


class WithSourceDown(PackageReview):
    def advisory_sources(self) -> list[AdvisorySource]:
        return [*super().advisory_sources(), Down()]

    def coming(self, rows: Sequence[Any]) -> None:
        raise AssertionError("nothing is told of rows here")


@pytest.mark.parametrize(
    ("kind", "version", "unknown", "checked"),
    [
        (WithSourceDown, "2.0", True, False),
        (WithSourceDown, "1.0", False, True),  # affected, whatever the other source would say
        (WithNothingStored, "2.0", True, False),  # nobody was asked, so nothing was checked
        (PackageReview, "NEW", True, True),  # asking again would not help
        (PackageReview, "2.0", False, True),
    ],
)
def test_a_row_that_is_unknown_for_no_source_answered_is_not_checked(
    record: Make, reviewer: Any, row: Any, kind: type[PackageReview], version: str, unknown: bool, checked: bool
) -> None:
    result = reviewer(record(versions=["1.0"]), kind=kind).process(row("thing", version))
    assert (result.unknown is not None, result.checked) == (unknown, checked)


def test_where_a_source_could_not_be_asked_the_columns_of_an_affected_row_say_that_there_may_be_more(
    record: Make, reviewer: Any, row: Any
) -> None:
    more = {"advisory_ids", "highest_severity", "known_exploited", "first_fixed"}
    columns = reviewer(record(versions=["1.0"]), kind=WithSourceDown).process(row("thing", "1.0")).columns
    assert {
        name for name, text in columns.items() if "a source could not be asked, there may be more" in str(text)
    } == more
