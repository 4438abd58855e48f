"""Stretches of numbers: which numbers are in a block, which blocks overlap, how many numbers they have together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from batchbook.isbn.numbers import core_of
from batchbook.isbn.records import Block


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers of a block: a name, and its first and last core, both included."""

    name: str
    first: int
    last: int

    @property
    def total(self) -> int:
        """How many numbers it has."""
        return self.last - self.first + 1

    def __contains__(self, core: int) -> bool:
        return self.first <= core <= self.last


def span_of(block: Block) -> Span:
    """The numbers of a block as its record has it."""
    return Span(block.block, core_of(block.first), core_of(block.last))


def overlaps(spans: Iterable[Span]) -> Iterator[tuple[Span, Span]]:
    """All pairs of spans that have numbers in common, by their first numbers."""
    open_ones: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.first, one.last, one.name)):
        open_ones = [one for one in open_ones if one.last >= span.first]
        for one in open_ones:
            yield one, span
        open_ones.append(span)


def capacity(spans: Iterable[Span]) -> int:
    """How many numbers spans have together; one that is in several counts once."""
    total, reached = 0, -1
    for span in sorted(spans, key=lambda one: one.first):
        total += max(0, span.last - max(span.first, reached + 1) + 1)
        reached = max(reached, span.last)
    return total


class BlockIndex:
    """Which block a number is of: the first, in the order given, of those that hold it."""

    def __init__(self, spans: Sequence[Span]) -> None:
        edges = sorted({edge for span in spans for edge in (span.first, span.last + 1)})
        self._edges = edges
        self._owners = [next((span for span in spans if edge in span), None) for edge in edges]

    def of(self, core: int) -> Span | None:
        """The block of a core; None where none holds it."""
        at = bisect_right(self._edges, core) - 1
        return self._owners[at] if at >= 0 else None
