"""From files to the boundary of the whole Sun and to its corona: an ensemble of one or more."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from munit_jax.errors import DataError
from munit_jax.instruments.interface import Scale
from munit_jax.pfss.boundary import Insertion, boundary_maps, radial_views, without_monopole
from munit_jax.pfss.disk_magnetograms import DiskMagnetogram, read_magnetogram
from munit_jax.pfss.field import ENERGY_RADII, energy_density
from munit_jax.pfss.harmonics import Grid, Transform, analysis
from munit_jax.pfss.model import SELF_CHECK_LIMIT, Corona, ModelSettings, model_corona, wind_at_sheet_end
from munit_jax.pfss.remesh import grid_cells, remesh
from munit_jax.pfss.synoptic_maps import SynopticMap, read_synoptic
from munit_jax.sun.constants import DAY

AS_MEASURED = "as measured"
LONGEST_GAP = 60  # days, about two rotations: the age at which most of a background has changed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Boundaries:
    """B_r at the surface of the whole Sun without monopole.

    Attributes:
        field: gauss.
        monopole: mean of the field, which is subtracted, gauss.
        insertion: how magnetograms were put in; None for a synoptic map.
        disk_weight: how much the cells are the magnetograms', 0 to 1.
        scale: of the magnetograms and the map, as text.

    Raises:
        DataError: a boundary that is 0 everywhere, which has no corona.
    """

    field: Float[Array, "n lat lon"]
    monopole: Float[Array, "n"]
    insertion: Insertion | None
    disk_weight: Float[Array, "lat lon"]
    scale: str = AS_MEASURED

    def __post_init__(self):
        empty = [not one.any() for one in np.asarray(self.field)]
        if any(empty):
            raise DataError(
                f"{sum(empty)} of {len(empty)} boundaries are 0 everywhere: a corona needs a field, so give another "
                "magnetogram or a background"
            )


def open_boundaries(
    magnetograms: Sequence[Path],
    whole: Path | None,
    insertions: Sequence[Insertion],
    transform: Transform,
    scale_to: Scale = "none",
) -> tuple[list[Boundaries], str]:
    """Read the boundaries of magnetograms of the disk, an ensemble for each insertion, or of a synoptic map alone.

    `whole` is the background or that map; None for a background of 0. The date of the boundaries comes second, empty
    where the synoptic map has none. All are brought to `scale_to`, see `magnetographs.scale_factor`.
    """
    synoptic = None if whole is None else read_synoptic(whole, scale_to)
    disks = [read_magnetogram(path, scale_to) for path in magnetograms]
    scale = AS_MEASURED
    if scale_to != "none":
        factors = (f"{one.name} x {one.factor:g}" for one in (*disks, synoptic) if one is not None)
        scale = f"{scale_to.upper()}: {', '.join(factors)}"
        logger.info("scale of %s", scale)
    if synoptic is not None and not magnetograms:
        return [replace(synoptic_boundaries(synoptic, transform), scale=scale)], synoptic.date
    for disk in disks:
        if disk.flags:
            logger.warning("%s: QUALITY = %#010x, which reports damage", disk.name, disk.flags)
    _warn_of_gaps(disks, synoptic)
    latest = datetime.fromtimestamp(max(disk.time for disk in disks), UTC)
    made = [replace(disk_boundaries(disks, synoptic, transform, how), scale=scale) for how in insertions]
    return made, f"{latest:%Y-%m-%dT%H:%M:%S}"


def _warn_of_gaps(disks: Sequence[DiskMagnetogram], background: SynopticMap | None) -> None:
    if background is None or not background.date:
        return
    time = datetime.fromisoformat(background.date).replace(tzinfo=UTC).timestamp()
    for disk in disks:
        if (days := abs(disk.time - time) / DAY) > LONGEST_GAP:
            logger.warning(
                "%s and the background %s are %.0f days apart, and regions and polar fields change: give a map of "
                "about the same rotation",
                *(disk.name, background.name, days),
            )


def on_grid(synoptic: SynopticMap, grid: Grid) -> Float[np.ndarray, "n lat lon"]:
    """Return the realisations of a map on a grid."""
    return remesh(synoptic.field, synoptic.cells, grid_cells(grid))


def synoptic_boundaries(synoptic: SynopticMap, transform: Transform) -> Boundaries:
    """Return the boundaries of a synoptic map, one for each realisation."""
    return boundaries_of(on_grid(synoptic, transform.grid), transform)


def boundaries_of(maps: Float[Any, "n lat lon"], transform: Transform) -> Boundaries:
    """Return the boundaries of maps of B_r in gauss on the grid of the transform."""
    dtype = transform.solid_angles.dtype
    field, monopole = jax.vmap(without_monopole, (None, 0))(transform, jnp.asarray(maps, dtype))
    return Boundaries(field, monopole, None, jnp.zeros(field.shape[1:], dtype))


def disk_boundaries(
    disks: Sequence[DiskMagnetogram], background: SynopticMap | None, transform: Transform, insertion: Insertion
) -> Boundaries:
    """Return the boundaries of magnetograms in a background: the mean of a map's realisations, None for 0.

    Raises:
        DataError: magnetograms of different numbers of realisations, other than one.
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


def model_ensemble(
    transform: Transform, boundaries: Boundaries, settings: ModelSettings, sheet_end: float | None = None
) -> dict[str, np.ndarray]:
    """Return the fields of `Corona` by name, and `boundary`, with the realisations as leading axis.

    With `sheet_end` also `sheet_speed` and `sheet_field`: the wind (km/s) and B_r (gauss) at that radius (solar radii).
    """
    coronae = [model_corona(transform, boundary, settings) for boundary in boundaries.field]
    maps = {name: np.stack([np.asarray(getattr(one, name)) for one in coronae]) for name in Corona._fields}
    if sheet_end is not None:
        ends = [wind_at_sheet_end(transform, one, settings.rss, sheet_end) for one in coronae]
        maps["sheet_speed"], maps["sheet_field"] = (np.stack(values) for values in zip(*ends, strict=True))
    return maps | {"boundary": np.asarray(boundaries.field)}


def summary(
    transform: Transform, boundaries: Boundaries, maps: dict[str, np.ndarray], settings: ModelSettings
) -> dict[str, Any]:
    """Return what `corona.json` has of an ensemble: means of several realisations with `spread`, and `each`.

    The self-check of several realisations is the one that is farthest from 0.
    """
    weights = np.asarray(transform.solid_angles)[:, None] / (4 * np.pi)
    known = np.isfinite(maps["speed"])
    speeds = (np.where(known, maps["speed"], 0) * weights).sum(axis=(1, 2)) / (known * weights).sum(axis=(1, 2))
    each = {
        "open_flux_mx": maps["open_flux"].astype(float),
        "open_area_fraction": maps["open_area_fraction"],
        "self_check": maps["self_check"],
        "monopole_gauss": np.asarray(boundaries.monopole),
        "unsigned_boundary_gauss": (np.abs(maps["boundary"]) * weights).sum(axis=(1, 2)),
        "mean_wind_speed_km_s": speeds.astype(float),
    }
    coefficients = analysis(transform, boundaries.field)
    for r in (r for r in ENERGY_RADII if r <= settings.rss):
        each[f"energy_erg_cm3_r{r:g}"] = np.asarray(energy_density(transform, coefficients, r, settings.rss))
    worst = float(each["self_check"][np.argmax(np.abs(each["self_check"]))])
    result = {
        **{name: float(values.mean()) for name, values in each.items()},
        "self_check": worst,
        "self_check_passed": abs(worst) <= SELF_CHECK_LIMIT,
        "lines_not_followed": int(np.isnan(maps["expansion"]).sum()),
        "insertion": boundaries.insertion,
        "scale": boundaries.scale,
        "realisations": len(boundaries.field),
        "grid": [transform.grid.rows, transform.grid.columns],
        "lmax": transform.lmax,
        "rss": settings.rss,
        "seed_radius": settings.seed_radius,
    }
    if len(boundaries.field) > 1:
        result["spread"] = {name: float(values.std()) for name, values in each.items()}
        result["each"] = {name: values.tolist() for name, values in each.items()}
    return result
