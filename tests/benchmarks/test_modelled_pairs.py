"""Modelled images over magnetograms: their brightness, their limb, and the files."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.modelled_pairs import MEDIAN_SPREAD, Scene, matched, read_scenes, write_frame
from munit_jax.sun.disk import on_disk, sdoml_geometry

SIZE = 64
GEOMETRY = sdoml_geometry(SIZE)
INSIDE = on_disk(GEOMETRY, 0.9)


def scene(seed: int, scale: float = 1.0) -> Scene:
    """Return a pair whose logarithm of the brightness is normal, with a deviation of 0.4 times the scale."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(SIZE, SIZE)), 1.5)
    return Scene(1_430_000_000 + seed, GEOMETRY, 60 * smooth, 5 + 0.4 * scale * smooth / smooth.std())


def test_images_have_the_brightness_of_the_real_ones_and_the_order_of_the_modelled_ones():
    modelled, real = [scene(seed, scale=3.0) for seed in range(40)], [scene(seed) for seed in range(50, 54)]
    made = [np.log(image) for image in matched(modelled, real, np.random.default_rng(0))]
    pixels = np.concatenate([image[INSIDE] - np.median(image[INSIDE]) for image in made])
    assert pixels.std() == pytest.approx(0.4, rel=0.1)
    medians = [np.median(image[INSIDE]) for image in made]
    assert np.mean(medians) == pytest.approx(5, abs=0.1)
    assert np.std(medians) == pytest.approx(MEDIAN_SPREAD, rel=0.4)
    for one, image in zip(modelled, made, strict=True):
        assert np.corrcoef(one.contrast[INSIDE], image[INSIDE])[0, 1] > 0.98


def test_beyond_the_limb_an_image_is_a_real_one_or_its_mirror_image():
    (made,) = matched([scene(0)], [scene(1)], np.random.default_rng(0))
    beyond, limb = ~on_disk(GEOMETRY, 0.97), scene(1).contrast
    ways = [np.corrcoef(np.log(made)[beyond], x[beyond])[0, 1] for x in (limb, limb[:, ::-1])]
    assert max(ways) == pytest.approx(1, abs=1e-6)


def test_a_frame_is_read_as_it_was_written(tmp_path):
    (tmp_path / "frames").mkdir()
    one = scene(3)
    euv = np.exp(np.clip(np.asarray(one.brightness), np.log(20), np.log(2500)))
    write_frame(tmp_path / "frames", 1_430_000_040, euv, np.asarray(one.magnetogram))
    (read,) = read_scenes(tmp_path, SIZE)
    assert read.time == 1_430_000_040 - 1_430_000_040 % 60, "names have minutes"
    np.testing.assert_allclose(np.asarray(read.magnetogram), np.asarray(one.magnetogram), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.asarray(read.brightness), np.log(euv), rtol=1e-5)
    (fine,) = read_scenes(tmp_path, 256)
    np.testing.assert_allclose(
        np.asarray(fine.magnetogram)[::4, ::4], np.asarray(one.magnetogram), rtol=1e-5, atol=1e-5
    )
