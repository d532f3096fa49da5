"""The corona in an evaluation: its scores in metrics.json, its sections of the report, and its conclusions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from munit_jax.data.datasets import Frames, format_time, spaced
from munit_jax.metrics.corona import SCORES, Score, corona_of
from munit_jax.metrics.wind import WIND_SCORES
from munit_jax.pfss.boundary import INSERTIONS
from munit_jax.report import corona_figures, corona_frames, far_side, html
from munit_jax.report.backgrounds import SURFACE
from munit_jax.report.corona_frames import SINGLES, CoronaInputs, frame_boundaries, measure_coronae
from munit_jax.report.earth import earth_figure, earth_findings, earth_json
from munit_jax.report.far_side import SyntheticSun, measure_far_side
from munit_jax.report.html import Cell, Section
from munit_jax.report.kept import Kept
from munit_jax.report.results import number_text, plain


def measure_corona(inputs: CoronaInputs, kept: Kept) -> tuple[dict[str, Any], list[Section], list[str]]:
    """Measure the coronae of a split, and the far side where the Sun is synthetic.

    Returns:
        What metrics.json has of them by name, the sections of the report, and the conclusions.
    """
    frames, settings = inputs.frames, inputs.settings
    numbers = list(spaced(len(frames), settings.frames))
    others = [(i + len(frames) // 2) % len(frames) for i in numbers]
    kept = kept.of(corona=repr(settings), background=inputs.background.name)
    measured = measure_coronae(inputs, numbers, others, kept.of(of="disks"))
    json = {"corona": corona_frames.corona_json(measured, settings, inputs.background.name)}
    sections = [_corona_section(inputs, frames[numbers[len(numbers) // 2]], measured, json["corona"])]
    sentences = findings(json["corona"])
    if isinstance(frames, Frames) and SURFACE in frames.domains:
        config, times = frames.config, measured["time"].tolist()
        sun = SyntheticSun(config.seed, config.size, tuple(config.channels[k] for k in frames.layers["euv"]))
        far = measure_far_side(sun, times, inputs.translate, settings, kept.of(of="far side"))
        json["far_side"] = far_side.far_side_json(far)
        sections.append(_far_side_section(inputs, sun, times[len(times) // 2], json["far_side"]))
        sentences += far_side_findings(json["far_side"])
        if settings.earth:
            json["earth"] = earth_json(far["earth"], far_side.COLUMNS)
            sections.append(_earth_section(json["earth"], far["earth"], times))
            sentences += earth_findings(json["earth"], far_side.CALLED)
    return json, sections, sentences


def findings(corona: Mapping[str, Any]) -> list[str]:
    """Return sentences on the error of the coronae of the generated disks."""
    row = corona["as_is"]
    flux, jaccard, line = (
        {column: number_text(value) for column, value in row[name].items()}
        for name in ("open_flux_error", "signed_jaccard", "neutral_line_distance")
    )
    return [
        f"Error of the open flux with the disk generated (median of {corona['frames']} frames): {flux['model']}, by "
        f"the mean of the realisations {flux['model_mean']}; with an empty disk {flux['zero']}, with another day's "
        f"{flux['another_day']}, with all signs changed {flux['flipped']}.",
        f"Open field of the right sign, Jaccard: {jaccard['model']}, by the mean {jaccard['model_mean']}; empty disk "
        f"{jaccard['zero']}, signs changed {jaccard['flipped']}. Neutral line off by {line['model']} degrees, by the "
        f"mean {line['model_mean']}; empty disk {line['zero']}, signs changed {line['flipped']}.",
    ]


def far_side_findings(far: Mapping[str, Any]) -> list[str]:
    """Return a sentence on the error of the far side."""
    flux, line = far["open_flux_error"], far["neutral_line_distance"]
    parts = [
        f"{called} {number_text(flux[column])} and {number_text(line[column])} degrees"
        for column, called in far_side.CALLED.items()
    ]
    return [f"The whole Sun, error of the open flux and of the neutral line (medians): {'; '.join(parts)}."]


def _corona_section(
    inputs: CoronaInputs, frame: Mapping[str, np.ndarray], measured: Mapping[str, Any], corona: Mapping[str, Any]
) -> Section:
    settings, transform = inputs.settings, inputs.settings.transform
    made = inputs.realisations(frame)
    boundaries = frame_boundaries(transform, frame, made, inputs.background.of(frame))
    shown = boundaries["as_is"][[0, *range(len(SINGLES), len(SINGLES) + settings.samples)]]
    true, *others = (corona_of(transform, one, settings.model) for one in shown)
    flux = measured["open_flux"]
    note = (
        f"The magnetogram of the disk is put into a map of the whole Sun ({corona['background']}), as it is or "
        f"flux-matched (the map keeps its net flux). Medians over {corona['frames']} frames and {corona['samples']} "
        f"realisations; the true corona is that with the true magnetogram put in as it is. {corona['grid'][0]} x "
        f"{corona['grid'][1]} cells, lmax {corona['lmax']}, source surface at {corona['rss']:g} solar radii, lines "
        f"from {corona['seed_radius']:g}. Self-check, flux through the open area against the open flux: "
        f"{100 * corona['self_check']:+.2f} % at worst, within 1 % in {100 * corona['self_checks_passed']:.0f} % of "
        "the models."
    )
    tables = "".join(
        html.paragraph("As it is:" if insertion == "as_is" else "Flux-matched:")
        + _table(corona[insertion], (*corona_frames.COLUMNS, "spread", "defined"))
        for insertion in INSERTIONS
    )
    when = format_time(frame["time"])[:16]
    fluxes = corona_figures.open_flux_figure(measured["time"], flux["true"], flux["model"], flux["zero"])
    maps = corona_figures.corona_figure(transform.grid, true, others, shown[0], shown[1])
    drawn = {"true": shown[0], "generated": shown[1]}
    lines = corona_figures.field_line_figure(transform, drawn, float(frame["l0"]), settings.model)
    body = (
        html.paragraph(note)
        + tables
        + html.picture(fluxes, "Open flux of each frame, all realisations.")
        + html.picture(maps, f"{when}: black, the true neutral line; brown, those of the realisations.")
        + html.picture(lines, f"{when}: field lines, open ones in red (outward) and blue (inward).")
    )
    return Section("Corona", body)


def _far_side_section(inputs: CoronaInputs, sun: SyntheticSun, time: int, far: Mapping[str, Any]) -> Section:
    settings = inputs.settings
    transform = settings.transform
    made = far_side.boundaries(transform, sun, time, inputs.translate, settings.samples)
    true = corona_of(transform, made["true"][0], settings.model)
    note = (
        "The synthetic Sun seen from the Earth and from 120 degrees on both sides of it at one time: what the EUV "
        "images of all three become, put together to the whole Sun, against the true sphere. Medians over "
        f"{far['dates']} dates. Compared with: the front from a true magnetogram; all three true, the bound of the "
        "method; the magnetograms of the last 27 days from the Earth, without a far side; and the mean of "
        "that and of the front true with the mean of the rest. Then the front alone, and nothing beyond it; and three "
        "true views, the far ones with their signs changed."
    )
    pictures = []
    for column, name in (("model", "three generated views"), ("rotation", "the last rotation from the Earth")):
        coronae = [corona_of(transform, one, settings.model) for one in made[column]]
        figure = corona_figures.corona_figure(
            transform.grid, true, coronae, np.asarray(made["true"][0]), np.asarray(made[column][0]), name
        )
        pictures.append(html.picture(figure, f"{format_time(time)[:16]}: the true Sun, and {name}."))
    return Section("Far side", html.paragraph(note) + _table(far, far_side.COLUMNS) + "".join(pictures))


def _earth_section(earth: Mapping[str, Any], measured: Mapping[str, Any], times: Sequence[int]) -> Section:
    note = (
        "The wind of those models of the whole Sun, from 21.5 solar radii to the Earth by HUXt, over the 27 days that "
        "follow each date, with the Sun as it is then. The speed is compared with that of the true sphere, so its "
        f"error is that of the boundary alone. Medians over {earth['dates']} dates; means for "
        f"the {earth['true_streams']} true streams."
    )
    middle = len(times) // 2
    shown = {name: values[middle] for name, values in measured.items()}
    picture = html.picture(earth_figure(shown), f"{format_time(times[middle])[:16]}: the wind at the Earth.")
    return Section("At the Earth", html.paragraph(note) + _table(earth, far_side.COLUMNS, WIND_SCORES) + picture)


def _table(
    scores: Mapping[str, Mapping[str, float | None]], columns: Sequence[str], names: Mapping[str, Score] = SCORES
) -> str:
    rows = [
        [
            plain(name) + (f" ({score.unit})" if score.unit else ""),
            *(number_text(scores[name][column]) for column in columns),
            Cell(score.meaning, "text"),
        ]
        for name, score in names.items()
    ]
    return html.table(["score", *map(plain, columns), "meaning"], rows)
