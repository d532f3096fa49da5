"""Resampling of blocks of time: what blocks are, how wide intervals come out, pairs."""

import numpy as np
import pytest

from munit_jax.metrics.bootstrap import BLOCK, blocks_of, intervals, paired_intervals, resampled
from munit_jax.sun.constants import DAY
from tests.metrics.conftest import field


@pytest.fixture(scope="module")
def sums(frames):
    """Twelve frames, of which every fourth is the same, with an error that differs from frame to frame."""
    parts = [frames[k % 4].sums((frames[k % 4].true + field(50 + k, 10.0 + k))[None]) for k in range(12)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_blocks_are_half_a_rotation_and_have_no_gaps():
    days = np.array([0, 13.4, 13.6, 300, 301])
    assert blocks_of((days * DAY).astype(np.int64)).tolist() == [0, 0, 1, 2, 2]
    assert BLOCK == 13.5 * DAY


def test_resamples_are_sums_of_whole_blocks(sums):
    blocks = np.repeat([0, 1], 6)
    pixels = resampled(sums, blocks, 0)["moments"][:, 0, 0, 0]
    of_blocks = [sums["moments"][blocks == k, 0, 0, 0, 0].sum() for k in (0, 1)]
    possible = {2 * of_blocks[0], of_blocks[0] + of_blocks[1], 2 * of_blocks[1]}
    assert set(pixels) <= possible
    np.testing.assert_array_equal(pixels, resampled(sums, blocks, 0)["moments"][:, 0, 0, 0])


def test_interval_of_a_mean_is_as_wide_as_its_standard_error(sums):
    """The mean of 12 independent values of the bias of the flux: 95 % is 3.92 standard errors."""
    interval = intervals(sums, np.arange(12), 0)["unsigned_flux_bias"][0]
    values = sums["flux_bias"][:, 0]
    expected = 3.92 * values.std() / np.sqrt(12)
    assert interval[0] < values.mean() < interval[1]
    assert interval[1] - interval[0] == pytest.approx(expected, rel=0.25)


def test_one_block_tells_nothing(sums):
    assert np.isnan(intervals(sums, np.zeros(12, int), 0)["rmse"]).all()


def test_a_pair_of_equals_differs_by_nothing_and_a_small_difference_is_seen(sums):
    blocks = np.arange(12)
    np.testing.assert_array_equal(paired_intervals(sums, sums, blocks, 0)["rmse"][0], 0)
    worse = sums | {"squared_error": sums["squared_error"] * 1.02}
    low, high = paired_intervals(worse, sums, blocks, 0)["rmse"][0]
    assert 0 < low < high
    single = intervals(sums, blocks, 0)["rmse"][0]
    assert high - low < 0.1 * (single[1] - single[0]), "dates are the same for both"


def test_a_score_that_is_not_defined_has_no_interval(sums):
    empty = sums | {"strong": np.zeros_like(sums["strong"])}
    assert np.isnan(intervals(empty, np.arange(12), 0)["polarity_50"]).all()
