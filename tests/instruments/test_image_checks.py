"""Every check refuses what it is for, and passes real frames."""

import numpy as np
import pytest

from munit_jax.instruments.checks import check_image
from munit_jax.instruments.errors import FrameError
from tests.tfds_sdoml.sun_images import euv_image, field_image
from tfds_sdoml.neighbours import check_neighbours, references
from tfds_sdoml.sources.npz_v1 import NpzV1

HOUR, DAY = 3600, 86400


def complaint(image, field=False):
    with pytest.raises(FrameError) as caught:
        check_image(image, field)
    return caught.value


@pytest.mark.parametrize("size", [16, 64, 512])
def test_a_good_image_has_the_level_of_its_disk(size):
    assert check_image(euv_image(100.0, size), field=False) == pytest.approx(100, rel=0.03)
    # The mean of |x| of a normal distribution is sqrt(2 / pi) of its standard deviation.
    assert check_image(field_image(10.0, size), field=True) == pytest.approx(7.98, rel=0.1)


def test_not_finite():
    image = euv_image(100.0)
    image[3, 7] = np.nan
    image[9, 9] = np.inf
    assert str(complaint(image)) == "not finite: 2 values, the first at (row, column) = (3, 7)"


def test_constant():
    assert str(complaint(np.full((64, 64), 7.0, np.float32))) == "constant: 7 everywhere"


def test_off_disk_level():
    assert complaint(euv_image(100.0) + 500).reason == "off-disk level"
    noise = np.random.default_rng(0).normal(0, 10, (512, 512)).astype(np.float32)
    error = complaint(noise, field=True)
    assert error.reason == "off-disk level"
    assert "gauss beyond 1.2 solar radii" in error.detail


def test_off_centre_disk():
    assert check_image(euv_image(100.0, shift=8), field=False) > 0
    error = complaint(euv_image(100.0, shift=40))
    assert error.reason == "off-centre disk"
    assert float(error.detail.split("(")[1].split(",")[0]) == pytest.approx(40 / 203.3, abs=0.02)
    assert complaint(np.roll(field_image(10.0), -40, axis=0), field=True).reason == "off-centre disk"


def test_real_frames_pass(shared):
    source, seen = NpzV1(shared / "data/sdoml_real"), 0
    for series in ("0171", "0193", "0304", "bz"):
        for place in source.listing(series).places:
            level = check_image(source.read(series, place), series == "bz")
            assert (1 < level < 10) if series in ("bz", "0304") else (100 < level < 1000)
            seen += 1
    assert seen == 16


def test_neighbours():
    usual = [100.0, 110.0, 90.0, 105.0]
    check_neighbours(60.0, usual, field=False)
    check_neighbours(180.0, usual, field=False)
    for level in (45.0, 250.0):
        with pytest.raises(FrameError, match=f"disk median is {level:g}, theirs 102.5 DN/s"):
            check_neighbours(level, usual, field=False)
    with pytest.raises(FrameError, match=r"mean unsigned field is 1, theirs 102.5 gauss"):
        check_neighbours(1.0, usual, field=True)
    check_neighbours(1.0, [100.0], field=False)  # one neighbour may be the odd one itself
    check_neighbours(0.0, [0.0, 0.0], field=False)


def test_references_are_hours_apart_and_not_days():
    times = np.arange(0, 2 * DAY, 720)  # every 12 minutes
    chosen = references(times)
    before, after = ([times[i] / HOUR for i in side] for side in chosen[100])  # frame 100 is at 20:00
    assert before == [18.0, 16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0, 0.0]
    assert after == list(range(22, 48, 2))
    assert [times[i] / HOUR for i in chosen[0][1][:3]] == [2.0, 4.0, 6.0]
    daily = references(np.arange(12) * DAY)
    assert daily[6] == ([5, 4, 3, 2, 1], [7, 8, 9, 10, 11])
    assert references(np.arange(5) * 10 * DAY) == [([], [])] * 5
    assert references(np.array([], np.int64)) == []


def test_every_frame_of_an_eclipse_is_found():
    times = np.arange(0, 2 * DAY, 720)
    level = np.where((times >= 20 * HOUR) & (times < 21.2 * HOUR), 0.5, 100.0)  # the Earth in front for 72 minutes
    refused = []
    for i, sides in enumerate(references(times)):
        try:
            check_neighbours(float(level[i]), [float(level[k]) for side in sides for k in side[:3]], field=False)
        except FrameError:
            refused.append(i)
    assert refused == np.flatnonzero(level < 1).tolist()
