"""Number formats: whether one shows a date, and what it makes of a value."""

from __future__ import annotations

import datetime as dt
import re
from enum import Enum
from functools import lru_cache

BUILTIN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00",
    5: '"$"#,##0_);("$"#,##0)', 6: '"$"#,##0_);[Red]("$"#,##0)',
    7: '"$"#,##0.00_);("$"#,##0.00)', 8: '"$"#,##0.00_);[Red]("$"#,##0.00)',
    9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??",
    14: "mm-dd-yy", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy",
    18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "m/d/yy h:mm",
    37: "#,##0_);(#,##0)", 38: "#,##0_);[Red](#,##0)", 39: "#,##0.00_);(#,##0.00)", 40: "#,##0.00_);[Red](#,##0.00)",
    41: '_(* #,##0_);_(* \\(#,##0\\);_(* "-"_);_(@_)', 42: '_("$"* #,##0_);_("$"* \\(#,##0\\);_("$"* "-"_);_(@_)',
    43: '_(* #,##0.00_);_(* \\(#,##0.00\\);_(* "-"??_);_(@_)',
    44: '_("$"* #,##0.00_)_("$"* \\(#,##0.00\\)_("$"* "-"??_)_(@_)',
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mmss.0", 48: "##0.0E+0", 49: "@",
    **dict.fromkeys((27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "yyyy-mm-dd"),
    **dict.fromkeys((32, 33, 34, 35, 55, 56), "h:mm:ss"),
}  # fmt: skip
"""The codes behind the numbers that need no definition; those of East Asian locales only by their kind."""


class Kind(Enum):
    """What a number format makes of a number."""

    NUMBER = 0
    DATE = 1
    TIME = 2
    DATETIME = 3
    ELAPSED = 4


_PIECE = re.compile(
    r'"[^"]*"?|\\.|_.|\*.|\[(?:h+|m+|s+)\]|\[[^\]]*\]?|AM/PM|A/P|General|E[+-]|y+|m+|d+|h+|s+(?:\.0+)?|\.0+|e+|b+|g+|.',
    re.IGNORECASE | re.DOTALL,
)
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]\Z", re.IGNORECASE)


def pieces(section: str) -> list[str]:
    """A section of a format cut into its symbols."""
    return _PIECE.findall(section)


@lru_cache(maxsize=4096)
def kind_of(code: str) -> Kind:
    """Whether a format shows a number, a date, a time, both, or a time that has passed."""
    date = time = minutes = False
    for piece in pieces(code):
        if _ELAPSED.match(piece):
            return Kind.ELAPSED
        low = piece.lower()
        if low == ";":
            break
        if low in ("am/pm", "a/p") or low[0] in "hs":
            time = True
        elif low[0] in "yd" or (low[0] in "ebg" and set(low) <= set("ebg") and low[0] != "e"):
            date = True
        elif low[0] == "m":
            minutes = True
    if date:
        return Kind.DATETIME if time else Kind.DATE
    if time:
        return Kind.TIME
    return Kind.DATE if minutes else Kind.NUMBER


def general(value: float) -> str:
    """A number as the format General shows it in a wide cell."""
    if value == 0:
        return "0"
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e11):
        text = str(int(value))
        if len(text.lstrip("-")) <= 11:
            return text
    text = f"{value:.10g}" if 1e-9 <= abs(value) < 1e11 else f"{value:.5E}"
    mantissa, mark, power = text.upper().partition("E")
    if not mark:
        return mantissa
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}E{power[0]}{power[1:].lstrip('0').zfill(2)}"


def shown(value: object, code: str) -> str:
    """Roughly the text that Excel shows for a value under a format."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime | dt.time | dt.timedelta):
        return _moment(value, code)
    if isinstance(value, int | float):
        return _number(value, code)
    return str(value)


def _number(value: float, code: str) -> str:
    sections = _sections(code)
    section = sections[0]
    if value < 0 and len(sections) > 1:
        section, value = sections[1], -value
    elif value == 0 and len(sections) > 2:
        section = sections[2]
    parts = pieces(section)
    if any(p.lower() == "general" for p in parts) or section.strip() in ("", "@"):
        return "".join(general(value) if p.lower() == "general" or p == "@" else _literal(p) for p in parts)
    if "?/" in section or "#/" in section:
        return general(value)
    return _placed(value, parts)


def _sections(code: str) -> list[str]:
    found = [""]
    for piece in pieces(code):
        if piece == ";":
            found.append("")
        else:
            found[-1] += piece
    return found


def _literal(piece: str) -> str:
    if piece.startswith('"'):
        return piece.strip('"')
    if piece.startswith("\\"):
        return piece[1:]
    if piece.startswith("_"):
        return " "
    if piece.startswith("[$"):
        return piece[2:].rstrip("]").partition("-")[0]
    return "" if piece.startswith(("*", "[")) else piece


def _placed(value: float, parts: list[str]) -> str:
    digits = [p for p in parts if p in "0#?" or p.startswith(".") or p == ","]
    mask = "".join(digits)
    if not any(c in mask for c in "0#?"):
        return "".join(_literal(p) for p in parts)
    whole, _, decimals = mask.partition(".")
    places = sum(c in "0#?" for c in decimals)
    least = decimals.count("0")
    scaled = value * 100 ** parts.count("%") / 1000 ** (len(whole) - len(whole.rstrip(",")))
    if any(p.upper() in ("E+", "E-") for p in parts):
        mantissa, _, power = f"{scaled:.{places - _exponent_digits(parts)}E}".partition("E")
        return f"{mantissa}E{power[0]}{power[1:].lstrip('0').zfill(2)}"
    text = f"{abs(scaled):{',' if ',' in whole.rstrip(',') else ''}.{places}f}"
    if places > least:
        head, _, tail = text.partition(".")
        tail = tail[:least] + tail[least:].rstrip("0")
        text = f"{head}.{tail}" if tail or "." in mask else head
    text = text.rjust(whole.count("0") + (len(text) - len(text.partition(".")[0])), "0")
    sign = "-" if scaled < 0 and text.strip("0.,") else ""
    return sign + _around(text, parts, digits)


def _exponent_digits(parts: list[str]) -> int:
    at = next(i for i, p in enumerate(parts) if p.upper() in ("E+", "E-"))
    after = sum(p in "0#?" for p in parts[at:])
    return after if "." in "".join(parts[:at]) else 0


def _around(text: str, parts: list[str], digits: list[str]) -> str:
    result, placed = "", False
    for piece in parts:
        if piece in digits:
            result += "" if placed else text
            placed = True
        else:
            result += _literal(piece)
    return result.strip()


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _moment(value: dt.datetime | dt.time | dt.timedelta, code: str) -> str:
    parts = pieces(_sections(code)[0])
    if kind_of(code) is Kind.NUMBER:
        return value.isoformat(" ") if isinstance(value, dt.datetime) else str(value)
    total = value if isinstance(value, dt.timedelta) else None
    if total is not None:
        days, rest = divmod(abs(total), dt.timedelta(days=1))
        when = dt.datetime(1900, 1, 1) + rest
        seconds = days * 86400 + rest.seconds
    else:
        when = dt.datetime.combine(dt.date(1900, 1, 1), value) if isinstance(value, dt.time) else value  # type: ignore[assignment]
        seconds = when.hour * 3600 + when.minute * 60 + when.second
    half = any(p.lower() in ("am/pm", "a/p") for p in parts)
    text = "".join(_dated(piece, i, parts, when, seconds, half) for i, piece in enumerate(parts))
    return ("-" if total is not None and total < dt.timedelta(0) else "") + text


def _dated(piece: str, i: int, parts: list[str], when: dt.datetime, seconds: int, half: bool) -> str:
    elapsed = _ELAPSED.match(piece)
    if elapsed:
        unit = {"h": 3600, "m": 60, "s": 1}[elapsed[1][0].lower()]
        return str(seconds // unit).zfill(len(elapsed[1]))
    low, n = piece.lower(), len(piece)
    if low[0] == "y":
        return f"{when.year:04}" if n > 2 else f"{when.year % 100:02}"
    if low[0] == "d":
        return _name(_DAYS[when.weekday()], when.day, n)
    if low[0] == "m" and not _is_minute(i, parts):
        return _MONTHS[when.month - 1][0] if n == 5 else _name(_MONTHS[when.month - 1], when.month, n)
    if low[0] == "m":
        return str(when.minute).zfill(min(n, 2))
    if low[0] == "h":
        return str((when.hour % 12 or 12) if half else when.hour).zfill(min(n, 2))
    if low[0] == "s":
        whole, _, decimals = piece.partition(".")
        fraction = f".{when.microsecond:06}"[: len(decimals) + 1] if decimals else ""
        return str(when.second).zfill(min(len(whole), 2)) + fraction
    if low in ("am/pm", "a/p"):
        word = "PM" if when.hour >= 12 else "AM"
        return word if low == "am/pm" else word[0]
    return _literal(piece)


def _name(name: str, number: int, count: int) -> str:
    if count <= 2:
        return str(number).zfill(count)
    return name[:3] if count == 3 else name


def _is_minute(at: int, parts: list[str]) -> bool:
    """Whether an `m` counts minutes: it stands behind hours or before seconds."""
    before = [p.lower() for p in parts[:at] if p.lower().strip("[]")[:1] in ("h", "m", "s", "d", "y")]
    after = [p.lower() for p in parts[at + 1 :] if p.lower()[:1] in ("h", "m", "s", "d", "y")]
    return bool(before and before[-1].strip("[]")[0] == "h") or bool(after and after[0][0] == "s")
