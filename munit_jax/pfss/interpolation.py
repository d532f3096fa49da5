"""Values between the cells of a map of the sphere and between the shells of a field."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from munit_jax.pfss.harmonics import Grid

# Of the depth between the spheres: the distance between shells is in proportion to the height above the inner sphere
# plus this.
CLOSENESS = 1 / 30


@partial(jax.tree_util.register_dataclass, data_fields=["values", "inner", "outer"], meta_fields=["grid"])
@dataclass(frozen=True)
class FieldGrid:
    """A vector field on shells (see `shell_radii`) from the radius `inner` to `outer`, in solar radii.

    The values are on Cartesian axes (x towards longitude 0 of the equator, z to the north), on which a smooth field is
    smooth at the poles too, and padded with the cells across the poles and beyond 360 degrees.
    """

    grid: Grid
    values: Float[Array, "shell padded_lat padded_lon 3"]
    inner: Float[Array, ""]
    outer: Float[Array, ""]


def shell_radii(inner: float | Float[Array, ""], outer: float | Float[Array, ""], count: int) -> Float[Array, "shell"]:
    """Return the radii of shells, which lie closer near the inner sphere, where the field has its fine structure."""
    depth = outer - inner
    return inner + depth * CLOSENESS * jnp.expm1(jnp.linspace(0, 1, count) * jnp.log1p(1 / CLOSENESS))


@partial(jax.jit, static_argnames="grid")
def field_grid(grid: Grid, field: Float[Array, "3 shell lat lon"], radii: Float[Array, "shell"]) -> FieldGrid:
    """Return a field (B_r, B_theta, B_phi) on shells, ready to be interpolated; `radii` as `shell_radii` makes them."""
    dtype = field.dtype
    latitude = np.deg2rad(grid.latitudes)[None, :, None].astype(dtype)
    longitude = np.deg2rad(grid.longitudes)[None, None].astype(dtype)
    radial, south, west = field
    outward = radial * np.cos(latitude) + south * np.sin(latitude)  # from the axis
    x = outward * np.cos(longitude) - west * np.sin(longitude)
    y = outward * np.sin(longitude) + west * np.cos(longitude)
    z = radial * np.sin(latitude) - south * np.cos(latitude)
    return FieldGrid(grid, jnp.stack([padded(part) for part in (x, y, z)], axis=-1), radii[0], radii[-1])


def padded(maps: Float[Array, "*n lat lon"]) -> Float[Array, "*n lat+2 lon+1"]:
    """Return maps with a row more beyond each pole and the first column again at the end."""
    half = maps.shape[-1] // 2
    south, north = (jnp.roll(row, half, axis=-1) for row in (maps[..., :1, :], maps[..., -1:, :]))
    maps = jnp.concatenate([south, maps, north], axis=-2)
    return jnp.concatenate([maps, maps[..., :1]], axis=-1)


@jax.jit
def field_at(field: FieldGrid, points: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    """Return the field at Cartesian points in solar radii: linear in latitude, longitude and the number of the shell.

    Points below the first or above the last shell have the values of that shell.
    """
    shells, rows, columns, _ = field.values.shape
    radius = jnp.linalg.norm(points, axis=-1)
    depth = jnp.maximum((radius - field.inner) / (field.outer - field.inner), 0)
    height = jnp.log1p(depth / CLOSENESS) * ((shells - 1) / jnp.log1p(1 / CLOSENESS))
    shell = jnp.clip(height.astype(jnp.int32), 0, shells - 2)
    row, column, across, along = _cell(field.grid, *latitude_longitude(points))
    return _blend(
        field.values.reshape(-1, 3),
        (shell * rows + row) * columns + column,
        (rows * columns, columns, 1),
        (jnp.clip(height - shell, 0, 1), across, along),
    )


@partial(jax.jit, static_argnames="grid")
def map_at(
    grid: Grid, values: Float[Array, "lat lon"], latitude: Float[Array, "n"], longitude: Float[Array, "n"]
) -> Float[Array, "n"]:
    """Return the values of a map at points in degrees, linear in both."""
    table = padded(values)
    row, column, across, along = _cell(grid, latitude, longitude)
    columns = table.shape[1]
    return _blend(table.reshape(-1, 1), row * columns + column, (columns, 1), (across, along))[:, 0]


@jax.jit
def latitude_longitude(points: Float[Array, "*n 3"]) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    """Return the latitude and the longitude (0 to 360) of Cartesian points in degrees."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    longitude = jnp.rad2deg(jnp.arctan2(y, x))
    return jnp.rad2deg(jnp.arctan2(z, jnp.sqrt(x * x + y * y))), jnp.where(longitude < 0, longitude + 360, longitude)


@jax.jit
def cartesian(
    latitude: Float[Array, "*n"], longitude: Float[Array, "*n"], radius: float | Float[Array, ""] = 1.0
) -> Float[Array, "*n 3"]:
    """Return the Cartesian points at latitudes and longitudes in degrees."""
    phi, lam = jnp.deg2rad(latitude), jnp.deg2rad(longitude)
    return radius * jnp.stack([jnp.cos(phi) * jnp.cos(lam), jnp.cos(phi) * jnp.sin(lam), jnp.sin(phi)], axis=-1)


def _cell(
    grid: Grid, latitude: Float[Array, "n"], longitude: Float[Array, "n"]
) -> tuple[Int[Array, "n"], Int[Array, "n"], Float[Array, "n"], Float[Array, "n"]]:
    """Return the row and column of a padded map to the south-west of points, and how far they are on to the next."""
    y = (latitude + 90) * (grid.rows / 180) + 0.5
    x = longitude * (grid.columns / 360) - 0.5
    x = jnp.where(x < 0, x + grid.columns, x)
    row = jnp.clip(y.astype(jnp.int32), 0, grid.rows)
    column = jnp.clip(x.astype(jnp.int32), 0, grid.columns - 1)
    return row, column, y - row, x - column


def _blend(
    table: Float[Array, "cell c"],
    first: Int[Array, "n"],
    strides: tuple[int, ...],
    parts: tuple[Float[Array, "n"], ...],
) -> Float[Array, "n c"]:
    """Return the sums over the corners of a box, each axis weighted by how far the point is along it.

    A corner at a time: gathered at once, they are three times slower (XLA on a CPU).
    """
    corners = [(first, jnp.ones_like(parts[0]))]
    for stride, part in zip(strides, parts, strict=True):
        corners = [(i + k * stride, w * (part if k else 1 - part)) for i, w in corners for k in (0, 1)]
    values = [w[:, None] * table.at[i].get(mode="promise_in_bounds") for i, w in corners]
    return sum(values[1:], values[0])
