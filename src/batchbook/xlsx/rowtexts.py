"""The rows of a segment one by one, cut apart quickly where they are written as usual."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from batchbook.xlsx.places import MAX_ROW
from batchbook.xlsx.scan import Segment, SheetScan

_USUAL_TAG = re.compile(rb'(?: [A-Za-z][\w.:-]*+="[^"<>&]*+")*+ ?\Z')
_KNOWN_TAGS = 4096


class RowText(NamedTuple):
    """A row with cells, as bytes."""

    number: int
    digits: bytes
    """The number as its cells have to repeat it."""
    tag: bytes
    content: bytes
    """What follows its start tag, the end tag included."""
    plain: bool
    """Whether nothing in it was masked."""


class RowCutting:
    """Cuts the segments of one sheet into rows; those that are one empty tag are left out."""

    def __init__(self, scan: SheetScan, before: int = 0) -> None:
        """`before` is the number of the row before the first one."""
        self._scan = scan
        self._mark = b"<%brow" % scan.prefix
        self._close = b"</%brow>" % scan.prefix
        self._known: set[bytes] = set()
        self._before = before

    def rows(self, segment: Segment) -> Iterable[RowText]:
        """The rows of the next segment. Raises WorkbookDamaged."""
        found = None if segment.marked else self._usual(segment.text)
        return self._exact(segment) if found is None else found

    def _usual(self, text: bytes) -> list[RowText] | None:
        """The rows of a segment without comments, or None where one of them is not written as most programs do."""
        pieces = text.split(self._mark)
        if pieces[0].strip():
            return None
        rows = []
        number = self._before
        known, close = self._known, self._close
        for piece in pieces[1:]:
            tag, _, content = piece.partition(b">")
            parts = tag.split(b'"', 2)
            if len(parts) < 3 or parts[0] != b" r=" or not parts[1].isdigit() or len(parts[1]) > 7:
                return None
            number = int(parts[1])
            if not 1 <= number <= MAX_ROW:
                return None
            if content.endswith(close):
                if parts[2] not in known and not self._learn(parts[2]):
                    return None
                rows.append(RowText(number, parts[1], tag, content, True))
            elif tag.endswith(b"/"):
                if content.strip() or not _USUAL_TAG.match(parts[2][:-1]):
                    return None
            else:
                content = content.rstrip()
                if not content.endswith(close) or not _USUAL_TAG.match(parts[2]):
                    return None
                rows.append(RowText(number, parts[1], tag, content, True))
        self._before = number
        return rows

    def _learn(self, attributes: bytes) -> bool:
        """Whether what follows the number in a start tag is usual; remembered if so."""
        if not _USUAL_TAG.match(attributes):
            return False
        if len(self._known) >= _KNOWN_TAGS:
            self._known.clear()
        self._known.add(attributes)
        return True

    def _exact(self, segment: Segment) -> Iterator[RowText]:
        """The rows of a segment however they are written."""
        text, masked = segment.text, segment.masked
        for span in self._scan.rows(segment, self._before):
            self._before = span.number
            if not span.self_closing:
                content = text[span.inner : span.end]
                plain = not segment.marked or text[span.start : span.end] == masked[span.start : span.end]
                tag = text[span.start + len(self._mark) : span.inner - 1]
                yield RowText(span.number, b"%d" % span.number, tag, content, plain)

    def whole(self, row: RowText) -> bytes:
        """All of a row as it stands in the sheet."""
        return b"%b%b>%b" % (self._mark, row.tag, row.content)
