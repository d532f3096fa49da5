"""Robust percentiles of a dataset's images, from histograms that add up in any order."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from munit_jax.instruments.checks import sampling_of

STEP = 2  # every second row and column: one pixel in 4 is counted
LOWEST, HIGHEST, PER_DECADE = 1e-3, 1e6, 100  # DN/s or gauss; bins are 2.3 % wide
PERCENTILES = (1.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 100.0)

# Bin 0 is for what is below `LOWEST` (zeros above all), the last one for what is above `HIGHEST`.
BINS = round(np.log10(HIGHEST / LOWEST) * PER_DECADE) + 2


def histogram(image: Float[np.ndarray, "y x"]) -> Int[np.ndarray, "bin"]:
    """Return how many of the disk's pixels have which size (DN/s, or unsigned gauss), on a logarithmic scale."""
    look = sampling_of(len(image))
    inside = look.disk[::STEP, ::STEP]
    values = np.abs(image[:: look.step, :: look.step][::STEP, ::STEP][inside])
    index = np.floor(np.log10(np.maximum(values, LOWEST / 2) / LOWEST) * PER_DECADE).astype(int) + 1
    return np.bincount(np.clip(index, 0, BINS - 1), minlength=BINS)


def percentiles(counts: Int[np.ndarray, "bin"]) -> Mapping[str, float]:
    """Return percentiles of what a histogram counted, `{"50": DN/s or gauss, ...}`; right to 1.2 %, 0 below 0.001."""
    total = np.cumsum(counts)
    result = {}
    for percentile in PERCENTILES:
        index = int(np.searchsorted(total, np.ceil(percentile / 100 * total[-1])))
        middle = LOWEST * 10 ** ((index - 0.5) / PER_DECADE)
        result[f"{percentile:g}"] = 0.0 if index == 0 else float(f"{middle:.4g}")
    return result
