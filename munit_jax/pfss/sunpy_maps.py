"""A corona as SunPy's maps and coordinates (extra `solar`)."""

from typing import Any, cast

import jax.numpy as jnp
import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from jaxtyping import Float

from munit_jax.pfss.fieldlines import course
from munit_jax.pfss.harmonics import Grid, Transform, analysis
from munit_jax.pfss.interpolation import cartesian, latitude_longitude
from munit_jax.pfss.model import Corona, ModelSettings, corona_grid
from munit_jax.pfss.output import LAYERS, carrington_axes
from munit_jax.sun.constants import SOLAR_RADIUS
from munit_jax.sun.ephemeris import earth_view

Map = Any  # a sunpy.map.GenericMap, which has no static types


def corona_maps(corona: Corona, grid: Grid, date: str) -> dict[str, Map]:
    """Return the maps of a corona by the names of their files: source surface, open field, wind, expansion factor.

    The frame is Carrington's as the Earth sees it at a date (ISO 8601, UTC); units are those of the files.
    """
    import sunpy.map  # pyright: ignore[reportMissingImports]

    maps = {}
    for name, (layer, unit, content) in LAYERS.items():
        if hasattr(corona, layer):
            header = carrington_axes(grid)
            header["BUNIT"], header["CONTENT"], header["DATE-OBS"] = unit, content, date
            header.update(_observer(date))
            maps[name] = sunpy.map.Map(np.asarray(getattr(corona, layer), np.float32), header)
    return maps


def footpoints(corona: Corona, date: str) -> SkyCoord:
    """Return where the lines through the cells of the source surface meet the surface; NaN where one does not."""
    return _carrington(np.asarray(corona.foot_latitude), np.asarray(corona.foot_longitude), 1.0, date)


def cell_coordinates(grid: Grid, radius: float, date: str) -> SkyCoord:
    """Return the middles of the cells of a grid at a radius (solar radii), such as seeds of `field_lines`."""
    return _carrington(*np.meshgrid(grid.latitudes, grid.longitudes, indexing="ij"), radius, date)


def field_lines(
    transform: Transform, boundary: Float[Any, "lat lon"], settings: ModelSettings, seeds: SkyCoord
) -> list[SkyCoord]:
    """Return the field lines through seeds, from one end to the other along the field, with their radii.

    Args:
        transform: the tables of the grid of the boundary.
        boundary: B_r at the surface in gauss, without monopole.
        settings: whose source surface the lines end at.
        seeds: in any frame that SunPy can turn into Carrington's, between the surface and the source surface.

    Raises:
        ValueError: seeds that are not there.
    """
    from sunpy.coordinates import HeliographicCarrington  # pyright: ignore[reportMissingImports]

    date = cast(Any, seeds.obstime).isot
    there: Any = seeds.transform_to(HeliographicCarrington(observer="earth", obstime=date)).ravel()
    radius = np.asarray(there.radius.to_value(u.m)) / SOLAR_RADIUS
    if not ((radius > 1 - 1e-6) & (radius < settings.rss + 1e-6)).all():
        raise ValueError(
            f"seeds at {radius.min():.3f} to {radius.max():.3f} solar radii: expected 1 to {settings.rss:g}"
        )
    dtype = transform.legendre.dtype
    volume = corona_grid(transform, analysis(transform, jnp.asarray(boundary, dtype)), settings.rss)
    angles = (jnp.asarray(angle.to_value(u.deg), dtype) for angle in (there.lat, there.lon))
    points = cartesian(*angles, 1.0) * jnp.clip(jnp.asarray(radius, dtype), 1, settings.rss)[:, None]
    ahead = jnp.ones(len(points), dtype)
    both = jnp.concatenate([course(volume, points, -ahead)[:0:-1], course(volume, points, ahead)])
    latitude, longitude = (np.asarray(angle) for angle in latitude_longitude(both))
    radii = np.linalg.norm(np.asarray(both), axis=-1)
    lines = []
    for k in range(len(points)):
        new = np.append(True, np.abs(np.diff(np.asarray(both[:, k]), axis=0)).max(axis=1) > 0)  # the ends repeat
        lines.append(_carrington(latitude[new, k], longitude[new, k], radii[new, k], date))
    return lines


def _carrington(latitude: np.ndarray, longitude: np.ndarray, radius: Any, date: str) -> SkyCoord:
    from sunpy.coordinates import HeliographicCarrington  # pyright: ignore[reportMissingImports]

    frame = HeliographicCarrington(observer="earth", obstime=date)
    distance = np.broadcast_to(radius, latitude.shape) * SOLAR_RADIUS * u.m
    return SkyCoord(longitude * u.deg, latitude * u.deg, distance, frame=frame)


def _observer(date: str) -> dict[str, float]:
    """Return the cards of an observer at the Earth."""
    seconds = int(np.datetime64(date[:19], "s").astype(np.int64))
    b0, _, distance = earth_view(seconds)
    return {"HGLN_OBS": 0.0, "HGLT_OBS": b0, "DSUN_OBS": distance * SOLAR_RADIUS, "RSUN_REF": SOLAR_RADIUS}
