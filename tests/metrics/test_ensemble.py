"""Ensembles with a known answer: calibrated ones, single ones, hand-worked signs; the CRPS by integration."""

import jax
import numpy as np
import pytest

from munit_jax.metrics.disk import in_double
from munit_jax.metrics.ensemble import (
    JOINT_EDGES,
    ensemble_scores,
    ensemble_sums,
    expected_coverage,
    pair_correlation,
    polarity_by_style,
)

MASKS = np.ones((1, 40, 50), bool)
N = 16


def draw(seed: int, *shape: int, sigma: float = 30.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, sigma, shape).astype(np.float32)


@jax.jit
def _sums(x, t):
    return ensemble_sums(x, t, MASKS)


def sums_of(x: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
    return in_double(_sums(x, t))


def scores_of(x, t, right=None, own=0.5):
    right = np.full((3, len(x)), 0.5) if right is None else right
    return ensemble_scores(sums_of(x, t), right, 1 - right, own)


def by_style(right):
    return polarity_by_style(right, 1 - right)


def test_crps_is_the_integral_of_the_squared_difference_of_the_distributions():
    """The integral over b of (F(b) - [b >= t])^2, F the empirical distribution (Hersbach 2000, equation 1)."""
    x, t = draw(0, N, 40, 50), draw(1, 40, 50)
    b = np.linspace(-200, 200, 8001)
    integrals = []
    for place in [(0, 0), (3, 7), (20, 20), (39, 49)]:
        members = x[(slice(None), *place)]
        step = (members[:, None] <= b).mean(axis=0) - (t[place] <= b)
        mask = np.zeros_like(MASKS)
        mask[(0, *place)] = True
        got = ensemble_sums(x, t, mask)
        integrals.append((float(got["crps"][0]), np.trapezoid(step**2, b)))
    got, expected = np.array(integrals).T
    np.testing.assert_allclose(got, expected, atol=0.05)


def test_crps_of_equal_realisations_is_the_absolute_error():
    t = draw(1, 40, 50)
    x = np.broadcast_to(draw(2, 40, 50), (N, 40, 50))
    sums = sums_of(x, t)
    np.testing.assert_allclose(sums["crps"], np.abs(x[0] - t).sum(), rtol=1e-5)
    assert sums["variance"][0] == 0


def test_fair_crps_does_not_depend_on_the_number_of_realisations():
    t = draw(1, 40, 50)
    few, many = (sums_of(draw(2, n, 40, 50), t) for n in (4, 64))
    pixels = 2000
    sigma = 30.0
    expected = sigma / np.sqrt(np.pi)  # of a normal distribution and truths drawn from it (Gneiting et al. 2005)
    for sums in (few, many):
        assert sums["fair_crps"][0] / pixels == pytest.approx(expected, rel=0.04)
    assert few["crps"][0] > 1.1 * few["fair_crps"][0]


def test_a_calibrated_ensemble_is_recognised():
    result = scores_of(draw(3, N, 40, 50), draw(4, 40, 50))
    assert result["spread_over_error"] == pytest.approx(1, abs=0.05)
    for level, share in (("50", 0.5), ("90", 15 / 17)):
        assert result["coverage"][level]["expected"] == pytest.approx(share)
        assert result["coverage"][level]["value"] == pytest.approx(share, abs=0.03)
    np.testing.assert_allclose(result["rank_histogram"], 1 / 17, atol=0.02)
    assert result["rank_histogram"].sum() == pytest.approx(1)
    assert result["verdict"][0].startswith("The spread of the realisations is about their error")


def test_expected_coverage_is_the_level_where_there_are_enough_realisations():
    assert expected_coverage(19, 0.9) == pytest.approx(0.9)
    assert expected_coverage(99, 0.9) == 0.9
    assert expected_coverage(2, 0.9) == pytest.approx(1 / 3)


def test_the_style_of_the_true_magnetogram_is_spoken_of_where_a_run_can_tell_it():
    x, t = draw(3, N, 40, 50), draw(4, 40, 50)
    (known,) = [line for line in scores_of(x, t, own=0.75)["verdict"] if line.startswith("Signs")]
    assert "50 % by chance; with the (unavailable) style of the true magnetogram 75 %. " in known
    (unknown,) = [line for line in scores_of(x, t, own=float("nan"))["verdict"] if line.startswith("Signs")]
    assert "style" not in unknown
    assert "nan" not in unknown


@pytest.mark.parametrize(("sigma", "word"), [(3.0, "Overconfident"), (90.0, "Underconfident")])
def test_too_small_and_too_large_a_spread_are_said_in_words(sigma, word):
    result = scores_of(draw(3, N, 40, 50, sigma=sigma), draw(4, 40, 50))
    assert result["verdict"][0].startswith(word)
    inside = result["coverage"]["90"]["value"]
    assert inside < 0.3 if word == "Overconfident" else inside > 0.95


def test_spread_and_error_go_together_where_the_noise_differs_from_pixel_to_pixel():
    sigma = np.where(np.arange(50) < 25, 2.0, 60.0).astype(np.float32)
    result = scores_of(draw(5, N, 40, 50, sigma=1) * sigma, draw(6, 40, 50, sigma=1) * sigma)
    reliability = result["reliability"]
    spread, error = reliability["spread"], reliability["error"]
    assert not ((spread > 5) & (spread < 20)).any()
    np.testing.assert_allclose(error[spread < 5], 2, rtol=0.35)
    np.testing.assert_allclose(error[spread > 20], 60, rtol=0.35)
    assert reliability["share_of_pixels"].sum() == pytest.approx(1)


def test_a_truth_equal_to_some_realisations_shares_its_ranks_out():
    """Of 4 realisations one is below, two equal: the ranks 1, 2 and 3 have a third each."""
    x = np.array([-1.0, 0.0, 0.0, 1.0], np.float32).reshape(4, 1, 1)
    ranks = np.asarray(ensemble_sums(x, np.zeros((1, 1), np.float32), np.ones((1, 1, 1), bool))["ranks"])
    np.testing.assert_allclose(ranks, [0, 1 / 3, 1 / 3, 1 / 3, 0], atol=1e-6)


def test_pixels_outside_the_mask_do_not_count():
    x, t = draw(7, 4, 40, 50), draw(8, 40, 50)
    mask = MASKS.copy()
    mask[0, :, 25:] = False
    inside = ensemble_sums(x, t, mask)
    spoilt = x.copy()
    spoilt[:, :, 25:] = np.nan
    same = ensemble_sums(spoilt, np.where(mask[0], t, np.inf).astype(np.float32), mask)
    for name, value in inside.items():
        np.testing.assert_array_equal(value, same[name], err_msg=name)


def test_pair_correlation_is_the_mean_over_pairs():
    x = draw(9, 3, 40, 50) + draw(10, 40, 50)
    r = np.corrcoef(x.reshape(3, -1))
    assert pair_correlation(sums_of(x, x[0])["pairs"]) == pytest.approx((r[0, 1] + r[0, 2] + r[1, 2]) / 3, abs=1e-5)


def test_realisations_on_a_strong_mean_field_correlate_as_without_it():
    x = draw(9, 3, 40, 50) + draw(10, 40, 50)
    without, with_mean = (pair_correlation(sums_of(y, y[0])["pairs"]) for y in (x, (x + 3e4).astype(np.float32)))
    assert with_mean == pytest.approx(without, abs=1e-5)


def test_joint_histogram_has_the_truth_in_its_rows():
    x, t = np.full((2, 1, 1), -300, np.float32), np.full((1, 1), 50, np.float32)
    joint = np.asarray(ensemble_sums(x, t, np.ones((1, 1, 1), bool))["joint"])
    (row,), (column,) = np.nonzero(joint)
    edges = JOINT_EDGES
    assert edges[row] <= 50 < edges[row + 1]
    assert edges[column] <= -300 < edges[column + 1]
    assert joint.sum() == 2


def test_edges_of_the_joint_histogram_are_the_same_for_both_signs():
    np.testing.assert_allclose(JOINT_EDGES, -JOINT_EDGES[::-1], atol=1e-12)
    x = np.array([-60.0, 60.0], np.float32).reshape(2, 1, 1)
    joint = np.asarray(ensemble_sums(x, np.full((1, 1), 60, np.float32), np.ones((1, 1, 1), bool))["joint"])
    np.testing.assert_array_equal(joint[joint.any(axis=1)], joint[joint.any(axis=1)][:, ::-1])


def test_a_field_of_0_is_not_right_when_turned():
    nothing = np.zeros((4, 3))
    assert polarity_by_style(nothing, nothing)["either_sign"] == 0


def test_signs_that_go_with_the_style():
    """Style 1 is right in every frame, style 2 wrong: all of the variance goes with the style."""
    result = by_style(np.array([[1.0, 0.0]] * 5))
    assert result["right"] == 0.5
    assert (result["of_variance_by_style"], result["by_frame"], result["rest"]) == (1, 0, 0)
    assert result["best_of_realisations"] == result["either_sign"] == 1


def test_signs_that_go_with_the_frame():
    result = by_style(np.array([[1.0, 1.0], [0.0, 0.0]]))
    assert (result["of_variance_by_style"], result["by_frame"], result["rest"]) == (0, 1, 0)
    assert result["best_of_realisations"] == 0.5
    assert result["either_sign"] == 1


def test_signs_that_go_with_neither():
    result = by_style(np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert (result["of_variance_by_style"], result["by_frame"], result["rest"]) == (0, 0, 1)


def test_frames_without_strong_fields_have_no_say_in_signs():
    assert by_style(np.array([[np.nan, np.nan], [1.0, 0.5]]))["right"] == 0.75
    assert set(by_style(np.full((2, 2), np.nan)).values()) == {None}
