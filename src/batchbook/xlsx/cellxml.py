"""A cell's XML for a value, and why a value cannot be written."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache

from batchbook.xlsx.cells import EXACT
from batchbook.xlsx.dates import serial
from batchbook.xlsx.formats import Kind
from batchbook.xlsx.styles import Styles
from batchbook.xlsx.values import CellValue, ErrorValue, Link

MAX_TEXT = 32_767
"""Characters that a cell can hold, counted as Excel does: those beyond the basic plane count twice."""
MAX_FORMULA = 8_192
MAX_LITERAL = 255

_SPECIAL = re.compile("[&<>\x00-\x1f\ud800-\udfff\ufffe\uffff]")
_ODD = re.compile("[\x01-\x1f\ud800-\udfff\ufffe\uffff]")
_CONTROLS = bytes(range(1, 32))
_HEX_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ERROR = re.compile(r"#[A-Z0-9/_]{1,30}[!?]?\Z")


class ValueProblem(ValueError):
    """A value that no cell can hold; the text says why."""


def check_value(value: object, *, date1904: bool = False) -> str | None:
    """Why a value cannot be written into a cell, or None where it can."""
    if value is None or (type(value) is str and len(value) <= MAX_TEXT // 2 and not _SPECIAL.search(value)):
        return None  # as most are; for all others a cell is made, to see
    try:
        _checking(date1904).cell("A1", "", value)  # type: ignore[arg-type]
    except ValueProblem as problem:
        return str(problem)
    return None


@cache
def _checking(date1904: bool) -> CellWriter:
    """A writer whose cells go nowhere. What it remembers, styles it added among them, no value's check depends on."""
    return CellWriter("", _no_styles, date1904=date1904)


@cache
def _no_styles() -> Styles:
    return Styles(None)


def encode_text(text: str) -> str:
    """Text as it stands between tags, with Excel's escapes for what XML cannot hold."""
    if len(text) > MAX_TEXT // 2 and len(text.encode("utf-16-le", "surrogatepass")) // 2 > MAX_TEXT:
        raise ValueProblem(f"the text has {len(text)} characters, and a cell holds {MAX_TEXT}")
    if _SURROGATE.search(text):
        raise ValueProblem("the text has half of a surrogate pair in it, which is no character")
    return hex_escaped(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def hex_escaped(text: str) -> str:
    """Text with Excel's escapes for characters that XML cannot hold, and for what would read as such an escape."""
    return _HEX_ESCAPE.sub(lambda match: f"_x{ord(match[0]):04X}_", text)


def check_integer(value: int) -> str:
    """A whole number as a cell holds it."""
    if -EXACT <= value <= EXACT:
        return str(value)
    raise ValueProblem("the number has more digits than a cell keeps (15); write it as text to keep them all")


def check_float(value: float) -> str:
    """A float as a cell holds it."""
    if not math.isfinite(value):
        raise ValueProblem("it is not a finite number")
    return repr(value) if not value.is_integer() or abs(value) > EXACT else str(int(value))


def check_decimal(value: Decimal) -> str:
    """A decimal number as a cell holds it, if a cell holds it without changing a digit."""
    if not value.is_finite():
        raise ValueProblem("it is not a finite number")
    text = repr(float(value))
    if text in ("inf", "-inf") or Decimal(text) != value:
        raise ValueProblem("the number has more digits than a cell keeps (15); write it as text to keep them all")
    return check_float(float(value))


def literals(text: str) -> str:
    """A text as an expression of string literals, none longer than a formula may have."""
    pieces = [text[i : i + MAX_LITERAL] for i in range(0, len(text), MAX_LITERAL)] or [""]
    return "&".join('"' + piece.replace('"', '""') + '"' for piece in pieces)


def _has_odd(text: str) -> bool:
    """Whether there are characters in a text that need more than the usual escapes; a zero is not looked for."""
    if text.isascii():
        return len(text.encode().translate(None, _CONTROLS)) < len(text)  # five times as fast as to search
    return _ODD.search(text) is not None


def _escaped(texts: Sequence[str]) -> list[bytes] | None:
    """Texts as they stand between tags, all looked at together; None where one of them needs more than that."""
    joined = "\x00".join(texts)
    if (
        _has_odd(joined)
        or ("_" in joined and "_x" in joined)
        or list(map(str.strip, texts)) != texts
        or (len(joined) > MAX_TEXT // 2 and max(map(len, texts)) > MAX_TEXT // 2)
    ):
        return None
    plain = joined.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").encode().split(b"\x00")
    return plain if len(plain) == len(texts) else None  # else a text holds a zero of its own


class CellWriter:
    """Writes the cells of one sheet."""

    def __init__(self, prefix: str, styles: Callable[[], Styles], *, date1904: bool) -> None:
        self._styles = styles
        self._date1904 = date1904
        self.formulas = False
        """Whether a formula has been written."""
        p = prefix
        self._c = f'<{p}c r="'
        self._number = f"><{p}v>"
        self._number_end = f"</{p}v></{p}c>"
        self._text = f' t="inlineStr"><{p}is><{p}t>'
        self._kept_text = f' t="inlineStr"><{p}is><{p}t xml:space="preserve">'
        self._text_end = f"</{p}t></{p}is></{p}c>"
        self._prefix = p

    def cell(self, reference: str, style: str, value: CellValue) -> str:
        """The XML of a cell; `style` is its number or nothing. Raises ValueProblem."""
        mark = f'{self._c}{reference}" s="{style}"' if style else f'{self._c}{reference}"'
        kind = type(value)
        if kind is str:
            return mark + self._string(value)  # type: ignore[arg-type]
        if kind is int:
            return f"{mark}{self._number}{check_integer(value)}{self._number_end}"  # type: ignore[arg-type]
        if value is None:
            return f"{mark}/>"
        return self._other(reference, style, mark, value)

    def surrounded(self, values: Sequence[CellValue]) -> tuple[str, list[bytes], str] | None:
        """For cells that differ in their contents only: what precedes them, the contents, and what follows them.

        What precedes begins behind the cell's style. None where the cells differ in more, or a closer look is needed.
        """
        kinds = set(map(type, values))
        if kinds == {str}:
            texts = _escaped(values)  # type: ignore[arg-type]
            return None if texts is None else (self._text, texts, self._text_end)
        if (
            kinds == {int} and min(values) >= -EXACT and max(values) <= EXACT  # type: ignore[type-var, operator]
        ) or (
            kinds == {float} and all(map(math.isfinite, values))  # type: ignore[arg-type]
        ):
            return self._number, "\x00".join(map(repr, values)).encode().split(b"\x00"), self._number_end
        return None

    def column(
        self, letters: str, rows: Sequence[str], styles: Sequence[str], values: Sequence[CellValue]
    ) -> list[bytes]:
        """The cells of a column in some rows, given by their numbers as texts. Raises ValueProblem, without a place."""
        filled = [value for value in values if value is not None]
        around = self.surrounded(filled) if filled else ("", [], "")
        if around is None:
            return [
                self.cell(f"{letters}{row}", style, value).encode()
                for row, style, value in zip(rows, styles, values, strict=True)
            ]
        begin, contents, end = around
        content = iter(contents)
        start, first, last = self._c + letters, begin.encode(), end.encode()
        marks = (
            (f'{start}{row}" s="{style}"' if style else f'{start}{row}"').encode()
            for row, style in zip(rows, styles, strict=True)
        )
        return [
            mark + b"/>" if value is None else mark + first + next(content) + last
            for mark, value in zip(marks, values, strict=True)
        ]

    def _string(self, value: str) -> str:
        if _SPECIAL.search(value) or "_x" in value or len(value) > MAX_TEXT // 2:
            keep = value != value.strip() or "\n" in value or "\t" in value
            return f"{self._kept_text if keep else self._text}{encode_text(value)}{self._text_end}"
        if value and (value[0] == " " or value[-1] == " "):
            return f"{self._kept_text}{value}{self._text_end}"
        return f"{self._text}{value}{self._text_end}"

    def _other(self, reference: str, style: str, mark: str, value: CellValue) -> str:
        if isinstance(value, bool):
            return f'{mark} t="b"{self._number}{int(value)}{self._number_end}'
        if isinstance(value, str):
            return mark + self._string(str(value))
        if isinstance(value, int):
            return f"{mark}{self._number}{check_integer(int(value))}{self._number_end}"
        if isinstance(value, float):
            return f"{mark}{self._number}{check_float(float(value))}{self._number_end}"
        if isinstance(value, Decimal):
            return f"{mark}{self._number}{check_decimal(value)}{self._number_end}"
        if isinstance(value, Link):
            return mark + self._link(value)
        if isinstance(value, ErrorValue):
            if not isinstance(value.code, str) or not _ERROR.match(value.code):
                raise ValueProblem(f"{str(value.code)[:40]!r} is no error value")
            return f'{mark} t="e"{self._number}{value.code}{self._number_end}'
        if isinstance(value, dt.date | dt.time | dt.timedelta):
            return self._moment(reference, style, value)
        raise ValueProblem(f"a cell cannot hold a {type(value).__name__}")

    def _moment(self, reference: str, style: str, value: dt.date | dt.time | dt.timedelta) -> str:
        try:
            number = serial(value, date1904=self._date1904)
        except ValueError as error:
            raise ValueProblem(str(error)) from None
        if isinstance(value, dt.timedelta):
            kind = Kind.ELAPSED
            if number < 0:
                raise ValueProblem("a cell cannot show a negative duration")
        elif isinstance(value, dt.time):
            kind = Kind.TIME
        else:
            kind = Kind.DATETIME if isinstance(value, dt.datetime) else Kind.DATE
        dated = self._styles().dated(int(style) if style else 0, kind)
        return f'{self._c}{reference}" s="{dated}"{self._number}{number!r}{self._number_end}'

    def formula(self, reference: str, style: str, text: str, *, array: bool = False) -> str:
        """The XML of a cell with a formula (without its equals sign) that is not calculated yet."""
        self.formulas = True
        p = self._prefix
        mark = f'{self._c}{reference}" s="{style}"' if style else f'{self._c}{reference}"'
        spanning = f' t="array" ref="{reference}"' if array else ""
        return f"{mark}><{p}f{spanning}>{encode_text(text)}</{p}f></{p}c>"

    def _link(self, link: Link) -> str:
        if not isinstance(link.url, str) or not isinstance(link.text, str):
            raise ValueProblem("a link is made of two texts, its address and what the cell shows")
        formula = f"HYPERLINK({literals(link.url)},{literals(link.text)})"
        if len(formula) > MAX_FORMULA:
            raise ValueProblem(f"the link is longer than a formula can be ({MAX_FORMULA} characters)")
        self.formulas = True
        p = self._prefix
        return (
            f' t="str"><{p}f>{encode_text(formula)}</{p}f>{self._number[1:]}{encode_text(link.text)}{self._number_end}'
        )
