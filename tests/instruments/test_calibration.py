import numpy as np
import pytest

from munit_jax.instruments.calibration import (
    BUILT_IN,
    Reference,
    gain,
    nearest_reference,
    quartiles,
    reference_of_training,
)
from munit_jax.instruments.errors import FrameError
from munit_jax.sun.disk import on_disk, sdoml_geometry

DISK = on_disk(sdoml_geometry(64))


def image_of(values):
    image = np.full((64, 64), 1e6)
    image[DISK] = np.resize(values, np.count_nonzero(DISK))
    return image


def test_quartiles_are_of_the_disk_alone():
    assert quartiles(image_of([100.0, 200.0, 300.0, 400.0, 500.0])) == pytest.approx((200, 300, 400))


def test_the_factor_is_the_median_of_the_three_ratios():
    image = image_of([100.0, 200.0, 300.0, 400.0, 500.0])
    assert gain(image, Reference("0171", None, (20.0, 60.0, 40.0), "made up")) == pytest.approx(0.1)  # 0.1, 0.2, 0.1
    assert gain(3 * image, Reference("0171", None, (200.0, 300.0, 400.0), "made up")) == pytest.approx(1 / 3)


def test_an_active_region_does_not_change_the_factor():
    image = image_of(np.random.default_rng(0).uniform(100, 200, 2000))
    reference = Reference("0171", None, quartiles(image), "itself")
    brighter = image.copy()
    brighter[30:36, 30:36] *= 30
    assert gain(brighter, reference) == pytest.approx(1, abs=0.02)


def test_a_dark_disk_is_an_error():
    with pytest.raises(FrameError, match="a quarter of the disk is dark"):
        gain(image_of([0.0, 0.0, 1.0]), BUILT_IN[0])


def test_the_reference_nearest_in_time_counts():
    early, late = (Reference("0193", time, (1.0, 2.0, 3.0), str(time)) for time in (1000, 9000))
    trained_on = {"25": 1.0, "50": 2.0, "75": 3.0}
    other = Reference("0171", 4000, (1.0, 2.0, 3.0), "171")
    assert nearest_reference("0193", 4000, (early, late, other)) == early
    assert nearest_reference("0193", 6000, (early, late, other)) == late
    assert nearest_reference("0171", 0, (early, other)) == other
    assert nearest_reference("0171", 0, (early, late)) == BUILT_IN[0]
    trained = reference_of_training({"0304": {"25": 1.0, "50": 2.0, "75": 3.0, "99": 9.0}, "bz": {"50": 4.0}})
    assert [(r.series, r.time, r.quartiles) for r in trained] == [("0304", None, (1.0, 2.0, 3.0))]
    assert nearest_reference("0304", 0, (early, *trained)) == trained[0]
    assert nearest_reference("0193", 0, (*trained, *reference_of_training({"0193": trained_on}), late)) == late
    with pytest.raises(FrameError, match=r"no AIA image of 0094 to calibrate it by: name one .* with --calibrate_to"):
        nearest_reference("0094", 0, (early, late, other))


def test_the_built_in_reference_is_that_of_the_real_images(shared):
    from munit_jax.instruments.interface import Preparation
    from munit_jax.instruments.telescopes import observe, prepare

    how = Preparation(sdoml_geometry(512))
    names = ("aia_20110319_105400_0171.fits", "aia_171_level1.fits")
    measured = [quartiles(prepare(observe(shared / "data" / "fits" / name), how).image) for name in names]
    np.testing.assert_allclose(np.mean(measured, axis=0), BUILT_IN[0].quartiles, rtol=0.005)
