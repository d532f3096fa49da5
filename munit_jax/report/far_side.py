"""The far side end to end on known truth: the synthetic Sun seen from three vantage points at one time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from munit_jax.data.context import Magnetogram
from munit_jax.data.pipeline import SCORED_GAP
from munit_jax.metrics.corona import check_summary, corona_of, score_array, score_medians, self_checks
from munit_jax.pfss.boundary import boundary_maps, radial_views, without_monopole, zonal_background
from munit_jax.pfss.harmonics import Transform
from munit_jax.report.backgrounds import sphere_on_grid
from munit_jax.report.corona_frames import Translate
from munit_jax.report.earth import wind_at_earth
from munit_jax.report.kept import Kept
from munit_jax.report.settings import CoronaSettings
from munit_jax.sun.constants import DAY, SYNODIC_DAYS
from munit_jax.sun.disk import DiskGeometry, on_disk
from tfds_sdoml.synthetic_sun.observation import observe

VANTAGES = (0.0, 120.0, -120.0)  # degrees west of the Earth

# model: all three views generated; front_true: the Earth's is the true one; both also by the mean of all realisations;
# true_views: all three true; rotation: no far side, the last rotation from the Earth, a magnetogram a day;
# with_rotation: that and front_true_mean put together, see `with_last_rotation`.
# front_only: the Earth's true view, means along the parallels beyond it; zero_far_side: that with no field beyond it;
# far_flipped: true_views, the two far ones with their signs changed.
COLUMNS = (
    *("model", "model_mean", "front_true", "front_true_mean", "true_views"),
    *("rotation", "with_rotation", "front_only", "zero_far_side", "far_flipped"),
)

# The names of columns in conclusions.
CALLED = {
    "model": "three generated views",
    "model_mean": "the mean of their realisations",
    "front_true": "the front true, the rest generated",
    "front_true_mean": "the front true with the mean of the rest",
    "rotation": "no far side, the last rotation from the Earth",
    "with_rotation": "these two together",
    "zero_far_side": "the front true and no field beyond it",
    "far_flipped": "three true views, the far ones with their signs changed",
    "true_views": "three true views",
}

POLEWARD_OF = 45.0  # degrees of latitude: where regions do not emerge, and fields stay for months


@dataclass(frozen=True)
class SyntheticSun:
    """The synthetic Sun; see `observe`."""

    seed: int
    size: int
    channels: tuple[str, ...]

    def seen_from_earth(self, time: float) -> Magnetogram:
        """Return the magnetogram of a time, as a `Past` does."""
        frame = observe(self.seed, int(time), self.size, self.channels[:1])
        return frame.magnetogram[..., 0], frame.geometry, time


def true_boundary(transform: Transform, surface_field: Float[np.ndarray, "180 360"]) -> Float[Array, "lat lon"]:
    """Return the true sphere of the synthetic Sun as a boundary without monopole."""
    whole = sphere_on_grid(surface_field, transform.grid)
    return without_monopole(transform, jnp.asarray(whole, transform.solid_angles.dtype))[0]


def assembled(
    transform: Transform,
    geometries: Sequence[DiskGeometry],
    magnetograms: Sequence[Float[np.ndarray, "#n _ _"]],
) -> Float[Array, "n lat lon"]:
    """Return the boundaries of several views of the disk, see `radial_views`; elsewhere means along the parallels."""
    disks = [np.where(on_disk(geometry), images, 0) for geometry, images in zip(geometries, magnetograms, strict=True)]
    patches, weight = radial_views(transform.grid, geometries, disks, transform.solid_angles.dtype.type)
    behind = jax.vmap(zonal_background, (0, None))(patches, weight)
    return boundary_maps(transform, patches, weight, behind)[0]


def alone(
    transform: Transform, geometry: DiskGeometry, magnetogram: Float[np.ndarray, "1 _ _"]
) -> Float[Array, "1 lat lon"]:
    """Return the boundary of one view of the disk, with no field beyond it."""
    disk = np.where(on_disk(geometry), magnetogram, 0)
    patch, weight = radial_views(transform.grid, [geometry], [disk], transform.solid_angles.dtype.type)
    return boundary_maps(transform, patch, weight, jnp.zeros_like(patch))[0]


def with_last_rotation(
    transform: Transform, generated: Float[Array, "lat lon"], rotation: Float[Array, "lat lon"]
) -> Float[Array, "lat lon"]:
    """Return a boundary of generated views and that of the last rotation from the Earth as one.

    Equatorward of 45 degrees their mean: their errors have little in common, one is wrong where the Sun has changed,
    the other where the EUV image leaves the field undetermined. Poleward of it the last rotation alone: the Earth sees
    both poles every day, and their field changes slowly and is weaker than the noise of the networks' pixels.
    """
    polar = np.abs(transform.grid.latitudes)[:, None] > POLEWARD_OF
    return without_monopole(transform, jnp.where(polar, rotation, (generated + rotation) / 2))[0]


def boundaries(
    transform: Transform, sun: SyntheticSun, time: int, translate: Translate, samples: int
) -> dict[str, Float[Array, "n lat lon"]]:
    """Return the boundaries of a time by COLUMNS, and the true one under `true`.

    Realisation k has the same style in all views.
    """
    frames = [observe(sun.seed, time, sun.size, sun.channels, west) for west in VANTAGES]
    geometries = [frame.geometry for frame in frames]
    true = [frame.magnetogram[None, ..., 0] for frame in frames]
    # The Earth sees now what the others see at their limbs; of its own view it has the magnetogram.
    gaps = [SCORED_GAP if west == 0 else 0.0 for west in VANTAGES]
    made = [
        translate(frame.euv, frame.geometry, time, sun.seen_from_earth, gap)
        for frame, gap in zip(frames, gaps, strict=True)
    ]
    single, mean = [m[:samples] for m in made], [m.mean(0, keepdims=True) for m in made]
    last = [observe(sun.seed, time - day * DAY, sun.size, sun.channels[:1]) for day in range(SYNODIC_DAYS)]
    front_true_mean = assembled(transform, geometries, [true[0], *mean[1:]])
    rotation = assembled(transform, [f.geometry for f in last], [f.magnetogram[None, ..., 0] for f in last])
    return {
        "true": true_boundary(transform, frames[0].surface_field)[None],
        "model": assembled(transform, geometries, single),
        "model_mean": assembled(transform, geometries, mean),
        "front_true": assembled(transform, geometries, [true[0], *single[1:]]),
        "front_true_mean": front_true_mean,
        "true_views": assembled(transform, geometries, true),
        "rotation": rotation,
        "with_rotation": with_last_rotation(transform, front_true_mean[0], rotation[0])[None],
        "front_only": assembled(transform, geometries[:1], true[:1]),
        "zero_far_side": alone(transform, geometries[0], true[0]),
        "far_flipped": assembled(transform, geometries, [true[0], *(-far for far in true[1:])]),
    }


def measure_far_side(
    sun: SyntheticSun, times: Sequence[int], translate: Translate, settings: CoronaSettings, kept: Kept
) -> dict[str, Any]:
    """Return the scores at several times by column, (time, n, SCORES), and the self-checks.

    With `settings.earth` also `earth`: the speed of the wind there, see `wind_at_earth`.
    """
    transform = settings.transform

    def scores(k: int) -> dict[str, Any]:
        made = boundaries(transform, sun, int(times[k]), translate, settings.samples)
        coronae = {name: [corona_of(transform, one, settings.model) for one in of] for name, of in made.items()}
        (true,) = coronae["true"]
        of_columns = {name: score_array(transform, coronae[name], true) for name in COLUMNS}
        checks = self_checks(one for of_column in coronae.values() for one in of_column)
        result = {"scores": of_columns, "self_checks": checks}
        if settings.earth:
            result["earth"] = wind_at_earth(transform, coronae, settings.model.rss, int(times[k]))
        return result

    measured = kept.results(len(times), scores, "far side")
    return jax.tree.map(lambda *of_times: np.stack(of_times), *measured)


def far_side_json(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return what metrics.json has under `far_side`: {score: {column: median over the dates and realisations}}."""
    scores = measured["scores"]
    return {
        **score_medians(scores, COLUMNS),
        "dates": len(scores["model"]),
        **check_summary(measured["self_checks"]),
    }
