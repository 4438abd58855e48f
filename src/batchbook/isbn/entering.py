"""New blocks: what was given of one becomes a plan, and the plan a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchbook.batch.systems import Actor
from batchbook.errors import Finding
from batchbook.isbn.blocks import BlockPlan, block_of_range, block_of_registrant
from batchbook.isbn.errors import IsbnRefused, WrongValues
from batchbook.isbn.outcomes import BlockAdded
from batchbook.isbn.records import Block
from batchbook.isbn.session import Session
from batchbook.tables.filters import Between

if TYPE_CHECKING:
    from batchbook.isbn.ranges import RangeTable


def block_plan(
    ranges: RangeTable,
    block: str | None,
    prefix: str | None,
    publisher_code: str | None,
    first: str | None,
    last: str | None,
    total: int | None,
) -> BlockPlan:
    """The block that is meant. Raises WrongValues or RecordRefused with all that is wrong."""
    wrong = list(_wrong_choice(block, prefix, publisher_code))
    if wrong:
        raise WrongValues(
            "This does not say which block is meant; nothing was changed.",
            "Give the registrant prefix, such as 978-1-60888; or prefix, publisher code, first and last number.",
            findings=wrong,
        )
    if first is None and last is None:
        whole = block_of_registrant(block or f"{prefix}-{publisher_code}", ranges)
        if total not in (None, whole.total):
            raise _wrong_total(whole, total)
        return whole
    if block is not None:
        whole = block_of_registrant(block, ranges)
        prefix, publisher_code = whole.prefix, whole.publisher_code
    assert prefix is not None and publisher_code is not None
    return block_of_range(prefix, publisher_code, ranges, start=first, end=last, total=total)


def _wrong_total(whole: BlockPlan, total: int | None) -> WrongValues:
    """Without first and last number the whole registrant is meant: another total is a misprint, or a part of it."""
    said = f"{whole.span.name} has {whole.total:,} numbers"
    return WrongValues(
        f"The whole block {whole.span.name} has {whole.total:,} numbers; nothing was changed.",
        "Put the total right, or give --start and --end where only a part of the numbers is yours.",
        findings=[Finding(said, column="total", value=total, rule="block-total")],
    )


def _wrong_choice(block: str | None, prefix: str | None, publisher_code: str | None) -> Iterator[Finding]:
    if block is not None:
        for name, value in (("prefix", prefix), ("publisher code", publisher_code)):
            if value is not None:
                yield Finding("does not go together with a registrant prefix", column=name, value=value, rule="block")
    else:
        for name, value in (("prefix", prefix), ("publisher code", publisher_code)):
            if value is None:
                yield Finding("is missing", column=name, rule="required")


def enter_block(
    session: Session,
    actor: Actor,
    plan: BlockPlan,
    *,
    imprint: str | None = None,
    publisher: str | None = None,
    notes: str | None = None,
    what: str = "add-block",
) -> BlockAdded:
    """Stage a block and its history row. Raises IsbnRefused where it is there already, RecordRefused."""
    session.must_be_sound()
    there = session.blocks.get(plan.span.name)
    if there is not None:
        raise IsbnRefused(
            f"The block {plan.span.name} is there already, with {there.total:,} numbers from"
            f" {session.show(there.first)} to {session.show(there.last)}.",
            "`batchbook isbn blocks` lists all blocks.",
        )
    crossed = list(session.blocks.where(first=Between(None, plan.last), last=Between(plan.first, None)))
    block = Block(
        block=plan.span.name,
        prefix=plan.prefix,
        publisher_code=plan.publisher_code,
        imprint=imprint,
        publisher=publisher,
        first=plan.first,
        last=plan.last,
        total=plan.total,
        added_at=actor.now,
        notes=notes,
    )
    with session.workspace.whole():
        entered = session.blocks.insert(block)
        session.record(actor, what, plan.first, "block", None, entered.block)
    return BlockAdded(entered, (*plan.doubts, *(_crossing(plan, one) for one in crossed)))


def _crossing(plan: BlockPlan, other: Block) -> Finding:
    said = f"overlaps the block {other.block}; a number of both is given once all the same"
    return Finding(said, column="block", value=plan.span.name, rule="overlap", warning=True)
