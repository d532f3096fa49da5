"""Scores that look at more than a pixel: against scikit-image and scipy, by hand, and by what is known of a shift."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance
from skimage.metrics import structural_similarity

from munit_jax.metrics import structure
from munit_jax.metrics.disk import correlation, in_double
from munit_jax.metrics.strata import strata_by_place
from munit_jax.metrics.structure import EDGES, LARGEST_SHIFT, structure_sums
from munit_jax.sun.disk import sdoml_geometry
from tests.metrics.conftest import SIZE, field

DISK = strata_by_place(sdoml_geometry(SIZE))[0]


def sums_of(b, t, disk=DISK):
    sums = structure_sums(b[None], abs(b)[None], t, disk)
    return {name: x[0] for name, x in in_double(sums).items()}


@pytest.fixture(scope="module")
def pair():
    true = field(0, 60.0)
    return true + field(1, 30.0), true


def test_similarity_is_that_of_scikit_image_over_windows_on_the_disk(pair):
    grey = [np.clip(x.astype(np.float64) / 100, -1, 1) / 2 + 0.5 for x in pair]
    _, local = structural_similarity(
        *grey, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    inside = [
        (i, j) for i in range(5, SIZE - 5) for j in range(5, SIZE - 5) if DISK[i - 5 : i + 6, j - 5 : j + 6].all()
    ]
    expected = np.mean([local[place] for place in inside])
    sums = sums_of(*pair)
    assert sums["windows"] == len(inside)
    assert structure.similarity(sums) == pytest.approx(expected, abs=1e-5)


def test_binned_means_of_whole_blocks(pair):
    blocks = [x.reshape(8, 8, 8, 8).mean(axis=(1, 3)) for x in pair]
    whole = DISK.reshape(8, 8, 8, 8).all(axis=(1, 3))
    expected = np.corrcoef(blocks[0][whole], blocks[1][whole])[0, 1]
    sums = sums_of(*pair)
    assert sums["binned"][0, 0] == whole.sum() > 10
    assert correlation(sums["binned"], 1, 2) == pytest.approx(expected, abs=1e-5)


def test_neighbours_are_fitted_out(pair):
    """Regress the middles on the eight neighbours of both, and correlate the residuals."""
    places = [(slice(i - 1, i + 2), slice(j - 1, j + 2)) for i in range(1, SIZE - 1) for j in range(1, SIZE - 1)]
    rows = np.array([np.ravel([x[p] for x in pair]) for p in places if DISK[p].all()], np.float64)
    given = np.column_stack([np.ones(len(rows)), np.delete(rows, [4, 13], axis=1)])
    left = [rows[:, k] - given @ np.linalg.lstsq(given, rows[:, k], rcond=None)[0] for k in (4, 13)]
    sums = sums_of(*pair)
    assert structure.neighbour_partial_correlation(sums) == pytest.approx(np.corrcoef(left)[0, 1], abs=2e-4)


def smooth_pair(noise: float, width: float = 3.0) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    base, own = (gaussian_filter(rng.normal(size=(256, 256)), width) * 500 for _ in range(2))
    return [(x + noise * rng.normal(size=x.shape)).astype(np.float32) for x in (base + own, base)]


SMOOTH_DISK = np.hypot(*np.mgrid[-128:128, -128:128]) < 100


def test_neighbours_of_smooth_fields_are_fitted_out_too():
    """Noise of 1 % of a smooth field: what the neighbours leave of it, in single precision as in double."""
    pair = smooth_pair(0.5)
    places = [(slice(i - 1, i + 2), slice(j - 1, j + 2)) for i in range(1, 255) for j in range(1, 255)]
    rows = np.array([np.ravel([x[p] for x in pair]) for p in places if SMOOTH_DISK[p].all()], np.float64)
    given = np.column_stack([np.ones(len(rows)), np.delete(rows, [4, 13], axis=1)])
    left = [rows[:, k] - given @ np.linalg.lstsq(given, rows[:, k], rcond=None)[0] for k in (4, 13)]
    got = structure.neighbour_partial_correlation(sums_of(*pair, SMOOTH_DISK))
    assert got == pytest.approx(np.corrcoef(left)[0, 1], abs=0.01)


def test_fields_without_detail_have_none_to_agree_on():
    assert np.isnan(structure.neighbour_partial_correlation(sums_of(*smooth_pair(0.0), SMOOTH_DISK)))


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (3, -2), (-LARGEST_SHIFT, 0)])
def test_a_shifted_field_is_found_where_it_went(dy, dx):
    true = np.where(DISK, field(2, 50.0), 0)
    true[np.hypot(*np.mgrid[-32:32, -32:32]) > 14] = 0
    moved = np.roll(true, (dy, dx), axis=(0, 1))
    sums = sums_of(moved, true)
    correlations = structure.cross_correlation(sums)
    peak, shift = structure.peak(correlations)
    assert peak == pytest.approx(1, abs=0.01)
    assert shift == pytest.approx(np.hypot(dy, dx))
    assert correlations[LARGEST_SHIFT + dy, LARGEST_SHIFT + dx] == correlations.max()


def test_cross_correlation_without_shift_is_the_correlation(pair):
    expected = np.corrcoef(pair[0][DISK], pair[1][DISK])[0, 1]
    middle = structure.cross_correlation(sums_of(*pair))[LARGEST_SHIFT, LARGEST_SHIFT]
    assert middle == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("constant", [0.0, 1234.5, -0.1])
def test_a_constant_field_has_no_peak(constant, pair):
    sums = sums_of(np.full_like(pair[1], constant), pair[1])
    peak, shift = structure.peak(structure.cross_correlation(sums))
    assert np.isnan(peak)
    assert np.isnan(shift)


def test_twice_the_field_has_four_times_the_power_and_the_wrong_sign_no_coherence(pair):
    sums = sums_of(-2 * pair[1], pair[1])
    np.testing.assert_allclose(structure.power_ratio(sums), 4, rtol=1e-4)
    np.testing.assert_allclose(structure.coherence(sums), -1, rtol=1e-4)


def test_power_is_in_the_band_of_its_wavelength():
    x = np.arange(SIZE)
    wave = np.broadcast_to(100 * np.cos(2 * np.pi * x / 6), (SIZE, SIZE)).astype(np.float32)
    powers = sums_of(wave, wave)["spectra"][0]
    assert powers.argmax() == structure.BANDS.index("4_to_8_px")
    assert powers.max() > 0.99 * powers.sum()


def test_distance_of_the_distributions_is_that_of_scipy(pair):
    middles = (EDGES[1:] + EDGES[:-1]) / 2
    counts = [np.histogram(x[DISK], EDGES)[0] for x in pair]
    sums = sums_of(*pair)
    np.testing.assert_array_equal(sums["histogram"], counts[0])
    assert structure.histogram_distance(sums) == pytest.approx(wasserstein_distance(middles, middles, *counts))


def test_fields_beyond_the_histogram_are_in_its_last_bins():
    true = np.zeros((SIZE, SIZE), np.float32)
    true[32, 30:33] = [-9000, 9000, 9000]
    counts = sums_of(true, true)["histogram"]
    assert (counts[0], counts[-1]) == (1, 2)
