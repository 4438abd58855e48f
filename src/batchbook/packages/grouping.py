"""Records that speak of the same thing: those that share an id or an alias."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from batchbook.packages.records import Advisory
from batchbook.packages.sources import moment_of

Item = TypeVar("Item")


def newest(records: Sequence[Advisory]) -> list[int]:
    """The places of the records to keep: of one that is there more than once, as with several sources, the newest.

    Versions of which none is known to be the newer one are all kept, unless they are equal.
    """
    by_id: dict[str, list[int]] = {}
    for place, record in enumerate(records):
        by_id.setdefault(record.id.casefold(), []).append(place)
    return sorted(place for places in by_id.values() for place in _newest_of(records, places))


def _newest_of(records: Sequence[Advisory], places: Sequence[int]) -> list[int]:
    # A time to come says nothing of which one is newer; a day of leeway for clocks that go wrong.
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    stated = {place: moment_of(records[place].modified) for place in places}
    moments = {place: moment if moment is None or moment <= soon else None for place, moment in stated.items()}
    latest = max((moment for moment in moments.values() if moment is not None), default=None)
    kept: list[int] = []
    for place in places:
        if moments[place] in (None, latest) and not any(records[place] == records[other] for other in kept):
            kept.append(place)
    return kept


def groups(items: Sequence[tuple[Iterable[Hashable], Item]]) -> list[list[Item]]:
    """Items that share a name, directly or through others, each group in the given order."""
    parent = list(range(len(items)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    holder: dict[Hashable, int] = {}
    for index, (names, _) in enumerate(items):
        for name in names:
            first = root(holder.setdefault(name, index))
            here = root(index)
            parent[max(first, here)] = min(first, here)
    found: dict[int, list[Item]] = {}
    for index, (_, item) in enumerate(items):
        found.setdefault(root(index), []).append(item)
    return list(found.values())
