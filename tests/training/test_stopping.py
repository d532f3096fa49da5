"""Signals ask once; only another Ctrl-C, later, interrupts."""

import os
import signal

import pytest

from munit_jax.training import stopping
from munit_jax.training.stopping import Stopped, StopRequest


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_request(number):
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert not stop.asked(1)
        assert list(stop.until_asked([1, 2])) == [1, 2]
        send(number)
        assert stop.signal_name == number.name
        assert stop.asked(2)
        send(number)  # passed on by a launcher: the same request
    assert signal.getsignal(number) == before


def test_another_ctrl_c_interrupts_and_another_sigterm_does_not(monkeypatch):
    monkeypatch.setattr(stopping, "SAME_REQUEST", -1.0)
    with StopRequest() as stop:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        assert stop.signal_name == "SIGTERM"
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_what_goes_through_many_things_is_left_between_two():
    seen = []

    def go_through(stop):
        for item in stop.until_asked(range(5)):
            seen.append(item)
            if item == 2:
                send(signal.SIGTERM)

    with StopRequest() as stop, pytest.raises(Stopped):
        go_through(stop)
    assert seen == [0, 1, 2]


def test_a_request_of_before_the_first_step_is_not_lost():
    with StopRequest() as stop:
        stop.begin(7)
        send(signal.SIGTERM)
        with pytest.raises(Stopped):
            stop.begin(7)
