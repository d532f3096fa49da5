"""The corona in an evaluation: what is measured of a run, metrics.json's part of it, and its section of the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from munit_jax.data.pipeline import Frames, format_time, geometry_of
from munit_jax.errors import ConfigError, DataError
from munit_jax.evaluation import corona_frames, corona_pictures, far_side, html
from munit_jax.evaluation.baselines import spaced
from munit_jax.evaluation.corona import SCORES, corona_of
from munit_jax.evaluation.corona_frames import Background, CoronaSettings, Generate, coronae_of_frame, measure_coronae
from munit_jax.evaluation.far_side import Sun, measure_far_side
from munit_jax.evaluation.html import Cell, Section
from munit_jax.evaluation.parts import Parts
from munit_jax.evaluation.results import number_text
from munit_jax.solar.harmonics import Grid
from munit_jax.solar.maps import SynopticMap, read_synoptic
from munit_jax.solar.remesh import grid_cells, remesh
from munit_jax.solar.synoptic import INSERTIONS

SURFACE = "surface_field"  # the feature with the true sphere, which the synthetic Sun has


@dataclass(frozen=True)
class CoronaPart:
    """What an evaluation says of the corona.

    Attributes:
        json: by the name in metrics.json.
        sections: of the report.
        sentences: what it comes to.
    """

    json: dict[str, Any]
    sections: list[Section]
    sentences: list[str]


@dataclass(frozen=True)
class Looked:
    """What the corona is measured of.

    Attributes:
        frames: the split, with SURFACE where the dataset has it.
        generate: makes realisations of a frame.
        translate: the same of an EUV image.
        settings: how.
        background: files of synoptic maps; `none` for a field of 0; empty for the dataset's own truth.
    """

    frames: Frames
    generate: Generate
    translate: far_side.Translate
    settings: CoronaSettings
    background: Sequence[str]


def measure(looked: Looked, folder: Path, identity: Mapping[str, Any]) -> CoronaPart:
    """Measure the coronae of a split, and the far side where the Sun is synthetic.

    Args:
        looked: what.
        folder: of the parts that are kept while it goes on.
        identity: what the magnetograms depend on.

    Raises:
        ConfigError: no background.
        DataError: a background that cannot be read, or fewer than two frames.
    """
    frames, settings = looked.frames, looked.settings
    background, name = backgrounds(looked)
    numbers = list(spaced(len(frames), settings.frames))
    if len(frames) < 2:
        raise DataError(f"{frames.name} has {len(frames)} frames in the split {frames.split}: the corona needs two")
    others = [(i + len(frames) // 2) % len(frames) for i in numbers]
    about = {**identity, "settings": repr(settings), "background": name, "numbers": numbers}
    parts = Parts(folder, {**about, "what": "corona"})
    measured = measure_coronae(frames, numbers, others, looked.generate, background, settings, parts)
    json = {"corona": corona_frames.corona_json(measured, settings, name)}
    times = np.array([int(frames[i]["time"]) for i in numbers], np.int64)
    sections = [_corona_section(looked, background, numbers, others, times, measured, json["corona"])]
    sentences = findings(json["corona"])
    done = [parts]
    if SURFACE in frames.domains:
        far_parts = Parts(folder, {**about, "what": "far side"})
        config = frames.config
        sun = Sun(config.seed, config.size, tuple(config.channels[k] for k in frames.layers["euv"]))
        far = measure_far_side(sun, times.tolist(), looked.translate, settings, far_parts)
        json["far_side"] = far_side.far_side_json(far)
        sections.append(_far_side_section(looked, sun, int(times[len(times) // 2]), json["far_side"]))
        sentences += far_side_findings(json["far_side"])
        done.append(far_parts)
    for one in done:
        one.forget()
    return CoronaPart(json, sections, sentences)


def backgrounds(looked: Looked) -> tuple[Background, str]:
    """Return what gives the rest of the Sun for a frame, and its name."""
    grid = Grid(looked.settings.rows, 2 * looked.settings.rows)
    if list(looked.background) == ["none"]:
        return lambda _: np.zeros((grid.rows, grid.columns), np.float32), "none"
    if looked.background:
        maps = [read_synoptic(Path(path)) for path in looked.background]
        return partial(_nearest, maps, grid), ", ".join(one.name for one in maps)
    if SURFACE not in looked.frames.domains:
        raise ConfigError(
            f"{looked.frames.name} does not have the rest of the Sun: give --background='FOLDER/*.fits', synoptic maps "
            "of which each frame takes the nearest in time, or --background=none"
        )
    return partial(_truth, grid), "the dataset's own truth"


def _nearest(maps: Sequence[SynopticMap], grid: Grid, frame: Mapping[str, np.ndarray]) -> Float[np.ndarray, "lat lon"]:
    seconds = [np.datetime64(one.date[:19], "s").astype(np.int64) for one in maps]
    nearest = maps[int(np.abs(np.array(seconds) - int(frame["time"])).argmin())]
    return remesh(nearest.field, nearest.cells, grid_cells(grid)).mean(axis=0).astype(np.float32)


def _truth(grid: Grid, frame: Mapping[str, np.ndarray]) -> Float[np.ndarray, "lat lon"]:
    surface = frame[SURFACE].astype(np.float64)
    return remesh(surface, grid_cells(Grid(*surface.shape)), grid_cells(grid)).astype(np.float32)


def findings(corona: Mapping[str, Any]) -> list[str]:
    """Say in words what the corona of the generated disks comes to."""
    row = corona["as_is"]
    error, flipped = row["open_flux_error"], row["signed_jaccard"]["flipped"]
    jaccard, line = row["signed_jaccard"], row["neutral_line_distance"]
    empty = "better" if error["model"] < error["zero"] else "worse"
    return [
        f"Open flux with the disk generated: wrong by {100 * error['model']:.0f} % (median), {empty} than with an "
        f"empty disk ({100 * error['zero']:.0f} %); with another day's {100 * error['another_day']:.0f} %.",
        f"Open field of the right sign: Jaccard {jaccard['model']:.2f}, with an empty disk {jaccard['zero']:.2f}, "
        f"with all signs changed {flipped:.2f}; the neutral line is {line['model']:.1f} degrees off, with an empty "
        f"disk {line['zero']:.1f}.",
    ]


def far_side_findings(far: Mapping[str, Any]) -> list[str]:
    """Say in words what the far side comes to."""
    error, line = far["open_flux_error"], far["neutral_line_distance"]
    parts = [
        f"{called} {100 * error[column]:.0f} % and {line[column]:.1f} degrees"
        for column, called in (
            ("model", "three generated views"),
            ("front_true", "the front true, the rest generated"),
            ("rotation", "no far side, the last rotation from the Earth"),
            ("true_views", "three true views"),
        )
    ]
    return [f"The whole Sun, error of the open flux and of the neutral line (medians): {'; '.join(parts)}."]


def _corona_section(
    looked: Looked,
    background: Background,
    numbers: Sequence[int],
    others: Sequence[int],
    times: np.ndarray,
    measured: Mapping[str, Any],
    corona: Mapping[str, Any],
) -> Section:
    settings, frames = looked.settings, looked.frames
    transform = settings.transform
    middle = len(numbers) // 2
    frame = frames[numbers[middle]]
    another = frames[others[middle]]["magnetogram"][..., 0]
    made = looked.generate(frame)
    shown = coronae_of_frame(transform, settings, frame, made, another, background(frame), "as_is")
    flux = measured["open_flux"]
    note = (
        f"The magnetogram of the disk is put into a map of the whole Sun ({corona['background']}), as it is or "
        f"flux-matched (the map keeps its net flux). Medians over {corona['frames']} frames and {corona['samples']} "
        f"realisations; the true corona is that with the true magnetogram put in as it is. {corona['grid'][0]} x "
        f"{corona['grid'][1]} cells, lmax {corona['lmax']}, source surface at {corona['rss']:g} solar radii, lines "
        f"from {corona['seed_radius']:g}. Self-check, flux through the open area against the open flux: "
        f"{100 * corona['self_check']:+.2f} % at worst."
    )
    tables = "".join(
        html.paragraph("As it is:" if insertion == "as_is" else "Flux-matched:")
        + _table(corona[insertion], (*corona_frames.COLUMNS, "spread"))
        for insertion in INSERTIONS
    )
    when = format_time(frame["time"])[:16]
    body = (
        html.paragraph(note)
        + tables
        + html.picture(
            corona_pictures.open_flux_figure(times, flux["true"], flux["model"], flux["zero"]),
            "Open flux of each frame, all realisations.",
        )
        + html.picture(
            corona_pictures.corona_figure(
                transform.grid, shown.true, shown.model, shown.boundaries[0], shown.boundaries[1]
            ),
            f"{when}: black, the true neutral line; brown, those of the realisations.",
        )
        + html.picture(
            corona_pictures.field_line_figure(
                transform,
                {"true": shown.boundaries[0], "generated": shown.boundaries[1]},
                geometry_of(frame),
                settings.model,
            ),
            f"{when}: field lines, open ones in red (outward) and blue (inward).",
        )
    )
    return Section("Corona", body)


def _far_side_section(looked: Looked, sun: Sun, time: int, far: Mapping[str, Any]) -> Section:
    settings = looked.settings
    transform = settings.transform
    made = far_side.boundaries(transform, sun, time, looked.translate, settings.samples)
    true = corona_of(transform, made["true"][0], settings.model)
    note = (
        "The synthetic Sun seen from the Earth and from 120 degrees on both sides of it at one time: what the EUV "
        "images of all three become, put together to the whole Sun, against the true sphere. Medians over "
        f"{far['dates']} dates. Beside it: the front from a true magnetogram; all three true, the bound of the "
        "method; and what is done without a far side, the magnetograms of the last 27 days from the Earth."
    )
    pictures = []
    for column, name in (("model", "three generated views"), ("rotation", "the last rotation from the Earth")):
        coronae = [corona_of(transform, one, settings.model) for one in made[column]]
        figure = corona_pictures.corona_figure(
            transform.grid, true, coronae, np.asarray(made["true"][0]), np.asarray(made[column][0]), name
        )
        pictures.append(html.picture(figure, f"{format_time(time)[:16]}: the true Sun, and {name}."))
    return Section("Far side", html.paragraph(note) + _table(far, far_side.COLUMNS) + "".join(pictures))


def _table(scores: Mapping[str, Mapping[str, float | None]], columns: Sequence[str]) -> str:
    rows = [
        [
            Cell(name.replace("_", " ") + (f" ({score.unit})" if score.unit else "")),
            *(Cell(number_text(scores[name][column])) for column in columns),
            Cell(score.meaning, "text"),
        ]
        for name, score in SCORES.items()
    ]
    return html.table(["score", *(column.replace("_", " ") for column in columns), "meaning"], rows)
