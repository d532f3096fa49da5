"""The HTML report of an evaluation: conclusions, scores, pictures, limits."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from munit_jax.figures import FrameImages, frames_figure
from munit_jax.metrics.baselines import MOST_TRAINING_FRAMES
from munit_jax.metrics.definitions import METRICS, PARTS
from munit_jax.report import html, pictures
from munit_jax.report.held_out import COLUMNS
from munit_jax.report.html import Cell, Section
from munit_jax.report.measurement import FrameSums
from munit_jax.report.results import RIVALS, number_text, plain
from munit_jax.sun.constants import SYNODIC_DAYS

BY_STRATUM = ("rmse", "mae", "correlation", "abs_correlation", "unsigned_field_ratio", "polarity_50", "ppe10")
STRATA_SHOWN = ("disk", "inner_disk", "active_regions", "quiet_sun")

LIMITS = (
    "Polarity: EUV emission does not depend on the sign of the field. Signs of a realisation are a guess, whatever the "
    "correlation of |B|; a strong field of the wrong sign is twice as wrong as none.",
    "Persistence and the shuffled date are real magnetograms, which the far side has not; the EUV proxy is what the "
    "EUV image says of |B| without any network.",
    "An empty magnetogram has a high SSIM and PSNR, and a low RMSE: most of the disk is quiet. Look at the difference "
    "to the zero column, not at the figure.",
    "active_regions and quiet_sun are chosen by the true field of the pixel itself: fields there look too weak and too "
    "strong respectively, even in a calibrated ensemble.",
    "Intervals are for other dates of the same kind of data, resampled in blocks of half a rotation, not for "
    "another cycle or another training.",
    "Pixel scores say little about the corona; --corona measures it.",
)


def report(
    metrics: Mapping[str, Any],
    frame_sums: FrameSums,
    findings: Sequence[str],
    shown: Mapping[str, Sequence[FrameImages]],
    config: Mapping[str, Any],
    more: Sequence[Section] = (),
) -> str:
    """Return the page.

    Args:
        metrics: as metrics.json holds them.
        frame_sums: from which they follow.
        findings: see `results.findings`.
        shown: frames to draw, by the title of their group.
        config: of the run.
        more: sections of the corona.
    """
    run, channel = metrics["run"], metrics["run"]["channels"][0]
    introduction = html.paragraph(
        f"{run['frames']} frames of the {run['split']} split of {run['dataset']}, {run['first']} to {run['last']}; "
        f"{run['samples']} realisations each; step {run['step']}, the moving average of the generators."
    )
    groups = {title: frames_figure(group, channel) for title, group in shown.items() if group}
    scatter = "Pixels of all frames and realisations; equal on the line."
    scales = "Power over the true power, coherence with the true field, and the distribution of the field."
    return html.page(
        f"How wrong is {run['name']} on the disk?",
        introduction,
        [
            Section("In words", html.bullets([*findings, *metrics["ensemble"]["verdict"]])),
            Section("Scores", _scores(metrics)),
            Section("By part of the disk", _strata(metrics)),
            Section("Frames", "".join(html.picture(figure, title) for title, figure in groups.items())),
            _picture("Generated against true", pictures.scatter_figure(frame_sums), scatter),
            _picture("Time and activity", pictures.time_figure(frame_sums), "Scores of each frame, with baselines."),
            _picture(
                "From the centre to the limb, from east to west",
                pictures.place_figure(metrics),
                "Scores of all frames by the place of the pixel.",
            ),
            _picture("Scales and strengths", pictures.structure_figure(frame_sums, metrics), scales),
            Section("Realisations", _ensemble(metrics)),
            *more,
            Section("Limits", html.bullets([*LIMITS, _leakage(run)])),
            Section("Run and data", _run(run, config)),
        ],
    )


def _picture(title: str, figure: Figure, caption: str) -> Section:
    return Section(title, html.picture(figure, caption))


def _leakage(run: Mapping[str, Any]) -> str:
    """Say how far the frames are from those of the training."""
    days = run["days_to_training"]
    warning = "" if days >= SYNODIC_DAYS else ", less than a rotation: the scores are flattered"
    return (
        f"The nearest frame of the training is {days:g} days away{warning}. Most likely it is of the same solar cycle."
    )


def _scores(metrics: Mapping[str, Any]) -> str:
    columns = [*COLUMNS, *(["compared"] if "compared" in metrics["rmse"]["disk"] else [])]
    names = {column: plain(column) for column in columns} | {
        "compared": metrics["run"].get("compared_with", {}).get("name", "")
    }
    more = ["spread", "interval", *(["difference", "its interval"] if "compared" in columns else [])]
    rows = []
    for name, metric in METRICS.items():
        for part in PARTS[metric.over] if metric.over == "bands" else ("disk",):
            row = metrics[name][part]
            best = _best(row, name)
            cells = [Cell(_title(name, part))]
            for column in columns:
                style = (
                    "best" if column in best else "behind" if column == "model" and best and "model" not in best else ""
                )
                cells.append(Cell(number_text(row[column]), style))
            cells += [Cell(number_text(row["spread"])), Cell(_between(row["interval"]))]
            if "compared" in columns:
                cells += [Cell(number_text(row["difference"])), Cell(_between(row["difference_interval"]))]
            cells.append(Cell(metric.meaning, "text"))
            rows.append(cells)
    note = (
        "model: single realisations, each counted for itself. model mean: the mean of the realisations. model own "
        "style: with the style of the true magnetogram, which nobody has: a bound. spread: standard deviation of the "
        "score among the realisations. interval: 95 % for other dates. Bold: the best of the model and of what can be "
        "known without a magnetogram (zero, mean, shuffled, EUV proxy); red: the model is behind. Dashes: not defined."
    )
    head = ["score", *(names[column] for column in columns), *more, "meaning"]
    return f'<p class="note">{html.escape(note)}</p>' + html.table(head, rows)


def _best(row: Mapping[str, Any], name: str) -> set[str]:
    """Return which of the model and its rivals is the nearest to the ideal."""
    ideal = METRICS[name].ideal
    known = {column: row[column] for column in ("model", *RIVALS) if row[column] is not None}
    if len(known) < 2:
        return set()
    distance = {column: -value if ideal == float("inf") else abs(value - ideal) for column, value in known.items()}
    least = min(distance.values())
    return {column for column, value in distance.items() if value == least}


def _strata(metrics: Mapping[str, Any]) -> str:
    columns = ("model", *RIVALS, "persistence")
    rows = [
        [
            Cell(f"{_title(name)}, {plain(part)}"),
            *(Cell(number_text(metrics[name][part][column])) for column in columns),
        ]
        for name in BY_STRATUM
        for part in STRATA_SHOWN
    ]
    return html.table(["score", *map(plain, columns)], rows)


def _ensemble(metrics: Mapping[str, Any]) -> str:
    ensemble = metrics["ensemble"]
    polarity, diversity = ensemble["polarity"], ensemble["diversity"]
    rows = [
        ("CRPS (G)", ensemble["crps"], "continuous ranked probability score of all realisations together"),
        ("fair CRPS (G)", ensemble["fair_crps"], "as of infinitely many realisations"),
        ("spread (G)", ensemble["spread"], "of the realisations, with what is lost by their number made good"),
        ("error of the mean (G)", ensemble["error_of_mean"], "should equal the spread"),
        ("spread / error", ensemble["spread_over_error"], "1 for a calibrated ensemble; below, it is overconfident"),
        *(
            (f"in the {level} % interval", value["value"], f"{value['expected']:.3f} if calibrated")
            for level, value in ensemble["coverage"].items()
        ),
        ("pair correlation", diversity["pair_correlation"], "of two realisations of a frame; 1: styles change nothing"),
        ("pair correlation of |B|", diversity["abs_pair_correlation"], ""),
        ("right signs", polarity["right"], "0.5 by chance; |B| of at least 50 G"),
        ("right signs, own style", polarity["own_style"], "with the style of the true magnetogram"),
        ("right signs, best realisation", polarity["best_of_realisations"], "chosen by looking at the truth"),
        ("right signs, either sign", polarity["either_sign"], "each realisation as a whole turned to its better sign"),
        ("agreement of the signs", polarity["majority"], "share of the realisations that have the majority's sign"),
        (
            "of its variance by style",
            polarity["of_variance_by_style"],
            "share of right signs: what goes with the style",
        ),
        ("of its variance by frame", polarity["by_frame"], "and with the frame"),
    ]
    cells = [[Cell(name), Cell(number_text(value)), Cell(meaning, "text")] for name, value, meaning in rows]
    figure = pictures.ensemble_figure(ensemble)
    return (
        html.bullets(ensemble["verdict"])
        + html.table(["of all realisations", "", "meaning"], cells)
        + html.picture(figure, "Spread against error, the rank of the truth among the realisations, and coverage.")
    )


def _run(run: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    named: dict[str, Any] = {}
    for name, value in run.items():
        named |= (
            {f"{name}, {key}": part for key, part in value.items()} if isinstance(value, Mapping) else {name: value}
        )
    rows = [[Cell(plain(name)), Cell(_text(value), "text")] for name, value in named.items()]
    note = f"Baselines were learnt on at most {MOST_TRAINING_FRAMES} frames of the training split."
    return (
        html.table(["", ""], rows)
        + html.paragraph(note)
        + html.folded("config.json of the run", json.dumps(config, indent=2))
    )


def _title(name: str, part: str = "disk") -> str:
    unit = f" ({METRICS[name].unit})" if METRICS[name].unit else ""
    return plain(name) + unit + ("" if part == "disk" else f", {plain(part)}")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(part)}" for key, part in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _between(ends: Sequence[float | None]) -> str:
    low, high = ends
    return "-" if low is None or high is None else f"{number_text(low)} … {number_text(high)}"
