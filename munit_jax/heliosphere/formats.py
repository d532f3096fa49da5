"""Files of the inner boundary that models of the heliosphere read; one map each."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.io import fits
from jaxtyping import Float
from scipy.io import netcdf_file

from munit_jax.files import whole, write_fits, write_text
from munit_jax.heliosphere.boundary import InnerBoundary
from munit_jax.heliosphere.choices import FORMATS
from munit_jax.sun.constants import SOLAR_RADIUS
from munit_jax.sun.ephemeris import UNIX_EPOCH_JULIAN_DAY, earth_view

NANOTESLA = 1e5  # in a gauss
TESLA = 1e-4  # in a gauss

# Of the fast wind at 0.1 AU in EUHFORIA: density from the speed at constant kinetic energy, temperature at constant
# pressure (Pomoell & Poedts 2018, J. Space Weather Space Clim. 8, A35, section 2.2).
FAST_SPEED = 675.0  # km/s
FAST_DENSITY = 300e6  # 1/m^3
PRESSURE = 3.3e-9  # Pa
BOLTZMANN = 1.380649e-23  # J/K


def write_wsa(path: Path, boundary: InnerBoundary, k: int) -> None:
    """Write a realisation as WSA 4 does: B_r (nT) and speed (km/s) in one image, float32, left edge at longitude 0."""
    grid, rotation = boundary.grid, boundary.rotation
    if grid.columns != 2 * grid.rows:
        raise ValueError(f"WSA's cells are square, got {grid.rows} x {grid.columns}")
    layers = np.stack([boundary.field[k] * NANOTESLA, boundary.speed[k]]).astype(np.float32)
    cards = fits.Header()
    cards["CARROT"] = int(rotation), "Carrington rotation of the date"
    cards["CARRLONG"] = 0.0, "[deg] left edge of the map"
    cards["RADOUT"] = boundary.radius, "[solRad] radius of the sphere"
    cards["GRID"] = 180 / grid.rows, "[deg] steps in latitude and longitude"
    cards["OBSJUL"] = _julian_day(boundary.time), "Julian date of the observation"
    cards["OBSCAR"] = int(rotation), "Carrington rotation of the observation"
    cards["OBSLON"] = earth_view(boundary.time)[1], "[deg] Carrington longitude of the Earth"
    cards["OBSTIME"] = f"{_date(boundary.time):%Y:%m:%d_%Hh:%Mm:%Ss}", "of the observation, UTC"
    cards["REALIZ"] = k, "realisation"
    cards["UNITS1"], cards["UNITS2"] = "nano-tesla", "km sec-1"
    write_fits(path, fits.HDUList([fits.PrimaryHDU(layers, cards)]))


def write_netcdf(path: Path, boundary: InnerBoundary, k: int) -> None:
    """Write a realisation as the netCDF that HUXt reads of PFSS models: `br` (gauss), `vr` (km/s), `ph`, `cos(th)`."""
    latitude, longitude = np.meshgrid(boundary.grid.latitudes, boundary.grid.longitudes, indexing="ij")
    layers = {
        "cos(th)": np.sin(np.deg2rad(latitude)),
        "ph": np.deg2rad(longitude),
        "br": boundary.field[k],
        "vr": boundary.speed[k],
    }
    with whole(path) as partial, netcdf_file(str(partial), "w") as file:
        file.date, file.radius = f"{_date(boundary.time):%Y-%m-%d %H:%M}", boundary.radius
        for name, count in zip(("nth", "nph"), latitude.shape, strict=True):
            file.createDimension(name, count)
        for name, values in layers.items():
            file.createVariable(name, "f8", ("nth", "nph"))[:] = values


def write_csv(path: Path, boundary: InnerBoundary, k: int) -> None:
    """Write a realisation as a table with a line a cell, after comments with date, rotation and radius."""
    latitude, longitude = np.meshgrid(boundary.grid.latitudes, boundary.grid.longitudes, indexing="ij")
    columns = latitude, longitude, boundary.speed[k], boundary.field[k] * NANOTESLA
    about = (
        f"date {_date(boundary.time):%Y-%m-%dT%H:%M:%S}\nCarrington rotation {boundary.rotation:.4f}\n"
        f"radius {boundary.radius:g} solar radii\n"
    )
    names = "latitude_deg,carrington_longitude_deg,speed_km_s,radial_field_nt"
    table = np.stack([layer.ravel() for layer in columns], axis=-1)
    with whole(path) as partial:
        np.savetxt(partial, table, ("%.6f", "%.6f", "%.4f", "%.6e"), ",", header=about + names)


def write_euhforia(path: Path, boundary: InnerBoundary, k: int) -> None:
    """Write a realisation as EUHFORIA's and Icarus's solar_wind_boundary.dat: SI units, HEEQ, colatitude fastest.

    The layout is that of coconut_tools.create_dat, which writes such files, and of Icarus, which reads them. Neither
    PFSS nor WSA has a density and a temperature: see `euhforia_density` and `euhforia_temperature`.
    """
    grid = boundary.grid
    longitude = (grid.longitudes - earth_view(boundary.time)[1]) % 360
    order = np.argsort(longitude)
    density = euhforia_density(boundary.speed[k])
    layers = {
        "vr": boundary.speed[k] * 1e3,
        "number_density": density,
        "temperature": euhforia_temperature(density),
        "Br": boundary.field[k] * TESLA,
    }
    lines = ["Time:", f"{_date(boundary.time):%Y-%m-%dT%H:%M:%S}", "Radius of sphere:"]
    lines += [repr(boundary.radius * SOLAR_RADIUS), "Number of colatitude grid points:", str(grid.rows)]
    lines += ["Colatitude grid points:", *_numbers(np.deg2rad(90 - grid.latitudes[::-1]))]
    lines += ["Number of longitude grid points:", str(grid.columns)]
    lines += ["Longitude grid points:", *_numbers(np.deg2rad(longitude[order]))]
    for name, values in layers.items():
        lines += [name, *_numbers(values[::-1, order].T.ravel())]
    write_text(path, "\n".join(lines) + "\n")


def euhforia_density(speed: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Return n = n_fast (v_fast / v)^2 in 1/m^3 from the speed in km/s."""
    return FAST_DENSITY * (FAST_SPEED / speed) ** 2


def euhforia_temperature(density: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Return T = p / (n k) in kelvin from the density in 1/m^3."""
    return PRESSURE / (density * BOLTZMANN)


WRITERS: dict[str, Callable[[Path, InnerBoundary, int], None]] = {
    "wsa": write_wsa,
    "netcdf": write_netcdf,
    "csv": write_csv,
    "euhforia": write_euhforia,
}


def write_boundaries(folder: Path, boundary: InnerBoundary, formats: Iterable[str]) -> None:
    """Write every realisation in the given FORMATS into a folder: `R000.wsa.fits` and so on."""
    for name in formats:
        folder.mkdir(exist_ok=True)
        for k in range(len(boundary.speed)):
            WRITERS[name](folder / f"R{k:03d}.{FORMATS[name]}", boundary, k)


def _date(time: int) -> datetime:
    return datetime.fromtimestamp(time, UTC)


def _julian_day(time: int) -> float:
    return UNIX_EPOCH_JULIAN_DAY + time / 86400


def _numbers(values: Float[np.ndarray, " n"]) -> list[str]:
    return [f"{value:.17e}" for value in values]
