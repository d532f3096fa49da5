"""Coronal model of a boundary map: open field, footpoints, expansion factors, wind and a self-check."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from munit_jax.pfss.field import SOURCE_SURFACE, field, open_flux, radial_field
from munit_jax.pfss.fieldlines import trace
from munit_jax.pfss.harmonics import Grid, Transform, analysis, mean_over_sphere
from munit_jax.pfss.interpolation import (
    FieldGrid,
    cartesian,
    field_at,
    field_grid,
    latitude_longitude,
    map_at,
    shell_radii,
)
from munit_jax.pfss.wind import (
    CURRENT_SHEET_END,
    WSA,
    Wsa,
    boundary_distance,
    current_sheet,
    expansion_factor,
    wsa_speed,
)

SHELLS = 48  # of the field that lines are followed in: with 288, 0.1 % of the open cells are others

# Cells that have several lines, and how many along each side: those with the most flux, the next ones, and of the
# others those at edges of open field.
STRONGEST, STRONG, AT_EDGES = (1024, 5), (3072, 3), (1536, 3)
SELF_CHECK_LIMIT = 0.01  # of the open flux, beyond which the self-check fails
HIGHEST_SURFACE = 100.0  # solar radii; the field is radial from 2 or 3 on


@dataclass(frozen=True)
class ModelSettings:
    """The settings of a coronal model; radii in solar radii."""

    rss: float = SOURCE_SURFACE  # of the source surface
    seed_radius: float = 1.0  # where the lines of the open-field map begin, 1 to rss
    wsa: Wsa = WSA["swig-wsa2"]  # coefficients of the wind

    def __post_init__(self):
        if self.rss > HIGHEST_SURFACE:
            raise ValueError(f"rss = {self.rss:g}: expected a source surface below {HIGHEST_SURFACE:g} solar radii")
        if not 1 <= self.seed_radius < self.rss:
            raise ValueError(
                f"the seeds' radius must be 1 or more and below the source surface's, got {self.seed_radius} "
                f"and {self.rss} solar radii"
            )


class Corona(NamedTuple):
    """A model of the corona; maps are on the grid of the boundary, angles in degrees.

    Attributes:
        source_surface: B_r at the source surface in gauss.
        open_flux: unsigned flux through it in maxwell.
        polarity: of the field lines through each cell at the seeds' radius: 1 or -1 where open, 0 where closed.
        open_area_fraction: of the sphere at the seeds' radius, see `open_share`.
        self_check: unsigned flux through the open area over the open flux, minus 1: they should be equal.
        foot_latitude, foot_longitude: footpoints on the surface of the lines through each cell of the source surface;
            NaN where a line was not followed to the surface.
        expansion: factor of those lines.
        distance: of those footpoints from the boundary of their coronal hole.
        speed: of the wind at the source surface in km/s.
    """

    source_surface: Float[Array, "lat lon"]
    open_flux: Float[Array, ""]
    polarity: Int[Array, "lat lon"]
    open_area_fraction: Float[Array, ""]
    self_check: Float[Array, ""]
    foot_latitude: Float[Array, "lat lon"]
    foot_longitude: Float[Array, "lat lon"]
    expansion: Float[Array, "lat lon"]
    distance: Float[Array, "lat lon"]
    speed: Float[Array, "lat lon"]


def corona_grid(
    transform: Transform, coefficients: Complex[Array, "m l"], rss: float | Float[Array, ""] = SOURCE_SURFACE
) -> FieldGrid:
    """Return the field from the surface to the source surface, ready for `fieldlines.trace` and `course`."""
    dtype = transform.legendre.dtype
    radii = shell_radii(jnp.ones((), dtype), jnp.asarray(rss, dtype), SHELLS)
    return field_grid(transform.grid, field(transform, coefficients, radii, rss), radii)


def cell_points(transform: Transform, radius: float | Float[Array, ""]) -> Float[Array, "cell 3"]:
    """Return the middles of all cells at a radius, row by row from the south."""
    grid = transform.grid
    latitude, longitude = jnp.meshgrid(jnp.asarray(grid.latitudes), jnp.asarray(grid.longitudes), indexing="ij")
    return cartesian(latitude, longitude, radius).reshape(-1, 3).astype(transform.legendre.dtype)


@jax.jit
def open_field(
    transform: Transform, volume: FieldGrid, radial: Float[Array, "lat lon"], radius: float | Float[Array, ""] = 1.0
) -> Int[Array, "lat lon"]:
    """Return the polarity of the line through the middle of each cell at a radius, followed outward; 0 where closed.

    `volume` is that of `corona_grid`, `radial` B_r at the radius.
    """
    upward = jnp.where(radial < 0, -1, 1).astype(radial.dtype)
    ends = trace(volume, cell_points(transform, radius), upward.ravel())
    return jnp.where(ends.outer.reshape(radial.shape), upward, 0).astype(jnp.int8)


@jax.jit
def open_share(
    transform: Transform,
    volume: FieldGrid,
    radial: Float[Array, "lat lon"],
    is_open: Bool[Array, "lat lon"],
    radius: float | Float[Array, ""] = 1.0,
) -> tuple[Float[Array, "lat lon"], Float[Array, "lat lon"]]:
    """Return the open part of each cell, and of its mean |B_r| what is open; see `open_field`.

    Near active regions open field is finer than a cell, and one cell may have 1 % of the Sun's open flux: the cells
    with the most flux have several lines, the others the one of `is_open`. For the open part, cells at edges of open
    field have several too. The flux does without those: finer lines only where there is an open one next to it would
    find the open cells that are partly closed, but not the closed ones that are partly open, and so lose flux.
    """
    flux = jnp.abs(radial) * transform.solid_angles[:, None]
    most, by_flux = jax.lax.top_k(flux.ravel(), min(STRONGEST[0] + STRONG[0], flux.size // 2))
    weaker_edge = jnp.where(_at_edge(is_open) & (flux < most[-1]), flux, -1)
    at_edges = jax.lax.top_k(weaker_edge.ravel(), min(AT_EDGES[0], flux.size // 2))[1]
    groups = ((by_flux[: STRONGEST[0]], STRONGEST[1]), (by_flux[STRONGEST[0] :], STRONG[1]), (at_edges, AT_EDGES[1]))
    places = [_inside_cells(transform.grid, cells, lines) for cells, lines in groups]
    latitude, longitude = (jnp.concatenate(each).astype(radial.dtype) for each in zip(*places, strict=True))
    b = map_at(transform.grid, radial, latitude, longitude)
    outer = trace(volume, cartesian(latitude, longitude, radius), jnp.where(b < 0, -1, 1).astype(b.dtype)).outer
    share = is_open.ravel().astype(b.dtype)
    strength = share * jnp.abs(radial.ravel())
    begin = 0
    for cells, lines in groups:
        of_group = slice(begin, begin := begin + lines**2 * len(cells))
        opened, b_opened = (x[of_group].reshape(lines**2, len(cells)).mean(axis=0) for x in (outer, outer * jnp.abs(b)))
        share = share.at[cells].set(opened)
        if cells is not at_edges:
            strength = strength.at[cells].set(b_opened)
    return share.reshape(radial.shape), strength.reshape(radial.shape)


def _inside_cells(
    grid: Grid, cells: Int[Array, "cell"], lines: int
) -> tuple[Float[Array, "line"], Float[Array, "line"]]:
    """Return latitude and longitude in degrees of lines x lines points in each cell, all cells' first ones first."""
    shift = (np.arange(lines) + 0.5) / lines - 0.5
    north, west = (x.ravel()[:, None] for x in np.meshgrid(shift, shift))
    row, column = jnp.divmod(cells[None], grid.columns)
    latitude = (row + 0.5 + north) * (180 / grid.rows) - 90
    longitude = (column + 0.5 + west) * (360 / grid.columns)
    return latitude.ravel(), longitude.ravel()


def _at_edge(is_open: Bool[Array, "lat lon"]) -> Bool[Array, "lat lon"]:
    """Return which cells have a neighbour in a row or column that is not as they are."""
    vertical = is_open[1:] != is_open[:-1]
    none = jnp.zeros_like(is_open[:1])
    horizontal = is_open != jnp.roll(is_open, 1, axis=1)
    vertical = jnp.concatenate([vertical, none]) | jnp.concatenate([none, vertical])
    return vertical | horizontal | jnp.roll(horizontal, -1, axis=1)


@jax.jit
def footpoints(
    transform: Transform, volume: FieldGrid, surface: Float[Array, "lat lon"]
) -> tuple[Float[Array, "lat lon"], Float[Array, "lat lon"], Float[Array, "lat lon"]]:
    """Return footpoints (latitude, longitude) and expansion factors of the lines through the source surface's cells."""
    downward = jnp.where(surface < 0, 1, -1).astype(surface.dtype)
    ends = trace(volume, cell_points(transform, volume.outer), downward.ravel())
    strength = jnp.linalg.norm(field_at(volume, ends.points), axis=-1)
    expansion = expansion_factor(strength, jnp.abs(surface).ravel(), volume.outer)
    latitude, longitude = latitude_longitude(ends.points)
    latitude, longitude, expansion = (
        jnp.where(ends.inner, x, jnp.nan).reshape(surface.shape) for x in (latitude, longitude, expansion)
    )
    return latitude, longitude, expansion


@partial(jax.jit, static_argnames="settings")
def model_corona(
    transform: Transform, boundary: Float[Array, "lat lon"], settings: ModelSettings = ModelSettings()
) -> Corona:
    """Return the model of the corona of a boundary, B_r at radius 1 in gauss without monopole."""
    rss, seed_radius = settings.rss, settings.seed_radius
    coefficients = analysis(transform, boundary)
    surface = radial_field(transform, coefficients, rss, rss)
    radial = radial_field(transform, coefficients, seed_radius, rss)
    volume = corona_grid(transform, coefficients, rss)
    polarity = open_field(transform, volume, radial, seed_radius)
    foot_latitude, foot_longitude, expansion = footpoints(transform, volume, surface)
    is_open = polarity != 0
    flux = mean_over_sphere(transform, jnp.abs(surface)) * rss**2
    share, open_strength = open_share(transform, volume, radial, is_open, seed_radius)
    through_open_area = mean_over_sphere(transform, open_strength) * seed_radius**2
    away = boundary_distance(transform.grid, is_open).astype(surface.dtype)
    distance = map_at(transform.grid, away, foot_latitude.ravel(), foot_longitude.ravel()).reshape(surface.shape)
    return Corona(
        source_surface=surface,
        open_flux=open_flux(transform, surface, rss),
        polarity=polarity,
        open_area_fraction=mean_over_sphere(transform, share),
        self_check=through_open_area / flux - 1,
        foot_latitude=foot_latitude,
        foot_longitude=foot_longitude,
        expansion=expansion,
        distance=distance,
        speed=wsa_speed(settings.wsa, expansion, distance),
    )


@jax.jit
def wind_at_sheet_end(
    transform: Transform,
    corona: Corona,
    rss: float | Float[Array, ""] = SOURCE_SURFACE,
    end: float | Float[Array, ""] = CURRENT_SHEET_END,
) -> tuple[Float[Array, "lat lon"], Float[Array, "lat lon"]]:
    """Return the wind's speed (km/s) and B_r (gauss) at the radius `end`, through a Schatten current sheet.

    Lines are followed from there to the source surface, whose speed and sign they carry.
    """
    surface = corona.source_surface
    sheet = current_sheet(transform, surface, rss, end)
    points = cell_points(transform, sheet.outer)
    ends = trace(sheet, points, -jnp.ones(len(points), points.dtype))
    latitude, longitude = latitude_longitude(ends.points)
    speed = map_at(transform.grid, corona.speed, latitude, longitude).reshape(surface.shape)
    sign = jnp.sign(map_at(transform.grid, surface, latitude, longitude)).reshape(surface.shape)
    strength = jnp.linalg.norm(field_at(sheet, points), axis=-1).reshape(surface.shape)
    return speed, sign * strength
