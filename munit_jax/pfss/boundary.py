"""From magnetograms of the disk to the boundary of the whole Sun."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from munit_jax.pfss.harmonics import Grid, Transform, mean_over_sphere
from munit_jax.sun.disk import DiskGeometry, heliographic_to_observer, observer_to_pixel

LEAST_MU = 0.2  # cosine of the angle to the vertical below which pixels are not used
FULL_MU = 0.35  # above which they count fully
SAMPLES = 3  # points along each side of a cell; a single one would alias the noise of the pixels
LEAST_SEEN = 0.1  # of a parallel, for its mean to fill the rest of it
STRIP_POWER = 4  # of the cosine of the distance from the central meridian (as GONG's synoptic maps weigh)
OVER_THE_POLE = 1e-4  # what that is at least, since an observer off the equator sees beyond 90 degrees there

Insertion = Literal["as_is", "flux_matched"]
INSERTIONS: tuple[Insertion, ...] = ("as_is", "flux_matched")


@partial(
    jax.tree_util.register_dataclass, data_fields=["first", "across", "along", "gain", "weight"], meta_fields=["size"]
)
@dataclass(frozen=True)
class DiskSampling:
    """How the cells of a map sample an image of the disk, and how much they count.

    Attributes:
        size: width and height of the image.
        first: pixel to the south-east of each point, in the flattened image.
        across, along: fraction of the way to the next pixel in x and y, 0 to 1.
        gain: factor from the field there to the point's share of the cell's radial field; 0 where it is not used.
        weight: 0 where the cell is not seen well enough, 1 where it counts fully.
    """

    size: int
    first: Int[Array, "point lat lon"]
    across: Float[Array, "point lat lon"]
    along: Float[Array, "point lat lon"]
    gain: Float[Array, "point lat lon"]
    weight: Float[Array, "lat lon"]


def sample_disk(geometry: DiskGeometry, grid: Grid, dtype: type[np.floating] = np.float32) -> DiskSampling:
    """Return the tables that take magnetograms of a geometry to a map, made in double precision and kept in `dtype`."""
    shift = (np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5
    south_north, west = (x.reshape(-1, 1, 1) for x in np.meshgrid(shift, shift, indexing="ij"))
    latitude = grid.latitudes[:, None] + south_north * (180 / grid.rows)
    longitude = grid.longitudes[None] + west * (360 / grid.columns)
    towards, *plane = heliographic_to_observer(geometry, latitude, longitude)
    x, y, _ = observer_to_pixel(geometry, towards, *plane)
    mu = cosine_to_vertical(towards, geometry.distance)
    last = geometry.size - 1
    seen = (mu > LEAST_MU) & (x >= 0) & (x <= last) & (y >= 0) & (y <= last)
    column, row = (np.clip(np.where(seen, z, 0).astype(int), 0, last - 1) for z in (x, y))
    gain = np.where(seen, 1 / np.where(seen, mu, 1), 0) / np.maximum(seen.sum(axis=0), 1)
    weight = np.where(seen, np.clip((mu - LEAST_MU) / (FULL_MU - LEAST_MU), 0, 1), 0).mean(axis=0)
    return DiskSampling(
        geometry.size,
        jnp.asarray(row * geometry.size + column, jnp.int32),
        *(jnp.asarray(z, dtype) for z in (np.where(seen, x - column, 0), np.where(seen, y - row, 0), gain, weight)),
    )


def cosine_to_vertical(towards: Float[np.ndarray, "*n"], distance: float) -> Float[np.ndarray, "*n"]:
    """Return mu of points on the surface; `towards` is their component to the observer in solar radii."""
    return (distance * towards - 1) / np.sqrt(distance**2 + 1 - 2 * distance * towards)


def radial_patch(sampling: DiskSampling, magnetogram: Float[Array, "y x"]) -> Float[Array, "lat lon"]:
    """Return the radial field of the visible cells of a map, 0 in the others: linear, differentiable.

    The line-of-sight field (positive towards the observer, finite, 0 off the disk) is taken as the projection of a
    radial one. Near the limb, where that magnifies the noise, it is not used.
    """
    pixels = magnetogram.ravel()
    across, along, first = sampling.across, sampling.along, sampling.first
    south = pixels[first] * (1 - across) + pixels[first + 1] * across
    north = pixels[first + sampling.size] * (1 - across) + pixels[first + sampling.size + 1] * across
    return (sampling.gain * (south * (1 - along) + north * along)).sum(axis=0)


def meridian_weight(grid: Grid, l0: float) -> Float[np.ndarray, "1 lon"]:
    """Return what the columns of a map count by their distance from the central meridian of a view."""
    cosine = np.cos(np.deg2rad(grid.longitudes - l0))
    return np.maximum(np.where(cosine > 0, cosine, 0) ** STRIP_POWER, OVER_THE_POLE)[None]


@jax.jit
def combine(
    patches: Float[Array, "view lat lon"],
    weights: Float[Array, "view lat lon"],
    preference: Float[Array, "view #lat lon"],
) -> tuple[Float[Array, "lat lon"], Float[Array, "lat lon"]]:
    """Return several views of the Sun as one patch and its weight: their mean where they overlap.

    The mean has the weights of the cells times a preference, `meridian_weight`: the middle of a view is seen best.
    """
    share = weights * preference
    share = share / jnp.maximum(share.sum(axis=0, keepdims=True), jnp.finfo(share.dtype).tiny)
    return (share * patches).sum(axis=0), weights.max(axis=0)


def radial_views(
    grid: Grid,
    geometries: Sequence[DiskGeometry],
    magnetograms: Sequence[Float[Any, "#n _ _"]],
    dtype: type[np.floating] = np.float32,
) -> tuple[Float[Array, "n lat lon"], Float[Array, "lat lon"]]:
    """Return the realisations of several views of the Sun as patches of a map, and their weight; see `combine`.

    A view with a single realisation, see `radial_patch`, goes with all those of the others. Differential rotation
    between the times of views is not corrected.
    """
    patches, weights, preferences = [], [], []
    for geometry, realisations in zip(geometries, magnetograms, strict=True):
        sampling = sample_disk(geometry, grid, dtype)
        patches.append(jax.vmap(radial_patch, (None, 0))(sampling, jnp.asarray(realisations, dtype)))
        weights.append(sampling.weight)
        preferences.append(jnp.asarray(meridian_weight(grid, geometry.l0), dtype))
    views = jnp.stack(jnp.broadcast_arrays(*patches), axis=1)
    return jax.vmap(combine, (0, None, None), (0, None))(views, jnp.stack(weights), jnp.stack(preferences))


@jax.jit
def zonal_background(patch: Float[Array, "lat lon"], weight: Float[Array, "lat lon"]) -> Float[Array, "lat lon"]:
    """Return the mean of a patch along each parallel, for cells without other information.

    Parallels of which less than a tenth is seen, such as those at the poles, have the mean of the nearest one that is.
    """
    seen = weight.mean(axis=1)
    mean = (patch * weight).sum(axis=1) / jnp.maximum(weight.sum(axis=1), jnp.finfo(weight.dtype).tiny)
    rows = jnp.arange(len(seen))
    distance = jnp.abs(rows[:, None] - rows[None]) + jnp.where(seen < LEAST_SEEN, 2 * len(seen), 0)[None]
    return jnp.broadcast_to(mean[distance.argmin(axis=1)][:, None], patch.shape)


def insert(
    transform: Transform,
    background: Float[Array, "lat lon"],
    patch: Float[Array, "lat lon"],
    weight: Float[Array, "lat lon"],
    insertion: Insertion = "as_is",
) -> Float[Array, "lat lon"]:
    """Return a background map of B_r with a patch in it, feathered by its weight.

    `flux_matched` subtracts a constant from the patch, so that the net flux of the map is unchanged.
    """
    replaced = weight * (patch - background)
    if insertion == "flux_matched":
        seen = jnp.maximum(mean_over_sphere(transform, weight), jnp.finfo(weight.dtype).tiny)
        replaced = replaced - weight * (mean_over_sphere(transform, replaced) / seen)
    return background + replaced


@jax.jit
def without_monopole(
    transform: Transform, field: Float[Array, "lat lon"]
) -> tuple[Float[Array, "lat lon"], Float[Array, ""]]:
    """Return the field minus its mean over the sphere, and that mean in gauss: a net flux that the Sun cannot have."""
    mean = mean_over_sphere(transform, field)
    return field - mean, mean


@partial(jax.jit, static_argnames="insertion")
def boundary_maps(
    transform: Transform,
    patches: Float[Array, "n lat lon"],
    weight: Float[Array, "lat lon"],
    background: Float[Array, "*#n lat lon"],
    insertion: Insertion = "as_is",
) -> tuple[Float[Array, "n lat lon"], Float[Array, "n"]]:
    """Return boundary maps, the patches of `radial_views` in a background (one for all or each) without monopole.

    The subtracted monopoles come second, in gauss; see `insert` and `without_monopole`.
    """

    def boundary(
        patch: Float[Array, "lat lon"], behind: Float[Array, "lat lon"]
    ) -> tuple[Float[Array, "lat lon"], Float[Array, ""]]:
        return without_monopole(transform, insert(transform, behind, patch, weight, insertion))

    return jax.vmap(boundary)(patches, jnp.broadcast_to(background, patches.shape))
