"""Deflate and inflate: the `isal` package where it is installed, the standard library otherwise."""

from __future__ import annotations

import zlib
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
    def unused_data(self) -> bytes:
        """Input past the end of the stream."""

    @property
    def eof(self) -> bool:
        """Whether the stream has come to its end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most `max_length` more bytes."""


class Deflater(Protocol):
    """The part of a compression object that is used here."""

    def compress(self, data: bytes, /) -> bytes:
        """What is ready so far."""

    def flush(self) -> bytes:
        """The rest."""


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


def crc32(data: bytes, value: int = 0) -> int:
    """The CRC of zip archives, going on from `value`."""
    result: int = _module.crc32(data, value)  # type: ignore[attr-defined]
    return result


def crc32_combine(first: int, second: int, length: int) -> int:
    """The CRC of two pieces joined, from the CRC of each and the length of the second."""
    shifted = first
    power = _SHIFT_ONE_BYTE
    while length:
        if length & 1:
            shifted = _times(power, shifted)
        power = [_times(power, row) for row in power]
        length >>= 1
    return shifted ^ second


def _times(matrix: list[int], vector: int) -> int:
    total = 0
    for row in matrix:
        if not vector:
            break
        if vector & 1:
            total ^= row
        vector >>= 1
    return total


def _one_byte() -> list[int]:
    # The operator that appends one zero bit, squared three times: eight zero bits.
    operator = [0xEDB88320, *(1 << bit for bit in range(31))]
    for _ in range(3):
        operator = [_times(operator, row) for row in operator]
    return operator


_SHIFT_ONE_BYTE = _one_byte()
