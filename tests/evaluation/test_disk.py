"""Scores: the ideal, the hand-worked, masks, and sums that add up."""

import numpy as np
import pytest

from munit_jax.evaluation.disk import add_sums, pixel_sums, scores


def score(generated, true, mask=None):
    generated, true = np.asarray(generated, np.float32), np.asarray(true, np.float32)
    mask = np.ones(true.shape, bool) if mask is None else mask
    return scores(add_sums(None, pixel_sums(generated, true, mask)))


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return (100 * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def test_perfect_and_flipped():
    true = draw(8, 8)
    perfect = score(true[None], true)
    assert perfect["rmse"] == pytest.approx(0, abs=0.05)
    assert perfect["correlation"] == pytest.approx(1)
    assert perfect["abs_correlation"] == pytest.approx(1)
    flipped = score(-true[None], true)
    assert flipped["correlation"] == pytest.approx(-1)
    assert flipped["abs_correlation"] == pytest.approx(1), "|B| does not see the polarity"


def test_by_hand():
    # Differences 0, 2, 0, -2; correlation of (1, 2, 3, 4) and (1, 0, 3, 6): covariance 2.25, variances 1.25 and 5.25.
    result = score([[[1, 2], [3, 4]]], [[1, 0], [3, 6]])
    assert result["rmse"] == pytest.approx(np.sqrt(2))
    assert result["correlation"] == pytest.approx(2.25 / np.sqrt(1.25 * 5.25))


def test_strength_and_spread_by_hand():
    """Two realisations: (1, 3) and (3, 3) G have the mean square 28 / 4 and variances 1 and 0."""
    result = score([[[1, 3]], [[3, 3]]], [[0, 0]])
    assert result["rms"] == pytest.approx(np.sqrt(28 / 4))
    assert result["spread"] == pytest.approx(np.sqrt(1 / 2))


def test_constant_fields_have_no_correlation():
    result = score(np.zeros((1, 8, 8)), draw(8, 8))
    assert result["correlation"] is None
    assert result["abs_correlation"] is None
    assert result["rmse"] == pytest.approx(np.sqrt(np.mean(draw(8, 8) ** 2)), rel=1e-5)


def test_outside_the_mask_nothing_counts():
    true, generated = draw(8, 8), draw(1, 8, 8, seed=1)
    mask = np.zeros((8, 8), bool)
    mask[2:6, 2:6] = True
    inside = score(generated[:, 2:6, 2:6], true[2:6, 2:6])
    spoilt = generated.copy()
    spoilt[:, ~mask] = np.nan
    assert score(spoilt, true, mask) == pytest.approx(inside, rel=1e-5)


def test_frames_and_realisations_add_up():
    true, generated = draw(3, 8, 8), draw(3, 2, 8, 8, seed=1)
    total = None
    for k in range(3):
        total = add_sums(total, pixel_sums(generated[k], true[k], np.ones((8, 8), bool)))
    assert total is not None
    result = scores(total)
    flat, flat_true = generated.ravel(), np.repeat(true[:, None], 2, axis=1).ravel()
    assert result["correlation"] == pytest.approx(np.corrcoef(flat, flat_true)[0, 1], rel=1e-4)
    assert result["abs_correlation"] == pytest.approx(np.corrcoef(abs(flat), abs(flat_true))[0, 1], rel=1e-4)
    assert result["rmse"] == pytest.approx(np.sqrt(np.mean((flat - flat_true) ** 2)), rel=1e-5)
