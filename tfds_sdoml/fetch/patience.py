"""Try again, with growing pauses, what may work later: a busy server, a connection that was cut."""

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

logger = logging.getLogger(__name__)


class RefusedError(Exception):
    """A piece that is not available: the server refuses it, or sends something else."""


class MissingError(RefusedError):
    """A piece that the server does not have."""


class PassingError(Exception):
    """A failure that may pass.

    Args:
        message: what happened.
        wait: seconds after which the server asks to be tried again; 0 if it says nothing.
    """

    def __init__(self, message: str, wait: float = 0.0):
        super().__init__(message)
        self.wait = wait


class Patience(NamedTuple):
    """How often something is tried, and the pause after the first failure in seconds, doubled after each."""

    tries: int = 7
    first_wait: float = 1.0

    def persist[T](self, work: Callable[[], T]) -> T:
        """Return what `work` returns, tried again after each `PassingError`; RefusedError if the last try fails so."""
        for k in range(self.tries - 1):
            try:
                return work()
            except PassingError as error:
                wait = max(error.wait, self.first_wait * 2**k)
                logger.debug("%s; tried again after %.1f s", error, wait)
                time.sleep(wait)
        try:
            return work()
        except PassingError as error:
            raise RefusedError(f"{error} ({self.tries} tries)") from error
