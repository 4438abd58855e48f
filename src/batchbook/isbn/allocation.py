"""Which number a book gets: the lowest free one of the block that suits it best.

Which block suits best depends on the blocks and on what is wished, never on how full blocks are, save that a full one
is passed over. So rows that are handed out again, in the same order, after some of them have their numbers already get
the numbers that they would have had: a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batchbook.errors import Finding
from batchbook.isbn.errors import IsbnRefused
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.records import Block
from batchbook.isbn.spans import Span, capacity, span_of


class NoNumberLeft(IsbnRefused):
    """Every number of every block is taken; nothing was changed."""

    code = "no-number-left"


@dataclass(frozen=True, slots=True)
class Choice:
    """A free number and the block that it is of."""

    block: Block
    core: int

    @property
    def isbn(self) -> str:
        """The number, 13 digits."""
        return isbn_of(self.core)


def by_preference(blocks: Sequence[Block], imprint: str | None = None, publisher: str | None = None) -> list[Block]:
    """Blocks, the best one first.

    Those of the imprint come first (of imprint and publisher before all), then those of the publisher, then all others;
    among equals a block that is meant for nobody else before one that is; then the order given. Case does not count.
    """
    wished = (_plain(imprint), _plain(publisher))

    def rank(block: Block) -> tuple[int, int]:
        meant = (_plain(block.imprint), _plain(block.publisher))
        matches = [bool(wish) and wish == has for wish, has in zip(wished, meant, strict=True)]
        elsewhere = sum(bool(has) and wish != has for wish, has in zip(wished, meant, strict=True))
        return -(2 * matches[0] + matches[1]), elsewhere

    return sorted(blocks, key=rank)


def _plain(text: str | None) -> str:
    return " ".join((text or "").split()).casefold()


class Allocator:
    """Chooses free numbers.

    A number that was chosen is not taken by that: as long as `is_taken` does not say so, it is chosen again. What it
    costs to choose many is in proportion to the numbers that are taken, whatever is chosen how often.
    """

    def __init__(self, blocks: Sequence[Block], is_taken: Callable[[int], bool]) -> None:
        """`is_taken`: whether a core may not be given (again), as things stand when it is asked."""
        self._blocks = list(blocks)
        self._places = {id(block): _Place(span_of(block)) for block in self._blocks}
        self._is_taken = is_taken
        self._orders: dict[tuple[str, str], list[Block]] = {}

    def next_free(self, imprint: str | None = None, publisher: str | None = None) -> Choice:
        """The lowest free number of the best block. Raises NoNumberLeft with the figures of all blocks."""
        for block in self._order(imprint, publisher):
            core = self._places[id(block)].lowest(self._is_taken)
            if core is not None:
                return Choice(block, core)
        raise shortage(self._blocks)

    def release(self, core: int) -> None:
        """Tell that a number which was taken is free again, so that it is found although others were chosen since."""
        for place in self._places.values():
            place.release(core)

    def _order(self, imprint: str | None, publisher: str | None) -> list[Block]:
        wished = (_plain(imprint), _plain(publisher))
        if wished not in self._orders:
            self._orders[wished] = by_preference(self._blocks, *wished)
        return self._orders[wished]


class _Place:
    """How far a block was looked through: all numbers before `cursor` are taken, but those in `released`."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.cursor = span.first
        self.released: list[int] = []

    def lowest(self, is_taken: Callable[[int], bool]) -> int | None:
        while self.released and is_taken(self.released[0]):
            heapq.heappop(self.released)
        if self.released:
            return self.released[0]
        while self.cursor <= self.span.last and is_taken(self.cursor):
            self.cursor += 1
        return self.cursor if self.cursor <= self.span.last else None

    def release(self, core: int) -> None:
        if self.span.first <= core < self.cursor:
            heapq.heappush(self.released, core)


def shortage(blocks: Sequence[Block], wanted: int = 1, free: int = 0) -> NoNumberLeft:
    """The error that so many numbers are wanted and so few are free, with the figures of all blocks."""
    if not blocks:
        return NoNumberLeft(
            "There is no block of ISBNs, so there is no number to give.",
            "Enter the block that you have from the agency: `batchbook isbn add-block 978-1-60888`.",
        )
    spans = [span_of(block) for block in blocks]
    total = capacity(spans)
    many = f"{wanted:,} number{'s' if wanted != 1 else ''}"
    return NoNumberLeft(
        f"{many} wanted, {free:,} free: of {total:,} numbers in {_counted(len(blocks))} {total - free:,} are taken.",
        "Buy another block from the agency and enter it with `batchbook isbn add-block`, or release numbers that are"
        " reserved or scheduled and not needed.",
        findings=[] if free else [_full(span) for span in spans],
    )


def _full(span: Span) -> Finding:
    return Finding(f"block {span.name}: all {span.total:,} numbers are taken", value=None, rule="exhausted")


def _counted(blocks: int) -> str:
    return f"{blocks:,} block{'s' if blocks != 1 else ''}"
