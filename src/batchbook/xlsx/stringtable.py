"""Shared strings: kept as one piece of memory, decoded one by one when they are asked for."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable

from batchbook.errors import WorkbookDamaged
from batchbook.xlsx.masking import has_marks, mask
from batchbook.xlsx.xmltext import Element, Recoder, outline, refuse_doctype, unescape

_HEX = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CACHED = 50_000
MAX_STRING = 8 << 20


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return match[0] if 0xD800 <= code < 0xE000 else chr(code)


def decode_hex(text: str) -> str:
    """Excel's escapes such as ``_x000D_`` resolved."""
    return _HEX.sub(_character, text) if "_x" in text else text


def resolved(raw: bytes) -> str:
    """The text between two tags as an XML parser gives it."""
    text = raw.decode("utf-8", "replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unescape(text)


def plain_text(raw: bytes) -> str:
    """The text between two tags as Excel shows it."""
    return decode_hex(resolved(raw))


def rich_text(element: Element) -> str:
    """The text of a string item with its runs joined, without phonetic hints."""
    texts = []
    for child in element.children:
        if child.name == "t":
            texts.append(child.text)
        elif child.name == "r":
            texts += [t.text for t in child.all("t")]
    return decode_hex("".join(texts))


class StringTable:
    """The shared strings of a workbook."""

    def __init__(self, pieces: Iterable[bytes], name: str = "the shared strings") -> None:
        self._name = name
        self._blob = bytearray()
        self._ends = array("Q")
        self._cache: dict[int, str] = {}
        self._read(pieces)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        found = self._cache.get(index)
        if found is None:
            if not 0 <= index < len(self._ends):
                raise WorkbookDamaged(
                    f"A cell refers to the shared string {index}, and there are {len(self._ends)}.",
                    "Open the workbook in Excel or LibreOffice and save it again.",
                )
            begin = self._ends[index - 1] if index else 0
            found = self._decode(bytes(self._blob[begin : self._ends[index]]))
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            self._cache[index] = found
        return found

    def _decode(self, raw: bytes) -> str:
        if raw.startswith(b"<t>") and raw.endswith(b"</t>") and raw.count(b"<") == 2:
            return plain_text(raw[3:-4])
        return rich_text(outline(b"<si>" + raw + b"</si>", self._name)) if raw else ""

    def _read(self, pieces: Iterable[bytes]) -> None:
        recoder: Recoder | None = None
        rest = b""
        splitter: re.Pattern[bytes] | None = None
        for piece in pieces:
            if recoder is None:
                recoder = Recoder(piece[:1024])
            rest += recoder.decode(piece)
            masked = mask(rest) if has_marks(rest) else rest
            if splitter is None:
                found = re.search(rb"<((?:[\w.-]+:)?)si[\s/>]", masked)
                if found is None:
                    if len(rest) > MAX_STRING:
                        raise WorkbookDamaged("The shared strings cannot be read.")
                    continue
                if b"<!DOCTYPE" in masked[: found.start()]:
                    refuse_doctype()
                prefix = re.escape(found[1])
                splitter = re.compile(rb"<%bsi(?:\s[^<>]*)?/>|<%bsi(?:\s[^<>]*)?>|</%bsi\s*>" % ((prefix,) * 3))
            rest = rest[self._take(rest, masked, splitter) :]
            if len(rest) > MAX_STRING:
                raise WorkbookDamaged("A shared string is longer than it can be.")

    def _take(self, text: bytes, masked: bytes, splitter: re.Pattern[bytes]) -> int:
        done, begin = 0, -1
        for tag in splitter.finditer(masked):
            if tag[0].endswith(b"/>"):
                self._ends.append(len(self._blob))
                done = tag.end()
            elif tag[0].startswith(b"</"):
                if begin >= 0:
                    self._blob += text[begin : tag.start()]
                    self._ends.append(len(self._blob))
                begin, done = -1, tag.end()
            else:
                begin = tag.end()
        return done
