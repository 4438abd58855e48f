"""What is asked by many threads is asked once: the first asker asks, the others wait for the outcome."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import Generic, TypeVar

from batchbook.packages.sources import NotAsked, SourceUnreachable

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

BROKEN_OFF = "the request was broken off"


MOST_HELD = 256


class Once(Generic[Key, Value]):
    """Answers by key, the latest ones: memory must not grow with the number of rows."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._lock = Lock()
        self._outcomes: OrderedDict[Key, Future[Value]] = OrderedDict()

    def has(self, key: Key) -> bool:
        """Whether an answer is there or under way."""
        with self._lock:
            return key in self._outcomes

    def drop(self, key: Key) -> None:
        """Forget an answer."""
        with self._lock:
            self._outcomes.pop(key, None)

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The outcome for a key, made by the first who asks; NotAsked is an outcome as well.

        SourceUnreachable comes to all who waited, and the next one asks anew: the source may be back. Any other
        exception is raised where it happened; who waited gets SourceUnreachable.
        """
        with self._lock:
            known = self._outcomes.get(key)
            future: Future[Value] = known or self._outcomes.setdefault(key, Future())
            self._outcomes.move_to_end(key)
            if len(self._outcomes) > self._most:
                self._outcomes.popitem(last=False)  # who waits for it has it in hand
        if known is None:
            self._make(key, future, make)
        return outcome(future)

    def _make(self, key: Key, future: Future[Value], make: Callable[[], Value]) -> None:
        try:
            future.set_result(make())
        except NotAsked as why:
            future.set_exception(why)
        except SourceUnreachable as problem:
            self._forget(key, future, problem)
        except BaseException:
            self._forget(key, future, SourceUnreachable(BROKEN_OFF))
            raise

    def _forget(self, key: Key, future: Future[Value], problem: Exception) -> None:
        with self._lock:
            if self._outcomes.get(key) is future:
                del self._outcomes[key]
        future.set_exception(problem)


def outcome(future: Future[Value]) -> Value:
    """Wait for an outcome; each asker gets an exception of its own, for threads must not share a traceback."""
    try:
        return future.result()
    except SourceUnreachable as problem:
        raise SourceUnreachable(str(problem)) from problem
    except NotAsked as why:
        raise NotAsked(str(why)) from why
    except CancelledError:
        raise SourceUnreachable(BROKEN_OFF) from None
