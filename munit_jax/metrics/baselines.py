"""Baselines for every score: magnetograms that need no network."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter
from scipy.optimize import isotonic_regression

from munit_jax.data.datasets import Frames, Watch, geometry_of, spaced
from munit_jax.data.normalization import Normalization, normalize
from munit_jax.instruments.simultaneous import nearest
from munit_jax.metrics.strata import SCORED_RADIUS
from munit_jax.sun.constants import DAY
from munit_jax.sun.cycle import hale_sign
from munit_jax.sun.disk import DiskGeometry, heliographic, on_disk
from munit_jax.sun.rotation import rotated

# No field; the mean of the training magnetograms; the magnetogram of a day before; of another date; |B| as a monotone
# function of the EUV intensity, without sign; the same with the signs of Hale's law.
BASELINES = ("zero", "mean", "day_before", "shuffled", "euv_proxy", "hale")

DAY_TOLERANCE = 6 * 3600  # seconds: how much more or less than a day the frame before may be off
INTENSITY_BINS = 256  # of the normalised intensity, -1 to 1
REGION_WIDTH = 0.1  # solar radii: the smoothing that makes one hump of an active region, about as wide as a bipole
MOST_TRAINING_FRAMES = 1000  # spread over the split: more change the mean of a pixel by less than a tenth of a gauss

Field = Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Climate:
    """The mean field and |B| of the training split, and |B| as a function of one intensity, in gauss."""

    mean: Field
    mean_unsigned: Field
    channel: int  # the EUV channel, by its place, whose intensity explains most of |B|
    unsigned_of_intensity: Float[np.ndarray, " bins"]  # of the bins of its normalised intensity, increasing
    times: tuple[int, ...]  # of the training frames that were read, seconds since 1970


def learn_climate(frames: Frames, euv: Normalization, watch: Watch = iter) -> Climate:
    """Read the training frames, MOST_TRAINING_FRAMES of them at most, evenly spaced."""
    total = np.zeros((frames.size, frames.size))
    total_unsigned = np.zeros_like(total)
    counts, sums = np.zeros((2, euv.channels, INTENSITY_BINS))
    numbers, times = list(spaced(len(frames), MOST_TRAINING_FRAMES)), []
    for i in watch(numbers):
        frame = frames[i]
        field = frame["magnetogram"][..., 0]
        unsigned = np.abs(field)
        total += field
        total_unsigned += unsigned
        disk = on_disk(geometry_of(frame), SCORED_RADIUS)
        bins = _bins(normalize(euv, frame["euv"])[disk])
        times.append(int(frame["time"]))
        for channel in range(euv.channels):
            counts[channel] += np.bincount(bins[:, channel], minlength=INTENSITY_BINS)
            sums[channel] += np.bincount(bins[:, channel], unsigned[disk], INTENSITY_BINS)
    fits = [_increasing(n, of_bins) for n, of_bins in zip(counts, sums, strict=True)]
    # All fits have the same mean, so the one with the largest mean square leaves the least of the variance.
    explained = [(n * fit**2).sum() for n, fit in zip(counts, fits, strict=True)]
    channel = int(np.argmax(explained))
    mean, mean_unsigned = ((x / len(numbers)).astype(np.float32) for x in (total, total_unsigned))
    return Climate(mean, mean_unsigned, channel, fits[channel].astype(np.float32), tuple(times))


def without_others(
    climate: Climate, euv: Normalization, frame: Mapping[str, np.ndarray]
) -> dict[str, tuple[Field, Field]]:
    """Return the field and |B| in gauss of the baselines that need no other frame; NaN for a field without sign.

    As |B|, `mean` is the mean |B| of the training: the mean field is nearly empty, and so too easy to beat.
    """
    nothing = np.zeros_like(climate.mean)
    proxy = climate.unsigned_of_intensity[_bins(normalize(euv, frame["euv"])[..., climate.channel])]
    return {
        "zero": (nothing, nothing),
        "mean": (climate.mean, climate.mean_unsigned),
        "euv_proxy": (np.full_like(nothing, np.nan), proxy),
        "hale": (painted(proxy, geometry_of(frame), float(frame["time"])), proxy),
    }


def painted(unsigned: Field, geometry: DiskGeometry, time: float) -> Field:
    """Return |B| with the signs that Hale's law gives to the two flanks of each bright region.

    Where the smoothed |B| falls off to the west the polarity is the leading one of the hemisphere, to the east the
    following one. NaN if the cycle of the time is not known.
    """
    try:
        following_north = hale_sign(time)
    except ValueError:
        return np.full_like(unsigned, np.nan)
    disk = on_disk(geometry)
    above = np.where(disk, unsigned - np.median(unsigned[disk]), 0.0)  # or the limb would be a flank
    eastwards = np.gradient(-gaussian_filter(above, REGION_WIDTH * geometry.solar_radius), axis=1)
    latitude = np.where(disk, heliographic(geometry)[0], 0.0)
    return (-following_north * np.sign(latitude) * np.sign(eastwards) * unsigned).astype(unsigned.dtype)


def _bins(normalised: Float[np.ndarray, "*any"]) -> Int[np.ndarray, "*any"]:
    return np.clip((normalised + 1) / 2 * INTENSITY_BINS, 0, INTENSITY_BINS - 1).astype(int)


def _increasing(counts: Float[np.ndarray, " bins"], sums: Float[np.ndarray, " bins"]) -> Float[np.ndarray, " bins"]:
    """Return the increasing function with the least square error; empty bins lie between their neighbours."""
    seen = counts > 0
    fit: Any = isotonic_regression(sums[seen] / counts[seen], weights=counts[seen])
    return np.interp(np.arange(len(counts)), np.flatnonzero(seen), fit.x)


def day_before(times: Int[np.ndarray, " frame"]) -> list[int | None]:
    """Return for each frame the one nearest to a day before it, within six hours; None where there is none."""
    order, wanted = np.argsort(times, kind="stable"), times - DAY
    found = order[nearest(wanted, times[order])]
    return [int(i) if abs(times[i] - time) <= DAY_TOLERANCE else None for i, time in zip(found, wanted, strict=True)]


def earlier_field(before: dict[str, np.ndarray], frame: dict[str, np.ndarray]) -> Field:
    """Return the magnetogram of an earlier frame, rotated to the time of a later one."""
    days = float(frame["time"] - before["time"]) / DAY
    return rotated(before["magnetogram"][..., 0], geometry_of(before), geometry_of(frame), days)[0]


def another_date(digests: Sequence[bytes]) -> list[int | None]:
    """Return for each frame another one by chance: the next in the order of their digests; None for a single frame.

    The order has nothing to do with time, and does not depend on that in which the frames come.
    """
    if len(digests) < 2:
        return [None] * len(digests)
    order = sorted(range(len(digests)), key=lambda i: digests[i])
    following = dict(zip(order, (*order[1:], order[0]), strict=True))
    return [following[i] for i in range(len(digests))]


def digest(field: Field) -> bytes:
    """Return a checksum of a magnetogram."""
    return hashlib.sha256(np.ascontiguousarray(field).tobytes()).digest()
