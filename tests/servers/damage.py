"""Bodies that are not what was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

ERROR_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Oops</title></head><body><h1>We will be back soon</h1></body></html>\n"
)
DEPTH = 100_000
VITAL = frozenset(("files", "name", "versions", "meta", "results", "vulns", "id", "affected", "vulnerabilities", "cve"))
"""Keys without which an answer says nothing."""

FIXED = {
    "html": ERROR_PAGE,
    "html-as-told": ERROR_PAGE,
    "binary": bytes(range(256)) * 8,
    "empty": b"",
    "null": b"null",
    "deep": b"[" * DEPTH + b"]" * DEPTH,
}


def damaged(what: str, body: bytes) -> bytes:
    """The body in the shape that `what` of `faults.GARBAGE` names; what is no JSON counts as a text in an object."""
    if what in FIXED:
        return FIXED[what]
    if what == "bad-encoding":
        return body.replace(b"e", b"\xff\xfe") or b"\xff\xfe"
    try:
        document = json.loads(body)
    except ValueError:
        document = {"text": body.decode("utf-8", "replace")}
    return json.dumps(SHAPES[what](document)).encode()


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    return 7 if isinstance(value, str) else value


def _missing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _missing(one) for key, one in value.items() if key not in VITAL}
    return [_missing(one) for one in value] if isinstance(value, list) else value


def _other(value: Any) -> Any:
    """Every name and id another one, all else as it is."""
    if isinstance(value, dict):
        return {
            key: f"other-{one}" if key in ("id", "name") and isinstance(one, str) else _other(one)
            for key, one in value.items()
        }
    return [_other(one) for one in value] if isinstance(value, list) else value


def _fewer(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _fewer(one) for key, one in value.items()}
    return [_fewer(one) for one in value[:-1]] if isinstance(value, list) else value


SHAPES: dict[str, Callable[[Any], Any]] = {
    "list": lambda document: [document],
    "numbers": _numbers,
    "missing": _missing,
    "other": _other,
    "fewer": _fewer,
}
