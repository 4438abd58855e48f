"""Shared strings: held deflated in small blocks, decoded when they are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from batchbook.errors import WorkbookDamaged
from batchbook.xlsx.codec import pack, unpack
from batchbook.xlsx.masking import has_marks, mask
from batchbook.xlsx.xmltext import Element, Recoder, outline, refuse_doctype, unescape

_HEX = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SIMPLE = re.compile(rb'<t(?: xml:space="preserve")?>([^<]*+)</t>')
_SHIFT = 5
_BLOCK = 1 << _SHIFT
"""Few enough that a single string costs no more than some microseconds."""
_LAST = _BLOCK - 1
_SEPARATOR = b"\0"
_BETWEEN = b"</t>\0<t>"
_LONG = 1 << 20
_CACHE = 6 << 20
_STRING_OVERHEAD = 64
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
    text = raw.decode("utf-8", "replace")
    return decode_hex(resolved(raw)) if "&" in text or "\r" in text or "_x" in text else text


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
    """The shared strings of a workbook.

    They are held in blocks of `_BLOCK` strings, deflated: a tenth to a half of the part's size. A block is decoded as a
    whole when it is asked for a second time: cells that stand together mostly ask for strings that stand together.
    """

    def __init__(self, pieces: Iterable[bytes], name: str = "the shared strings") -> None:
        self._name = name
        self._blocks: list[bytes | list[bytes]] = []
        """Each is deflated as one; as a list of deflated strings where they are long or hold the separator."""
        self._plain = bytearray()
        """For each block whether its strings are texts only, held without their tags."""
        self._open: list[bytes] = []
        """Strings of the block that is not full."""
        self._count = 0
        self._cache: dict[int, list[str | bytes]] = {}
        """Blocks in use; a string that is not plain is decoded where it is asked for."""
        self._cached = 0
        self._read(pieces)
        self._seal()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> str:
        try:
            found = self._cache[index >> _SHIFT][index & _LAST]
        except LookupError:
            return self._first(index)
        return found if type(found) is str else self._further(index, found)

    def _first(self, index: int) -> str:
        """A string of a block that is not in use; the others of the block stay bytes. Raises WorkbookDamaged."""
        if not 0 <= index < self._count:
            raise WorkbookDamaged(
                f"A cell refers to the shared string {index}, and there are {self._count}.",
                "Open the workbook in Excel or LibreOffice and save it again.",
            )
        number, place = index >> _SHIFT, index & _LAST
        held = self._blocks[number]
        if isinstance(held, list):
            return self._decode(unpack(held[place]))
        raw = unpack(held)
        strings = raw.split(_SEPARATOR)
        text = plain_text(strings[place]) if self._plain[number] else self._decode(strings[place])
        size = len(raw) + _STRING_OVERHEAD * len(strings)
        self._cached += size
        if self._cached > _CACHE:
            self._cache.clear()
            self._cached = size
        block: list[str | bytes] = [*strings]
        block[place] = text
        self._cache[number] = block
        return text

    def _further(self, index: int, raw: str | bytes) -> str:
        """Another string of a block in use. A plain block is decoded as a whole now: more of it will be asked for."""
        number, place = index >> _SHIFT, index & _LAST
        held = self._blocks[number]
        if self._plain[number] and isinstance(held, bytes):
            texts = _texts(unpack(held))
            self._cache[number] = [*texts]
            return texts[place]
        assert isinstance(raw, bytes)
        text = self._decode(raw)
        if number in self._cache:
            self._cache[number][place] = text
        return text

    def _decode(self, raw: bytes) -> str:
        simple = _SIMPLE.fullmatch(raw)
        if simple is not None:
            return plain_text(simple[1])
        return rich_text(outline(b"<si>" + raw + b"</si>", self._name)) if raw else ""

    def _add(self, strings: list[bytes]) -> None:
        """Take in strings, as they stand between their tags."""
        self._count += len(strings)
        waiting = self._open + strings
        full = len(waiting) & ~_LAST
        for at in range(0, full, _BLOCK):
            self._open = waiting[at : at + _BLOCK]
            self._seal()
        self._open = waiting[full:]

    def _seal(self) -> None:
        """Close the block that is open."""
        strings, self._open = self._open, []
        if not strings:
            return
        joined = _SEPARATOR.join(strings)
        last = len(strings) - 1
        plain = False
        if joined.count(_SEPARATOR) != last or len(joined) > _LONG:
            self._blocks.append([pack(one) for one in strings])
        else:
            plain = (
                joined.startswith(b"<t>")
                and joined.endswith(b"</t>")
                and joined.count(_BETWEEN) == last
                and joined.count(b"<") == 2 * len(strings)
            )
            self._blocks.append(pack(joined[3:-4].replace(_BETWEEN, _SEPARATOR) if plain else joined))
        self._plain.append(plain)

    def _read(self, pieces: Iterable[bytes]) -> None:
        recoder: Recoder | None = None
        rest = b""
        splitter: re.Pattern[bytes] | None = None
        marks = (b"", b"", b"")
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
                marks = (b"<%bsi" % found[1], b"<%bsi>" % found[1], b"</%bsi>" % found[1])
            if masked is rest:
                masked = rest = rest[self._take_usual(rest, *marks) :]
            rest = rest[self._take(rest, masked, splitter) :]
            if len(rest) > MAX_STRING:
                raise WorkbookDamaged("A shared string is longer than it can be.")

    def _take_usual(self, text: bytes, mark: bytes, begin: bytes, end: bytes) -> int:
        """Take in the whole strings of a piece that holds nothing between them; how far they go, or 0."""
        last = text.rfind(end)
        first = text.find(begin)
        if not 0 <= first < last:
            return 0
        strings = text[first + len(begin) : last].split(end + begin)
        count = len(strings)
        stop = last + len(end)
        # As many as there are tags of any form: none is inside another, empty, or has attributes.
        if text.count(mark, 0, stop) != count or text.count(b"</" + mark[1:], 0, stop) != count:
            return 0
        self._add(strings)
        return stop

    def _take(self, text: bytes, masked: bytes, splitter: re.Pattern[bytes]) -> int:
        """Take in the whole strings of a piece, however they are written; how far they go."""
        done, begin = 0, -1
        strings: list[bytes] = []
        for tag in splitter.finditer(masked):
            if tag[0].endswith(b"/>"):
                strings.append(b"")
                done = tag.end()
            elif tag[0].startswith(b"</"):
                if begin >= 0:
                    strings.append(text[begin : tag.start()])
                begin, done = -1, tag.end()
            else:
                begin = tag.end()
        self._add(strings)
        return done


def _texts(raw: bytes) -> list[str]:
    """The texts of a plain block."""
    joined = resolved(raw)
    texts = joined.split("\0")  # no reference gives this character, but an escape may
    return list(map(decode_hex, texts)) if "_x" in joined else texts
