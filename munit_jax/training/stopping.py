"""Ctrl-C and SIGTERM ask a run to stop; it does so at the end of a step, with everything saved."""

import signal
import time
from types import FrameType

SAME_REQUEST = 1.0  # seconds: launchers pass a signal on that the process has received itself


class StopRequest:
    """A context manager whose `signal_name` is set once the process was asked to stop.

    Another Ctrl-C interrupts at once, for a user who does not want to wait.
    """

    signal_name: str | None = None
    _asked: float = 0.0

    def __enter__(self) -> "StopRequest":
        self._previous = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.signal_name is None:
            self.signal_name, self._asked = signal.Signals(number).name, time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - self._asked > SAME_REQUEST:
            raise KeyboardInterrupt
