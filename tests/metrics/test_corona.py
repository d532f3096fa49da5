"""Scores of coronae: the ideal, changes whose effect is known, and hand-worked geometry."""

import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.metrics.corona import (
    SCORES,
    CoronaOf,
    check_summary,
    corona_of,
    corona_scores,
    median,
    neutral_distances,
    self_checks,
    weighted_correlation,
    weighted_median,
)
from munit_jax.pfss.harmonics import Grid, make_transform, synthesis
from munit_jax.pfss.model import ModelSettings

pytestmark = pytest.mark.optimized

GRID = Grid(24, 48)
TRANSFORM = make_transform(GRID, 11)
SETTINGS = ModelSettings()


def boundary(**changes: float) -> np.ndarray:
    """Return a tilted dipole with a quadrupole and a few higher degrees; `l5=2` doubles degree 5."""
    coefficients = np.zeros((12, 12), np.complex64)
    rng = np.random.default_rng(0)
    for degree, size in ((1, 5.0), (2, 2.0), (5, 1.0), (11, 1.0)):
        for m in range(degree + 1):
            value = rng.normal() + 1j * rng.normal() * (m > 0)
            coefficients[m, degree] = size * value * changes.get(f"l{degree}", 1.0)
    coefficients[0, 1] = 15.0
    return np.asarray(synthesis(TRANSFORM, jnp.asarray(coefficients)))


@pytest.fixture(scope="module")
def true() -> CoronaOf:
    return corona_of(TRANSFORM, boundary(), SETTINGS)


@pytest.fixture(scope="module")
def empty() -> CoronaOf:
    return corona_of(TRANSFORM, 0 * boundary(), SETTINGS)


@pytest.mark.parametrize("name", SCORES)
def test_the_true_corona_has_the_ideal_of_every_score(true, name):
    value = corona_scores(TRANSFORM, true, true)[name]
    beyond = name.endswith("l30_60")  # there is nothing of these degrees
    assert np.isnan(value) if beyond else value == pytest.approx(SCORES[name].ideal, abs=1e-5)


def test_a_weaker_field_has_the_same_lines(true):
    scores = corona_scores(TRANSFORM, corona_of(TRANSFORM, 0.8 * boundary(), SETTINGS), true)
    assert scores["open_flux_ratio"] == pytest.approx(0.8, rel=1e-4)
    assert scores["open_flux_error"] == pytest.approx(0.2, rel=1e-3)
    assert scores["surface_error"] == pytest.approx(0.2, rel=1e-3)
    for r in ("1", "1.1", "1.5", "2.5"):
        assert scores[f"energy_ratio_r{r}"] == pytest.approx(0.64, rel=1e-4)
    assert scores["signed_jaccard"] == pytest.approx(1)
    assert scores["neutral_line_distance"] == pytest.approx(0, abs=0.05)
    assert scores["wind_rmse"] == pytest.approx(0, abs=0.5)


def test_the_wrong_sign_everywhere_has_the_same_open_area_but_none_of_its_polarity(true):
    scores = corona_scores(TRANSFORM, corona_of(TRANSFORM, -boundary(), SETTINGS), true)
    assert scores["open_flux_ratio"] == pytest.approx(1)
    assert scores["surface_correlation"] == pytest.approx(-1)
    assert scores["opposite_polarity"] == pytest.approx(1)
    assert scores["open_jaccard"] == pytest.approx(1)
    assert scores["signed_jaccard"] == 0
    assert scores["surface_error"] == pytest.approx(2, rel=1e-3)
    assert scores["coherence_l1_3"] == pytest.approx(-1)


def test_twice_a_degree_has_four_times_its_power(true):
    scores = corona_scores(TRANSFORM, corona_of(TRANSFORM, boundary(l5=2.0), SETTINGS), true)
    assert scores["power_ratio_l4_9"] == pytest.approx(4, rel=1e-3)
    assert scores["coherence_l4_9"] == pytest.approx(1, rel=1e-4)
    assert scores["power_ratio_l1_3"] == pytest.approx(1, rel=1e-4)
    assert scores["power_ratio_l10_29"] == pytest.approx(1, rel=1e-3)
    assert scores["open_flux_error"] > 0
    assert 0 < scores["signed_jaccard"] < 1
    assert scores["wind_rmse"] > 0


def test_no_field_leaves_scores_undefined_but_not_those_that_tell_of_it(true, empty):
    scores = corona_scores(TRANSFORM, empty, true)
    assert scores["open_flux_ratio"] == 0
    assert scores["surface_error"] == 1
    assert np.isnan(scores["surface_correlation"])
    assert np.isnan(scores["neutral_line_distance"])


def test_the_self_check_is_within_a_few_per_cent_on_so_coarse_a_grid(true, empty):
    assert abs(float(true.maps.self_check)) < 0.05
    checks = self_checks([empty, true])
    np.testing.assert_array_equal(checks, [np.nan, true.maps.self_check])
    assert check_summary(checks)["self_check"] == true.maps.self_check


def test_summary_of_self_checks_by_hand():
    summary = check_summary(np.array([[0.004, -0.03], [np.nan, 0.01]]))
    assert summary == {"self_check": -0.03, "self_checks_passed": pytest.approx(2 / 3)}
    assert np.isnan(check_summary(np.array([np.nan]))["self_check"])


def test_neutral_lines_of_parallels_are_as_far_apart_as_those():
    latitude = GRID.latitudes[:, None] + np.zeros(48)
    distances = neutral_distances(GRID, latitude - 12.0, latitude + 3.0)
    np.testing.assert_allclose(distances, 15.0, atol=0.05)
    assert neutral_distances(GRID, latitude, np.ones((24, 48))).size == 0


def test_a_short_line_is_looked_for_from_both_sides():
    """One line has a second part that the other one lacks: its distance counts, though from one side only."""
    latitude = GRID.latitudes[:, None] + np.zeros(48)
    both = (latitude - 40.0) * (latitude + 40.0)
    distances = neutral_distances(GRID, latitude - 40.0, both)
    assert distances.max() == pytest.approx(80.0, abs=0.5)
    assert distances.min() == pytest.approx(0, abs=0.3)


def test_weighted_statistics_by_hand():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 3.0])
    assert weighted_median(values, weights) == 2.0
    assert weighted_median(values, np.array([5.0, 1.0, 1.0])) == 3.0
    assert np.isnan(weighted_median(np.empty(0), np.empty(0)))
    repeated = np.repeat([0, 1, 2], [1, 1, 3])
    other = np.array([1.0, 0.0, 5.0])
    expected = np.corrcoef(values[repeated], other[repeated])[0, 1]
    assert weighted_correlation(weights, values, other) == pytest.approx(expected)
    assert np.isnan(weighted_correlation(weights, values, np.ones(3)))
    assert median(np.array([[np.nan, 1.0], [5.0, 2.0]])) == 2.0
    assert np.isnan(median(np.array([np.nan])))
