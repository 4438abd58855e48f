"""Questions of many threads, gathered into one request."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, TypeVar

from batchbook.packages.online.once import BROKEN_OFF, outcome
from batchbook.packages.sources import NotAsked, SourceUnreachable

Question = TypeVar("Question", bound=Hashable)
Reply = TypeVar("Reply")

MOST_EXPECTED = 10_000


@dataclass(slots=True, eq=False)
class _Round(Generic[Question, Reply]):
    """The questions of one request."""

    questions: list[Question] = field(default_factory=list)
    futures: list[Future[Reply]] = field(default_factory=list)
    full: Event = field(default_factory=Event)
    led: bool = False
    """Whether somebody is going to send it."""
    failed: bool = False
    """Whether the request failed as a whole, whatever each reply would have been."""


class Gathering(Generic[Question, Reply]):
    """Sends questions together: the first asker of a round waits a moment for others, and sends for all.

    A round that was closed is nobody's business but its askers': the next question opens another one, whether or not
    the request is still under way. Questions that are expected go along with the first of them that is asked.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Question]], Sequence[Reply | SourceUnreachable]],
        wait: float,
        most: int,
    ) -> None:
        """`send` answers each question in its place, `wait` is in seconds, `most` how many questions a request has."""
        if most < 1:
            raise ValueError(f"a request of {most} questions asks nothing")
        self._send = send
        self._wait = wait
        self._most = most
        self._lock = Lock()
        self._open: _Round[Question, Reply] | None = None
        self._expected: OrderedDict[Question, tuple[_Round[Question, Reply], Future[Reply]]] = OrderedDict()

    def expect(self, questions: Iterable[Question]) -> None:
        """These will be asked soon: they go into one request, sent when the first of them is asked."""
        with self._lock:
            new = [one for one in dict.fromkeys(questions) if one not in self._expected]
            while len(self._expected) > MOST_EXPECTED:
                self._expected.popitem(last=False)  # expected, and never asked: of rows that were left out
            for start in range(0, len(new), self._most):
                round_: _Round[Question, Reply] = _Round()
                for question in new[start : start + self._most]:
                    round_.questions.append(question)
                    round_.futures.append(Future())
                    self._expected[question] = round_, round_.futures[-1]

    def ask(self, question: Question) -> Reply:
        """The reply to one question.

        Where a request of several questions fails, each is asked again by itself: one may be what the server cannot
        answer. SourceUnreachable and NotAsked then come to who asked.
        """
        with self._lock:
            round_, future = self._expected.pop(question) if question in self._expected else self._join(question)
            leads, round_.led = not round_.led, True
        if leads:
            self._lead(round_)
        try:
            return outcome(future)
        except SourceUnreachable:
            if not round_.failed or len(round_.questions) == 1:
                raise
        alone: _Round[Question, Reply] = _Round([question], [Future()], led=True)
        self._lead(alone)
        return outcome(alone.futures[0])

    def _join(self, question: Question) -> tuple[_Round[Question, Reply], Future[Reply]]:
        """A place in the open round."""
        future: Future[Reply] = Future()
        round_ = self._open = self._open or _Round()
        round_.questions.append(question)
        round_.futures.append(future)
        if len(round_.questions) >= self._most:
            self._open = None
            round_.full.set()
        return round_, future

    def _lead(self, round_: _Round[Question, Reply]) -> None:
        try:
            if self._is_open(round_):
                round_.full.wait(self._wait)
            self._close(round_)
            self._hand_out(round_, self._send(tuple(round_.questions)))
        except (SourceUnreachable, NotAsked) as problem:
            self._fail(round_, problem)
        except BaseException:
            self._close(round_)  # nobody may join a round that will not be sent
            self._fail(round_, SourceUnreachable(BROKEN_OFF))
            raise

    def _is_open(self, round_: _Round[Question, Reply]) -> bool:
        with self._lock:
            return self._open is round_

    def _close(self, round_: _Round[Question, Reply]) -> None:
        with self._lock:
            if self._open is round_:
                self._open = None

    def _hand_out(self, round_: _Round[Question, Reply], replies: Sequence[Reply | SourceUnreachable]) -> None:
        for future, reply in zip(round_.futures, replies, strict=True):
            if isinstance(reply, SourceUnreachable):
                future.set_exception(reply)
            else:
                future.set_result(reply)

    def _fail(self, round_: _Round[Question, Reply], problem: Exception) -> None:
        round_.failed = True
        for future in round_.futures:
            if not future.done():
                future.set_exception(problem)
