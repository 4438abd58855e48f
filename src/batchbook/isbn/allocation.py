"""Which number a book gets: the lowest free one of the block that suits it best.

Which block suits best depends on the blocks and on what is wished, never on how full blocks are, save that a full one
is passed over. So rows that are handed out again, in the same order, after some of them have their numbers already get
the numbers that they would have had: a run that was killed goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Sequence

from batchbook.errors import Finding
from batchbook.isbn.errors import IsbnRefused
from batchbook.isbn.records import Block
from batchbook.isbn.spans import Span, capacity, span_of


class NoNumberLeft(IsbnRefused, code="no-number-left"):
    """Every number of every block is taken; nothing was changed."""


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
