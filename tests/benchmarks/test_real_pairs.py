"""Scores of real pairs and the regression, on fields whose answer is known."""

import numpy as np
import pytest

from benchmarks.real_pairs import linear, needed_factors, proxy, ridge, scores, table, widened
from munit_jax.sun.disk import sdoml_geometry

SIZE = 64


def pair(seed: int) -> dict:
    """Return a pair of 2015 whose |B| is the brightness over 10, positive in the north and negative in the south."""
    geometry = sdoml_geometry(SIZE)
    euv = np.random.default_rng(seed).gamma(2, 100, (SIZE, SIZE, 1))
    north = np.sign(np.arange(SIZE) - (SIZE - 1) / 2)[:, None, None]
    return {
        "euv": euv,
        "magnetogram": north * euv / 10,
        "time": 1_430_000_000,
        "solar_radius": geometry.solar_radius,
        "centre": np.array(geometry.centre),
        "b0": 0.0,
        "l0": 0.0,
        "distance": geometry.distance,
    }


def test_scores_of_the_truth_its_reversal_and_half_of_the_signs():
    one = pair(0)
    true = one["magnetogram"][..., 0]
    assert scores((true, np.abs(true)), one) == pytest.approx([1, 1, 1, 1])
    assert scores((-true, np.abs(true)), one) == pytest.approx([-1, 0, 0, 1])
    assert scores((np.abs(true), np.abs(true)), one)[1] == pytest.approx(0.5, abs=0.03)


def test_an_increasing_function_of_the_brightness_is_found():
    others = [pair(seed) for seed in (1, 2)]
    _, unsigned = proxy(pair(0), others)
    assert scores((unsigned, unsigned), pair(0))[3] == pytest.approx(1, abs=1e-3)


def test_the_regression_learns_the_sign_of_a_hemisphere():
    made = linear(pair(0), [pair(seed) for seed in (1, 2, 3)])
    signed, right, _, unsigned = scores(made, pair(0))
    assert signed > 0.8
    assert right > 0.95
    assert unsigned > 0.9


def test_a_table_has_the_means_and_their_errors_of_the_pairs_that_have_a_row():
    """Of 1 and 3 the mean is 2 and its standard error sqrt(2) / sqrt(2)."""
    rows = table([{"all": [1.0] * 4}, {"all": [3.0] * 4, "one": [0.5] * 4}]).splitlines()
    assert rows[0].startswith("| | pairs | correlation | signs > 15 G |")
    assert rows[2] == "| all | 2 |" + " 2.000 +- 1.000 |" * 4
    assert rows[3] == "| one | 1 |" + " 0.500 +- nan |" * 4


def test_an_interval_of_half_the_errors_needs_the_factor_two():
    """Realisations of a deviation of 5 G about nothing, a truth of 10 G: the interval is 1.645 times as wide."""
    rng = np.random.default_rng(0)
    made = rng.normal(0, 5, (500, SIZE, SIZE))
    pairs = [pair(0) | {"magnetogram": rng.normal(0, 10, (SIZE, SIZE, 1))} for _ in range(3)]
    needed = [needed_factors(made, one) for one in pairs]
    factors, held = widened(needed)
    assert factors == pytest.approx([2] * 3, rel=0.1)
    assert held == pytest.approx([0.9] * 3, abs=0.03)
    assert widened([0.5 * needed[0], *needed[1:]])[1][0] > 0.98, "the factor is that of the others"


def test_ridge_of_a_line_by_hand():
    """y = 2 x + 1: the slope is 2 / (1 + penalty), the mean stays."""
    x = np.array([[-1.0], [1.0]])
    of = ridge(x, np.array([-1.0, 3.0]))
    np.testing.assert_allclose(of(np.array([[0.0], [1.0]])), [1, 1 + 2 / 1.01], rtol=1e-6)
