"""Answers that are stored for good, read with a way out of a bad one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from batchbook.packages.online.endpoint import Answer, Endpoint
from batchbook.packages.sources import SourceUnreachable

Read = TypeVar("Read")


class UnusableAnswer(SourceUnreachable):
    """A server answered with what cannot be used."""


def parsed(answer: Answer) -> Any:
    """The JSON of an answer; UnusableAnswer where it is none."""
    try:
        return answer.json()
    except SourceUnreachable as problem:
        raise UnusableAnswer(str(problem)) from problem


def read_kept(
    endpoint: Endpoint,
    url: str,
    read: Callable[[Answer], Read],
    *,
    keep: str,
    params: Mapping[str, str] | None = None,
    max_age: timedelta | None = None,
) -> Read:
    """What `read` makes of an answer kept under `keep`.

    Where `read` finds it unusable (UnusableAnswer) it is asked for once more past the store: what is stored for
    good may be an error page or an old state that a server gave once.
    """
    try:
        return read(endpoint.get(url, params=params, keep=keep, max_age=max_age))
    except UnusableAnswer:
        if endpoint.offline:
            raise
    return read(endpoint.get(url, params=params, keep=keep, max_age=timedelta(0)))
