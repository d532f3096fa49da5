"""Pairs of files: found by time and place, the magnetogram turned to the time and the place of the image."""

import csv

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.data.datasets import geometry_of
from munit_jax.errors import ConfigError, DataError
from munit_jax.report.file_pairs import FilePairs
from munit_jax.report.settings import PairSettings, Settings
from munit_jax.sun.disk import heliographic_to_pixel, on_disk
from munit_jax.sun.rotation import rotation_rate
from tests.instruments.suns import (
    AU,
    grid_cards,
    observer_cards,
    to_pixel,
    untrained_run,
    write,
    write_euvi,
)

RUN = untrained_run(64)
PLACE = (115.0, 45.0)  # Carrington longitude and latitude of what is planted
EUVI_TIME = "2011-02-15T00:14:08.010"


def write_field(path, time, longitude, place=PLACE, distance=AU):
    """A magnetogram of PHI with one spot, seen from above a Carrington longitude."""
    header = fits.Header({"OBSRVTRY": "Solar Orbiter", "INSTRUME": "PHI", "TELESCOP": "SOLO/PHI/FDT", "BTYPE": "BLOS"})
    header.update({"BUNIT": "G", "DATE-OBS": time})
    header.update(grid_cards(128, 50.0, distance) | observer_cards(longitude, -2.8, distance))
    y, x = np.indices((128, 128), np.float64)
    column, row = to_pixel(header, *place)
    field = 500 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * 2.0**2))
    field += np.random.default_rng(0).normal(0, 1, field.shape)
    return write(path, np.where(np.hypot(x - 63.5, y - 63.5) < 50, field, 0), header)


def pairs_of(tmp_path, **limits):
    images, truth = (tuple(sorted(tmp_path.glob(pattern))) for pattern in ("e*.fits", "m*.fits"))
    return FilePairs(RUN, PairSettings(images, truth, **limits))


def centre_of(image):
    y, x = np.indices(image.shape)
    weight = np.maximum(image - 0.3 * image.max(), 0)
    return (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()


def test_the_magnetogram_is_turned_to_the_place_and_the_time_of_the_image(tmp_path, caplog):
    """Two days later and 8 degrees to the side the spot is where the surface has carried it, 2.7 degrees back at 45."""
    caplog.set_level("INFO")
    write_euvi(tmp_path / "e.fits", 128, PLACE)
    write_field(tmp_path / "m.fits", "2011-02-13T00:14:08.010", 101.7 + 2 * 360 / 25.38)
    pairs = pairs_of(tmp_path, hours=50.0)
    (frame,) = pairs
    geometry = geometry_of(frame)
    assert (geometry.b0, geometry.l0, int(frame["time"])) == (pytest.approx(-2.8), pytest.approx(109.7), 1297728848)
    drifted = PLACE[0] + 2 * rotation_rate(np.array([PLACE[1]]))[0]
    x, y, visible = heliographic_to_pixel(geometry, np.array([PLACE[1]]), np.array([drifted]))
    assert visible.all()
    assert centre_of(frame["magnetogram"][..., 0]) == pytest.approx((x[0], y[0]), abs=0.25)
    assert "48.00 hours and 7.99 degrees apart, the magnetogram is rotated by both" in caplog.text
    assert (pairs.about["most_hours"], pairs.about["most_degrees"]) == (48.0, pytest.approx(8.0, abs=0.02))
    assert set(pairs.about["files"]) == {"e.fits", "m.fits"}
    # Of the image's disk, what the magnetograph did not see counts as not seen.
    unseen = on_disk(geometry) & ~frame["seen"]
    assert 0.01 < unseen.sum() / on_disk(geometry).sum() < 0.2
    assert not frame["magnetogram"][~frame["seen"]].any()


def test_pairs_are_of_one_time_and_one_place_and_every_file_is_in_the_table(tmp_path):
    write_euvi(tmp_path / "e1.fits", 128, PLACE)
    write_euvi(
        tmp_path / "e2.fits", 128, PLACE, **{"DATE-AVG": "2011-03-15T00:00:00", "DATE-OBS": "2011-03-15T00:00:00"}
    )
    write(tmp_path / "e3.fits", np.ones((8, 8)), fits.Header({"TELESCOP": "LASCO"}))
    write_field(tmp_path / "m1.fits", EUVI_TIME, 109.7)
    write_field(tmp_path / "m2.fits", EUVI_TIME, 80.0)
    pairs = pairs_of(tmp_path)
    assert len(pairs) == 1
    pairs.write_table(tmp_path)
    with (tmp_path / "pairs.csv").open() as file:
        rows = {(row["image"], row["magnetogram"]): row for row in csv.DictReader(file)}
    assert set(rows) == {("e1.fits", "m1.fits"), ("e2.fits", ""), ("e3.fits", ""), ("", "m2.fits")}
    assert rows["e1.fits", "m1.fits"]["degrees"] == "0.0"
    assert rows["e2.fits", ""]["reason"] == "no partner within 6 hours and 10 degrees that is not another's"
    assert rows["e3.fits", ""]["reason"].startswith("instrument: LASCO: not an image of")


def test_no_pair_says_why(tmp_path):
    write_euvi(tmp_path / "e.fits", 128, PLACE)
    write_field(tmp_path / "m.fits", EUVI_TIME, 80.0)
    with pytest.raises(DataError, match="no pair of 1 images and 1 magnetograms: no partner within 6 hours and 10 deg"):
        pairs_of(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a: PairSettings((a,), ()), "images and truth: give both"),
        (lambda a: PairSettings((a,), (a,), hours=-1.0), "pair_hours=-1 and pair_degrees=10 must not be negative"),
        (lambda a: Settings(dataset="sdoml/x", pairs=PairSettings((a,), (a,))), "dataset and images: give one of them"),
    ],
)
def test_settings_that_cannot_be(tmp_path, make, message):
    with pytest.raises(ConfigError, match=message):
        make(tmp_path / "a.fits")
