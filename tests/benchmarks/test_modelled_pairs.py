"""Modelled images over magnetograms: what the regression finds where the answer is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.modelled_pairs import SIZE, Emission, Scene, features, read_scenes, write_frame
from munit_jax.sun.disk import on_disk, sdoml_geometry

GEOMETRY = sdoml_geometry(SIZE)
INSIDE = on_disk(GEOMETRY, 0.9)


def scene(seed: int) -> Scene:
    """Return a pair whose brightness is the logarithm of 3 G and |B| (divided by mu), with noise of 0.3."""
    rng = np.random.default_rng(seed)
    field = 60 * gaussian_filter(rng.normal(size=(SIZE, SIZE)), 1.5)
    brightness = 4 + features(field, GEOMETRY)[..., 0] + 0.3 * rng.normal(size=(SIZE, SIZE))
    return Scene(1_430_000_000 + seed, GEOMETRY, field, brightness)


@pytest.fixture(scope="module")
def emission():
    return Emission([scene(seed) for seed in range(4)])


def test_the_sign_of_the_field_does_not_matter():
    field = np.asarray(scene(0).magnetogram)
    np.testing.assert_array_equal(features(field, GEOMETRY), features(-field, GEOMETRY))


def test_the_relation_and_its_noise_are_found(emission):
    other = scene(9)
    field = np.asarray(other.magnetogram)
    made, known = emission.contrast(features(field, GEOMETRY)), features(field, GEOMETRY)[..., 0]
    assert np.corrcoef(made[INSIDE], known[INSIDE])[0, 1] > 0.97
    assert emission.noise_size(made)[INSIDE].mean() == pytest.approx(0.3, rel=0.1)


def test_an_image_has_the_noise_on_the_disk_and_the_real_limb_beyond(emission):
    other, rng = scene(9), np.random.default_rng(0)
    expected = emission.contrast(features(np.asarray(other.magnetogram), GEOMETRY))
    drawn = np.array([np.log(emission.draw(other, scene(1), rng)) for _ in range(40)]) - emission.median
    contrast = drawn - drawn[:, INSIDE].mean(axis=1)[:, None, None]
    assert contrast.std(axis=0)[INSIDE].mean() == pytest.approx(0.3, rel=0.15)
    assert np.corrcoef(contrast.mean(axis=0)[INSIDE], expected[INSIDE])[0, 1] > 0.97
    beyond = ~on_disk(GEOMETRY, 0.97)
    limb = np.asarray(scene(1).brightness)
    ways = [np.corrcoef(drawn[0][beyond], x[beyond])[0, 1] for x in (limb, limb[:, ::-1])]
    assert max(ways) == pytest.approx(1, abs=1e-3)


def test_a_frame_is_read_as_it_was_written(tmp_path):
    (tmp_path / "frames").mkdir()
    one = scene(3)
    euv = np.exp(np.clip(np.asarray(one.brightness), np.log(20), np.log(2500)))
    write_frame(tmp_path / "frames", 1_430_000_040, euv, np.asarray(one.magnetogram))
    (read,) = read_scenes(tmp_path)
    assert read.time == 1_430_000_040 - 1_430_000_040 % 60, "names have minutes"
    np.testing.assert_allclose(read.magnetogram, one.magnetogram, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(read.brightness, np.log(euv), rtol=1e-5)
