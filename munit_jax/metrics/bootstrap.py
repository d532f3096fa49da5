"""How far scores would move with other dates: resampling of blocks of time (Kuensch 1989), paired for two runs."""

import warnings
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from munit_jax.metrics.definitions import scores
from munit_jax.metrics.disk import Sums
from munit_jax.sun.constants import DAY, SYNODIC_DAYS

# Seconds: half a synodic rotation, which is how long a region stays on the disk. Blocks are nearly independent.
BLOCK = SYNODIC_DAYS * DAY // 2
RESAMPLES = 400
COVERED = 0.95  # of the resamples lie inside the interval

Interval = Float[np.ndarray, "parts 2"]


def blocks_of(times: Int[np.ndarray, " frame"]) -> Int[np.ndarray, " frame"]:
    """Return the number of each frame's block, from 0 without gaps."""
    return np.unique((times - times.min()) // BLOCK, return_inverse=True)[1]


def resampled(sums: Sums, blocks: Int[np.ndarray, " frame"], seed: int) -> dict[str, Float[np.ndarray, "resample ..."]]:
    """Return the pooled sums of RESAMPLES draws of blocks of frames with replacement, from the sums (frame, n, ...)."""
    count = int(blocks.max()) + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), RESAMPLES).astype(np.float64)
    result = {}
    for name, x in sums.items():
        of_blocks = np.zeros((count, *x.shape[2:]))
        np.add.at(of_blocks, blocks, x.sum(axis=1))
        result[name] = np.tensordot(draws, of_blocks, axes=1)
    return result


def intervals(sums: Sums, blocks: Int[np.ndarray, " frame"], seed: int) -> dict[str, Interval]:
    """Return the interval of every score of `metrics.scores`; NaN where there are fewer than two blocks."""
    return _between(scores(resampled(sums, blocks, seed)), blocks)


def paired_intervals(sums: Sums, others: Sums, blocks: Int[np.ndarray, " frame"], seed: int) -> dict[str, Interval]:
    """Return the interval of the difference of every score, the first minus the second, on the same draws of dates."""
    first, second = (scores(resampled(x, blocks, seed)) for x in (sums, others))
    with np.errstate(invalid="ignore"):  # two perfect PSNR are both infinite
        return _between({name: first[name] - second[name] for name in first}, blocks)


def _between(drawn: Mapping[str, Float[np.ndarray, "resample parts"]], blocks: Int[np.ndarray, " frame"]):
    tails = [(1 - COVERED) / 2, (1 + COVERED) / 2]
    known = {name: np.where(np.isfinite(x) & (blocks.max() > 0), x, np.nan) for name, x in drawn.items()}
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of scores that are never defined
        return {name: np.nanquantile(values, tails, axis=0).T for name, values in known.items()}
