import threading
from collections.abc import Callable, Sequence

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


def test_what_was_not_asked_on_purpose_is_told_to_every_asker_of_the_request() -> None:
    def act(asked: Sequence[int]) -> None:
        raise NotAsked("offline")

    send = Sender(act)
    assert in_threads(outcome_of(Gathering(send, LONG, 10)), range(10)) == ["NotAsked: offline"] * 10
    assert len(send.sent) == 1


def test_a_question_that_the_server_cannot_answer_costs_no_other_of_its_request() -> None:
    def act(asked: Sequence[int]) -> None:
        if 0 in asked:
            raise SourceUnreachable("answered 400")

    send = Sender(act)
    gathering = Gathering(send, LONG, 10)
    said = in_threads(outcome_of(gathering), range(10))
    assert said == ["SourceUnreachable: answered 400", *(2 * one for one in range(1, 10))]
    assert sorted(map(len, send.sent)) == [1] * 10 + [10]


def test_trouble_with_one_question_leaves_the_others_of_the_request_alone() -> None:
    gathering = Gathering(Sender(), LONG, 3)
    assert in_threads(outcome_of(gathering), [1, -2, 3]) == [2, "SourceUnreachable: no -2", 6]


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, SystemExit, MemoryError])
def test_a_leader_that_dies_leaves_nobody_waiting(kind: type[BaseException]) -> None:
    def act(asked: Sequence[int]) -> None:
        if 0 in asked:
            raise kind("gone")

    gathering = Gathering(Sender(act), LONG, 10)
    first, *others = in_threads(outcome_of(gathering), range(10))
    assert first is kind
    assert all(one is kind or one == 2 * number for number, one in enumerate(others, 1))
    assert others.count(kind) <= 1  # that of the leader; who waited asks by itself
    assert in_threads(outcome_of(gathering), range(1, 11)) == [2 * one for one in range(1, 11)]


def test_a_leader_that_dies_while_it_gathers_closes_its_round() -> None:
    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    gathering = Gathering(Sender(), LONG, 10)
    round_, future = gathering._join(0)
    round_.full = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        gathering._lead(round_)
    assert isinstance(future.exception(PATIENCE), SourceUnreachable)
    assert in_threads(outcome_of(gathering), range(10)) == [2 * one for one in range(10)]


def test_fewer_replies_than_questions_leave_nobody_waiting() -> None:
    gathering: Gathering[int, int] = Gathering(lambda asked: [1], LONG, 3)
    outcomes = in_threads(outcome_of(gathering), range(3))
    assert outcomes.count(ValueError) == 1
    assert outcomes.count(1) == 2  # each asked by itself, and got the one reply


def test_a_request_that_could_ask_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="asks nothing"):
        Gathering(Sender(), 0, 0)


# Questions that are expected


def test_what_is_expected_goes_into_one_request_with_the_first_of_it() -> None:
    send = Sender()
    gathering = Gathering(send, LONG, 1000)
    gathering.expect(range(30))
    assert [gathering.ask(one) for one in (7, 3)] == [14, 6]
    assert in_threads(gathering.ask, [one for one in range(30) if one not in (7, 3)])
    assert send.sent == [list(range(30))]


def test_a_question_that_was_not_expected_goes_its_own_way() -> None:
    send = Sender()
    gathering = Gathering(send, 0.001, 1000)
    gathering.expect([1, 2])
    assert gathering.ask(5) == 10
    assert gathering.ask(1) == 2
    assert send.sent == [[5], [1, 2]]


def test_what_is_expected_twice_is_sent_once_and_a_reply_is_given_once() -> None:
    send = Sender()
    gathering = Gathering(send, 0.001, 2)
    gathering.expect([1, 2, 1, 3])
    gathering.expect([3, 2])
    assert [gathering.ask(one) for one in (1, 2, 3, 3)] == [2, 4, 6, 6]
    assert send.sent == [[1, 2], [3], [3]]


def test_a_request_that_failed_for_what_was_expected_is_made_again_for_each() -> None:
    problems: list[Exception] = [SourceUnreachable("down")]

    def fail_once(asked: Sequence[int]) -> None:
        if problems:
            raise problems.pop()

    gathering = Gathering(Sender(fail_once), 0.001, 1000)
    gathering.expect([1, 2])
    assert [gathering.ask(one) for one in (1, 2)] == [2, 4]


def test_what_was_expected_and_never_asked_does_not_pile_up() -> None:
    gathering = Gathering(Sender(), 0.001, 10)
    for start in range(0, 30_000, 10):
        gathering.expect(range(start, start + 10))
    assert len(gathering._expected) < 10_020


@settings(max_examples=25, deadline=None)
@given(
    most=st.integers(1, 20),
    batches=st.lists(st.tuples(st.lists(st.integers(0, 60), max_size=20), st.lists(st.integers(0, 60), max_size=20))),
)
def test_whatever_is_expected_every_question_gets_its_own_reply(
    most: int, batches: list[tuple[list[int], list[int]]]
) -> None:
    gathering = Gathering(Sender(), 0.0, most)
    for expected, asked in batches:
        gathering.expect(expected)
        assert in_threads(gathering.ask, asked, threads=8) == [2 * one for one in asked]
