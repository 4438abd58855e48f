from __future__ import annotations

from batchbook.packages.online.breaker import Breaker


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(3, 60.0, clock)
    for _ in range(3):
        breaker.failed("no connection")
    return breaker


def test_a_server_is_asked_until_it_failed_often_enough_in_a_row() -> None:
    breaker = Breaker(3, 60.0, Clock())
    for _ in range(5):
        breaker.failed("no answer")
        breaker.failed("no answer")
        breaker.succeeded()
    assert not breaker.refusal()
    for _ in range(3):
        breaker.failed("no answer")
    assert breaker.refusal() == "not asked for a while after 3 failures, the last: no answer"


def test_after_the_pause_one_request_tries_and_the_others_wait_for_it() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 61
    assert not breaker.refusal()
    assert breaker.refusal()
    breaker.succeeded()
    assert not breaker.refusal()


def test_a_trial_that_fails_begins_another_pause() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 61
    assert not breaker.refusal()
    breaker.failed("still down")
    clock.now += 59
    assert "still down" in breaker.refusal()
    clock.now += 2
    assert not breaker.refusal()


def test_a_trial_that_never_comes_back_does_not_close_the_way_for_ever() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now += 61
    assert not breaker.refusal()
    clock.now += 61
    assert not breaker.refusal()


def test_what_weighs_less_takes_longer_to_be_given_up() -> None:
    breaker = Breaker(3, 60.0, Clock())
    for _ in range(5):
        breaker.failed("no answer in time", 0.5)
    assert not breaker.refusal() and not breaker.is_open()
    breaker.failed("no answer in time", 0.5)
    assert breaker.refusal() and breaker.is_open()


def test_whether_it_is_given_up_can_be_asked_without_taking_the_turn_of_the_trial() -> None:
    clock = Clock()
    breaker = broken(clock)
    assert breaker.is_open()
    clock.now += 61
    assert not breaker.is_open()
    assert not breaker.is_open()
    assert not breaker.refusal()


def test_a_long_pause_that_a_server_asked_for_is_kept() -> None:
    clock = Clock()
    breaker = Breaker(3, 60.0, clock)
    breaker.closed_for(3600, "it asked to be left alone for 3600 s")
    clock.now += 3599
    assert breaker.refusal() == "not asked for a while: it asked to be left alone for 3600 s"
    clock.now += 2
    assert not breaker.refusal()


def test_what_becomes_of_requests_under_way_does_not_shorten_a_pause_that_the_server_asked_for() -> None:
    clock = Clock()
    breaker = Breaker(3, 60.0, clock)
    breaker.closed_for(3600, "it asked to be left alone for 3600 s")
    breaker.succeeded()
    assert "3600" in breaker.refusal()
    for _ in range(3):
        breaker.failed("no answer")
    breaker.closed_for(100, "it asked to be left alone for 100 s")
    clock.now += 3599
    assert breaker.refusal()
    clock.now += 2
    assert not breaker.refusal()
