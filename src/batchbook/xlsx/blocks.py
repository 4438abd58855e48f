"""A sheet laid down as deflate blocks that stand alone, so that a later save redoes only those whose rows change.

Each block ends with a full flush: it begins at a byte, and needs nothing that is in front of it. Joined they are one
valid deflate stream, which every program reads. The index of the blocks belongs to one state of the workbook, known
by its digest.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

from batchbook.errors import WorkbookError
from batchbook.xlsx.codec import DEFLATE_ERRORS, crc32, inflater
from batchbook.xlsx.container import DEFLATED, Container, Entry
from batchbook.xlsx.places import Range

BLOCK = 256 * 1024
"""About so much content makes a block, in bytes."""

HEAD, TAIL = 0, -1
"""The `last_row` of blocks that hold what precedes the rows, and what follows them."""

_FORM = 2
_BLOCK = struct.Struct("<LLLLl")


class BlocksUnusable(WorkbookError, code="blocks-unusable"):
    """A save by blocks cannot be made, for what stands in the message; the whole sheet has to be written."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its lengths in bytes (packed, content), the CRC of each, and the number of its last row."""

    packed: int
    size: int
    crc: int
    packed_crc: int
    last_row: int


@dataclass(frozen=True, slots=True)
class SheetIndex:
    """Where the blocks of a sheet's part lie, and what its layout is (see `layout.SheetLayout`)."""

    blocks: tuple[Block, ...]
    last_row: int
    merges: tuple[Range, ...] = ()
    arrays: tuple[Range, ...] = ()
    auto_filter: Range | None = None
    table_ids: tuple[str, ...] = ()

    @property
    def ordered(self) -> bool:
        """Its rows ascend: else there would be no index."""
        return True

    def pack(self) -> bytes:
        """As bytes, for keeping."""
        facts = {
            "last_row": self.last_row,
            "merges": [tuple(one) for one in self.merges],
            "arrays": [tuple(one) for one in self.arrays],
            "auto_filter": self.auto_filter and tuple(self.auto_filter),
            "table_ids": self.table_ids,
        }
        text = json.dumps(facts).encode()
        head = struct.pack("<LLL", _FORM, len(text), len(self.blocks))
        blocks = (_BLOCK.pack(b.packed, b.size, b.crc, b.packed_crc, b.last_row) for b in self.blocks)
        data = head + text + b"".join(blocks)
        # Which row lies in which block is checked by nothing else.
        return data + struct.pack("<L", crc32(data))

    @classmethod
    def unpack(cls, data: bytes) -> SheetIndex:
        """The inverse of `pack`; ValueError where the bytes are no index."""
        try:
            data, (total,) = data[:-4], struct.unpack("<L", data[-4:])
            form, length, count = struct.unpack_from("<LLL", data)
            if form != _FORM or total != crc32(data) or len(data) != 12 + length + count * _BLOCK.size:
                raise ValueError("not the index of a sheet")
            facts: Mapping[str, Any] = json.loads(data[12 : 12 + length])
            return cls(
                tuple(Block(*fields) for fields in _BLOCK.iter_unpack(data[12 + length :])),
                facts["last_row"],
                tuple(Range(*one) for one in facts["merges"]),
                tuple(Range(*one) for one in facts["arrays"]),
                Range(*facts["auto_filter"]) if facts["auto_filter"] else None,
                tuple(facts["table_ids"]),
            )
        except (struct.error, KeyError, TypeError, UnicodeDecodeError) as error:
            raise ValueError("not the index of a sheet") from error


class SheetIndexes(Protocol):
    """Where indexes are kept."""

    def find(self, digest: str, part: str) -> SheetIndex | None:
        """The index of a part of the workbook with this digest."""
        ...


class Blocks:
    """The blocks of a part in an opened archive."""

    def __init__(self, container: Container, entry: Entry, index: SheetIndex) -> None:
        """BlocksUnusable where the index is not that of this part."""
        self._container = container
        self.blocks = index.blocks
        if (
            entry.method != DEFLATED
            or entry.packed != sum(block.packed for block in self.blocks)
            or entry.size != sum(block.size for block in self.blocks)
            or len(self.blocks) < 2
            or self.blocks[-1].last_row != TAIL
        ):
            raise self._unusable("it does not fit the part")
        begin, _ = container.local(entry)
        self._offsets = list(accumulate((block.packed for block in self.blocks), initial=begin))
        self.heads = next(i for i, block in enumerate(self.blocks) if block.last_row != HEAD)

    def _unusable(self, what: str) -> BlocksUnusable:
        return BlocksUnusable(f"The index of {self._container.path.name} cannot be used: {what}.")

    def packed(self, first: int, last: int) -> bytes:
        """The packed bytes of the blocks from `first` up to, not including, `last`; each is checked.

        BlocksUnusable where one is not what the index says.
        """
        begin = self._offsets[first]
        data = self._container.read_at(begin, self._offsets[last] - begin)
        view = memoryview(data)
        for i in range(first, last):
            at = self._offsets[i] - begin
            block = self.blocks[i]
            if crc32(view[at : at + block.packed]) != block.packed_crc:
                raise self._unusable(f"block {i + 1} is another one")
        return data

    def content(self, number: int) -> bytes:
        """What a block holds; BlocksUnusable where it is not what the index says."""
        block = self.blocks[number]
        return inflated(self.packed(number, number + 1), block, self._unusable("a block cannot be inflated"))


def inflated(packed: bytes, block: Block, otherwise: WorkbookError) -> bytes:
    """The content of a block's packed bytes, checked; raises `otherwise` where it is not what it should be."""
    try:
        content = inflater().decompress(packed, block.size + 1)
    except DEFLATE_ERRORS as error:
        raise otherwise from error
    if len(content) != block.size or crc32(content) != block.crc:
        raise otherwise
    return content
