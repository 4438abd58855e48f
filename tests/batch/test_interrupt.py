import os
import signal
import threading

import pytest

from batchbook.batch import interrupt
from batchbook.batch.interrupt import GRACE_SECONDS, StopToken, handle_signals


def test_the_first_call_counts():
    token = StopToken()
    assert (token.stopping, token.grace_left) == (False, GRACE_SECONDS)
    token.stop(signal.SIGTERM)
    token.stop(signal.SIGINT)
    assert (token.stopping, token.exit_code) == (True, 143)


def test_the_grace_runs_out_and_never_below_nothing(monkeypatch):
    token = StopToken()
    token.stop()
    assert 0 < token.grace_left <= GRACE_SECONDS
    monkeypatch.setattr(interrupt, "GRACE_SECONDS", 0)
    assert token.grace_left == 0


def test_a_sleeper_wakes_when_asked_to_stop():
    token = StopToken()
    threading.Timer(0.01, token.stop).start()
    assert token.wait(60) is True
    assert StopToken().wait(0.001) is False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_asks_to_stop_and_the_old_handlers_come_back(number):
    before = signal.getsignal(number)
    token = StopToken()
    with handle_signals(token):
        os.kill(os.getpid(), number)
        token.wait(5)
    assert token.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_a_second_signal_ends_the_process_where_it_stands(monkeypatch):
    left = []
    monkeypatch.setattr(interrupt.os, "_exit", left.append)
    token = StopToken()
    with handle_signals(token, leave=lambda: left.append("said")):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert left == ["said", 143]
    assert token.exit_code == 130


def test_a_signal_that_the_parent_had_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        token = StopToken()
        with handle_signals(token):
            signal.raise_signal(signal.SIGHUP)
        assert not token.stopping
    finally:
        signal.signal(signal.SIGHUP, before)
