"""The HTML report of an evaluation: conclusions, scores, pictures, limits."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from munit_jax.figures import FrameImages, frames_figure
from munit_jax.metrics.baselines import MOST_TRAINING_FRAMES
from munit_jax.metrics.definitions import METRICS, PARTS
from munit_jax.report import disk_figures, html
from munit_jax.report.held_out import COLUMNS
from munit_jax.report.html import Cell, Section
from munit_jax.report.measurement import FrameSums
from munit_jax.report.results import RIVALS, number_text, plain
from munit_jax.sun.constants import SYNODIC_DAYS

BY_STRATUM = ("rmse", "mae", "correlation", "abs_correlation", "unsigned_field_ratio", "polarity_50", "ppe10")
STRATA_SHOWN = ("disk", "inner_disk", "active_regions", "quiet_sun")

LIMITS = (
    "Polarity: EUV emission does not depend on the sign of the field. Signs of a realisation are no measurement, "
    "whatever the correlation of |B|; a strong field of the wrong sign is twice as wrong as none.",
    "The day before and the shuffled date are real magnetograms, which the far side does not have; the EUV proxy is "
    "|B| from the EUV image without any network.",
    "An empty magnetogram has a high SSIM and PSNR, and a low RMSE: most of the disk is quiet. Judge the difference "
    "to the zero column, not the figure.",
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
    """Return the page, with frames to draw by the title of their group, and more sections."""
    run, channel = metrics["run"], metrics["run"]["channels"][0]
    introduction = html.paragraph(
        f"{run['frames']} {_frames(run)}, {run['first']} to {run['last']}; "
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
            _picture("Generated against true", disk_figures.scatter_figure(frame_sums), scatter),
            _picture(
                "Time and activity", disk_figures.time_figure(frame_sums), "Scores of each frame, with baselines."
            ),
            _picture(
                "From the centre to the limb, from east to west",
                disk_figures.place_figure(metrics),
                "Scores of all frames by the place of the pixel.",
            ),
            _picture("Scales and strengths", disk_figures.structure_figure(frame_sums, metrics), scales),
            Section("Realisations", _ensemble(metrics)),
            *more,
            Section("Limits", html.bullets([*LIMITS, _leakage(run)])),
            Section("Run and data", _run(run, config)),
        ],
    )


def _frames(run: Mapping[str, Any]) -> str:
    """Return a sentence on what was evaluated."""
    if pairs := run.get("pairs"):
        return (
            f"pairs out of {run['dataset']}, at most {pairs['most_hours']:g} hours and {pairs['most_degrees']:g} "
            "degrees apart, the magnetogram rotated to the time and vantage point of the image"
        )
    return f"frames of the {run['split']} split of {run['dataset']}"


def _picture(title: str, figure: Figure, caption: str) -> Section:
    return Section(title, html.picture(figure, caption))


def _leakage(run: Mapping[str, Any]) -> str:
    """Return a sentence on how far the frames are from those of the training."""
    days = run["days_to_training"]
    warning = "" if days >= SYNODIC_DAYS else ", less than a rotation: the scores are flattered"
    return (
        f"The nearest frame of the training is {days:g} days away{warning}. Most likely it is of the same solar cycle."
    )


def _scores(metrics: Mapping[str, Any]) -> str:
    compared = metrics["run"].get("compared_with")
    columns = [*COLUMNS, *(["compared"] if compared else [])]
    head = ["score", *map(plain, COLUMNS), *([compared["name"]] if compared else []), "spread", "interval"]
    head += ["difference", "its interval", "meaning"] if compared else ["meaning"]
    rows = []
    for name, metric in METRICS.items():
        for part in PARTS[metric.over] if metric.over == "bands" else ("disk",):
            row = metrics[name][part]
            styles = _styles(row, name)
            cells: list[Cell | str] = [_title(name, part)]
            cells += [Cell(number_text(row[column]), styles.get(column, "")) for column in columns]
            cells += [number_text(row["spread"]), _between(row["interval"])]
            if compared:
                cells += [number_text(row["difference"]), _between(row["difference_interval"])]
            rows.append([*cells, Cell(metric.meaning, "text")])
    note = (
        "model: single realisations, pooled. model mean: the mean of the realisations. model own "
        "style: with the (unavailable) style of the true magnetogram, a bound. spread: standard deviation of the "
        "score among the realisations. interval: 95 % for other dates. Bold: the best of the model and of what can be "
        "known without a magnetogram (zero, mean, shuffled, EUV proxy); red: the model is behind. Dashes: not defined."
    )
    return f'<p class="note">{html.escape(note)}</p>' + html.table(head, rows)


def _styles(row: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return the styles of the columns: which of the model and its rivals are nearest to the ideal, or it is behind."""
    ideal = METRICS[name].ideal
    known = {column: row[column] for column in ("model", *RIVALS) if row[column] is not None}
    if len(known) < 2:
        return {}
    distance = {column: -value if ideal == float("inf") else abs(value - ideal) for column, value in known.items()}
    best = {column: "best" for column, value in distance.items() if value == min(distance.values())}
    return {"model": "behind"} | best


def _strata(metrics: Mapping[str, Any]) -> str:
    columns = ("model", *RIVALS, "day_before")
    rows = [
        [f"{_title(name)}, {plain(part)}", *(number_text(metrics[name][part][column]) for column in columns)]
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
        ("spread (G)", ensemble["spread"], "of the realisations, corrected for their finite number"),
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
        ("right signs, best realisation", polarity["best_of_realisations"], "chosen by the truth"),
        ("right signs, either sign", polarity["either_sign"], "each realisation as a whole turned to its better sign"),
        ("agreement of the signs", polarity["majority"], "share of the realisations that have the majority's sign"),
    ]
    cells = [[name, number_text(value), Cell(meaning, "text")] for name, value, meaning in rows]
    figure = disk_figures.ensemble_figure(ensemble)
    return (
        html.bullets(ensemble["verdict"])
        + html.table(["of all realisations", "", "meaning"], cells)
        + html.picture(figure, "Spread against error, the rank of the truth among the realisations, and coverage.")
    )


def _run(run: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    named: dict[str, Any] = {}
    for name, value in run.items():
        inner = value if isinstance(value, Mapping) else {"": value}
        named |= {f"{name}, {key}" if key else name: part for key, part in inner.items()}
    rows = [[plain(name), Cell(_text(value), "text")] for name, value in named.items()]
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
