"""Compare the level of a frame with that of its neighbours in time."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from munit_jax.instruments.errors import FrameError
from munit_jax.sun.constants import DAY

UNLIKE = 2.0  # times the neighbours' level, or less than its inverse; active regions change it by tens of per cent

REFERENCE_EVERY = 7200  # seconds between neighbours: an eclipse by the Earth lasts up to 72 minutes
REFERENCES = 3  # neighbours on each side ...
REFERENCE_REACH = 5 * DAY  # ... not farther than this, seconds
FEWEST_REFERENCES = 2


def references(times: Int[np.ndarray, "frame"]) -> list[tuple[list[int], list[int]]]:
    """Return the indices of the frames that each frame may be compared with, before and after it, the nearest first.

    They are the first of every two hours, the frame's own two hours left out: an eclipse is shorter. REFERENCES on each
    side are used: the nearest that are good. The times are seconds since 1970, ascending.
    """
    bins, first, own = np.unique(times // REFERENCE_EVERY, return_index=True, return_inverse=True)
    chosen = []
    most = REFERENCE_REACH // REFERENCE_EVERY + 1
    for time, place in zip(times, own, strict=True):
        sides = range(place - 1, max(-1, place - 1 - most), -1), range(place + 1, min(len(bins), place + 1 + most))
        before, after = (
            [int(first[n]) for n in side if abs(times[first[n]] - time) <= REFERENCE_REACH] for side in sides
        )
        chosen.append((before, after))
    return chosen


def with_references(times: Int[np.ndarray, "frame"], own: Sequence[int]) -> Int[np.ndarray, "some"]:
    """Return the indices of a run of frames and of all that they may be compared with, in order."""
    first = np.unique(times // REFERENCE_EVERY, return_index=True)[1]
    near = (times[own[0]] - REFERENCE_REACH <= times[first]) & (times[first] <= times[own[-1]] + REFERENCE_REACH)
    return np.union1d(own, first[near])


def check_neighbours(level: float, others: Sequence[float], field: bool) -> None:
    """Refuse a frame whose level is far from the median of its neighbours': saturated, eclipsed, wrongly scaled.

    Fewer than two neighbours give no verdict.

    Raises:
        FrameError: `unlike its neighbours`.
    """
    if len(others) < FEWEST_REFERENCES:
        return
    usual = float(np.median(others))
    if level > UNLIKE * usual or level < usual / UNLIKE:
        what, unit = ("disk's mean unsigned field", "gauss") if field else ("disk median", "DN/s")
        raise FrameError("unlike its neighbours", f"its {what} is {level:g}, theirs {usual:g} {unit}")
