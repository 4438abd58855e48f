"""The headers that columns of imported files can have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def spellings(name: str, titles: Sequence[str]) -> tuple[str, ...]:
    """A column's own name and its headers, each also with ``_``, with ``-`` and with nothing for blanks."""
    plain = [title.replace("_", " ").replace("-", " ") for title in (name, *titles)]
    forms = [form for title in plain for form in (title, *(title.replace(" ", sign) for sign in ("_", "-", "")))]
    unique = {form.casefold(): form for form in reversed([*titles, name, *forms])}
    return tuple(reversed(unique.values()))


def spelled(headers: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """All spellings of the headers of some columns, by own name."""
    return {name: spellings(name, titles) for name, titles in headers.items()}
