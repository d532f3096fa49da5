"""Signals ask once; only another Ctrl-C, later, interrupts."""

import os
import signal

import pytest

from munit_jax.training import stopping
from munit_jax.training.stopping import StopRequest


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_a_request(number):
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert stop.signal_name is None
        send(number)
        assert stop.signal_name == number.name
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
