"""Ctrl-C and SIGTERM ask a run to stop; it does so at the end of a step, with everything saved."""

import signal
from types import FrameType


class StopRequest:
    """A context manager whose `signal_name` is set once the process was asked to stop.

    The second Ctrl-C interrupts at once, for a user who does not want to wait.
    """

    signal_name: str | None = None

    def __enter__(self) -> "StopRequest":
        self._previous = {s: signal.signal(s, self._ask) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.signal_name is not None:
            raise KeyboardInterrupt
        self.signal_name = signal.Signals(number).name
