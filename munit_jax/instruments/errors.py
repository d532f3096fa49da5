"""Why a frame cannot be used."""

from typing import Literal

Reason = Literal[
    "no time",
    "duplicate",
    "quality",
    "unreadable",
    "unit",
    "shape",
    "not finite",
    "constant",
    "off-disk level",
    "off-centre disk",
    "unlike its neighbours",
    "saturated",
    "missing blocks",
    "instrument",
    "no companion",
    "unlike the training",
]


class FrameError(Exception):
    """A frame that cannot be used; it is skipped, and listed with the reason."""

    def __init__(self, reason: Reason, detail: str):
        super().__init__(reason, detail)  # both, so that the error can be pickled on its way out of a process
        self.reason: Reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


def reason_of(error: Exception) -> str:
    """Return the message of an error in one line, without the path."""
    return getattr(error, "strerror", None) or str(error).strip().partition("\n")[0] or type(error).__name__
