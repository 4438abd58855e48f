"""Secrets: what came from the environment as one is shown nowhere, however it got into a text.

Secrets are the values of variables named ``BATCHBOOK_SECRET_...``, of `OTHER_SECRETS`, and of those that a job's
options refer to as ``${NAME}``. Errors, reasons of rows, the log and everything that is printed go through `hide`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

SECRET_PREFIX = "BATCHBOOK_SECRET_"
OTHER_SECRETS = frozenset({"BATCHBOOK_NVD_API_KEY"})
SHORTEST = 6
"""Shorter values are not hidden: they would be found in words and numbers that have nothing to do with them."""
HIDDEN = "***"

_known: dict[str, str] = {}
_patterns: list[re.Pattern[str]] = []


def learn(secrets: Iterable[tuple[str, str]]) -> None:
    """Hide these values from now on, for the rest of the process; pairs of the variable's name and its value."""
    new = {value: name for name, value in secrets if len(value.strip()) >= SHORTEST and value not in _known}
    if new:
        _known.update(new)
        _patterns[:] = [_pattern(_known)]


def learn_environment(environ: Mapping[str, str]) -> None:
    """Hide the values of the variables that are secrets by their name."""
    learn((name, value) for name, value in environ.items() if is_secret(name))


def is_secret(name: str) -> bool:
    """Whether a variable holds a secret by its name."""
    return name.startswith(SECRET_PREFIX) or name in OTHER_SECRETS


def _pattern(secrets: Iterable[str]) -> re.Pattern[str]:
    forms: set[str] = set()
    for secret in secrets:
        for plain in (secret, secret.strip()):
            forms |= {plain, repr(plain)[1:-1], json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1]}
            safe = plain.encode("utf-8", "surrogateescape")
            forms |= {quote(safe, safe=""), quote(safe), quote_plus(safe)}
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)))


def hide(text: str) -> str:
    """The text with every secret in it replaced, also where it is quoted, escaped or part of an address."""
    for pattern in _patterns:
        text = pattern.sub(HIDDEN, text)
    return text


def secret_in(text: str) -> bool:
    """Whether a text holds a secret."""
    return any(pattern.search(text) for pattern in _patterns)
