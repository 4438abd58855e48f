import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchbook.packages.online.gathering import Gathering
from batchbook.packages.sources import NotAsked, SourceUnreachable
from tests.packages.online.helpers import PATIENCE, in_threads, until

LONG = float(PATIENCE)
"""A wait that only a full round ends."""


class Sender:
    """Doubles what is asked, and knows what was sent."""

    def __init__(self, act: Callable[[Sequence[int]], None] = lambda asked: None) -> None:
        self.sent: list[list[int]] = []
        self.act = act

    def __call__(self, asked: Sequence[int]) -> list[int | SourceUnreachable]:
        self.sent.append(list(asked))
        self.act(asked)
        return [SourceUnreachable(f"no {one}") if one < 0 else one * 2 for one in asked]


def outcome_of(gathering: Gathering[int, int]) -> Callable[[int], object]:
    def ask(question: int) -> object:
        try:
            return gathering.ask(question)
        except (SourceUnreachable, NotAsked) as problem:
            return f"{type(problem).__name__}: {problem}"
        except BaseException as problem:  # noqa: BLE001
            return type(problem)

    return ask


def test_a_full_round_is_sent_as_one_request_without_waiting() -> None:
    send = Sender()
    assert in_threads(Gathering(send, LONG, 50).ask, range(50)) == [2 * one for one in range(50)]
    assert [sorted(one) for one in send.sent] == [list(range(50))]


def test_a_lone_question_is_sent_when_its_wait_is_over() -> None:
    send = Sender()
    assert Gathering(send, 0.001, 1000).ask(4) == 8
    assert send.sent == [[4]]


@settings(max_examples=25, deadline=None)
@given(most=st.integers(1, 60), questions=st.integers(1, 300), wait=st.sampled_from([0.0, 0.001]))
def test_every_question_is_sent_once_and_answered_in_its_place(most: int, questions: int, wait: float) -> None:
    send = Sender()
    assert in_threads(Gathering(send, wait, most).ask, range(questions)) == [2 * one for one in range(questions)]
    assert sorted(one for asked in send.sent for one in asked) == list(range(questions))
    assert max(map(len, send.sent)) <= most


def test_a_request_under_way_does_not_hold_up_the_next_round() -> None:
    release = threading.Event()
    send = Sender(lambda asked: None if asked[0] else (release.wait(PATIENCE), None)[1])
    gathering = Gathering(send, LONG, 1)
    slow = threading.Thread(target=gathering.ask, args=(0,))
    slow.start()
    until(lambda: bool(send.sent))  # it is under way
    assert gathering.ask(3) == 6
    assert slow.is_alive()
    release.set()
    slow.join(PATIENCE)
    assert not slow.is_alive()


@pytest.mark.parametrize("kind", [SourceUnreachable, NotAsked])
def test_the_reason_comes_to_every_asker_of_the_request_and_to_no_other(kind: type[Exception]) -> None:
    def act(asked: Sequence[int]) -> None:
        if 0 in asked:
            raise kind("down")

    send = Sender(act)
    gathering = Gathering(send, LONG, 10)
    assert in_threads(outcome_of(gathering), range(10)) == [f"{kind.__name__}: down"] * 10
    assert in_threads(outcome_of(gathering), range(1, 11)) == [2 * one for one in range(1, 11)]


def test_trouble_with_one_question_leaves_the_others_of_the_request_alone() -> None:
    gathering = Gathering(Sender(), LONG, 3)
    assert in_threads(outcome_of(gathering), [1, -2, 3]) == [2, "SourceUnreachable: no -2", 6]


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_leader_that_dies_leaves_nobody_waiting(kind: type[BaseException]) -> None:
    def act(asked: Sequence[int]) -> None:
        if 0 in asked:
            raise kind("gone")

    gathering = Gathering(Sender(act), LONG, 10)
    outcomes = in_threads(outcome_of(gathering), range(10))
    assert outcomes.count(kind) == 1
    assert outcomes.count("SourceUnreachable: the request was broken off") == 9
    assert in_threads(outcome_of(gathering), range(1, 11)) == [2 * one for one in range(1, 11)]


def test_a_leader_that_dies_while_it_gathers_closes_its_round() -> None:
    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    gathering = Gathering(Sender(), LONG, 10)
    future: Future[int] = Future()
    _, round_ = gathering._join(0, future)
    round_.full = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        gathering._lead(round_)
    assert isinstance(future.exception(PATIENCE), SourceUnreachable)
    assert in_threads(outcome_of(gathering), range(10)) == [2 * one for one in range(10)]


def test_fewer_replies_than_questions_leave_nobody_waiting() -> None:
    gathering: Gathering[int, int] = Gathering(lambda asked: [1], LONG, 3)
    outcomes = in_threads(outcome_of(gathering), range(3))
    assert outcomes.count(ValueError) == 1
    assert outcomes.count("SourceUnreachable: the request was broken off") == 2


def test_a_request_that_could_ask_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="asks nothing"):
        Gathering(Sender(), 0, 0)
