"""Writing a zip archive into a stream: parts copied as they are packed, and parts written anew."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import BinaryIO

from batchbook.errors import WorkbookNotSupported
from batchbook.xlsx.blocks import HEAD, TAIL, Block
from batchbook.xlsx.codec import crc32, crc32_combine, deflater
from batchbook.xlsx.container import DEFLATED, LOCAL, Container, Entry, directory_digest
from batchbook.xlsx.wellformed import WellFormedness

WIDE = 0xFFFFFFFF
_DATA_DESCRIPTOR = 0x08
_UTF8_NAME = 0x800
MAX_STORED_BLOCK = 0xFFFF
_TOGETHER = 16
_WORTH_A_CALL = 64 * 1024


def new_entry(name: str) -> Entry:
    """The description of a part that is added, dated as reproducible archives are."""
    raw = name.encode("utf-8")
    flags = 0 if name.isascii() else _UTF8_NAME
    return Entry(name, raw, 20, 20, flags, DEFLATED, (0, 0x21), 0, 0, 0, 0)


class ZipWriter:
    """Writes parts one after the other, then the directory. The stream must be able to seek back."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self._base = out.tell()
        self.at = 0
        self.entries: dict[str, Entry] = {}

    def write(self, data: bytes) -> None:
        """Bytes of the archive."""
        self.out.write(data)
        self.at += len(data)

    def patch(self, at: int, data: bytes) -> None:
        """Overwrite bytes that were written before."""
        self.out.seek(self._base + at)
        self.out.write(data)
        self.out.seek(self._base + self.at)

    def copy(self, source: Container, entry: Entry) -> None:
        """A part as it is packed in another archive, bit for bit."""
        extra = source.local(entry)[1]
        kept = replace(entry, flags=entry.flags & ~_DATA_DESCRIPTOR, offset=self.at)
        self.write(local_header(kept, extra, wide=max(entry.size, entry.packed) >= WIDE))
        for piece in source.packed(entry, self._copied(source, entry)):
            self.write(piece)
        self.entries[entry.name] = kept

    def _copied(self, source: Container, entry: Entry) -> int:
        """How many of a part's packed bytes the system has copied by itself, where the stream can have it do that."""
        copy_range = getattr(self.out, "copy_range", None)
        if copy_range is None or entry.packed < _WORTH_A_CALL:
            return 0
        copied: int = copy_range(source.fileno(), source.local(entry)[0], entry.packed)
        self.at += copied
        return copied

    def part(self, like: Entry, *, expected: int = 0) -> PartWriter:
        """Begin a part; its content goes into what is returned, which must be finished before the next one begins."""
        return PartWriter(self, like, wide=expected > 0x80000000)

    def finish(self, order: Sequence[str]) -> str:
        """Write the directory, known parts in the order given and others behind them; returns its digest."""
        listed = [self.entries[name] for name in order if name in self.entries]
        known = set(order)
        listed += [entry for name, entry in self.entries.items() if name not in known]
        begin = self.at
        for entry in listed:
            self.write(central_header(entry))
        size = self.at - begin
        if len(listed) >= 0xFFFF or begin >= WIDE or size >= WIDE:
            record = self.at
            self.write(
                struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, len(listed), len(listed), size, begin)
            )
            self.write(struct.pack("<4sLQL", b"PK\x06\x07", 0, record, 1))
        count = min(len(listed), 0xFFFF)
        self.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, min(size, WIDE), min(begin, WIDE), 0))
        return directory_digest(listed)


class PartWriter:
    """One part on its way into the archive, laid down as blocks (see `blocks`) where `end_block` is called."""

    def __init__(self, archive: ZipWriter, like: Entry, *, wide: bool) -> None:
        self._archive = archive
        self._wide = wide
        self._entry = replace(like, flags=like.flags & _UTF8_NAME, method=DEFLATED, offset=archive.at)
        archive.write(local_header(self._entry, b"", wide=wide))
        self._begin = self._block_at = archive.at
        self._engine = deflater()
        self._crc = self._size = self._packed_crc = 0
        self._head: bytes | None = None
        self.check: WellFormedness | None = None
        """Is fed what is written."""
        self.blocks: list[Block] = []
        self.redone: list[tuple[int, Block]] = []
        """The blocks that were written here, not copied: where in the archive, and what."""

    @property
    def pending(self) -> int:
        """How many bytes of content the block holds that is being written."""
        return self._size

    def hold(self, head: bytes) -> None:
        """The very first bytes, laid down uncompressed so that `rehold` can exchange them."""
        if len(head) > MAX_STORED_BLOCK or self._size:
            self.write(head)
            return
        self._put(_stored(head))
        self._head = head
        if self.check is not None:
            self.check.feed(head)
        self._crc, self._size = crc32(head), len(head)
        self._end(HEAD)

    @property
    def held(self) -> bytes:
        """The held bytes as they are now; empty where none are held."""
        return self._head or b""

    def rehold(self, head: bytes) -> None:
        """Exchange the held bytes for others of the same length; without held bytes nothing happens."""
        if self._head is None or len(head) != len(self._head) or head == self._head:
            return
        self._head = head
        packed = _stored(head)
        at, block = self.redone[0]
        self._archive.patch(at, packed)
        self.blocks[0] = replace(block, crc=crc32(head), packed_crc=crc32(packed))
        self.redone[0] = (at, self.blocks[0])

    def write(self, data: bytes) -> None:
        """More of the part's content."""
        self._crc = crc32(data, self._crc)
        self._size += len(data)
        self._put(self._engine.compress(data))
        if self.check is not None:
            self.check.feed(data)

    def _put(self, packed: bytes) -> None:
        if packed:
            self._packed_crc = crc32(packed, self._packed_crc)
            self._archive.write(packed)

    def end_block(self, last_row: int) -> None:
        """End a block, whose last row has this number, so that it stands alone; nothing where it is empty."""
        if self._size:
            self._put(self._engine.flush(zlib.Z_FULL_FLUSH))
            self._end(last_row)

    def _end(self, last_row: int) -> None:
        at = self._archive.at
        block = Block(at - self._block_at, self._size, self._crc, self._packed_crc, last_row)
        self.blocks.append(block)
        self.redone.append((self._block_at, block))
        self._block_at = at
        self._crc = self._size = self._packed_crc = 0

    def copy_blocks(self, packed: bytes, blocks: Sequence[Block]) -> None:
        """Blocks as they are packed in another archive; what was written before must have been ended."""
        assert not self._size
        self._archive.write(packed)
        self.blocks += blocks
        self._block_at = self._archive.at

    def finish(self) -> Entry:
        """End the part and put its sizes into its header."""
        archive = self._archive
        if not self.blocks or self.blocks[-1].last_row != TAIL:
            self._put(self._engine.flush())
            self._end(TAIL)
        crc = size = 0
        for at in range(0, len(self.blocks), _TOGETHER):
            group_crc, group_size = joined(tuple(self.blocks[at : at + _TOGETHER]))
            crc = crc32_combine(crc, group_crc, group_size)
            size += group_size
        entry = replace(self._entry, crc=crc, size=size, packed=archive.at - self._begin)
        if not self._wide and max(entry.size, entry.packed) >= WIDE:
            raise WorkbookNotSupported(
                f"The part {entry.name} would grow beyond 4 GiB.", "Split the workbook; nothing was written."
            )
        archive.patch(entry.offset, local_header(entry, b"", wide=self._wide))
        archive.entries[entry.name] = entry
        return entry


@lru_cache(maxsize=4096)
def joined(blocks: tuple[Block, ...]) -> tuple[int, int]:
    """CRC and length of the content of some blocks together; most are the same from one save to the next."""
    crc = size = 0
    for block in blocks:
        crc = crc32_combine(crc, block.crc, block.size)
        size += block.size
    return crc, size


def _stored(content: bytes) -> bytes:
    """A stored deflate block that is not the last one; it must begin at a byte."""
    return struct.pack("<BHH", 0, len(content), len(content) ^ 0xFFFF) + content


def local_header(entry: Entry, extra: bytes, *, wide: bool) -> bytes:
    """The header in front of a part's bytes."""
    packed, size = entry.packed, entry.size
    if wide:
        extra = struct.pack("<HHQQ", 1, 16, size, packed) + extra
        packed = size = WIDE
    needed = max(entry.needed, 45) if wide else entry.needed
    return (
        LOCAL.pack(
            b"PK\x03\x04", needed, entry.flags, entry.method, *entry.stamp,
            entry.crc, packed, size, len(entry.raw_name), len(extra),
        )
        + entry.raw_name
        + extra
    )  # fmt: skip


def central_header(entry: Entry) -> bytes:
    """A part's line in the directory."""
    wide = []
    narrow = []
    for value in (entry.size, entry.packed, entry.offset):
        if value >= WIDE:
            wide.append(value)
        narrow.append(min(value, WIDE))
    size, packed, offset = narrow
    extra = entry.extra
    if wide:
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) + extra
    needed = max(entry.needed, 45) if wide else entry.needed
    return (
        struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", entry.made_by, needed, entry.flags, entry.method, *entry.stamp,
            entry.crc, packed, size, len(entry.raw_name), len(extra), len(entry.comment), 0,
            entry.internal, entry.external, offset,
        )
        + entry.raw_name
        + extra
        + entry.comment
    )  # fmt: skip
