"""The pictures of an evaluation: scores against time, place, scale and spread."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from munit_jax.metrics.ensemble import JOINT_EDGES
from munit_jax.metrics.strata import LONGITUDE_EDGES, LONGITUDE_STEP, MU_EDGES, MU_STEP
from munit_jax.metrics.structure import BANDS, EDGES
from munit_jax.report.measurement import FrameSums
from munit_jax.report.results import per_frame, plain, pooled
from munit_jax.sun.constants import DAY

GAP = 5 * DAY  # seconds: a line does not bridge more
COLORS = {
    "model": "#c0392b",
    "model_mean": "#e59866",
    "zero": "#7f8c8d",
    "mean": "#2980b9",
    "day_before": "#27ae60",
    "shuffled": "#8e44ad",
    "euv_proxy": "#d4ac0d",
    "hale": "#a04000",
    "compared": "#000000",
}
BY_PLACE = ("rmse", "abs_correlation", "correlation", "polarity_50")
LABELS = {
    "rmse": "RMSE (G)",
    "abs_correlation": "correlation of |B|",
    "correlation": "signed correlation",
    "polarity_50": "right signs above 50 G",
}


def scatter_figure(frame_sums: FrameSums) -> Figure:
    """Draw how often a true field (across) goes with a generated one (up); signed, and as |B|."""
    counts = frame_sums.ensemble["joint"].sum(axis=0)
    edges = JOINT_EDGES
    middle = len(edges) // 2
    folded = counts + counts[::-1]
    folded = (folded + folded[:, ::-1])[middle:, middle:]
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    for axes, density, bounds, name in zip(
        figure.subplots(1, 2),
        (counts, folded),
        (edges, edges[middle:]),
        ("field along the line of sight (G)", "|B| (G)"),
        strict=True,
    ):
        share = np.where(density > 0, density / density.sum(), np.nan)
        drawn = axes.pcolormesh(bounds, bounds, share.T, norm=LogNorm(), cmap="magma_r", rasterized=True)
        axes.plot(bounds[[0, -1]], bounds[[0, -1]], "k", lw=0.6)
        if bounds[0] < -1:
            axes.plot(bounds[[0, -1]], -bounds[[0, -1]], "k:", lw=0.6)
        for set_scale in (axes.set_xscale, axes.set_yscale):
            set_scale("symlog", linthresh=20)
        reach = _reach(density, bounds)
        axes.set(xlabel=f"true {name}", ylabel=f"generated {name}", xlim=(min(bounds[0], 0) and -reach, reach))
        axes.set_ylim(axes.get_xlim())
        axes.set_aspect("equal")
        figure.colorbar(drawn, ax=axes, label="share of the pixels")
    return figure


def _reach(density: Float[np.ndarray, "k k"], bounds: Float[np.ndarray, " edges"]) -> float:
    filled = (density.sum(axis=0) + density.sum(axis=1)) > 0
    return float(np.abs(bounds[:-1][filled]).max(initial=100.0) * 1.2)


def time_figure(frame_sums: FrameSums) -> Figure:
    """Draw the scores of every frame against time and against activity."""
    dates = frame_sums.times.astype("datetime64[s]")
    gaps = np.flatnonzero(np.diff(frame_sums.times) > GAP) + 1
    activity = frame_sums.true_unsigned_flux
    columns = ("model", "zero", "day_before", "euv_proxy")
    values = {column: per_frame(frame_sums, column) for column in columns}
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    grid = figure.subplots(3, 2, sharey="row", width_ratios=(2, 1))
    for row, name in zip(grid, ("rmse", "abs_correlation", "correlation"), strict=True):
        for column in columns:
            if np.isfinite(values[column][name]).any():
                with_gaps = np.insert(dates, gaps, dates[gaps]), np.insert(values[column][name], gaps, np.nan)
                row[0].plot(*with_gaps, ".-", ms=3, lw=0.7, c=COLORS[column])
                row[1].plot(activity / 1e22, values[column][name], ".", ms=4, c=COLORS[column], label=plain(column))
        row[0].set_ylabel(LABELS[name])
        for axes in row:
            axes.grid(alpha=0.3)
    grid[0, 1].legend(fontsize=7)
    grid[-1, 0].tick_params(axis="x", rotation=30)
    grid[-1, 1].set_xlabel("true total unsigned flux (10²² Mx)")
    return figure


def place_figure(metrics: Mapping[str, Any]) -> Figure:
    """Draw the scores from the centre to the limb and from east to west."""
    columns = [c for c in COLORS if c != "model_mean"]
    figure = Figure(figsize=(10, 8.5), layout="constrained")
    grid = figure.subplots(len(BY_PLACE), 2, sharey="row", sharex="col")
    sides = (
        ([f"mu_{edge}" for edge in MU_EDGES], np.array(MU_EDGES) + MU_STEP / 2),
        ([f"longitude_{edge}" for edge in LONGITUDE_EDGES], np.array(LONGITUDE_EDGES) + LONGITUDE_STEP / 2),
    )
    for row, name in zip(grid, BY_PLACE, strict=True):
        for axes, (parts, places) in zip(row, sides, strict=True):
            for column in columns:
                values = np.array([metrics[name][part].get(column) for part in parts], float)  # NaN for None
                if np.isfinite(values).any():
                    axes.plot(places, values, ".-", c=COLORS[column], label=plain(column))
            axes.grid(alpha=0.3)
        row[0].set_ylabel(LABELS[name])
    grid[0, 1].legend(fontsize=7, ncols=2)
    grid[-1, 0].set_xlabel("mu: 1 in the centre, 0 at the limb")
    grid[-1, 0].invert_xaxis()
    grid[-1, 1].set_xlabel("longitude from the central meridian (degrees, west positive)")
    return figure


def structure_figure(frame_sums: FrameSums, metrics: Mapping[str, Any]) -> Figure:
    """Draw power and coherence at the wavelengths, and the distributions of the field."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    power, coherence, distribution = figure.subplots(1, 3)
    names = [band.replace("_to_", "-").replace("_px", " px").replace("over_", "> ") for band in BANDS]
    for axes, name, label in ((power, "power_ratio", "power / true power"), (coherence, "coherence", "coherence")):
        for column in ("model", "model_mean", "day_before", "shuffled"):
            values = np.array([metrics[name][band][column] for band in BANDS], float)  # NaN for None
            axes.plot(names, values, "o-", ms=3, c=COLORS[column], label=plain(column))
        axes.axhline(1, c="k", lw=0.5)
        axes.set(ylabel=label, xlabel="wavelength")
        axes.tick_params(axis="x", rotation=30)
        axes.grid(alpha=0.3)
    power.legend(fontsize=7)
    sums = pooled(frame_sums.of("model"))
    middles = (EDGES[1:] + EDGES[:-1]) / 2
    for name, label, color in (("true_histogram", "true", "k"), ("histogram", "model", COLORS["model"])):
        density = sums[name] / sums[name].sum() / np.diff(EDGES)
        distribution.step(middles, np.where(density > 0, density, np.nan), where="mid", c=color, label=label)
    distribution.set(yscale="log", xlabel="line-of-sight field (G)", ylabel="share per gauss")
    distribution.set_xscale("symlog", linthresh=20)
    distribution.legend(fontsize=7)
    distribution.grid(alpha=0.3)
    return figure


def ensemble_figure(ensemble: Mapping[str, Any]) -> Figure:
    """Draw spread against error, the rank histogram and the coverage of the intervals."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    reliability, ranks, coverage = figure.subplots(1, 3)
    spread, error = (np.array(ensemble["reliability"][name]) for name in ("spread", "error"))
    share = np.array(ensemble["reliability"]["share_of_pixels"])
    ends = np.array([min(spread.min(), error.min()), max(spread.max(), error.max())]).clip(1e-2)
    reliability.plot(ends, ends, "k", lw=0.6, label="ideal")
    reliability.plot(spread, error, "-", c=COLORS["model"], lw=0.8)
    reliability.scatter(spread, error, s=10 + 200 * share, c=COLORS["model"], label="pixels by their spread")
    reliability.set(
        xscale="log", yscale="log", xlabel="spread of the realisations (G)", ylabel="error of their mean (G)"
    )
    reliability.legend(fontsize=7)
    counts = np.array(ensemble["rank_histogram"])
    ranks.bar(np.arange(len(counts)), counts, color=COLORS["model"], width=0.9)
    ranks.axhline(1 / len(counts), c="k", lw=0.6)
    ranks.set(xlabel="realisations below the truth", ylabel="share of the pixels")
    levels = list(ensemble["coverage"])
    places = np.arange(len(levels))
    for offset, key, color in ((-0.2, "value", COLORS["model"]), (0.2, "expected", "#7f8c8d")):
        values = [ensemble["coverage"][level][key] for level in levels]
        coverage.bar(
            places + offset, values, 0.38, color=color, label="truths inside" if key == "value" else "if calibrated"
        )
    coverage.set(xticks=places, xticklabels=[f"{level} % interval" for level in levels], ylim=(0, 1))
    coverage.legend(fontsize=7)
    for axes in (reliability, ranks, coverage):
        axes.grid(alpha=0.3)
    return figure


def worst(scores: Float[np.ndarray, " frame"], count: int) -> Int[np.ndarray, " worst"]:
    """Return the places of the lowest scores, the lowest first; undefined ones are not among them."""
    order = np.argsort(np.where(np.isfinite(scores), scores, np.inf), kind="stable")
    return order[: min(count, int(np.isfinite(scores).sum()))]
