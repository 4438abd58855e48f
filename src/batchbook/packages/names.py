"""Package names and versions as Python packaging reads them; what it cannot read is None, never a guess."""

from __future__ import annotations

import re
from functools import lru_cache

from packaging.utils import canonicalize_name
from packaging.version import Version

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)


def read_name(text: str) -> str | None:
    """A package name in its normal form (PEP 503), None where the text is no package name."""
    text = text.strip()
    return canonicalize_name(text) if _NAME.fullmatch(text) else None


@lru_cache(maxsize=1 << 16)
def read_version(text: str) -> Version | None:
    """A version (PEP 440), None where the text is none."""
    try:
        return Version(text)
    except ValueError:  # InvalidVersion, or a number of more digits than Python reads
        return None
