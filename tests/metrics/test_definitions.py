"""Every metric at once: the ideal of a perfect magnetogram, and an empty one that is seen to be empty."""

import numpy as np
import pytest

from munit_jax.metrics.definitions import METRICS, PARTS, scores
from munit_jax.metrics.strata import STRATA


def pooled(frames, generate):
    parts = [frame.sums(generate(frame)[None]) for frame in frames]
    return {name: sum(part[name] for part in parts).sum(axis=(0, 1)) for name in parts[0]}


def test_every_metric_has_a_value_for_each_of_its_parts(frames):
    result = scores(pooled(frames, lambda frame: frame.true))
    assert set(result) == set(METRICS)
    for name, values in result.items():
        assert values.shape == (len(PARTS[METRICS[name].over]),), name


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_magnetogram_has_the_ideal_of_every_metric(frames, name):
    values = scores(pooled(frames, lambda frame: frame.true))[name]
    assert np.isfinite(METRICS[name].ideal) or np.isinf(values).all()
    np.testing.assert_allclose(values, METRICS[name].ideal, atol=2e-4, err_msg=name)


def test_an_empty_magnetogram_is_exposed(frames):
    result = scores(pooled(frames, lambda frame: np.zeros_like(frame.true)))
    for threshold in (10, 50, 100):
        assert (result[f"polarity_{threshold}"] == 0).all()
    assert result["unsigned_flux_error"] == 1
    assert result["unsigned_flux_bias"] == -1
    np.testing.assert_array_equal(result["unsigned_field_ratio"], 0)
    np.testing.assert_array_equal(result["power_ratio"], 0)
    assert np.isnan(result["correlation"]).all()
    active = STRATA.index("active_regions")
    assert result["mae"][active] > 250
    assert result["ppe10"][active] == 0


def test_the_wrong_sign_is_worse_than_nothing_but_has_the_right_modulus(frames):
    result = scores(pooled(frames, lambda frame: -frame.true))
    empty = scores(pooled(frames, lambda frame: np.zeros_like(frame.true)))
    np.testing.assert_allclose(result["correlation"], -1, atol=1e-4)
    np.testing.assert_allclose(result["abs_correlation"], 1, atol=1e-4)
    np.testing.assert_allclose(result["rmse"], 2 * empty["rmse"], rtol=1e-4)
    assert result["polarity_100"][0] == 0


def test_a_leading_axis_is_kept(frames):
    """Realisations are scored each for itself by the same functions."""
    parts = [frame.sums(np.stack([frame.true, 0.5 * frame.true])) for frame in frames]
    sums = {name: sum(part[name] for part in parts)[0] for name in parts[0]}
    ratio = scores(sums)["unsigned_field_ratio"]
    np.testing.assert_allclose(ratio, np.broadcast_to([[1.0], [0.5]], ratio.shape), rtol=1e-5)
