"""From files to boundaries: B_r of the whole Sun on the grid of the model, an ensemble of one or more."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from munit_jax.errors import DataError
from munit_jax.pfss.boundary import Insertion, boundary_maps, radial_views, without_monopole
from munit_jax.pfss.disk_magnetograms import DiskMagnetogram
from munit_jax.pfss.harmonics import Grid, Transform
from munit_jax.pfss.remesh import grid_cells, remesh
from munit_jax.pfss.synoptic_maps import SynopticMap


@dataclass(frozen=True)
class Boundaries:
    """B_r at the surface of the whole Sun without monopole.

    Attributes:
        field: gauss.
        monopole: mean of the field that was taken off, gauss.
        insertion: how magnetograms were put in; None for a synoptic map.
        disk_weight: how much the cells are the magnetograms', 0 to 1.
    """

    field: Float[Array, "n lat lon"]
    monopole: Float[Array, "n"]
    insertion: Insertion | None
    disk_weight: Float[Array, "lat lon"]


def on_grid(synoptic: SynopticMap, grid: Grid) -> Float[np.ndarray, "n lat lon"]:
    """Return the realisations of a map on a grid."""
    return remesh(synoptic.field, synoptic.cells, grid_cells(grid))


def synoptic_boundaries(synoptic: SynopticMap, transform: Transform) -> Boundaries:
    """Return the boundaries of a synoptic map, one for each realisation."""
    dtype = transform.solid_angles.dtype
    whole = jnp.asarray(on_grid(synoptic, transform.grid), dtype)
    field, monopole = jax.vmap(without_monopole, (None, 0))(transform, whole)
    return Boundaries(field, monopole, None, jnp.zeros(field.shape[1:], dtype))


def disk_boundaries(
    disks: Sequence[DiskMagnetogram], background: SynopticMap | None, transform: Transform, insertion: Insertion
) -> Boundaries:
    """Return the boundaries of magnetograms in a background; where several overlap, see `radial_views`.

    Args:
        disks: of one number of realisations, or one.
        background: of several realisations the mean is taken; None for 0.
        transform: of the model.
        insertion: see `boundary.insert`.

    Raises:
        DataError: magnetograms of different numbers of realisations.
    """
    if len({len(disk.field) for disk in disks} - {1}) > 1:
        numbers = ", ".join(f"{disk.name} {len(disk.field)}" for disk in disks)
        raise DataError(f"magnetograms have different numbers of realisations: {numbers}; give files of one number")
    grid, dtype = transform.grid, transform.solid_angles.dtype
    geometries, fields = [disk.geometry for disk in disks], [disk.field for disk in disks]
    patches, weight = radial_views(grid, geometries, fields, dtype.type)
    behind = np.zeros((grid.rows, grid.columns)) if background is None else on_grid(background, grid).mean(axis=0)
    field, monopole = boundary_maps(transform, patches, weight, jnp.asarray(behind, dtype), insertion)
    return Boundaries(field, monopole, insertion, weight)


def check_any_field(boundaries: Boundaries) -> None:
    """Refuse a Sun without any field, of which there is no corona.

    Raises:
        DataError: a boundary that is 0 everywhere.
    """
    empty = [not one.any() for one in np.asarray(boundaries.field)]
    if any(empty):
        raise DataError(
            f"{sum(empty)} of {len(empty)} boundaries are 0 everywhere: a corona needs a field, so give another "
            "magnetogram or a background"
        )
