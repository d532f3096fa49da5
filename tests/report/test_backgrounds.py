"""The rest of the Sun: which map a frame takes, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from munit_jax.errors import ConfigError, DataError
from munit_jax.pfss.harmonics import Grid
from munit_jax.pfss.remesh import cea_cells
from munit_jax.pfss.synoptic_maps import SynopticMap
from munit_jax.report.backgrounds import SURFACE, open_background, seconds_of, sphere_on_grid

GRID = Grid(18, 36)
REAL = SimpleNamespace(name="sdoml/aia0193_hmi", has_surface=False)
SYNTHETIC = SimpleNamespace(name="sdoml/small", has_surface=True)


def write(path, level: float, date: str | None):
    """Write a synoptic map of a level in gauss in the north and its negative in the south."""
    header = fits.Header()
    for axis, (kind, step, middle) in enumerate((("CRLN-CEA", 5.0, 36.5), ("CRLT-CEA", 2 / 36, 18.5)), 1):
        header[f"CTYPE{axis}"], header[f"CDELT{axis}"], header[f"CRPIX{axis}"] = kind, step, middle
        header[f"CRVAL{axis}"], header[f"CUNIT{axis}"] = (180.0, "deg") if axis == 1 else (0.0, "")
    header["CDELT2"] = 2 / 36 * 180 / np.pi
    header["BUNIT"] = "Gauss"
    if date:
        header["DATE-OBS"] = date
    field = np.full((36, 72), level, np.float32)
    field[:18] *= -1
    fits.PrimaryHDU(field, header).writeto(path)
    return str(path)


def frame(date: str):
    return {"time": np.datetime64(date, "s").astype(np.int64)}


def test_each_frame_takes_the_map_that_is_nearest_in_time(tmp_path):
    files = [
        write(tmp_path / "a.fits", 1.0, "2011-01-01T00:00:00"),
        write(tmp_path / "b.fits", 2.0, "2011-03-01T00:00:00"),
    ]
    background = open_background(files, GRID, REAL)
    for date, level in (("2010-06-01", 1), ("2011-01-20", 1), ("2011-02-10", 2), ("2014-01-01", 2)):
        field = background.of(frame(date))
        assert field.shape == (18, 36)
        np.testing.assert_allclose(field[12:], level, rtol=1e-5)
        np.testing.assert_allclose(field[:6], -level, rtol=1e-5)


def test_the_name_tells_the_content_of_a_file(tmp_path):
    (tmp_path / "other").mkdir()
    one = open_background([write(tmp_path / "a.fits", 1.0, None)], GRID, REAL)
    other = open_background([write(tmp_path / "other" / "a.fits", 2.0, None)], GRID, REAL)
    assert one.name.startswith("a.fits (sha256 ")
    assert one.name != other.name


def test_one_map_needs_no_time_but_several_do(tmp_path):
    dated, undated = write(tmp_path / "a.fits", 1.0, "2011-01-01T00:00:00"), write(tmp_path / "b.fits", 2.0, None)
    assert open_background([undated], GRID, REAL).of(frame("2011-01-01")).max() > 1
    with pytest.raises(DataError, match=r"b.fits has no time, so the nearest of 2 backgrounds is unknown: give maps"):
        open_background([dated, undated], GRID, REAL)


@pytest.mark.parametrize(
    ("date", "seconds"), [("1970-01-02T00:00:00", 86400), ("", None), ("2010.05.01_12:00:00", None)]
)
def test_seconds_of_a_date(date, seconds):
    assert seconds_of(SynopticMap(np.zeros((1, 2, 2)), cea_cells(2, 2), "map", date)) == seconds


def test_nothing_and_the_truth():
    assert not open_background(("none",), GRID, REAL).of(frame("2011-01-01")).any()
    surface = np.repeat(np.linspace(-1, 1, 180)[:, None], 360, axis=1).astype(np.float16)
    truth = open_background((), GRID, SYNTHETIC)
    np.testing.assert_array_equal(truth.of({SURFACE: surface}), sphere_on_grid(surface, GRID))
    assert truth.name == "the dataset's own truth"


def test_a_dataset_without_the_rest_of_the_sun_needs_a_background():
    with pytest.raises(ConfigError, match=r"sdoml/aia0193_hmi does not have the rest of the Sun: give --background="):
        open_background((), GRID, REAL)


def test_a_file_that_is_no_map(tmp_path):
    (tmp_path / "letter.fits").write_text("dear Sun")
    with pytest.raises(DataError, match=r"letter\.fits"):
        open_background([str(tmp_path / "letter.fits")], GRID, REAL)
