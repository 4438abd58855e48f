"""Deflate and inflate: the `isal` package where it is installed, the standard library otherwise."""

from __future__ import annotations

import zlib
from functools import cache
from importlib import import_module
from typing import Protocol

RAW = -15
"""Window bits of a deflate stream without header, as zip archives hold it."""


class Inflater(Protocol):
    """The part of a decompression object that is used here."""

    @property
    def unconsumed_tail(self) -> bytes:
        """Input not yet looked at because the output limit was reached."""

    @property
    def eof(self) -> bool:
        """Whether the stream has come to its end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` more bytes."""


class Deflater(Protocol):
    """The part of a compression object that is used here."""

    def compress(self, data: bytes, /) -> bytes:
        """What is ready so far."""

    def flush(self, mode: int = zlib.Z_FINISH, /) -> bytes:
        """The rest; with Z_FULL_FLUSH the stream goes on behind it without a memory of what was there."""


def _load() -> tuple[object, tuple[type[BaseException], ...]]:
    try:
        fast = import_module("isal.isal_zlib")
    except ImportError:
        return zlib, (zlib.error,)
    return fast, (zlib.error, fast.error)


_module, DEFLATE_ERRORS = _load()
LEVEL = 1
"""Level 1 of isal is five times as fast as zlib's level 6 and 17% larger."""


def inflater() -> Inflater:
    """A decompression object for a raw deflate stream."""
    made: Inflater = _module.decompressobj(RAW)  # type: ignore[attr-defined]
    return made


def deflater() -> Deflater:
    """A compression object for a raw deflate stream."""
    made: Deflater = _module.compressobj(LEVEL, zlib.DEFLATED, RAW)  # type: ignore[attr-defined]
    return made


def pack(data: bytes) -> bytes:
    """A short text deflated, to be held in memory."""
    made: bytes = _module.compress(data, LEVEL)  # type: ignore[attr-defined]
    return made


def unpack(data: bytes) -> bytes:
    """What was packed."""
    made: bytes = _module.decompress(data)  # type: ignore[attr-defined]
    return made


def crc32(data: bytes | memoryview, value: int = 0) -> int:
    """The CRC of zip archives, going on from `value`."""
    result: int = _module.crc32(data, value)  # type: ignore[attr-defined]
    return result


def crc32_combine(first: int, second: int, length: int) -> int:
    """The CRC of two pieces joined, from the CRC of each and the length of the second."""
    # To append `length` zero bytes to the first is linear over its bits: one operator for each power of two.
    for a, b, c, d in _shifts():
        if length & 1:
            first = a[first & 255] ^ b[first >> 8 & 255] ^ c[first >> 16 & 255] ^ d[first >> 24]
        length >>= 1
        if not length:
            break
    return first ^ second


Operator = list[int]
"""For each of the 32 bits of a CRC: what becomes of it."""
_LONGEST_BITS = 40


@cache
def _shifts() -> list[tuple[list[int], ...]]:
    """For each power of two: the operator that appends as many zero bytes, as a table for each byte of a CRC."""
    shifts = []
    operator = _one_byte()
    for _ in range(_LONGEST_BITS):
        shifts.append(tuple(_table(operator[at : at + 8]) for at in range(0, 32, 8)))
        operator = _squared(operator)
    return shifts


def _times(matrix: Operator, vector: int) -> int:
    total = 0
    for row in matrix:
        if not vector:
            break
        if vector & 1:
            total ^= row
        vector >>= 1
    return total


def _squared(operator: Operator) -> Operator:
    return [_times(operator, row) for row in operator]


def _table(rows: Operator) -> list[int]:
    """What becomes of each value of one byte."""
    table = [0]
    for row in rows:
        table += [value ^ row for value in table]
    return table


def _one_byte() -> Operator:
    # The operator that appends one zero bit, squared three times: eight zero bits.
    operator = [0xEDB88320, *(1 << bit for bit in range(31))]
    for _ in range(3):
        operator = _squared(operator)
    return operator
