"""Ctrl-C and SIGTERM ask a run to stop; it does so at the end of a step, with everything saved."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from types import FrameType

import jax
from jax.experimental import multihost_utils

SAME_REQUEST = 1.0  # seconds: launchers repeat a signal that the process has received itself


class Stopped(Exception):  # noqa: N818 (no error: requested)
    """The process was asked to stop, and interrupted its work."""


class StopRequest:
    """A context manager that records whether the process was asked to stop; another Ctrl-C interrupts at once.

    Several hosts must stop at the same step, whichever of them was asked. JAX's protocol for it,
    `jax.experimental.multihost_utils.reached_preemption_sync_point`, listens to SIGTERM: Ctrl-C is forwarded to it.
    """

    signal_name: str | None = None
    _asked: float = 0.0

    def __init__(self):
        self._alone = jax.process_count() == 1

    def begin(self, first: int) -> None:
        """Start after `first` steps; every host calls it.

        Raises:
            Stopped: one of them was asked to stop before.
        """
        if self._alone:
            self.check()
        # The hosts stop at the step after the largest that any has reported, and none was reported before: 1 shows a
        # request from before, `first` makes later ones come to a step that is still ahead.
        elif self.asked(1) or (first > 1 and self.asked(first)):
            raise Stopped

    def asked(self, step: int) -> bool:
        """Return whether to stop after this step; to be called once after every step."""
        return self.signal_name is not None if self._alone else multihost_utils.reached_preemption_sync_point(step)

    def check(self) -> None:
        """Raise Stopped if this process, being the only one, was asked to stop."""
        if self._alone and self.signal_name is not None:
            raise Stopped

    def until_asked[T](self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items; raises as `check` between two of them."""
        for item in items:
            self.check()
            yield item

    def __enter__(self) -> "StopRequest":
        numbers = (signal.SIGINT, signal.SIGTERM) if self._alone else (signal.SIGINT,)
        self._previous = {number: signal.signal(number, self._ask) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.signal_name is None:
            self.signal_name, self._asked = signal.Signals(number).name, time.monotonic()
            if not self._alone:
                os.kill(os.getpid(), signal.SIGTERM)
        elif number == signal.SIGINT and time.monotonic() - self._asked > SAME_REQUEST:
            raise KeyboardInterrupt
