"""Blocks of numbers as agencies give them: a registrant prefix, or a stretch of a registrant's numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from batchbook.errors import Finding
from batchbook.isbn.numbers import isbn_of
from batchbook.isbn.ranges import CORE, RangeTable
from batchbook.isbn.reading import parse_text, plain_text
from batchbook.isbn.records import Block
from batchbook.isbn.spans import Span, span_of
from batchbook.tables.kinds import Wrong
from batchbook.tables.workspace import RecordRefused

MOST_CODE: Final = CORE - 3 - 1
"""Group and registrant have at most so many digits: one at least is left for the publication."""
_CODE: Final = re.compile(r"\d+(?:-\d+)?", re.ASCII)
_ADVICE: Final = "Give the registrant prefix with its hyphens, as the agency's letter has it, such as 978-1-60888."
_ADVICE_OF_EXTENT: Final = (
    "Give the first and the last number, as publication numbers such as 0 and 49 or as whole ISBNs, and the total only "
    "where it is what they come to."
)


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """A block that is well-formed, as the record has it, and what is doubtful about it (warnings)."""

    prefix: str
    publisher_code: str
    span: Span
    doubts: tuple[Finding, ...] = ()

    @property
    def first(self) -> str:
        """The first number, 13 digits."""
        return isbn_of(self.span.first)

    @property
    def last(self) -> str:
        """The last number, 13 digits."""
        return isbn_of(self.span.last)

    @property
    def total(self) -> int:
        """How many numbers it has."""
        return self.span.total


def block_of_registrant(text: str, ranges: RangeTable) -> BlockPlan:
    """The whole block of a registrant prefix such as ``978-1-60888``.

    Without hyphens the range table has to know where they stand. Raises RecordRefused with all that is wrong.
    """
    plain = _hyphens(text)
    prefix, _, code = plain.partition("-")
    if plain.isdecimal():
        prefix, code = plain[:3], plain[3:]
    wrong = list(_wrong_whole(plain, ranges)) or [
        *_wrong_prefix(prefix, code, "registrant prefix", plain),
        *_wrong_code(prefix, code, "registrant prefix", plain, ranges),
    ]
    if wrong:
        raise _refused(wrong)
    code, doubts = _code(prefix, code, ranges)
    span = _whole(prefix, code)
    return BlockPlan(prefix, code, span, tuple(doubts))


def block_of_range(
    prefix: str,
    publisher_code: str,
    ranges: RangeTable,
    *,
    start: str | int | None = None,
    end: str | int | None = None,
    total: int | None = None,
) -> BlockPlan:
    """The block from one publication number of a registrant to another, both included.

    start, end: publication numbers (``0`` or ``000`` to ``999`` of a registrant with 1,000 numbers), or whole ISBNs;
    the registrant's first and last where left out. total: how many numbers it is to have, which says the end where
    that is left out. Raises RecordRefused with all that is wrong.
    """
    prefix, code = plain_text(prefix), _hyphens(publisher_code)
    wrong = [
        *_wrong_prefix(prefix, code, "prefix", prefix),
        *_wrong_code(prefix, code, "publisher code", publisher_code, ranges),
    ]
    if total is not None and total < 1:
        wrong.append(Finding("a block has at least 1 number", column="total", value=total, rule="block-total"))
        total = None
    # Positions can be looked at only where it is known how many digits they have.
    digits = code.replace("-", "")
    width = CORE - 3 - len(digits) if _CODE.fullmatch(code) and len(digits) <= MOST_CODE else None
    first = 0 if start is None else _publication(start, "start", prefix + digits, width, wrong)
    last = None if end is None else _publication(end, "end", prefix + digits, width, wrong)
    if end is None and width is not None and first is not None:
        last = 10**width - 1 if total is None else first + total - 1
    if width is not None and first is not None and last is not None:
        wrong += _wrong_extent(first, last, total, 10**width)
    if wrong or first is None or last is None:
        raise _refused(wrong)
    code, doubts = _code(prefix, code, ranges)
    whole = _whole(prefix, code)
    complete = whole.total == last - first + 1
    name = whole.name if complete else f"{whole.name}:{first:0{width}d}-{last:0{width}d}"
    return BlockPlan(prefix, code, Span(name, whole.first + first, whole.first + last), tuple(doubts))


def _hyphens(text: str) -> str:
    return re.sub("[ -]+", "-", plain_text(text)).strip("-")


def _wrong_extent(first: int, last: int, total: int | None, capacity: int) -> Iterator[Finding]:
    """What is wrong with first and last publication number and the number of them that is stated."""
    if last >= capacity:
        said = f"the registrant has {capacity:,} numbers, so from {first:,} on there are {capacity - first:,}"
        yield Finding(said, column="total", value=total, rule="block-too-small")
    elif last < first:
        yield Finding(f"the end is before the start, {first}", column="end", value=last, rule="block-order")
    elif total is not None and total != last - first + 1:
        said = f"there are {last - first + 1:,} numbers from start to end"
        yield Finding(said, column="total", value=total, rule="block-total")


def _refused(wrong: list[Finding]) -> RecordRefused:
    extent = {"start", "end", "total"}.issuperset({finding.column or "" for finding in wrong})
    return RecordRefused("This is no block of ISBNs.", _ADVICE_OF_EXTENT if extent else _ADVICE, findings=wrong)


def _whole(prefix: str, code: str) -> Span:
    head = prefix + code.replace("-", "")
    return Span(f"{prefix}-{code}", int(head.ljust(CORE, "0")), int(head.ljust(CORE, "9")))


def _wrong_whole(plain: str, ranges: RangeTable) -> Iterator[Finding]:
    """A whole ISBN where its registrant prefix is wanted."""
    try:
        isbn = parse_text(plain)
    except Wrong:
        return
    if plain.replace("-", "") == isbn:  # nine and ten digits are a prefix as well
        parts = ranges.split(isbn)
        hint = f"; its registrant prefix is {parts.registrant_prefix}" if parts else ""
        said = f"is a whole ISBN, not a registrant prefix{hint}"
        yield Finding(said, column="registrant prefix", value=plain, rule="block-code")


def _wrong_prefix(prefix: str, code: str, column: str, value: str) -> Iterator[Finding]:
    if prefix not in ("978", "979"):
        yield Finding("does not begin with 978 or 979", column=column, value=value, rule="ean-prefix")
    elif prefix == "979" and code.startswith("0"):
        yield Finding("begins with 979-0: that is printed music (ISMN)", column=column, value=value, rule="ismn")


def _wrong_code(prefix: str, code: str, column: str, value: str, ranges: RangeTable) -> Iterator[Finding]:
    """What is wrong with registration group and registrant."""
    digits = code.replace("-", "")
    if not _CODE.fullmatch(code):
        said = "wants registration group and registrant, such as 1-60888"
        yield Finding(said, column=column, value=value, rule="block-code")
        return
    if len(digits) > MOST_CODE:
        said = f"has {len(digits)} digits in group and registrant; with more than {MOST_CODE} no number is left"
        yield Finding(said, column=column, value=value, rule="block-too-small")
        return
    if prefix not in ("978", "979"):
        return
    head = prefix + digits
    known = ranges.registrant(head)
    longer = ranges.longer_registrant(head)
    if longer is not None:
        said = (
            f"is too short: the registrants here have {len(longer[2])} digits, as in {'-'.join(longer)}; the block"
            " would have numbers of other publishers"
        )
        yield Finding(said, column=column, value=value, rule="block-code")
    elif known is None and "-" not in code:
        said = f"has no hyphens, and its range is not known to the table ({ranges}); write it with hyphens"
        yield Finding(said, column=column, value=value, rule="range-unknown")


def _code(prefix: str, code: str, ranges: RangeTable) -> tuple[str, list[Finding]]:
    """The code with hyphens, and what the range table has to say against it."""
    known = ranges.registrant(prefix + code.replace("-", ""))
    value = f"{prefix}-{code}"
    if known is None:
        said = f"the range is not known to the table ({ranges}); its numbers are written without hyphens"
        return code, [Finding(said, column="publisher code", value=value, rule="range-unknown", warning=True)]
    stated = "-".join(known[1:])
    if "-" not in code and stated.replace("-", "") == code:
        return stated, []
    if stated != code:
        said = f"the table ({ranges}) has the registrant {'-'.join(known)} here"
        doubt = Finding(said, column="publisher code", value=value, rule="block-code", warning=True)
        return code if "-" in code else f"{known[1]}-{code[len(known[1]) :]}", [doubt]
    return code, []


def _publication(stated: str | int, name: str, head: str, width: int | None, wrong: list[Finding]) -> int | None:
    """A publication number as a whole number; None, and why, where it is none."""
    text = plain_text(str(stated))
    if width is None and text.isdecimal():
        return None
    digits = _of_isbn(text, head) or text
    mistyped = _mistyped(text)
    if mistyped:
        wrong.append(Finding(mistyped, column=name, value=stated, rule="check-digit"))
        return None
    if not digits.isdecimal():
        said = "is neither a publication number nor an ISBN of this registrant"
        wrong.append(Finding(said, column=name, value=stated, rule="block-position"))
        return None
    if width is not None and len(digits.lstrip("0")) > width:
        said = f"is not from 0 to {10**width - 1:,}, the publication numbers of this registrant"
        wrong.append(Finding(said, column=name, value=stated, rule="block-position"))
        return None
    return int(digits)


def _mistyped(text: str) -> str | None:
    """What is wrong with a text of 13 digits that is to be an ISBN; None where it is none, or a right one."""
    if len(re.sub("[ -]", "", text)) != 13:
        return None
    try:
        parse_text(text)
    except Wrong as wrong:
        return wrong.said
    return None


def _of_isbn(text: str, head: str) -> str | None:
    """The publication digits of an ISBN that begins with these digits."""
    try:
        isbn = parse_text(text)
    except Wrong:
        return None
    return isbn[len(head) : CORE] if isbn.startswith(head) else None


def faults_of(block: Block, ranges: RangeTable) -> list[Finding]:
    """Where the columns of a block do not fit each other; what the range table is against is a warning.

    A finding's column is the record's field.
    """
    span, wrong = span_of(block), []
    if span.last < span.first:
        wrong.append(
            Finding("the last number is before the first", column="last", value=block.last, rule="block-order")
        )
    elif block.total != span.total:
        said = f"the block has {span.total:,} numbers from first to last"
        wrong.append(Finding(said, column="total", value=block.total, rule="block-total"))
    code_faults = list(_wrong_code(block.prefix, block.publisher_code, "publisher_code", block.publisher_code, ranges))
    head = block.prefix + block.publisher_code.replace("-", "")
    for name, isbn in (("first", block.first), ("last", block.last)):
        if not code_faults and not isbn.startswith(head):
            said = f"is not a number of {block.prefix}-{block.publisher_code}"
            wrong.append(Finding(said, column=name, value=isbn, rule="block-member"))
    if not code_faults:
        _, doubts = _code(block.prefix, block.publisher_code, ranges)
        code_faults = [
            Finding(doubt.message, column="publisher_code", value=doubt.value, rule=doubt.rule, warning=True)
            for doubt in doubts
        ]
    return wrong + code_faults
