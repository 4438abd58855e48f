"""The words that agencies and their programs have for states and formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from batchbook.config import did_you_mean
from batchbook.tables.kinds import Wrong

STATUS_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "available": ("free", "unused", "unassigned", "not assigned", "not used", "open"),
    "reserved": ("on hold", "hold", "blocked", "held"),
    "assigned": ("used", "in use", "allocated", "registered", "forthcoming", "announced", "not yet published"),
    "published": ("active", "in print", "released", "out of print", "out of stock", "on sale"),
    "cancelled": ("canceled", "abandoned", "withdrawn", "void", "voided", "deleted", "retired", "never published"),
}
"""State -> other words for it."""

FORMAT_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "paperback": (
        "softcover", "soft cover", "softback", "paperback / softback", "print paperback", "trade paperback",
        "perfect bound", "bc",
    ),
    "hardcover": ("hardback", "hard cover", "hardback / hardcover", "cloth", "casebound", "print hardcover", "bb"),
    "ebook": (
        "e-book", "electronic book", "electronic book text", "digital", "digital download", "epub", "pdf", "kindle",
        "ea", "ed",
    ),
    "audiobook": (
        "audio book", "audio", "downloadable audio file", "downloadable audio", "audio cd", "cd-audio", "mp3", "ac",
        "aj",
    ),
}  # fmt: skip
"""Format -> other words for it, with the codes of the book trade (ONIX list 150)."""


def status_of(text: str) -> str:
    """The state that a word means. Raises Wrong with the words that are known."""
    found = _meant(text, {state: (state, *words) for state, words in STATUS_WORDS.items()})
    if found is None:
        near = did_you_mean(text, [word for state, words in STATUS_WORDS.items() for word in (state, *words)])
        raise Wrong("not-allowed", f"is no state that is known{near}; known: {', '.join(STATUS_WORDS)}, and synonyms")
    return found


def format_of(text: str, formats: Sequence[str]) -> str:
    """The format that a word means. Raises Wrong with the formats that are known."""
    found = _meant(text, {form: (form, *FORMAT_WORDS.get(form, ())) for form in formats})
    if found is None:
        near = did_you_mean(text, formats)
        raise Wrong("not-allowed", f"is no format that is known{near}; allowed: {', '.join(formats)}, and synonyms")
    return found


def _meant(text: str, words: Mapping[str, Sequence[str]]) -> str | None:
    plain = _plain(text)
    return next((name for name, known in words.items() if plain in map(_plain, known)), None)


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").replace("-", " ").split()).casefold()
