"""Percentiles out of histograms are those of the pixels, and histograms add up."""

import numpy as np
import pytest

from munit_jax.sun.disk import on_disk, sdoml_geometry
from tfds_sdoml.percentiles import BINS, histogram, percentiles


def test_percentiles_are_those_of_the_disk():
    generator = np.random.default_rng(0)
    image = np.where(on_disk(sdoml_geometry(512)), generator.lognormal(4, 1, (512, 512)), 1e5).astype(np.float32)
    sampled = image[::2, ::2][::4, ::4][on_disk(sdoml_geometry(512))[::2, ::2][::4, ::4]]
    found = percentiles(histogram(image))
    for name in ("1", "50", "90", "99"):
        assert found[name] == pytest.approx(np.percentile(sampled, float(name)), rel=0.03)
    assert found["100"] == pytest.approx(sampled.max(), rel=0.013)


def test_sign_and_zeros():
    image = np.zeros((64, 64), np.float32)
    image[:32] = -100.0
    found = percentiles(histogram(image))
    assert found["25"] == 0.0
    assert found["75"] == pytest.approx(100, rel=0.013)


def test_histograms_add_up():
    one, other = np.full((64, 64), 1.0, np.float32), np.full((64, 64), 10.0, np.float32)
    total = histogram(one) + histogram(other) + histogram(other)
    assert total.sum() == 3 * histogram(one).sum()
    found = percentiles(total)
    assert found["25"] == pytest.approx(1, rel=0.013)
    assert found["50"] == pytest.approx(10, rel=0.013)


def test_the_ends_of_the_scale():
    image = np.full((64, 64), 1e9, np.float32)
    assert histogram(image)[-1] == histogram(image).sum()
    assert len(histogram(image)) == BINS
    assert percentiles(np.zeros(BINS, int))["50"] == 0.0
