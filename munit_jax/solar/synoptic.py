"""From magnetograms of the disk to the boundary of the whole Sun.

The line-of-sight field is taken as the projection of a radial one; pixels near the limb, where that magnifies the
noise, are left out. The tables of a geometry are made once with numpy in double precision (`sample_disk`); what
follows is linear in the magnetograms, differentiable, and takes ensembles as leading axes.

Maps are on a `Grid`: rows from south to north, Carrington longitudes from 0 to 360. Fields are in gauss. Differential
rotation between the times of magnetograms is not corrected.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from munit_jax.solar.disk import DiskGeometry, heliographic_to_observer, observer_to_pixel
from munit_jax.solar.harmonics import Grid

LEAST_MU = 0.2  # cosine of the angle to the vertical below which pixels are not used
FULL_MU = 0.35  # above which they count fully
SAMPLES = 3  # points along each side of a cell; a single one would alias the noise of the pixels
STRIP_POWER = 4  # of the cosine of the distance from the central meridian (as GONG's synoptic maps weigh)

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
        across, along: how far the point is on to the next pixel in x and y, 0 to 1.
        gain: what turns the field there into the point's part of the cell's radial field; 0 where it is not used.
        weight: 0 where the cell is not seen well enough, 1 where it counts fully.
    """

    size: int
    first: Int[Array, "point lat lon"]
    across: Float[Array, "point lat lon"]
    along: Float[Array, "point lat lon"]
    gain: Float[Array, "point lat lon"]
    weight: Float[Array, "lat lon"]


def sample_disk(geometry: DiskGeometry, grid: Grid, dtype: type[np.floating] = np.float32) -> DiskSampling:
    """Return the tables that take magnetograms of a geometry to a map."""
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


def radial_patch(sampling: DiskSampling, magnetograms: Float[Array, "*n y x"]) -> Float[Array, "*n lat lon"]:
    """Return the radial field of the visible cells of maps in gauss, 0 in the others.

    Args:
        sampling: of the images' geometry.
        magnetograms: line-of-sight field in gauss, positive towards the observer; finite, 0 off the disk.
    """
    pixels = magnetograms.reshape(*magnetograms.shape[:-2], -1)
    across, along, first = sampling.across, sampling.along, sampling.first
    south = pixels[..., first] * (1 - across) + pixels[..., first + 1] * across
    north = pixels[..., first + sampling.size] * (1 - across) + pixels[..., first + sampling.size + 1] * across
    return (sampling.gain * (south * (1 - along) + north * along)).sum(axis=-3)


def meridian_weight(grid: Grid, l0: float) -> Float[np.ndarray, "1 lon"]:
    """Return the weights of a map's columns by their distance from the central meridian, for a series in time."""
    cosine = np.cos(np.deg2rad(grid.longitudes - l0))
    return np.where(cosine > 0, cosine, 0)[None] ** STRIP_POWER


def combine(
    patches: Float[Array, "view *n lat lon"],
    weights: Float[Array, "view lat lon"],
    preference: Float[Array, "view #lat lon"] | None = None,
) -> tuple[Float[Array, "*n lat lon"], Float[Array, "lat lon"]]:
    """Return several views of the Sun as one patch and its weight: their mean where they overlap.

    Args:
        patches: radial fields.
        weights: of their cells, see `DiskSampling`.
        preference: what the mean is weighed with beside: `meridian_weight` for a series in time; None for several
            vantage points at one time.
    """
    share = weights if preference is None else weights * preference
    share = share / jnp.maximum(share.sum(axis=0), jnp.finfo(share.dtype).tiny)
    share = share.reshape(len(share), *(1,) * (patches.ndim - 3), *share.shape[1:])
    return (share * patches).sum(axis=0), weights.max(axis=0)


def insert(
    background: Float[Array, "lat lon"],
    patch: Float[Array, "*n lat lon"],
    weight: Float[Array, "lat lon"],
    solid_angles: Float[Array, "lat 1"],
    insertion: Insertion = "as_is",
) -> Float[Array, "*n lat lon"]:
    """Return a background map with a patch in it, feathered at the edge.

    Args:
        background: B_r of the whole Sun.
        patch: B_r of a part of it.
        weight: 1 where the patch counts, 0 where the background does.
        solid_angles: of the cells, see `Grid`.
        insertion: `flux_matched` takes a constant off the patch, so that the net flux of the map stays as it was.
    """
    replaced = weight * (patch - background)
    if insertion == "flux_matched":
        weight = jnp.broadcast_to(weight, background.shape)
        excess = (replaced * solid_angles).sum(axis=(-2, -1), keepdims=True)
        replaced = replaced - weight * excess / jnp.maximum((weight * solid_angles).sum(), jnp.finfo(weight.dtype).tiny)
    return background + replaced


def without_monopole(
    field: Float[Array, "*n lat lon"], solid_angles: Float[Array, "lat 1"]
) -> tuple[Float[Array, "*n lat lon"], Float[Array, "*n"]]:
    """Return the field less its mean over the sphere, and that mean in gauss: a net flux that the Sun cannot have."""
    mean = (field * solid_angles).sum(axis=(-2, -1)) / (4 * jnp.pi)
    return field - mean[..., None, None], mean


@partial(jax.jit, static_argnames="insertion")
def disk_boundary(
    sampling: DiskSampling,
    magnetograms: Float[Array, "*n y x"],
    background: Float[Array, "lat lon"],
    solid_angles: Float[Array, "lat 1"],
    insertion: Insertion = "as_is",
) -> tuple[Float[Array, "*n lat lon"], Float[Array, "*n"]]:
    """Return the boundaries of magnetograms of one geometry in a background, and the monopoles that were taken off."""
    patch = radial_patch(sampling, magnetograms)
    return without_monopole(insert(background, patch, sampling.weight, solid_angles, insertion), solid_angles)


def check_finite(field: Float[np.ndarray, "*n lat lon"], name: str) -> None:
    """Refuse a map with values that are not finite.

    Raises:
        ValueError: how many there are, and where the first one is.
    """
    bad = np.argwhere(~np.isfinite(field))
    if len(bad):
        row, column = (int(i) for i in bad[0, -2:])
        raise ValueError(
            f"{name}: {len(bad):,} of {field.size:,} values are not finite, the first in row {row}, column {column} "
            f"(counted from 0, from the south and from the left): fill them before"
        )
