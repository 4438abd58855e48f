"""Durations as people write them: ``90m``, ``24h``, ``7d``, ``1d12h``."""

from __future__ import annotations

import re
from datetime import timedelta

FORM = "a duration such as 90m, 24h or 7d (units s, m, h, d, w)"

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_WHOLE = re.compile(rf"(?:{_PART.pattern}\s*)+", re.ASCII)
_LONGEST = 100 * 366 * 86400


def parse_duration(text: str) -> timedelta:
    """The duration a text names; ValueError where it names none, or one that is not above zero and below a century."""
    plain = text.strip().lower()
    if not _WHOLE.fullmatch(plain):
        raise ValueError(f"must be {FORM}")
    parts = _PART.findall(plain)
    units = [unit for _, unit in parts]
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if len(set(units)) != len(units) or not 0 < seconds <= _LONGEST:
        raise ValueError(f"must be {FORM}, above zero, each unit once")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """A duration in the form that `parse_duration` reads, to the second: ``1d12h``; ``0s`` for none."""
    left = round(duration.total_seconds())
    if left < 0:
        return "-" + format_duration(-duration)
    said = ""
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _SECONDS[unit])
        said += f"{count}{unit}" if count else ""
    return said or "0s"
