"""Texts that were read in another encoding than they were written in."""

from __future__ import annotations

_READ_AS = "cp1252"
"""Windows' encoding of the West, which spreadsheets open a CSV file in where nothing says that it is UTF-8."""


def mended(text: str) -> str | None:
    """What was written where a text is UTF-8 that was read as Windows-1252 (``FlÃ¼sse``); None where it is not.

    All letters beyond ASCII have to be bytes that make sense in UTF-8 together, which those of a text in any language
    hardly ever do by chance. A text that was read so in part, or twice in two ways, is not recognised.
    """
    if text.isascii():
        return None
    try:
        written = text.encode(_READ_AS).decode("utf-8")
    except UnicodeError:
        return None
    return written if len(written) < len(text) and written.isprintable() else None


def said_of_misread(text: str | None) -> str | None:
    """What to say of a text that was read in another encoding; None of any other."""
    written = mended(" ".join(text.split())) if text else None
    if written is None:
        return None
    return f"looks like UTF-8 that was read as Windows-1252; was {written!r} meant?"
