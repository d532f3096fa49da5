"""The corona of generated magnetograms beside that of the true ones, over the frames of a split.

The magnetogram of a frame is put into a background map of the whole Sun, as it is and flux-matched, and the corona of
that boundary is held against the corona of the background with the true magnetogram in it as it is. So the error is
that of the disk alone; what is not known of the rest of the Sun comes on top.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from munit_jax.data.context import Past
from munit_jax.data.datasets import Frames, geometry_of
from munit_jax.data.pipeline import SCORED_GAP
from munit_jax.metrics.corona import SCORES, check_summary, corona_of, corona_scores, median, self_checks
from munit_jax.pfss.boundary import INSERTIONS, boundary_maps, radial_views
from munit_jax.pfss.field import open_flux, source_surface
from munit_jax.pfss.harmonics import Grid, Transform, make_transform
from munit_jax.pfss.model import ModelSettings
from munit_jax.report.backgrounds import Background
from munit_jax.report.parts import Parts
from munit_jax.sun.disk import DiskGeometry, on_disk

# Beside the realisations: the true magnetogram itself, which tells what the insertion alone does, no field on the disk,
# the true magnetogram of another date, the true one with its sign changed, and the mean of all realisations.
SINGLES = ("truth", "zero", "another_day", "flipped", "model_mean")
COLUMNS = ("model", *SINGLES)

# (EUV image (h, w, c) in DN/s, its geometry, its time in seconds since 1970, earlier magnetograms or None, days to the
# latest of them that may be used) -> realisations (n, h, w) in gauss
Translate = Callable[[Float[np.ndarray, "h w c"], DiskGeometry, int, Past | None, float], Float[np.ndarray, "n h w"]]


@dataclass(frozen=True)
class CoronaSettings:
    """How coronae are compared.

    Attributes:
        frames: at most, evenly spaced; 0 for all.
        samples: realisations whose whole corona is modelled; the open flux is that of all.
        rows: of the maps, half as many as columns.
        lmax: highest degree of the harmonics.
        model: see `ModelSettings`.
    """

    frames: int = 10
    samples: int = 4
    rows: int = 180
    lmax: int = 60
    model: ModelSettings = field(default_factory=ModelSettings)

    @property
    def transform(self) -> Transform:
        """The tables of the maps."""
        return make_transform(Grid(self.rows, 2 * self.rows), self.lmax)


class FrameBoundaries(NamedTuple):
    """The boundaries of one frame, gauss: of the single magnetograms (SINGLES), then of the realisations.

    Attributes:
        as_is, flux_matched: by insertion.
        monopole: what was taken off the first, gauss.
    """

    as_is: Float[np.ndarray, "n lat lon"]
    flux_matched: Float[np.ndarray, "n lat lon"]
    monopole: Float[np.ndarray, " n"]


def frame_boundaries(
    transform: Transform,
    frame: Mapping[str, np.ndarray],
    realisations: Float[np.ndarray, "n h w"],
    background: Float[np.ndarray, "lat lon"],
    another: Float[np.ndarray, "h w"] | None = None,
) -> FrameBoundaries:
    """Return the boundaries of a frame: of the true magnetogram, an empty one, another date's, the true one with its
    sign changed, the mean of the realisations, and all of them.

    Args:
        transform: of the maps.
        frame: with the true magnetogram in gauss.
        realisations: generated magnetograms in gauss.
        background: B_r of the whole Sun in gauss on the grid of the transform.
        another: the true magnetogram of another date; None for an empty one.
    """
    geometry, true = geometry_of(frame), frame["magnetogram"][..., 0]
    nothing = np.zeros_like(true)
    singles = np.stack([true, nothing, nothing if another is None else another, -true, realisations.mean(0)])
    images = np.where(on_disk(geometry), np.concatenate([singles, realisations]), 0)
    patches, weight = radial_views(transform.grid, [geometry], [images])
    behind = jnp.asarray(background)
    as_is, monopole = boundary_maps(transform, patches, weight, behind, "as_is")
    matched, _ = boundary_maps(transform, patches, weight, behind, "flux_matched")
    return FrameBoundaries(*jax.device_get((as_is, matched, monopole)))


def measure_coronae(
    frames: Frames,
    numbers: Sequence[int],
    others: Sequence[int],
    translate: Translate,
    past: Past | None,
    background: Background,
    settings: CoronaSettings,
    parts: Parts,
) -> dict[str, Any]:
    """Return the scores of the coronae of frames: by insertion and column, (frame, n, SCORES), and the open fluxes.

    Args:
        frames: the split.
        numbers: which of its frames.
        others: for each, the frame that stands for another day.
        translate: makes realisations of an EUV image.
        past: earlier magnetograms, None where the networks take none.
        background: the rest of the Sun.
        settings: how.
        parts: where the scores of frames are kept.
    """
    transform = settings.transform
    for k, (i, j) in enumerate(tqdm(list(zip(numbers, others, strict=True)), desc="coronae", unit="frame")):
        if k not in parts:
            frame, another = frames[i], frames[j]["magnetogram"][..., 0]
            made = translate(frame["euv"], geometry_of(frame), int(frame["time"]), past, SCORED_GAP)
            boundaries = frame_boundaries(transform, frame, made, background.of(frame), another)
            parts.keep(k, [_measured(transform, settings, boundaries) | {"time": np.int64(frame["time"])}])
    return parts.joined(len(numbers))


def _measured(transform: Transform, settings: CoronaSettings, boundaries: FrameBoundaries) -> dict[str, Any]:
    true = corona_of(transform, boundaries.as_is[0], settings.model)
    result: dict[str, Any] = {}
    for insertion in INSERTIONS:
        of_insertion = getattr(boundaries, insertion)[: len(SINGLES) + settings.samples]
        # The true magnetogram as it is has been modelled.
        first = [true] if insertion == "as_is" else [corona_of(transform, of_insertion[0], settings.model)]
        coronae = first + [corona_of(transform, one, settings.model) for one in of_insertion[1:]]
        scores = np.array([list(corona_scores(transform, one, true).values()) for one in coronae])
        columns = {name: scores[[k]] for k, name in enumerate(SINGLES)}
        result[insertion] = {
            "scores": {"model": scores[len(SINGLES) :], **columns},
            "self_checks": self_checks(coronae),
        }
    fluxes = _open_fluxes(transform, settings, boundaries)
    return result | {
        "open_flux": {"true": fluxes[0], "zero": fluxes[1], "model": fluxes[len(SINGLES) :]},
        "monopole": np.abs(boundaries.monopole).max(),
    }


def _open_fluxes(
    transform: Transform, settings: CoronaSettings, boundaries: FrameBoundaries
) -> Float[np.ndarray, " n"]:
    """Return the open flux of all boundaries as they are, in maxwell: it needs no more than the source surface."""
    rss = settings.model.rss
    surfaces = source_surface(transform, jnp.asarray(boundaries.as_is, transform.solid_angles.dtype), rss)
    return np.asarray(open_flux(transform, surfaces, rss), np.float64)


def corona_json(measured: Mapping[str, Any], settings: CoronaSettings, background: str) -> dict[str, Any]:
    """Return what metrics.json has under `corona`: {insertion: {score: {column: value}}}, and how it was made.

    A value is the median over the frames (and realisations) for which it is defined; `spread` is the standard deviation
    among the realisations, each with its median over the frames, `defined` the part of the model's values that are.
    """
    result: dict[str, Any] = {}
    for insertion in INSERTIONS:
        scores = measured[insertion]["scores"]
        result[insertion] = {
            name: {column: median(scores[column][..., k]) for column in COLUMNS} | _beside(scores["model"][..., k])
            for k, name in enumerate(SCORES)
        }
    checks = np.concatenate([measured[insertion]["self_checks"].ravel() for insertion in INSERTIONS])
    flux = measured["open_flux"]
    return result | {
        "open_flux_mx": {name: float(np.median(flux[name])) for name in ("true", "zero", "model")},
        **check_summary(checks),
        "monopole_gauss": float(measured["monopole"].max()),
        "frames": len(flux["true"]),
        "samples": settings.samples,
        "grid": [settings.rows, 2 * settings.rows],
        "lmax": settings.lmax,
        "rss": settings.model.rss,
        "seed_radius": settings.model.seed_radius,
        "background": background,
    }


def _beside(values: Float[np.ndarray, "frame n"]) -> dict[str, float]:
    """Return the deviation of the realisations' medians, and the part of the values that are defined."""
    each = np.array([median(of_one) for of_one in values.T])
    spread = float(each[np.isfinite(each)].std()) if np.isfinite(each).any() else float("nan")
    return {"spread": spread, "defined": float(np.isfinite(values).mean())}
