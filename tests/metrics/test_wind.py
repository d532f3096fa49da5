import numpy as np
import pytest

from munit_jax.metrics.wind import WIND_SCORES, wind_scores
from tests.heliosphere.test_streams import TIMES, wave

NAMES = list(WIND_SCORES)


def scores(speed: np.ndarray, true: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(NAMES, wind_scores(TIMES, speed, true).T, strict=True))


def test_the_truth_has_the_ideal_scores():
    true = wave((6, 600), (16, 500))
    made = scores(true[None], true)
    assert {name: float(made[name][0]) for name in NAMES} == {name: one.ideal for name, one in WIND_SCORES.items()}


def test_a_wind_that_is_late_and_has_a_stream_too_many():
    true, late = wave((6, 600)), wave((6.5, 600), (18, 600)) + 20
    made = scores(late[None], true)
    assert made["arrival_error"] == pytest.approx([12], abs=0.1)
    assert made["streams_found"] == made["streams_false"] * 2 == 1
    assert made["speed_bias"] == pytest.approx([np.mean(late - true)])
    assert made["speed_rmse"] == pytest.approx([np.sqrt(np.mean((late - true) ** 2))])
    assert made["speed_correlation"] == pytest.approx([np.corrcoef(late, true)[0, 1]])


def test_a_stream_that_is_missed():
    made = scores(wave()[None] + np.sin(TIMES / 1e5), wave((6, 600)))
    assert made["streams_found"] == 0
    assert np.isnan(made["streams_false"])
    assert np.isnan(made["arrival_error"])


def test_crps_by_hand():
    """Of 1 and 4 against 2: mean distance 1.5 less half of the mean distance of pairs, (0 + 3 + 3 + 0) / 4 / 2."""
    ones = np.ones(len(TIMES))
    assert scores(np.outer([1.0, 4.0], ones), 2 * ones)["speed_crps"] == pytest.approx([0.75, 0.75])
    assert scores(ones[None], 2 * ones)["speed_crps"] == pytest.approx([1])


def test_without_wind_nothing_is_defined():
    assert np.isnan(wind_scores(TIMES, np.full((1, len(TIMES)), np.nan), wave((6, 600)))).all()
