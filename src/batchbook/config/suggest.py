"""Near misses: the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(given: object, known: Iterable[str]) -> str | None:
    """The known name closest to what was given, or None where none is near."""
    by_plain = {_plain(name): name for name in known}
    found = get_close_matches(_plain(str(given)), list(by_plain), n=1, cutoff=0.6)
    return by_plain[found[0]] if found else None


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """``; did you mean 'batch'?`` for a near miss, else nothing."""
    name = nearest(given, known)
    return f"; did you mean {name!r}?" if name is not None else ""


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")
