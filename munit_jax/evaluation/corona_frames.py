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
from jaxtyping import Array, Float
from tqdm import tqdm

from munit_jax.data.pipeline import Frames, geometry_of
from munit_jax.evaluation.corona import SCORES, CoronaOf, corona_of, corona_scores, median, worst_check
from munit_jax.evaluation.parts import Parts
from munit_jax.solar.coronal_model import ModelSettings
from munit_jax.solar.disk import on_disk
from munit_jax.solar.harmonics import Grid, Transform, analysis, make_transform
from munit_jax.solar.pfss import SOLAR_RADIUS_CM, radial_field
from munit_jax.solar.synoptic import INSERTIONS, Insertion, disk_boundary, sample_disk

# Beside the realisations: no field on the disk, the true magnetogram of another date, the true one with its sign
# changed, and the true one itself, which tells what the insertion alone does.
COLUMNS = ("model", "zero", "another_day", "flipped", "truth")

Background = Callable[[Mapping[str, np.ndarray]], Float[np.ndarray, "lat lon"]]  # of a frame, in gauss
Generate = Callable[[Mapping[str, np.ndarray]], Float[np.ndarray, "n h w"]]  # realisations of a frame, in gauss


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

    frames: int = 20
    samples: int = 4
    rows: int = 180
    lmax: int = 60
    model: ModelSettings = field(default_factory=ModelSettings)

    @property
    def transform(self) -> Transform:
        """The tables of the maps."""
        return make_transform(Grid(self.rows, 2 * self.rows), self.lmax)


class FrameCoronae(NamedTuple):
    """The coronae of one frame and insertion.

    Attributes:
        true: with the true magnetogram as it is.
        model: of the realisations.
        others: by COLUMNS but the first.
        boundaries: those that were modelled, gauss: true, realisations.
    """

    true: CoronaOf
    model: list[CoronaOf]
    others: dict[str, CoronaOf]
    boundaries: Float[np.ndarray, "n lat lon"]


def coronae_of_frame(
    transform: Transform,
    settings: CoronaSettings,
    frame: Mapping[str, np.ndarray],
    realisations: Float[np.ndarray, "n h w"],
    another: Float[np.ndarray, "h w"],
    background: Float[np.ndarray, "lat lon"],
    insertion: Insertion,
) -> FrameCoronae:
    """Return the coronae of a frame.

    Args:
        transform: of the maps.
        settings: how.
        frame: with the true magnetogram in gauss.
        realisations: generated magnetograms in gauss.
        another: the true magnetogram of another date.
        background: B_r of the whole Sun in gauss on the grid of the transform.
        insertion: how magnetograms are put into it.
    """
    geometry = geometry_of(frame)
    sampling = sample_disk(geometry, transform.grid)
    true = frame["magnetogram"][..., 0]
    disk = on_disk(geometry)

    def boundaries(images: Float[np.ndarray, "n h w"], how: Insertion) -> Float[Array, "n lat lon"]:
        return disk_boundary(transform, sampling, jnp.asarray(np.where(disk, images, 0)), background, how)[0]

    reference = boundaries(true[None], "as_is")[0]
    ours = boundaries(realisations[: settings.samples], insertion)
    others = boundaries(np.stack([np.zeros_like(true), another, -true, true]), insertion)

    def corona(boundary: Float[Array, "lat lon"]) -> CoronaOf:
        return corona_of(transform, boundary, settings.model)

    of_true = corona(reference)
    named = dict(zip(COLUMNS[1:], others, strict=True))
    modelled = {
        name: of_true if name == "truth" and insertion == "as_is" else corona(one) for name, one in named.items()
    }
    shown = np.concatenate([np.asarray(reference)[None], np.asarray(ours)])
    return FrameCoronae(of_true, [corona(one) for one in ours], modelled, shown)


def open_fluxes(transform: Transform, boundaries: Float[Array, "n lat lon"], rss: float) -> Float[np.ndarray, " n"]:
    """Return the open flux of boundaries in maxwell, without modelling more than the source surface."""
    surface = radial_field(transform, analysis(transform, boundaries), rss, rss)
    mean = np.average(np.abs(np.asarray(surface)).mean(axis=-1), axis=-1, weights=transform.grid.solid_angles)
    return mean * 4 * np.pi * (rss * SOLAR_RADIUS_CM) ** 2


def measure_coronae(
    frames: Frames,
    numbers: Sequence[int],
    others: Sequence[int],
    generate: Generate,
    background: Background,
    settings: CoronaSettings,
    parts: Parts,
) -> dict[str, Any]:
    """Return the scores of the coronae of frames: by insertion and column, (frame, n, SCORES), and the open fluxes.

    Args:
        frames: the split.
        numbers: which of its frames.
        others: for each, the frame that stands for another day.
        generate: makes realisations of a frame.
        background: gives the rest of the Sun.
        settings: how.
        parts: where the scores of frames are kept.
    """
    transform = settings.transform
    for k, (i, j) in enumerate(tqdm(list(zip(numbers, others, strict=True)), desc="coronae", unit="frame")):
        if k in parts:
            continue
        frame = frames[i]
        made, behind = generate(frame), background(frame)
        another = frames[j]["magnetogram"][..., 0]
        of_frame: dict[str, Any] = {}
        for insertion in INSERTIONS:
            coronae = coronae_of_frame(transform, settings, frame, made, another, behind, insertion)
            of_frame[insertion] = _scores(transform, coronae)
        of_frame["open_flux"] = _fluxes(transform, settings, frame, made, behind)
        parts.keep(k, [of_frame])
    return parts.joined(len(numbers))


def _scores(transform: Transform, coronae: FrameCoronae) -> dict[str, Any]:
    columns = {"model": coronae.model, **{name: [one] for name, one in coronae.others.items()}}
    scores = {
        name: np.array([list(corona_scores(transform, one, coronae.true).values()) for one in of_column])
        for name, of_column in columns.items()
    }
    check = worst_check([coronae.true, *coronae.model, *coronae.others.values()])
    return {"scores": scores, "self_check": check}


def _fluxes(
    transform: Transform,
    settings: CoronaSettings,
    frame: Mapping[str, np.ndarray],
    realisations: Float[np.ndarray, "n h w"],
    background: Float[np.ndarray, "lat lon"],
) -> dict[str, np.ndarray]:
    """Return the open flux of the true magnetogram, the realisations and an empty disk, put in as they are."""
    geometry = geometry_of(frame)
    sampling, disk = sample_disk(geometry, transform.grid), on_disk(geometry)
    true = frame["magnetogram"][..., 0]
    images = np.where(disk, np.concatenate([true[None], np.zeros_like(true)[None], realisations]), 0)
    boundaries, monopoles = jax.device_get(disk_boundary(transform, sampling, jnp.asarray(images), background, "as_is"))
    fluxes = open_fluxes(transform, jnp.asarray(boundaries), settings.model.rss)
    return {"true": fluxes[0], "zero": fluxes[1], "model": fluxes[2:], "monopole": monopoles}


def corona_json(measured: Mapping[str, Any], settings: CoronaSettings, background: str) -> dict[str, Any]:
    """Return what metrics.json has under `corona`: {insertion: {score: {column: value}}}, and how it was made.

    A value is the median over the frames (and realisations); `spread` is the standard deviation among the realisations,
    each with its median over the frames.
    """
    result: dict[str, Any] = {}
    for insertion in INSERTIONS:
        scores = measured[insertion]["scores"]
        result[insertion] = {
            name: {column: median(scores[column][..., k]) for column in COLUMNS}
            | {"spread": float(np.std([median(of_one) for of_one in scores["model"][..., k].T]))}
            for k, name in enumerate(SCORES)
        }
    checks = [check for insertion in INSERTIONS for check in measured[insertion]["self_check"]]
    flux = measured["open_flux"]
    return result | {
        "open_flux_mx": {name: float(np.median(flux[name])) for name in ("true", "zero", "model")},
        "self_check": float(max(checks, key=abs)),
        "monopole_gauss": float(np.abs(flux["monopole"]).max()),
        "frames": len(flux["true"]),
        "samples": settings.samples,
        "grid": [settings.rows, 2 * settings.rows],
        "lmax": settings.lmax,
        "rss": settings.model.rss,
        "seed_radius": settings.model.seed_radius,
        "background": background,
    }
