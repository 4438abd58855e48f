from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.packages.grouping import groups, newest
from batchbook.packages.records import read_record

Make = Callable[..., dict[str, Any]]


def test_what_shares_a_name_through_others_is_one_group() -> None:
    assert groups([("ab", 1), ("cd", 2), ("bc", 3), ("x", 4)]) == [[1, 2, 3], [4]]


@settings(deadline=None)
@given(st.lists(st.frozensets(st.integers(0, 8), min_size=1), max_size=8))
def test_groups_share_nothing_and_every_item_is_in_one(items: list[frozenset[int]]) -> None:
    found = groups([(names, place) for place, names in enumerate(items)])
    assert sorted(place for group in found for place in group) == list(range(len(items)))
    united = [frozenset().union(*(items[place] for place in group)) for group in found]
    for place, one in enumerate(united):
        assert all(not one & other for other in united[place + 1 :])
    for group in found:  # each item is linked to the rest of its group
        for place in group:
            rest = [items[other] for other in group if other != place]
            assert not rest or any(items[place] & other for other in rest)


def test_of_a_record_in_several_versions_the_newest_counts(record: Make) -> None:
    older, newer = (read_record(record(modified=f"2024-0{month}-01T00:00:00Z")) for month in (1, 2))
    assert newest([newer, older, newer]) == [0]


def test_versions_without_a_date_are_all_kept(record: Make) -> None:
    dated, undated = read_record(record()), read_record(record(modified="", versions=["1.0"]))
    assert newest([dated, undated]) == [0, 1]


def test_a_time_to_come_makes_no_version_the_newer_one(record: Make) -> None:
    sound, wrong = (read_record(record(modified=at)) for at in ("2024-10-01T00:00:00Z", "2999-01-01T00:00:00Z"))
    assert newest([sound, wrong]) == [0, 1]
