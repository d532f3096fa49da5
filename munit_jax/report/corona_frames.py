"""Coronae of generated magnetograms against those of the true ones, over the frames of a split."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from munit_jax.data.context import Past
from munit_jax.data.datasets import Frames, geometry_of
from munit_jax.data.pipeline import SCORED_GAP
from munit_jax.metrics.corona import check_summary, corona_of, median, score_array, score_medians, self_checks
from munit_jax.pfss.boundary import INSERTIONS, boundary_maps, radial_views
from munit_jax.pfss.field import open_flux, source_surface
from munit_jax.pfss.harmonics import Transform
from munit_jax.report.backgrounds import Background
from munit_jax.report.file_pairs import FilePairs
from munit_jax.report.kept import Kept
from munit_jax.report.settings import CoronaSettings
from munit_jax.sun.disk import DiskGeometry, on_disk

# In addition to the realisations: the true magnetogram itself, the error of the insertion alone; no field on the disk;
# the true magnetogram of another date; the true one with its sign changed; and the mean of all realisations.
SINGLES = ("truth", "zero", "another_day", "flipped", "model_mean")
COLUMNS = ("model", *SINGLES)

# (EUV image (h, w, c) in DN/s, its geometry, its time in seconds since 1970, earlier magnetograms or None, days to the
# latest of them that may be used) -> realisations (n, h, w) in gauss
Translate = Callable[[Float[np.ndarray, "h w c"], DiskGeometry, int, Past | None, float], Float[np.ndarray, "n h w"]]


@dataclass(frozen=True)
class CoronaInputs:
    """Of what, and how, coronae are measured."""

    frames: Frames | FilePairs  # of the split, with `SURFACE` where the dataset has it
    translate: Translate
    past: Past | None  # earlier magnetograms, where the networks take them
    settings: CoronaSettings
    background: Background

    def realisations(self, frame: Mapping[str, np.ndarray]) -> Float[np.ndarray, "n h w"]:
        """Return the realisations of a frame in gauss."""
        return self.translate(frame["euv"], geometry_of(frame), int(frame["time"]), self.past, SCORED_GAP)


def frame_boundaries(
    transform: Transform,
    frame: Mapping[str, np.ndarray],
    realisations: Float[np.ndarray, "n h w"],
    background: Float[np.ndarray, "lat lon"],
    another: Float[np.ndarray, "h w"] | None = None,
) -> dict[str, Float[np.ndarray, "n ..."]]:
    """Return the boundaries of a frame (gauss) by insertion, of SINGLES and then of the realisations.

    `monopole` is what was subtracted from those inserted as they are, in gauss. The background is B_r of the whole
    Sun, `another` the true magnetogram of another date, None for an empty one.
    """
    geometry, true = geometry_of(frame), frame["magnetogram"][..., 0]
    nothing = np.zeros_like(true)
    singles = np.stack([true, nothing, nothing if another is None else another, -true, realisations.mean(0)])
    images = np.where(on_disk(geometry) & frame.get("seen", np.True_), np.concatenate([singles, realisations]), 0)
    patches, weight = radial_views(transform.grid, [geometry], [images])
    behind = jnp.asarray(background)
    maps = {how: boundary_maps(transform, patches, weight, behind, how) for how in INSERTIONS}
    return jax.device_get({how: field for how, (field, _) in maps.items()} | {"monopole": maps["as_is"][1]})


def measure_coronae(inputs: CoronaInputs, numbers: Sequence[int], others: Sequence[int], kept: Kept) -> dict[str, Any]:
    """Return the scores of the coronae of frames: by insertion and column, (frame, n, SCORES), and the open fluxes.

    They are compared with that of the true magnetogram put in as it is, so the error is that of the disk alone. Each of
    the `others` is the frame of another day.
    """
    frames, settings = inputs.frames, inputs.settings
    transform = settings.transform

    def scores(k: int) -> dict[str, Any]:
        frame, another = frames[numbers[k]], frames[others[k]]["magnetogram"][..., 0]
        behind = inputs.background.of(frame)
        boundaries = frame_boundaries(transform, frame, inputs.realisations(frame), behind, another)
        return _measured(transform, settings, boundaries) | {"time": np.int64(frame["time"])}

    measured = kept.results(len(numbers), scores, "coronae")
    return jax.tree.map(lambda *of_frames: np.stack(of_frames), *measured)


def _measured(
    transform: Transform, settings: CoronaSettings, boundaries: Mapping[str, Float[np.ndarray, "n ..."]]
) -> dict[str, Any]:
    true = corona_of(transform, boundaries["as_is"][0], settings.model)
    result: dict[str, Any] = {}
    for insertion in INSERTIONS:
        of_insertion = boundaries[insertion][: len(SINGLES) + settings.samples]
        # The true magnetogram as it is has been modelled.
        first = [true] if insertion == "as_is" else [corona_of(transform, of_insertion[0], settings.model)]
        coronae = first + [corona_of(transform, one, settings.model) for one in of_insertion[1:]]
        scores = score_array(transform, coronae, true)
        columns = {name: scores[[k]] for k, name in enumerate(SINGLES)}
        result[insertion] = {
            "scores": {"model": scores[len(SINGLES) :], **columns},
            "self_checks": self_checks(coronae),
        }
    # The open flux needs no more than the source surface, so it is that of all realisations.
    rss = settings.model.rss
    surfaces = source_surface(transform, jnp.asarray(boundaries["as_is"], transform.solid_angles.dtype), rss)
    fluxes = np.asarray(open_flux(transform, surfaces, rss), np.float64)
    return result | {
        "open_flux": {"true": fluxes[0], "zero": fluxes[1], "model": fluxes[len(SINGLES) :]},
        "monopole": np.abs(boundaries["monopole"]).max(),
    }


def corona_json(measured: Mapping[str, Any], settings: CoronaSettings, background: str) -> dict[str, Any]:
    """Return what metrics.json has under `corona`: {insertion: {score: {column: value}}}, and how it was made.

    A value is the median over the frames and realisations for which it is defined.
    """
    result: dict[str, Any] = {}
    for insertion in INSERTIONS:
        scores = measured[insertion]["scores"]
        result[insertion] = {
            name: row | _spread(scores["model"][..., k])
            for k, (name, row) in enumerate(score_medians(scores, COLUMNS).items())
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


def _spread(values: Float[np.ndarray, "frame n"]) -> dict[str, float]:
    """Return the standard deviation of the realisations' medians, and the share of the values that are defined."""
    each = np.array([median(of_one) for of_one in values.T])
    spread = float(each[np.isfinite(each)].std()) if np.isfinite(each).any() else float("nan")
    return {"spread": spread, "defined": float(np.isfinite(values).mean())}
