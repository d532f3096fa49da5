"""Join of several series of frames by time and vantage point."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from munit_jax.sun.vantage import separations

TOLERANCE = 360  # seconds: half of the 12 minutes between magnetograms
APART = 0.5  # degrees between vantage points; spacecraft about the Earth, and SOHO, are within 0.3
NEVER = np.iinfo(np.int64).max


def nearest(reference: Int[np.ndarray, "a"], series: Int[np.ndarray, "b"]) -> Int[np.ndarray, "a"]:
    """Return the index in `series` (sorted, not empty) of the time nearest to each reference; the earlier of two."""
    right = np.clip(np.searchsorted(series, reference), 0, len(series) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(reference - series[left] <= np.abs(series[right] - reference), left, right)


def nearest_there(
    reference: Int[np.ndarray, "a"],
    series: Int[np.ndarray, "b"],
    reference_towards: Float[np.ndarray, "a 3"],
    series_towards: Float[np.ndarray, "b 3"],
    tolerance: int,
    apart: float,
) -> tuple[Int[np.ndarray, "a"], Int[np.ndarray, "a"]]:
    """Return the index in `series` of the time nearest to each reference of those seen from its place, and the gap.

    Within `tolerance` seconds and `apart` degrees; the gap is NEVER where there is none.
    """
    index, gap = np.zeros(len(reference), np.int64), np.full(len(reference), NEVER)
    first = np.searchsorted(series, reference - tolerance, side="left")
    last = np.searchsorted(series, reference + tolerance, side="right")
    for k in np.flatnonzero(last > first):
        among = slice(first[k], last[k])
        there = separations(series_towards[among], reference_towards[k : k + 1]) <= apart
        gaps = np.where(there, np.abs(series[among] - reference[k]), NEVER)
        index[k], gap[k] = first[k] + int(gaps.argmin()), gaps.min()
    return index, gap


def join_nearest(
    times: Mapping[str, Int[np.ndarray, "frame"]],
    tolerance: int = TOLERANCE,
    towards: Mapping[str, Float[np.ndarray, "frame 3"]] | None = None,
    apart: float = APART,
) -> dict[str, np.ndarray]:
    """Return, for each series, the indices of frames that belong together; all of one length, ordered by time.

    The first series is the reference: to each of its frames comes the nearest of every other series, if it is within
    the tolerance. A frame is used once: of two references that claim it, the nearer keeps it. Times are sorted, in
    seconds. With `towards`, the directions of the observers, only frames within `apart` degrees belong together.
    """
    names = list(times)
    if any(len(series) == 0 for series in times.values()):
        return {name: np.zeros(0, int) for name in names}
    reference = np.asarray(times[names[0]])
    chosen = {names[0]: np.arange(len(reference))}
    keep = np.ones(len(reference), bool)
    for name in names[1:]:
        series = np.asarray(times[name])
        if towards is None:
            index = nearest(reference, series)
            gap = np.abs(series[index] - reference)
        else:
            index, gap = nearest_there(reference, series, towards[names[0]], towards[name], tolerance, apart)
        closest = np.full(len(series), NEVER)
        np.minimum.at(closest, index, gap)
        first = np.zeros(len(reference), bool)
        winners = np.flatnonzero(gap == closest[index])
        first[winners[np.unique(index[winners], return_index=True)[1]]] = True
        keep &= (gap <= tolerance) & first
        chosen[name] = index
    return {name: index[keep] for name, index in chosen.items()}
