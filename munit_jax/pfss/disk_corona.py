"""The source surface of the disk's field alone, for a loss of the training."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from munit_jax.pfss.boundary import DiskSampling, boundary_maps, radial_patch, sample_disk
from munit_jax.pfss.field import SOURCE_SURFACE, source_surface
from munit_jax.pfss.harmonics import Grid, Transform, make_transform
from munit_jax.sun.disk import sdoml_geometry

LMAX = 12  # of degree 10 the source surface sees 3e-5
CELLS_A_PIXEL = 0.42  # rows of the map for a pixel across the image: cells of about three pixels in the disk's centre
LEAST_ROWS, MOST_ROWS = 26, 180


@dataclass(frozen=True)
class DiskCorona:
    """The tables of a size of images.

    The source surface is linear in the magnetogram, so the error of a generated disk is that of its own contribution,
    whatever the rest of the Sun has: it is taken as empty.
    """

    transform: Transform
    sampling: DiskSampling

    def surface(self, magnetograms: Float[Array, "b y x"]) -> Float[Array, "b lat lon"]:
        """Return B_r at 2.5 solar radii in gauss of the disk's field alone; linear, differentiable."""
        patches = jax.vmap(radial_patch, (None, 0))(self.sampling, magnetograms)
        boundaries, _ = boundary_maps(self.transform, patches, self.sampling.weight, jnp.zeros_like(patches))
        return source_surface(self.transform, boundaries, SOURCE_SURFACE)


def disk_corona(size: int) -> DiskCorona:
    """Return the tables for SDOML images seen from above the equator: B0 turns truth and translation alike."""
    rows = min(MOST_ROWS, max(LEAST_ROWS, 2 * round(CELLS_A_PIXEL * size / 2)))
    grid = Grid(rows, 2 * rows)
    return DiskCorona(make_transform(grid, LMAX), sample_disk(sdoml_geometry(size), grid))
