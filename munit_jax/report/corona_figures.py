"""Pictures of generated coronae against the true ones."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from munit_jax.metrics.corona import CoronaOf
from munit_jax.pfss.figures import (
    BOUNDARY_RANGE,
    FINE,
    POLARITY_COLORS,
    WIND_RANGE,
    draw_field_lines,
    draw_map,
    draw_neutral_lines,
)
from munit_jax.pfss.harmonics import Grid, Transform
from munit_jax.pfss.model import ModelSettings
from munit_jax.report.disk_figures import COLORS

# Two open-field maps: closed in both, open in both, opposite signs, only the true one open, only the other.
AGREEMENT_COLORS = ListedColormap(["#f2f2f2", "#6c9a6c", "#000000", "#e0a030", "#7d5ba6"])


def corona_figure(
    grid: Grid,
    true: CoronaOf,
    others: Sequence[CoronaOf],
    true_boundary: Float[np.ndarray, "lat lon"],
    boundary: Float[np.ndarray, "lat lon"],
    name: str = "generated",
) -> Figure:
    """Draw boundary, source surface, open field and wind: true ones, those of a realisation, and what differs.

    The corona and boundary (gauss) of the first realisation are drawn, and the neutral lines of all.
    """
    one = others[0]
    figure = Figure(figsize=(13, 9), layout="compressed")
    rows = figure.subplots(4, 3)
    strongest = float(np.abs(true.maps.source_surface).max()) or 1.0
    surfaces = true.maps.source_surface, one.maps.source_surface
    for axes, pair, label, cmap, reach in (
        (rows[0], (true_boundary, boundary), "B_r (G)", "gray", BOUNDARY_RANGE),
        (rows[1], surfaces, "B_r, source surface (G)", "RdBu_r", strongest),
    ):
        drawn = [
            draw_map(place, values, cmap=cmap, norm=Normalize(-reach, reach))
            for place, values in zip(axes, (*pair, pair[1] - pair[0]), strict=True)
        ]
        figure.colorbar(drawn[0], ax=list(axes), shrink=0.8, label=label)
    polarities = true.maps.polarity, one.maps.polarity
    for place, values in zip(rows[2], polarities, strict=False):
        draw_map(place, values, cmap=POLARITY_COLORS, norm=Normalize(-1, 1))
    draw_map(rows[2, 2], _agreement(*polarities), cmap=AGREEMENT_COLORS, norm=Normalize(-0.5, 4.5))
    for place, title in zip(
        rows[2],
        ("open field", "", "green both, black other sign,\norange true only, violet generated only"),
        strict=True,
    ):
        place.set_title(title, fontsize=8)
    speeds = [
        draw_map(place, values, cmap="viridis", norm=Normalize(*WIND_RANGE))
        for place, values in zip(rows[3], (true.maps.speed, one.maps.speed), strict=False)
    ]
    figure.colorbar(speeds[0], ax=list(rows[3, :2]), location="bottom", shrink=0.5, label="wind (km/s)")
    difference = draw_map(rows[3, 2], one.maps.speed - true.maps.speed, cmap="PuOr", norm=Normalize(-300, 300))
    figure.colorbar(difference, ax=rows[3, 2], location="bottom", label="wind, difference (km/s)")
    for axes in (rows[1, 1], rows[1, 2]):
        draw_neutral_lines(axes, grid, [other.maps.source_surface for other in others], "#b8860b", FINE)
        draw_neutral_lines(axes, grid, [true.maps.source_surface])
    draw_neutral_lines(rows[1, 0], grid, [true.maps.source_surface])
    for axes, title in zip(rows[0], ("true", name, f"{name} - true"), strict=True):
        axes.set_title(title)
    for axes in rows.flat:
        axes.set_xlabel("")
        axes.set_ylabel("")
    return figure


def _agreement(true: Int[np.ndarray, "lat lon"], other: Int[np.ndarray, "lat lon"]) -> Int[np.ndarray, "lat lon"]:
    """Return 0 where both are closed, 1 open and equal, 2 of the other sign, 3 and 4 where one alone is open."""
    both = (true != 0) & (other != 0)
    return np.select([both & (true == other), both, true != 0, other != 0], [1, 2, 3, 4], 0)


def field_line_figure(
    transform: Transform,
    boundaries: Mapping[str, Float[np.ndarray, "lat lon"]],
    l0: float,
    settings: ModelSettings,
) -> Figure:
    """Draw field lines over the disk of several boundaries, seen from above a longitude of the equator in degrees."""
    figure = Figure(figsize=(5 * len(boundaries), 5.2), layout="constrained")
    for axes, (name, boundary) in zip(
        figure.subplots(1, len(boundaries), squeeze=False)[0], boundaries.items(), strict=True
    ):
        draw_field_lines(axes, transform, boundary, settings, l0)
        axes.set_title(name)
    return figure


def open_flux_figure(
    times: Int[np.ndarray, " frame"],
    true: Float[np.ndarray, " frame"],
    realisations: Float[np.ndarray, "frame n"],
    zero: Float[np.ndarray, " frame"],
) -> Figure:
    """Draw the open flux of every frame: true, of the realisations with their range, and of an empty disk."""
    order = np.argsort(times)
    dates = times[order].astype("datetime64[s]")
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots()
    low, high = (np.quantile(realisations[order], q, axis=1) / 1e22 for q in (0.05, 0.95))
    axes.vlines(dates, low, high, color=COLORS["model"], lw=3, alpha=0.4, label="realisations, 5 to 95 %")
    axes.plot(dates, realisations[order].mean(axis=1) / 1e22, ".", c=COLORS["model"], label="their mean")
    axes.plot(dates, true[order] / 1e22, "k_", ms=8, label="true")
    axes.plot(dates, zero[order] / 1e22, "_", c=COLORS["zero"], ms=8, label="empty disk")
    axes.set_ylabel("open flux (10²² Mx)")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    axes.tick_params(axis="x", rotation=20)
    return figure
