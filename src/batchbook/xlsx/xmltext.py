"""XML as text: encodings, escapes, attributes, and the outline of a small part with the places of its tags."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape as escape_text
from xml.sax.saxutils import quoteattr

from batchbook.errors import WorkbookDamaged, WorkbookNotSupported

__all__ = ["Element", "Recoder", "attributes", "escape_text", "outline", "quoteattr", "unescape", "whole"]

_DECLARED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z][\w.:-]*)[\"']")
_ATTRIBUTE = re.compile(rb"([^\s=\"'<>/]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_ENTITY = re.compile(r"&(?:#x([0-9A-Fa-f]{1,8})|#([0-9]{1,8})|(amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}

MAX_ELEMENTS = 500_000
MAX_TAG = 16_384
"""Attributes are looked for in so many bytes of a tag; those that matter come early."""
MAX_DEPTH = 200


def attributes(text: bytes) -> dict[bytes, bytes]:
    """The attributes inside a start tag, still escaped, by name."""
    return {name: one if one or not two else two for name, one, two in _ATTRIBUTE.findall(text[:MAX_TAG])}


def whole(text: str, default: int = 0) -> int:
    """A whole number as attributes hold them, or the default where it is none."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def _entity(match: re.Match[str]) -> str:
    if match[3]:
        return _NAMED[match[3]]
    code = int(match[1], 16) if match[1] else int(match[2])
    return chr(code) if 0 < code < 0x110000 else "\ufffd"


def unescape(text: str) -> str:
    """Character and entity references resolved."""
    if "&" not in text:
        return text
    if "&#" in text:
        return _ENTITY.sub(_entity, text)
    # The ampersand last, so that what it begins is not taken for a reference.
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&apos;", "'")
    return text.replace("&amp;", "&")


def _codec_of(start: bytes) -> str:
    if start.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        raise WorkbookNotSupported("A part of the workbook is written in UTF-32.", "Save it anew in Excel.")
    if start.startswith((b"\xff\xfe", b"<\x00?\x00")):
        return "utf-16-le"
    if start.startswith((b"\xfe\xff", b"\x00<\x00?")):
        return "utf-16-be"
    declared = _DECLARED.match(start.removeprefix(codecs.BOM_UTF8).lstrip())
    name = declared[1].decode("ascii").lower() if declared else "utf-8"
    try:
        known = codecs.lookup(name).name
    except LookupError:
        known = ""
    if known.startswith(("iso8859", "cp125", "koi8")) or known in ("utf-8", "ascii"):
        return known
    raise WorkbookNotSupported(
        f"A part of the workbook is written in the encoding {name!r}.", "Open it in Excel and save it again."
    )


class Recoder:
    """Turns a part into UTF-8 for scanning and back into what it was written in."""

    def __init__(self, start: bytes) -> None:
        self.codec = _codec_of(start)
        self.plain = self.codec == "utf-8"
        if not self.plain:
            self._decoder = codecs.getincrementaldecoder(self.codec)("strict")
            self._encoder = codecs.getincrementalencoder(self.codec)("xmlcharrefreplace")

    def decode(self, data: bytes, final: bool = False) -> bytes:
        """The next piece as UTF-8."""
        if self.plain:
            return data
        try:
            return self._decoder.decode(data, final).encode("utf-8")
        except UnicodeError as error:
            raise WorkbookDamaged("A part of the workbook is not written in the encoding that it declares.") from error

    def encode(self, data: bytes) -> bytes:
        """Whole characters in UTF-8 as the part is written."""
        return data if self.plain else self._encoder.encode(data.decode("utf-8"))


@dataclass(slots=True)
class Element:
    """An element of a small part, with the byte offsets of its tags in the UTF-8 text."""

    tag: str
    attributes: dict[str, str]
    start: int
    inner: int
    """Where its content begins; the end of its only tag if it is self-closing."""
    close: int = 0
    """Where its end tag begins."""
    end: int = 0
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its own text, that of its children left out."""
        return "".join(self.texts)

    @property
    def name(self) -> str:
        """The name without its prefix."""
        return self.tag.rpartition(":")[2]

    @property
    def prefix(self) -> str:
        """The prefix with its colon, or nothing."""
        return self.tag[: -len(self.name)]

    @property
    def self_closing(self) -> bool:
        """Whether it is one tag only."""
        return self.close == self.end

    def all(self, name: str) -> Iterator[Element]:
        """The children of a name."""
        return (child for child in self.children if child.name == name)

    def one(self, name: str) -> Element | None:
        """The first child of a name."""
        return next(self.all(name), None)

    def walk(self) -> Iterator[Element]:
        """The element and everything below it, in order."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))

    def get(self, name: str, default: str = "") -> str:
        """An attribute by its name without prefix."""
        if name in self.attributes:
            return self.attributes[name]
        return next((v for k, v in self.attributes.items() if k.rpartition(":")[2] == name), default)


class _Builder:
    def __init__(self, text: bytes, parser: Any) -> None:
        self.text = text
        self.parser = parser
        self.stack: list[Element] = []
        self.root: Element | None = None
        self.count = 0

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        """An element begins. Raises WorkbookNotSupported for too many, or too deep."""
        self.count += 1
        if self.count > MAX_ELEMENTS or len(self.stack) > MAX_DEPTH:
            raise WorkbookNotSupported("A part of the workbook has more elements than can be right.")
        at = self.parser.CurrentByteIndex
        element = Element(tag, attrs, at, tag_end(self.text, at))
        if self.stack:
            self.stack[-1].children.append(element)
        else:
            self.root = element
        self.stack.append(element)

    def end(self, _tag: str) -> None:
        element = self.stack.pop()
        if self.text[element.inner - 2 : element.inner] == b"/>":
            element.close = element.end = element.inner
        else:
            element.close = self.parser.CurrentByteIndex
            element.end = self.text.index(b">", element.close) + 1

    def data(self, text: str) -> None:
        if self.stack:
            self.stack[-1].texts.append(text)


_TAG = re.compile(rb"<(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+>")


def tag_end(text: bytes, at: int) -> int:
    """Where the tag that begins at `at` ends."""
    match = _TAG.match(text, at)
    if match is None:
        raise WorkbookDamaged("A part of the workbook is not well-formed XML.")
    return match.end()


def refuse_doctype(*_: object) -> None:
    """A document type can hold entities that grow without end; no workbook has one."""
    raise WorkbookNotSupported("A part of the workbook has a document type declaration.", "Save it anew in Excel.")


def outline(text: bytes, name: str = "a part") -> Element:
    """Parse a small part, or a piece of one element, given as UTF-8. Namespaces are not resolved."""
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    builder = _Builder(text, parser)
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise WorkbookDamaged(f"{name} is not well-formed XML: {error}.") from error
    if builder.root is None:
        raise WorkbookDamaged(f"{name} is empty.")
    return builder.root


class SmallPart:
    """A small part with its outline, and edits to its text that leave everything else as it is."""

    def __init__(self, content: bytes, name: str) -> None:
        self._recoder = Recoder(content[:1024])
        self.text = self._recoder.decode(content, True)
        self.name = name
        self.root = outline(self.text, name)
        self._edits: list[tuple[int, int, bytes]] = []

    def replace(self, start: int, end: int, new: str) -> None:
        """Put `new` in the place of some bytes; places always count in the text as it was read."""
        self._edits.append((start, end, new.encode("utf-8", "xmlcharrefreplace")))

    def insert(self, at: int, new: str) -> None:
        """Put `new` at a place."""
        self.replace(at, at, new)

    def append_child(self, element: Element, new: str) -> None:
        """Put `new` behind the last child of an element, opening the element if it is one tag only."""
        if element.self_closing:
            tag = self.text[element.start : element.inner - 2].decode().rstrip()
            self.replace(element.start, element.end, f"{tag}>{new}</{element.tag}>")
        else:
            self.insert(element.close, new)

    def set_attribute(self, element: Element, name: str, value: str) -> None:
        """Set an attribute of an element, in its place if it is there."""
        tag = self.text[element.start : element.inner]
        pattern = rb"(?<=\s)" + name.encode() + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')"
        found = re.search(pattern, tag)
        new = f"{name}={quoteattr(value)}"
        if found:
            self.replace(element.start + found.start(), element.start + found.end(), new)
        else:
            self.insert(element.start + 1 + len(element.tag.encode()), f" {new}")

    @property
    def changed(self) -> bool:
        """Whether there are edits."""
        return bool(self._edits)

    def result(self) -> bytes:
        """The part with its edits, in its own encoding."""
        text = self.text
        for start, end, new in sorted(self._edits, key=lambda e: e[:2], reverse=True):
            text = text[:start] + new + text[end:]
        return self._recoder.encode(text)
