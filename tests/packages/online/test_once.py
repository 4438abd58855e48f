import threading

import pytest

from batchbook.packages.online.once import Once
from batchbook.packages.sources import NotAsked, SourceUnreachable
from tests.packages.online.helpers import PATIENCE, in_threads, until


def test_what_many_threads_ask_is_made_once_for_each_key() -> None:
    once: Once[int, int] = Once()
    made = []

    def make(key: int) -> int:
        made.append(key)
        return key * 2

    keys = [number % 7 for number in range(2_000)]
    assert in_threads(lambda key: once.get(key, lambda: make(key)), keys) == [key * 2 for key in keys]
    assert sorted(made) == list(range(7))


def test_not_asked_on_purpose_is_an_answer_for_all_and_each_gets_an_exception_of_its_own() -> None:
    once: Once[str, int] = Once()
    made, seen = [], []

    def fail() -> int:
        made.append(1)
        raise NotAsked("offline")

    def ask(_: int) -> None:
        with pytest.raises(NotAsked, match=r"^offline$") as problem:
            once.get("a", fail)
        seen.append(problem.value)

    in_threads(ask, range(200))
    assert len(made) == 1 and len(set(map(id, seen))) == 200


def test_trouble_comes_to_all_who_wait_for_it_and_the_next_one_asks_anew() -> None:
    once: Once[str, int] = Once()
    enough = threading.Event()
    seen = []

    def fail() -> int:
        assert enough.wait(PATIENCE)
        raise SourceUnreachable("down")

    def ask(_: int) -> None:
        with pytest.raises(SourceUnreachable, match=r"^down$") as problem:
            once.get("a", fail)
        seen.append(problem.value)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: len(once._outcomes["a"]._condition._waiters) == 19)
    enough.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(set(map(id, seen))) == 20
    assert once.get("a", lambda: 2) == 2


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt])
def test_who_waits_for_a_thread_that_dies_is_told_and_the_next_one_asks_anew(kind: type[BaseException]) -> None:
    once: Once[str, int] = Once()
    started, waits = threading.Event(), threading.Event()
    seen: list[object] = []

    def die() -> int:
        started.set()
        waits.wait(PATIENCE)
        raise kind("gone")

    def first() -> None:
        try:
            once.get("a", die)
        except BaseException as problem:  # noqa: BLE001
            seen.append(type(problem))

    def second() -> None:
        try:
            once.get("a", lambda: 1)
        except SourceUnreachable as problem:
            seen.append(str(problem))

    one, two = threading.Thread(target=first), threading.Thread(target=second)
    one.start()
    assert started.wait(PATIENCE)
    two.start()
    until(lambda: bool(once._outcomes["a"]._condition._waiters))  # the second one waits
    waits.set()
    one.join(PATIENCE)
    two.join(PATIENCE)
    assert set(seen) == {kind, "the request was broken off"}
    assert once.get("a", lambda: 2) == 2


def test_only_the_latest_answers_are_held() -> None:
    once: Once[int, int] = Once(3)
    made = []

    def make(key: int) -> int:
        made.append(key)
        return key

    for key in (1, 2, 3, 1, 4, 1, 2):
        assert once.get(key, lambda key=key: make(key)) == key
    assert made == [1, 2, 3, 4, 2]
    assert len(once._outcomes) == 3
