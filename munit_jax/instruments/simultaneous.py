"""Join of several series of frames by time."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int

TOLERANCE = 360  # seconds: half of the 12 minutes between magnetograms


def nearest(reference: Int[np.ndarray, "a"], series: Int[np.ndarray, "b"]) -> Int[np.ndarray, "a"]:
    """Return the index in `series` (sorted, not empty) of the time nearest to each reference; the earlier of two."""
    right = np.clip(np.searchsorted(series, reference), 0, len(series) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(reference - series[left] <= np.abs(series[right] - reference), left, right)


def join_nearest(times: Mapping[str, Int[np.ndarray, "frame"]], tolerance: int = TOLERANCE) -> dict[str, np.ndarray]:
    """Return, for each series, the indices of frames that belong together; all of one length, ordered by time.

    The first series is the reference: to each of its frames comes the nearest of every other series, if it is within
    the tolerance. A frame is used once: of two references that claim it, the nearer keeps it. Times are sorted, in
    seconds.
    """
    names = list(times)
    if any(len(series) == 0 for series in times.values()):
        return {name: np.zeros(0, int) for name in names}
    reference = np.asarray(times[names[0]])
    chosen = {names[0]: np.arange(len(reference))}
    keep = np.ones(len(reference), bool)
    for name in names[1:]:
        series = np.asarray(times[name])
        index = nearest(reference, series)
        gap = np.abs(series[index] - reference)
        closest = np.full(len(series), np.iinfo(np.int64).max)
        np.minimum.at(closest, index, gap)
        first = np.zeros(len(reference), bool)
        winners = np.flatnonzero(gap == closest[index])
        first[winners[np.unique(index[winners], return_index=True)[1]]] = True
        keep &= (gap <= tolerance) & first
        chosen[name] = index
    return {name: index[keep] for name, index in chosen.items()}
