"""The closed loop to the Earth: the wind that far sides lead to there against that of the true sphere."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from munit_jax.heliosphere.boundary import inner_boundary
from munit_jax.heliosphere.propagation import track, wind_at
from munit_jax.heliosphere.streams import streams
from munit_jax.metrics.corona import CoronaOf, score_medians
from munit_jax.metrics.wind import WIND_SCORES, wind_scores
from munit_jax.pfss.harmonics import Transform
from munit_jax.pfss.model import wind_at_sheet_end
from munit_jax.pfss.wind import CURRENT_SHEET_END
from munit_jax.report.disk_figures import COLORS
from munit_jax.report.results import number_text

OF_STREAMS = ("streams_found", "streams_false", "arrival_error")
SHOWN = {"rotation": "#8c6bb1", "zero_far_side": "#999999", "front_true_mean": "#d08c2a"}  # drawn with model and true


def wind_at_earth(
    transform: Transform, coronae: Mapping[str, Sequence[CoronaOf]], rss: float, time: int
) -> dict[str, Float[np.ndarray, "n t"]]:
    """Return the speed at the Earth (km/s) every hour of 27 days of the coronae of each column, and `times`.

    All columns go through HUXt as one ensemble. A corona without any wind has NaN.
    """
    all_coronae = [one for column in coronae.values() for one in column]
    windy = [bool(np.isfinite(one.maps.speed).any()) for one in all_coronae]
    earth = track("earth", time)
    speeds = np.full((len(all_coronae), len(earth.times)), np.nan)
    ends = [wind_at_sheet_end(transform, one.maps, rss) for one, has in zip(all_coronae, windy, strict=True) if has]
    if ends:
        speed, field = (np.stack(layers) for layers in zip(*ends, strict=True))
        maps = {"sheet_speed": speed, "sheet_field": field}
        boundary = inner_boundary(maps, transform.grid, CURRENT_SHEET_END, time)
        speeds[np.array(windy)] = wind_at(boundary, earth).speed
    firsts = np.cumsum([len(column) for column in coronae.values()])[:-1]
    return dict(zip(coronae, np.split(speeds, firsts), strict=True)) | {"times": earth.times}


def earth_json(measured: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Return what metrics.json has under `earth`: {score: {column: median over the dates and realisations}}.

    Of streams, of which a date has few, it is the mean. `true_streams` is how many there are.

    Args:
        measured: `wind_at_earth` of each date, stacked.
        columns: to be scored against `true`.
    """
    dates = range(len(measured["times"]))
    scores = {
        name: np.stack([wind_scores(measured["times"][k], measured[name][k], measured["true"][k, 0]) for k in dates])
        for name in columns
    }
    result = score_medians(scores, columns, WIND_SCORES)
    for k, name in enumerate(WIND_SCORES):
        if name in OF_STREAMS:
            result[name] = {column: _mean(scores[column][..., k]) for column in columns}
    count = sum(len(streams(measured["times"][k], measured["true"][k, 0])) for k in dates)
    return {**result, "dates": len(dates), "true_streams": count}


def _mean(values: Float[np.ndarray, "..."]) -> float:
    """Return the mean of what is known; NaN for nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def earth_findings(earth: Mapping[str, Any], called: Mapping[str, str]) -> list[str]:
    """Return a sentence on the error of the speed at the Earth, of the columns that are `called` in words."""
    error, crps = earth["speed_rmse"], earth["speed_crps"]
    parts = [f"{words} {number_text(error[column])}" for column, words in called.items()]
    return [
        f"Speed of the wind at the Earth over 27 days, error (km/s, RMSE, medians): {'; '.join(parts)}. CRPS of the "
        f"realisations {number_text(crps['model'])} km/s, of the last rotation {number_text(crps['rotation'])}."
    ]


def earth_figure(measured: Mapping[str, Float[np.ndarray, "..."]]) -> Figure:
    """Draw the speed of one date: true, of the realisations of the generated views, and of SHOWN."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    axes = figure.subplots()
    dates = measured["times"].astype("datetime64[s]")
    model = measured["model"]
    axes.fill_between(dates, model.min(axis=0), model.max(axis=0), color=COLORS["model"], alpha=0.3, lw=0)
    axes.plot(dates, np.median(model, axis=0), color=COLORS["model"], label=f"generated, {len(model)} realisations")
    for name, color in SHOWN.items():
        axes.plot(dates, measured[name][0], color=color, lw=1, label=name.replace("_", " "))
    axes.plot(dates, measured["true"][0], color="black", lw=1.6, label="true")
    axes.set_ylabel("speed at the Earth (km/s)")
    axes.legend(fontsize=8, ncols=5)
    axes.grid(alpha=0.3)
    axes.tick_params(axis="x", rotation=20)
    return figure
