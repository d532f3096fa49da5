"""High-speed streams in a series of the wind's speed: when they arrive, how fast they are, and the spread of that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.signal import find_peaks

from munit_jax.sun.constants import DAY

RISE = 80.0  # km/s: how far a peak stands out on both sides
FAST = 400.0  # km/s: a peak that is slower is no stream
SAME = 2 * DAY  # seconds between the arrivals of a stream in two realisations, at most
LOW, HIGH = 0.05, 0.95  # quantiles of an arrival


@dataclass(frozen=True)
class Stream:
    """A high-speed stream: its arrival is the middle of its rise, in seconds since 1970; its peak is in km/s."""

    arrival: float
    peak: float


@dataclass(frozen=True)
class EnsembleStream:
    """A stream of the median of an ensemble: quantiles of its arrival and peak, and the part that has it.

    Attributes:
        arrival, earliest, latest: median and central 90 % of the realisations, seconds since 1970.
        peak: median in km/s.
        share: of the realisations that have the stream within two days.
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
    """Return the streams of the median of an ensemble, with the spread of what the realisations have of them."""
    each = [streams(times, one) for one in speed]
    found = []
    for stream in streams(times, np.median(speed, axis=0)):
        same = [other for other in (nearest(stream, of_one) for of_one in each) if other is not None]
        arrivals = [other.arrival for other in same] or [stream.arrival]
        early, middle, late = (float(np.quantile(arrivals, q)) for q in (LOW, 0.5, HIGH))
        peak = float(np.median([other.peak for other in same] or [stream.peak]))
        found.append(EnsembleStream(middle, early, late, peak, len(same) / len(speed)))
    return found
