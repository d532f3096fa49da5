"""The wind from the inner boundary to the Earth by HUXt (Owens et al. 2020, Solar Phys. 295, 43)."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from astropy import units as u
from astropy.time import Time
from astropy.utils import iers
from erfa import ErfaWarning
from jaxtyping import Float, Int
from scipy.ndimage import map_coordinates

from munit_jax.errors import DataError
from munit_jax.heliosphere.boundary import InnerBoundary
from munit_jax.heliosphere.choices import PLACES
from munit_jax.sun.constants import DAY, SYNODIC_DAYS

HOUR = 3600  # seconds between the values of a series
WSA_RADIUS = 215.0  # solar radii, where the wind has the speed of WSA's formula
MAP_DAYS = 0.1  # a run that is only as long as the map of its beginning needs


@dataclass(frozen=True)
class Track:
    """Where a place is: the times are seconds since 1970, the radius is in solar radii, angles are in degrees.

    The longitude is Stonyhurst's (HEEQ), 0 at the Earth, positive to the west; the latitude is heliographic.
    """

    place: str
    times: Int[np.ndarray, " t"]
    radius: Float[np.ndarray, " t"]
    longitude: Float[np.ndarray, " t"]
    latitude: Float[np.ndarray, " t"]


@dataclass(frozen=True)
class WindSeries:
    """The speed of the wind in km/s at a place, of every realisation."""

    track: Track
    speed: Float[np.ndarray, "n t"]


@dataclass(frozen=True)
class WindMap:
    """The speed in km/s in the plane of the Earth's latitude; radii in solar radii, longitudes (HEEQ) in degrees."""

    radii: Float[np.ndarray, " r"]
    longitudes: Float[np.ndarray, " lon"]
    speed: Float[np.ndarray, "n r lon"]


def track(place: str, time: int, days: int = SYNODIC_DAYS) -> Track:
    """Return where one of PLACES is, every hour from a time on, by the ephemeris that comes with HUXt.

    Raises:
        DataError: times that the ephemeris does not have.
    """
    from huxt import huxt  # pyright: ignore[reportMissingImports]

    times = time + HOUR * np.arange(24 * days + 1)
    with warnings.catch_warnings(action="ignore", category=ErfaWarning):  # HUXt's ephemeris ends beyond leap seconds
        when = Time(times, format="unix")
        try:
            body, earth = huxt.Observer(PLACES[place], when), huxt.Observer("EARTH", when)
        except ValueError:
            body = earth = None
    if body is None or earth is None or not np.isfinite(u.Quantity(body.r).value).all():
        first, last = (f"{datetime.fromtimestamp(int(t), UTC):%Y-%m-%d}" for t in times[[0, -1]])
        raise DataError(f"HUXt's ephemeris does not have {place} from {first} to {last}: leave it out of --earth")
    longitude = np.rad2deg((body.lon_hae - earth.lon_hae).value)
    unwrapped = np.unwrap((longitude + 180) % 360 - 180, period=360)
    latitude = np.rad2deg(body.lat_c.value)
    return Track(place, times, np.asarray(body.r.to_value(u.solRad)), unwrapped, latitude)


def wind_at(boundary: InnerBoundary, there: Track) -> WindSeries:
    """Return the wind at a place by HUXt, of every realisation of the boundary at the mean latitude of the place.

    Only the longitudes around the place are solved, 0.1 s a realisation; the first one waits for numba's compiler.
    """
    days = (there.times[-1] - there.times[0]) / DAY
    profiles = boundary.speed_along(float(there.latitude.mean()))
    return WindSeries(there, np.stack([_along(boundary, one, there, days) for one in profiles]))


def wind_map(boundary: InnerBoundary, latitude: float) -> WindMap:
    """Return the wind in the plane of a latitude (degrees) at the time of the boundary: 1 s a realisation."""
    models = [_solve(boundary, one, MAP_DAYS) for one in boundary.speed_along(latitude)]
    speeds = np.stack([model.v_grid[0].value for model in models])
    return WindMap(models[0].r.to_value(u.solRad), np.rad2deg(models[0].lon.value), speeds)


def decelerated(speed: Float[np.ndarray, "*n"], radius: float) -> Float[np.ndarray, "*n"]:
    """Return the speed at a radius of a wind that WSA's formula gives a speed, which it has at 215 solar radii.

    v(r) = v_30 (1 + alpha (1 - exp(-(r - 30) / r_h))) with HUXt's alpha and r_h (Riley & Lionello 2011, Solar Phys.
    270, 575). HUXt does the same with WSA's files (`huxt_td_input_from_WSA_runs`), since it accelerates the wind.
    """
    return speed * (_acceleration(radius) / _acceleration(WSA_RADIUS))


def _acceleration(radius: float) -> float:
    from huxt import huxt  # pyright: ignore[reportMissingImports]

    constants = huxt.huxt_constants()
    scale = constants["r_accel"].to_value(u.solRad)
    return 1 + float(constants["alpha"]) * (1 - np.exp(-(radius - 30) / scale))


# HUXt is a hydrodynamic model in one dimension, radius, for each longitude (Barnard & Owens 2022, Front. Phys. 10,
# 1005621).
def _solve(
    boundary: InnerBoundary, profile: Float[np.ndarray, " lon"], days: float, longitudes: Sequence[float] = ()
) -> Any:
    """Return a solved model for a profile of speeds (km/s) along the longitudes, between two of HEEQ or for all."""
    from huxt import huxt  # pyright: ignore[reportMissingImports]

    rotation = boundary.rotation
    between = dict(zip(("lon_start", "lon_stop"), np.asarray(longitudes) * u.deg, strict=False))
    with iers.conf.set_temp("auto_download", False), warnings.catch_warnings(action="ignore", category=ErfaWarning):
        model = huxt.HUXt(
            v_boundary=decelerated(profile, boundary.radius) * u.km / u.s,
            cr_num=int(rotation),
            cr_lon_init=360 * (1 - rotation % 1) * u.deg,
            r_min=boundary.radius * u.solRad,
            simtime=days * u.day,
            track_cmes=False,
            **between,
        )
        model.solve([])
    return model


def _along(
    boundary: InnerBoundary, profile: Float[np.ndarray, " lon"], there: Track, days: float
) -> Float[np.ndarray, " t"]:
    """Return the speed along a track: linear in time, radius and longitude."""
    from huxt import huxt  # pyright: ignore[reportMissingImports]

    margin = 1.5 * huxt.longitude_grid()[1].to_value(u.deg)
    west, east = there.longitude.max() + margin, there.longitude.min() - margin
    model = _solve(boundary, profile, days, (east % 360, west % 360))
    longitudes = (np.rad2deg(model.lon.value) - east) % 360
    order = np.argsort(longitudes)
    places = (
        ((there.times - there.times[0]) / model.dt_out.to_value(u.s)),
        np.interp(there.radius, model.r.to_value(u.solRad), np.arange(model.nr)),
        np.interp(there.longitude - east, longitudes[order], np.arange(model.nlon)),
    )
    return map_coordinates(model.v_grid.value[..., order], places, order=1, mode="nearest")
