"""Files of the synthetic Sun are read as those of the instruments are: field, brightness, place and time."""

from datetime import UTC, datetime

import numpy as np
import pytest

from munit_jax.instruments.telescopes import observe as read
from munit_jax.instruments.view import heliographic_view, view_cards
from munit_jax.pfss.disk_magnetograms import read_magnetogram
from munit_jax.pfss.harmonics import Grid
from munit_jax.pfss.remesh import grid_cells, remesh
from munit_jax.pfss.synoptic_maps import read_synoptic
from munit_jax.sun.disk import on_disk
from tfds_sdoml.synthetic_sun.fits_files import write_disk, write_surface
from tfds_sdoml.synthetic_sun.observation import observe

TIME = int(datetime(2011, 11, 20, 6, tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def frame():
    return observe(0, TIME, 32, ("0193",), west=106.0)


@pytest.mark.parametrize(("instrument", "telescope"), [("AIA 193", "AIA"), ("EUVI 195", "EUVI")])
def test_an_image_is_one_of_its_instrument(frame, tmp_path, instrument, telescope):
    seen = read(write_disk(tmp_path / "new" / "euv.fits", frame.euv[..., 0], frame.geometry, TIME, instrument))
    assert (seen.telescope.name, seen.series) == (telescope, "0193")
    np.testing.assert_allclose(seen.image, frame.euv[..., 0])
    there = heliographic_view(view_cards(seen.header), frame.geometry)
    assert (there.b0, there.l0) == pytest.approx((frame.geometry.b0, frame.geometry.l0), abs=1e-6)
    assert there.distance == pytest.approx(frame.geometry.distance, rel=1e-9)
    assert seen.header["HGLN_OBS"] == pytest.approx(106.0)


def test_a_magnetogram_is_that_of_hmi(frame, tmp_path):
    field = frame.magnetogram[..., 0]
    disk = read_magnetogram(write_disk(tmp_path / "hmi.fits", field, frame.geometry, TIME, "HMI"))
    assert (disk.time, disk.geometry.l0) == (TIME, pytest.approx(frame.geometry.l0))
    inside = on_disk(frame.geometry, 0.9)
    np.testing.assert_allclose(disk.field[0][inside], field[inside], atol=1e-3 * np.abs(field).max())


def test_the_surface_is_a_synoptic_map(frame, tmp_path):
    grid = Grid(180, 360)
    synoptic = read_synoptic(write_surface(tmp_path / "sun.fits", frame.surface_field, TIME))
    assert synoptic.date == "2011-11-20T06:00:00"
    np.testing.assert_allclose(
        remesh(synoptic.field, synoptic.cells, grid_cells(grid))[0], frame.surface_field, atol=1e-3
    )
