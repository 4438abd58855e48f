"""A sheet as a stream: what precedes the rows, pieces of whole rows, and what follows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from batchbook.errors import WorkbookDamaged, WorkbookNotSupported
from batchbook.xlsx.masking import has_marks, mask
from batchbook.xlsx.package import MAIN_NAMESPACES
from batchbook.xlsx.places import MAX_ROW
from batchbook.xlsx.xmltext import Recoder, attributes, unescape

MAX_HEAD = 16 << 20
MAX_ROW_BYTES = 16 << 20
MAX_TAIL = 64 << 20
_START = 1024

_SHEET_DATA = re.compile(rb"<((?:[\w.-]+:)?)sheetData(?=[\s/>])((?:[^<>\"'/]++|\"[^<\"]*+\"|'[^<']*+'|/(?!>))*+)(/?)>")
_ROOT = re.compile(rb"<((?:[\w.-]+:)?)(\w+)(?=[\s/>])((?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+)>")


class RowSpan(NamedTuple):
    """Where a row stands in its segment."""

    number: int
    start: int
    inner: int
    """Where its content begins; the end of its tag if it is self-closing."""
    end: int
    """Where the row ends; blanks up to the next row are behind it."""
    self_closing: bool
    tag: bytes
    """The attributes of its start tag."""


class Segment(NamedTuple):
    """Some whole rows, as they are and as they are scanned."""

    text: bytes
    masked: bytes

    @property
    def marked(self) -> bool:
        """Whether there are comments or the like in it."""
        return self.text is not self.masked


@lru_cache(maxsize=16)
def row_pattern(prefix: bytes) -> re.Pattern[bytes]:
    """The start tag of a row: its number where it comes first, and its attributes."""
    return re.compile(
        rb"<%brow(?=[\s/>])(?: r=\"([0-9]{1,9})\")?((?:[^<>\"']++|\"[^<\"]*+\"|'[^<']*+')*+)>" % re.escape(prefix)
    )


class SheetScan:
    """One pass over a sheet. Read `head`, then exhaust `segments`, then `tail` is there; all in UTF-8."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        start = b""
        for piece in self._pieces:
            start += piece
            if len(start) >= _START:
                break
        self.recoder = Recoder(start[:_START])
        self._ended = False
        self._rest = self.recoder.decode(start)
        self.tail = b""
        self._find_head()

    def _more(self) -> bytes | None:
        """The next piece, or None at the end."""
        for piece in self._pieces:
            decoded = self.recoder.decode(piece)
            if decoded:
                return decoded
        if not self._ended:
            self._ended = True
            return self.recoder.decode(b"", True)
        return None

    def _find_head(self) -> None:
        text = self._rest
        found = None
        while True:
            if b"sheetData" in text:
                masked = mask(text) if has_marks(text) else text
                found = _SHEET_DATA.search(masked)
            if found is not None:
                break
            more = self._more()
            if more is None:
                raise WorkbookDamaged("A sheet of the workbook has no place for cells (sheetData).")
            text += more
            if len(text) > MAX_HEAD:
                raise WorkbookNotSupported("What precedes the cells of a sheet is larger than it can be.")
        if b"<!DOCTYPE" in masked[: found.start()]:
            raise WorkbookNotSupported("A sheet has a document type declaration.", "Save it anew in Excel.")
        self.prefix = found[1]
        self.empty = bool(found[3])
        self.head = text[: found.start()]
        self.open_tag = text[found.start() : found.end()]
        self._rest = text[found.end() :]
        self._check_namespace(masked[: found.start()])
        if self.empty:
            self._read_tail(self._rest)

    def _check_namespace(self, head: bytes) -> None:
        root = _ROOT.search(head)
        declared = attributes(root[3]) if root else {}
        key = b"xmlns:" + self.prefix[:-1] if self.prefix else b"xmlns"
        if root is None or declared.get(key, b"").decode("utf-8", "replace") not in MAIN_NAMESPACES:
            raise WorkbookNotSupported("A sheet is written in a namespace that is not that of workbooks.")

    @property
    def close_tag(self) -> bytes:
        """The end tag of the rows; it begins the tail unless the rows were one empty tag."""
        return b"</%bsheetData>" % self.prefix

    def segments(self) -> Iterator[Segment]:
        """The rows, in pieces of some hundred KiB that end between two rows."""
        if self.empty:
            return
        end_mark, row_mark = b"</%bsheetData" % self.prefix, b"<%brow" % self.prefix
        buffer = self._rest
        self._rest = b""
        while True:
            masked = mask(buffer) if has_marks(buffer) else buffer
            end = masked.find(end_mark)
            cut = end if end >= 0 else _last_row(masked, row_mark)
            if cut > 0:
                whole = buffer[:cut]
                yield Segment(whole, whole if masked is buffer else masked[:cut])
            if end >= 0:
                self._read_tail(buffer[end:])
                return
            buffer = buffer[max(cut, 0) :]
            more = self._more()
            if more is None:
                raise WorkbookDamaged("The cells of a sheet are cut off.")
            if len(buffer) > MAX_ROW_BYTES:
                raise WorkbookNotSupported("A row of a sheet is larger than it can be.")
            buffer += more

    def _read_tail(self, first: bytes) -> None:
        pieces, size = [first], len(first)
        while (more := self._more()) is not None:
            pieces.append(more)
            size += len(more)
            if size > MAX_TAIL:
                raise WorkbookNotSupported("What follows the cells of a sheet is larger than it can be.")
        self.tail = b"".join(pieces)

    def rows(self, segment: Segment, before: int) -> list[RowSpan]:
        """The rows of a segment; one without a number counts on from the one before."""
        masked = segment.masked
        found = list(row_pattern(self.prefix).finditer(masked))
        closing = b"</%brow" % self.prefix
        spans = []
        for i, match in enumerate(found):
            limit = found[i + 1].start() if i + 1 < len(found) else len(masked)
            inner = match.end()
            self_closing = masked[inner - 2] == 0x2F
            end = inner
            if not self_closing:
                at = masked.rfind(closing, inner, limit)
                end = masked.find(b">", at, limit) + 1 if at >= 0 else 0
                if end <= 0:
                    raise WorkbookDamaged("A row of a sheet does not end.")
            before = int(match[1]) if match[1] is not None else _number(match[2], before)
            if not 1 <= before <= MAX_ROW:
                raise WorkbookDamaged(f"A sheet has a row numbered {before}.")
            tag = masked[match.start() : inner]
            spans.append(RowSpan(before, match.start(), inner, end, self_closing, tag))
        return spans


def _number(tag: bytes, before: int) -> int:
    given = attributes(tag).get(b"r")
    if given is None:
        return before + 1
    text = unescape(given.decode("utf-8", "replace")).strip()
    return int(text) if text.isdecimal() and len(text) < 10 else -1


def _last_row(masked: bytes, mark: bytes) -> int:
    """Where the last row begins; the row itself may not be whole yet."""
    at = masked.rfind(mark)
    while at >= 0 and masked[at + len(mark) : at + len(mark) + 1] not in (b" ", b">", b"/", b"\n", b"\t", b"\r"):
        at = masked.rfind(mark, 0, at)
    return at
