"""Reading the zip archive that a workbook is: its directory, and its parts as bounded streams."""

from __future__ import annotations

import hashlib
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from batchbook.errors import WorkbookDamaged, WorkbookMissing, WorkbookNotSupported, WorkbookUnreadable
from batchbook.xlsx.codec import DEFLATE_ERRORS, crc32, inflater
from batchbook.xlsx.limits import Limits, current_limits

CHUNK = 256 * 1024
_PACKED = 64 * 1024
"""So much is given to inflate at once; what it does not get to is copied each time."""
MAX_WHOLE = 64 << 20
"""No part that is read into memory as a whole (not a sheet, not the shared strings) may be larger than this."""
MAX_DIRECTORY = 64 << 20
SUSPECT_SIZE = 256 << 20
"""A part larger than this that shrank by more than the limits allow is a trap, not a sheet."""

STORED, DEFLATED = 0, 8
ENCRYPTED, PATCHED = 1, 0x20
NEWEST_FORM = 63
"""The newest version of the zip format that a part may need, times ten (APPNOTE 4.4.3)."""

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
_DIGESTED = struct.Struct("<LQQQ")

_UNREADABLE_ADVICE = "Look at the disk, the network and the system's log, then do it again; a backup may be elsewhere."
DAMAGED_ADVICE = "Open it in Excel or LibreOffice and save it again, or restore a backup."


@dataclass(frozen=True, slots=True)
class Entry:
    """One part as the archive's directory lists it."""

    name: str
    raw_name: bytes
    made_by: int
    needed: int
    flags: int
    method: int
    stamp: tuple[int, int]
    crc: int
    packed: int
    size: int
    offset: int
    extra: bytes = b""
    comment: bytes = b""
    internal: int = 0
    external: int = 0


def directory_digest(entries: Iterable[Entry]) -> str:
    """One hash over names, CRCs, sizes and places of all parts, in the directory's order."""
    total = hashlib.sha256()
    for entry in entries:
        total.update(len(entry.raw_name).to_bytes(4, "little") + entry.raw_name)
        total.update(_DIGESTED.pack(entry.crc, entry.packed, entry.size, entry.offset))
    return total.hexdigest()


def _cannot_be_opened(path: Path, error: OSError) -> WorkbookUnreadable:
    if path.is_dir():  # Windows says that it may not be opened
        return WorkbookUnreadable(f"{path} is a folder, not a workbook.", "Give the path of the workbook itself.")
    if isinstance(error, PermissionError):
        return WorkbookUnreadable(
            f"{path} may not be read: {error.strerror}.",
            "Whoever runs this needs to be allowed to read the file and to enter its folder; nothing is known of what "
            "it holds.",
        )
    return WorkbookUnreadable(f"{path} cannot be opened: {error.strerror}.", "Check the path and its rights.")


class Container:
    """An opened archive. Keeps its own file handle, so what was opened stays readable when the file is replaced."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path = path
        self.limits = limits or current_limits()
        self._lock = threading.Lock()
        try:
            self._file: BinaryIO = path.open("rb")
        except FileNotFoundError:
            raise WorkbookMissing(f"There is no workbook {path}.", "Check the path.") from None
        except OSError as error:
            raise _cannot_be_opened(path, error) from error
        try:
            self.length = self._file.seek(0, os.SEEK_END)
            self.shift, self.entries = self._directory()
            self._check_names()
            self._check_overlaps()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def digest(self) -> str:
        """The hash of the directory."""
        return directory_digest(self.entries)

    def damaged(self, what: str) -> WorkbookDamaged:
        """An error that names this file."""
        return WorkbookDamaged(f"{self.path.name} is damaged: {what}.", DAMAGED_ADVICE)

    def fileno(self) -> int:
        """The descriptor of the file; its position is nobody's to rely on."""
        return self._file.fileno()

    def read_at(self, offset: int, count: int) -> bytes:
        """Bytes of the file; fewer than `count` only at its end. Raises WorkbookUnreadable where the disk fails."""
        try:
            with self._lock:
                self._file.seek(offset)
                return self._file.read(count)
        except OSError as error:
            what = f"{self.path} cannot be read: {error.strerror or error}."
            raise WorkbookUnreadable(what, _UNREADABLE_ADVICE) from error

    @contextmanager
    def in_part(self, name: str) -> Iterator[None]:
        """Let errors of what is done here say in which part it was."""
        try:
            yield
        except (WorkbookDamaged, WorkbookNotSupported) as error:
            if "the part '" in error.what or type(error) not in (WorkbookDamaged, WorkbookNotSupported):
                raise
            what = f"{error.what.rstrip('.')} (in the part {name[:200]!r} of {self.path.name})."
            raise type(error)(what, error.advice or DAMAGED_ADVICE, findings=error.findings) from error

    # --- the directory -------------------------------------------------------------------------------------------

    def _directory(self) -> tuple[int, tuple[Entry, ...]]:
        refuse_other_kinds(self.path, self.read_at(0, 8), self)
        tail_at = max(0, self.length - 65_557)
        tail = self.read_at(tail_at, 65_557)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < _END.size:
            raise self.damaged("the end of the zip archive is missing")
        _, disk, first_disk, _, count, size, offset, _ = _END.unpack_from(tail, at)
        end = tail_at + at
        if disk != first_disk:
            raise self.damaged("it is one volume of several")
        if 0xFFFF in (count, disk) or 0xFFFFFFFF in (size, offset):
            count, size, offset, end = self._zip64(end, count, size, offset)
        shift = end - size - offset
        if size > MAX_DIRECTORY or shift < 0:
            raise self.damaged("the directory of the zip archive does not fit into the file")
        raw = self.read_at(end - size, size)
        return shift, tuple(self._entries(raw, count))

    def _zip64(self, end: int, count: int, size: int, offset: int) -> tuple[int, int, int, int]:
        found = self.read_at(end - _LOCATOR.size, _LOCATOR.size) if end >= _LOCATOR.size else b""
        if len(found) < _LOCATOR.size or not found.startswith(b"PK\x06\x07"):
            return count, size, offset, end
        at = _LOCATOR.unpack(found)[2]
        # Data in front of the archive moves everything; the record then stands just before its locator.
        for place in (at, end - _LOCATOR.size - _END64.size):
            record = self.read_at(place, _END64.size) if 0 <= place < self.length else b""
            if len(record) == _END64.size and record.startswith(b"PK\x06\x06"):
                values = _END64.unpack(record)
                return values[7], values[8], values[9], place
        raise self.damaged("the zip64 directory is missing")

    def _entries(self, raw: bytes, count: int) -> Iterator[Entry]:
        at = seen = 0
        while at < len(raw):
            if len(raw) - at < _CENTRAL.size or raw[at : at + 4] != b"PK\x01\x02":
                raise self.damaged("the directory of the zip archive cannot be read")
            made, needed, flags, method, time, date, crc, packed, size, n, m, k, _, internal, external, offset = (
                _CENTRAL.unpack_from(raw, at)[1:]
            )
            at += _CENTRAL.size
            if at + n + m + k > len(raw):
                raise self.damaged("the directory of the zip archive is cut off")
            if needed & 0xFF > NEWEST_FORM or flags & PATCHED:
                # Other programs would refuse it, and a save would hand it on.
                raise self.damaged("the directory of the zip archive asks for a form of zip that does not exist")
            raw_name, extra, comment = raw[at : at + n], raw[at + n : at + n + m], raw[at + n + m : at + n + m + k]
            at += n + m + k
            seen += 1
            if 0xFFFFFFFF in (packed, size, offset):
                size, packed, offset = self._wide(extra, size, packed, offset)
            name = raw_name.decode("utf-8" if flags & 0x800 else "cp437", "replace")
            extra = without_zip64(extra)
            yield Entry(
                name, raw_name, made, needed, flags, method, (time, date), crc, packed, size, offset,
                extra, comment, internal, external,
            )  # fmt: skip
        if seen != count and seen & 0xFFFF != count:
            raise self.damaged("the directory of the zip archive lists another number of parts than it has")

    def _wide(self, extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
        for kind, content in extra_fields(extra):
            if kind == 1:
                values = [int.from_bytes(content[i : i + 8], "little") for i in range(0, len(content) - 7, 8)]
                wide = []
                for value in (size, packed, offset):
                    if value == 0xFFFFFFFF:
                        if not values:
                            raise self.damaged("a zip64 size is missing")
                        value = values.pop(0)
                    wide.append(value)
                return wide[0], wide[1], wide[2]
        return size, packed, offset

    def _check_names(self) -> None:
        seen: set[str] = set()
        for entry in self.entries:
            if entry.name in seen:
                raise self.damaged(f"it has two parts named {entry.name[:200]!r}")
            seen.add(entry.name)

    def _check_overlaps(self) -> None:
        end = 0
        for entry in sorted(self.entries, key=lambda e: e.offset):
            if entry.offset < end:
                raise self.damaged(f"the part {entry.name[:200]!r} overlaps another one")
            end = entry.offset + LOCAL.size + len(entry.raw_name) + entry.packed
        if end + self.shift > self.length:
            raise self.damaged("a part reaches past the end of the file")

    # --- parts ---------------------------------------------------------------------------------------------------

    def local(self, entry: Entry) -> tuple[int, bytes]:
        """Where a part's packed bytes begin, and the extra fields of its local header (less zip64 sizes)."""
        at = entry.offset + self.shift
        header = self.read_at(at, LOCAL.size)
        if len(header) < LOCAL.size or not header.startswith(b"PK\x03\x04"):
            raise self.damaged(f"the header of {entry.name[:200]!r} is missing")
        names, extras = LOCAL.unpack(header)[9:11]
        begin = at + LOCAL.size + names + extras
        if begin + entry.packed > self.length:
            raise self.damaged(f"the part {entry.name[:200]!r} is cut off")
        rest = self.read_at(at + LOCAL.size, names + extras)
        if rest[:names] != entry.raw_name:
            raise self.damaged(f"the part {entry.name[:200]!r} has another name than the directory says")
        return begin, without_zip64(rest[names:])

    def packed(self, entry: Entry, skip: int = 0, size: int = CHUNK) -> Iterator[bytes]:
        """A part's bytes as they stand in the archive, without the first `skip`, in pieces of at most `size`."""
        begin = self.local(entry)[0] + skip
        left = entry.packed - skip
        while left:
            piece = self.read_at(begin, min(left, size))
            if not piece:
                raise self.damaged(f"the part {entry.name[:200]!r} is cut off")
            begin += len(piece)
            left -= len(piece)
            yield piece

    def stream(self, entry: Entry) -> Iterator[bytes]:
        """A part's content in pieces of at most CHUNK bytes; its length and CRC are checked at the end."""
        self._check_readable(entry)
        produced = crc = 0
        pieces = self.packed(entry) if entry.method == STORED else self._inflated(entry)
        for piece in pieces:
            produced += len(piece)
            if produced > entry.size:
                raise self.damaged(f"the part {entry.name[:200]!r} is larger than the archive says")
            crc = crc32(piece, crc)
            yield piece
        if produced != entry.size or crc != entry.crc:
            raise self.damaged(f"the part {entry.name[:200]!r} does not have the content that its checksum promises")

    def _check_readable(self, entry: Entry) -> None:
        name = entry.name[:200]
        if entry.flags & ENCRYPTED:
            raise WorkbookNotSupported(
                f"{self.path.name} is encrypted (the part {name!r}).", "Save a copy without a password."
            )
        if entry.method not in (STORED, DEFLATED):
            raise WorkbookNotSupported(
                f"{self.path.name} is packed by an unusual method ({entry.method}, in {name!r}).",
                "Open it in Excel or LibreOffice and save it again.",
            )
        trap = entry.size > SUSPECT_SIZE and entry.size > entry.packed * self.limits.max_ratio
        if entry.size > self.limits.max_part or trap:
            raise WorkbookNotSupported(
                f"The part {name!r} of {self.path.name} would inflate to {entry.size >> 20} MiB.",
                "Split the workbook, if it really is that large, or raise limits: in config/batchbook.yaml.",
            )

    def _inflated(self, entry: Entry) -> Iterator[bytes]:
        engine = inflater()
        try:
            for raw in self.packed(entry, size=_PACKED):
                while raw and not engine.eof:
                    piece = engine.decompress(raw, CHUNK)
                    raw = engine.unconsumed_tail
                    if piece:
                        yield piece
            while not engine.eof:
                piece = engine.decompress(b"", CHUNK)
                if not piece:
                    raise self.damaged(f"the part {entry.name[:200]!r} is cut off")
                yield piece
        except DEFLATE_ERRORS as error:
            raise self.damaged(f"the part {entry.name[:200]!r} cannot be inflated ({error})") from error

    def read(self, entry: Entry, limit: int = MAX_WHOLE) -> bytes:
        """A part's whole content."""
        if entry.size > limit:
            raise WorkbookNotSupported(
                f"The part {entry.name[:200]!r} of {self.path.name} has {entry.size >> 20} MiB.",
                "That is more than a workbook of this kind can have; save it anew in Excel or LibreOffice.",
            )
        return b"".join(self.stream(entry))


def extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """The extra fields of a header, as far as they can be read."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra):
            return
        yield kind, extra[at + 4 : at + 4 + length]
        at += 4 + length


def without_zip64(extra: bytes) -> bytes:
    """Extra fields less the wide sizes, which are written anew where they are needed."""
    return b"".join(struct.pack("<HH", k, len(c)) + c for k, c in extra_fields(extra) if k != 1)


def refuse_other_kinds(path: Path, start: bytes, container: Container) -> None:
    """Name the kinds of file that are mistaken for workbooks."""
    name = path.name
    if start == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        sample = container.read_at(0, 4 << 20)
        if "EncryptedPackage".encode("utf-16-le") in sample:
            raise WorkbookNotSupported(f"{name} is encrypted with a password.", "Save a copy without a password.")
        raise WorkbookNotSupported(f"{name} is a workbook of the old .xls kind.", "Save it as .xlsx.")
    if not start:
        raise WorkbookDamaged(f"{name} is empty.", DAMAGED_ADVICE)
    tail = container.read_at(max(0, container.length - 65_557), 65_557)
    if start.startswith(b"PK") or b"PK\x05\x06" in tail:
        return
    what = "an HTML or XML file" if start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") else "not a zip archive"
    raise WorkbookNotSupported(f"{name} is no .xlsx workbook: it is {what}.", "Save it as .xlsx.")
