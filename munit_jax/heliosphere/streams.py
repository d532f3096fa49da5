"""High-speed streams in a series of the wind's speed: when they arrive, how fast they are, and the spread of that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.signal import find_peaks

from munit_jax.sun.constants import DAY

RISE = 80.0  # km/s: how far a peak rises above both sides
FAST = 400.0  # km/s: a peak that is slower is no stream
SAME = 2 * DAY  # seconds between the arrivals of a stream in two realisations, at most
LOW, HIGH = 0.05, 0.95  # quantiles of an arrival
LEAST_SHARE = 1 / 3  # of the realisations that have a stream of the ensemble


@dataclass(frozen=True)
class Stream:
    """A high-speed stream: its arrival is the middle of its rise, in seconds since 1970; its peak is in km/s."""

    arrival: float
    peak: float


@dataclass(frozen=True)
class EnsembleStream:
    """A stream of several realisations: quantiles of its arrival, its peak, and the part of them that has it.

    Attributes:
        arrival, earliest, latest: median and central 90 % of those that have it, seconds since 1970.
        peak: median in km/s.
        share: of the realisations that have it.
    """

    arrival: float
    earliest: float
    latest: float
    peak: float
    share: float


def streams(times: Int[np.ndarray, " t"], speed: Float[np.ndarray, " t"]) -> list[Stream]:
    """Return the streams of a series in order: peaks of FAST or more that rise RISE above the wind on both sides.

    Peaks of one rise are one stream, with the highest of them. A stream that has not begun to fall at the end of the
    series has no peak in it, and one that is on its way at the beginning has no arrival.
    """
    peaks, about = find_peaks(speed, height=FAST, prominence=RISE)
    found: list[Stream] = []
    last = 0
    for peak, base in zip(peaks, about["left_bases"], strict=True):
        start = base + int(np.argmin(speed[base:peak]))
        half = (speed[start] + speed[peak]) / 2
        before = start + int(np.flatnonzero(speed[start:peak] < half)[-1])  # the last value below the middle
        part = (half - speed[before]) / (speed[before + 1] - speed[before])
        stream = Stream(float(times[before] + part * (times[before + 1] - times[before])), float(speed[peak]))
        if found and before < last:  # it has not been below the middle since the last peak
            stream = max(found.pop(), stream, key=lambda one: one.peak)
        found.append(stream)
        last = peak
    return found


def nearest(stream: Stream, others: Sequence[Stream]) -> Stream | None:
    """Return which of the others arrives next to a stream, None if it is not within two days."""
    best = min(others, key=lambda other: abs(other.arrival - stream.arrival), default=None)
    return best if best is not None and abs(best.arrival - stream.arrival) <= SAME else None


def ensemble_streams(times: Int[np.ndarray, " t"], speed: Float[np.ndarray, "n t"]) -> list[EnsembleStream]:
    """Return the streams that realisations share, in order, with the spread of their arrivals.

    The stream that most realisations have within two days of its arrival comes first, then that of what is left, down
    to a LEAST_SHARE of the realisations.
    """
    left = [streams(times, one) for one in speed]
    found = []
    while any(left):
        groups = [[nearest(stream, others) for others in left] for of_one in left for stream in of_one]
        group = max(groups, key=lambda group: len(group) - group.count(None))
        same = [stream for stream in group if stream is not None]
        share = len(same) / len(speed)
        if share < LEAST_SHARE:
            break
        early, middle, late = np.quantile([stream.arrival for stream in same], (LOW, 0.5, HIGH))
        peak = float(np.median([stream.peak for stream in same]))
        found.append(EnsembleStream(float(middle), float(early), float(late), peak, share))
        left = [[one for one in of_one if one is not used] for of_one, used in zip(left, group, strict=True)]
    return sorted(found, key=lambda stream: stream.arrival)
