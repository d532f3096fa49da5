"""Files of the inner boundary, read as those who read them do it; HUXt's own readers are in test_propagation.py."""

import numpy as np
import pytest
from astropy.io import fits
from scipy.io import netcdf_file

from munit_jax.heliosphere.boundary import InnerBoundary
from munit_jax.heliosphere.choices import FORMATS
from munit_jax.heliosphere.formats import (
    WRITERS,
    euhforia_density,
    euhforia_temperature,
    write_boundaries,
    write_csv,
    write_euhforia,
    write_netcdf,
    write_wsa,
)
from munit_jax.pfss.harmonics import Grid
from munit_jax.sun.ephemeris import earth_view
from tests.heliosphere.winds import GRID, TIME, some_wind


def test_every_realisation_in_every_format(tmp_path):
    assert set(WRITERS) == set(FORMATS)
    write_boundaries(tmp_path / "boundary", some_wind(2), ["wsa", "csv"])
    names = {path.name for path in (tmp_path / "boundary").iterdir()}
    assert names == {"R000.csv", "R000.wsa.fits", "R001.csv", "R001.wsa.fits"}
    first, second = (fits.getdata(tmp_path / "boundary" / f"R00{k}.wsa.fits") for k in range(2))
    np.testing.assert_allclose(second, 1.01 * first, rtol=1e-6)


def test_wsa(tmp_path):
    boundary = some_wind()
    write_wsa(tmp_path / "a.fits", boundary, 0)
    with fits.open(tmp_path / "a.fits") as hdus:
        header, (field, speed) = hdus[0].header, hdus[0].data
    np.testing.assert_array_equal(speed, boundary.speed[0].astype(np.float32))
    np.testing.assert_array_equal(field, (boundary.field[0] * 1e5).astype(np.float32), "nanotesla")
    assert (header["CARROT"], header["CARRLONG"], header["GRID"], header["RADOUT"]) == (2130, 0.0, 5.0, 21.5)
    assert header["OBSTIME"] == "2012:11:20_12h:00m:00s"
    assert header["OBSLON"] == pytest.approx(153.8, abs=0.1)


def test_wsa_has_square_cells(tmp_path):
    boundary = InnerBoundary(np.ones((1, 4, 4)), np.ones((1, 4, 4)), Grid(4, 4), 21.5, TIME)
    with pytest.raises(ValueError, match="WSA's cells are square, got 4 x 4"):
        write_wsa(tmp_path / "a.fits", boundary, 0)


def test_netcdf(tmp_path):
    boundary = some_wind()
    write_netcdf(tmp_path / "a.nc", boundary, 0)
    with netcdf_file(str(tmp_path / "a.nc"), mmap=False) as file:
        layers = {name: np.array(variable[:]) for name, variable in file.variables.items()}
        assert (file.date, file.radius) == (b"2012-11-20 12:00", 21.5)
    np.testing.assert_array_equal(layers["vr"], boundary.speed[0])
    np.testing.assert_array_equal(layers["br"], boundary.field[0])
    np.testing.assert_allclose(np.arcsin(layers["cos(th)"][:, 0]), np.deg2rad(GRID.latitudes))
    np.testing.assert_allclose(layers["ph"][0], np.deg2rad(GRID.longitudes))


def test_csv(tmp_path):
    boundary = some_wind()
    write_csv(tmp_path / "a.csv", boundary, 0)
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[:3] == ["# date 2012-11-20T12:00:00", "# Carrington rotation 2130.5727", "# radius 21.5 solar radii"]
    latitude, longitude, speed, field = np.loadtxt(tmp_path / "a.csv", delimiter=",").T.reshape(4, 36, 72)
    np.testing.assert_allclose(latitude[:, 0], GRID.latitudes)
    np.testing.assert_allclose(longitude[0], GRID.longitudes)
    np.testing.assert_allclose(speed, boundary.speed[0], atol=1e-4)
    np.testing.assert_allclose(field, boundary.field[0] * 1e5, rtol=1e-6)


def test_euhforia(tmp_path):
    """Read by the labels and in the order of Icarus's reader: for each longitude all colatitudes."""
    boundary = some_wind()
    write_euhforia(tmp_path / "a.dat", boundary, 0)
    lines = (tmp_path / "a.dat").read_text().splitlines()
    assert lines[:2] == ["Time:", "2012-11-20T12:00:00"]
    assert float(lines[3]) == pytest.approx(21.5 * 6.957e8)

    def block(label: str, count: int) -> np.ndarray:
        start = lines.index(label) + 1
        return np.array(lines[start : start + count], float)

    colatitude, longitude = block("Colatitude grid points:", 36), block("Longitude grid points:", 72)
    assert (np.diff(colatitude) > 0).all()
    assert (np.diff(longitude) > 0).all()
    cells = 36 * 72
    speed, field, density, temperature = (
        block(name, cells).reshape(72, 36) for name in ("vr", "Br", "number_density", "temperature")
    )
    carrington = (np.rad2deg(longitude) + earth_view(TIME)[1]) % 360
    latitude = 90 - np.rad2deg(colatitude)
    np.testing.assert_allclose(speed, 1e3 * (500 + 2 * latitude[None] + 0.1 * carrington[:, None]))
    np.testing.assert_allclose(field, 1e-7 * (latitude[None] - 0.1 * carrington[:, None]), atol=1e-15)
    np.testing.assert_allclose(density, euhforia_density(speed / 1e3))
    np.testing.assert_allclose(temperature, euhforia_temperature(density))


def test_density_and_temperature_of_the_fast_wind():
    """At 675 km/s 300 / cm^3, and 3.3 nPa are then 0.8 MK; at half the speed four times as many, a quarter as hot."""
    density = euhforia_density(np.array([675.0, 337.5]))
    np.testing.assert_allclose(density, [3e8, 1.2e9])
    np.testing.assert_allclose(euhforia_temperature(density), [7.967e5, 1.992e5], rtol=1e-3)
