"""From files to boundaries: B_r of the whole Sun on the grid of the model, an ensemble of one or more."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from munit_jax.coronal.disks import DiskMagnetogram
from munit_jax.errors import DataError
from munit_jax.solar.harmonics import Grid
from munit_jax.solar.maps import SynopticMap
from munit_jax.solar.remesh import grid_cells, remesh
from munit_jax.solar.synoptic import (
    Insertion,
    combine,
    insert,
    meridian_weight,
    radial_patch,
    sample_disk,
    without_monopole,
)


@dataclass(frozen=True)
class Boundaries:
    """B_r at the surface of the whole Sun without monopole.

    Attributes:
        field: gauss.
        monopole: mean of the field that was taken off, gauss.
        insertion: how magnetograms were put in; None for a synoptic map.
        disk_weight: how much the cells are the magnetograms', 0 to 1.
    """

    field: Float[np.ndarray, "n lat lon"]
    monopole: Float[np.ndarray, "n"]
    insertion: Insertion | None
    disk_weight: Float[np.ndarray, "lat lon"]


def on_grid(synoptic: SynopticMap, grid: Grid) -> Float[np.ndarray, "n lat lon"]:
    """Return the realisations of a map on a grid."""
    return remesh(synoptic.field, synoptic.cells, grid_cells(grid))


def synoptic_boundaries(synoptic: SynopticMap, grid: Grid) -> Boundaries:
    """Return the boundaries of a synoptic map, one for each realisation."""
    field, monopole = without_monopole(on_grid(synoptic, grid), grid.solid_angles)
    return Boundaries(np.asarray(field), np.asarray(monopole), None, np.zeros(field.shape[1:]))


def disk_boundaries(
    disks: Sequence[DiskMagnetogram], background: SynopticMap | None, grid: Grid, insertion: Insertion
) -> Boundaries:
    """Return the boundaries of magnetograms in a background.

    Where several overlap, each counts by cos^4 of the distance from its central meridian: for several vantage points at
    one time as for a series in time.

    Args:
        disks: of one number of realisations, or one.
        background: of several realisations the mean is taken; None for 0.
        grid: of the model.
        insertion: see `synoptic.insert`.

    Raises:
        DataError: magnetograms of different numbers of realisations.
    """
    counts = {len(disk.field) for disk in disks} - {1}
    if len(counts) > 1:
        numbers = ", ".join(f"{disk.name} {len(disk.field)}" for disk in disks)
        raise DataError(f"magnetograms have different numbers of realisations: {numbers}; give files of one number")
    count = counts.pop() if counts else 1
    patches, weights, preferences = [], [], []
    for disk in disks:
        sampling = sample_disk(disk.geometry, grid)
        patch = radial_patch(sampling, jnp.asarray(disk.field))
        patches.append(jnp.broadcast_to(patch, (count, *patch.shape[1:])))
        weights.append(sampling.weight)
        preferences.append(meridian_weight(grid, disk.geometry.l0))
    patch, weight = combine(
        jnp.stack(patches), jnp.stack(weights), jnp.asarray(np.stack(preferences), weights[0].dtype)
    )
    behind = np.zeros((grid.rows, grid.columns)) if background is None else on_grid(background, grid).mean(axis=0)
    # In double precision: nothing else is lost where the boundary is summed over the sphere.
    solid_angles = grid.solid_angles
    whole = insert(behind, np.asarray(patch, np.float64), np.asarray(weight, np.float64), solid_angles, insertion)
    field, monopole = without_monopole(whole, solid_angles)
    return Boundaries(np.asarray(field), np.asarray(monopole), insertion, np.asarray(weight))
