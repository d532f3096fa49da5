"""Pictures of the wind on its way: series of the speed with their bands and streams, and the plane of the Earth."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from munit_jax.heliosphere.propagation import Track, WindMap, WindSeries
from munit_jax.heliosphere.streams import EnsembleStream
from munit_jax.sun.constants import ASTRONOMICAL_UNIT

BANDS = ((0.9, 0.25), (0.5, 0.45))  # central parts of the realisations, and how opaque they are drawn
WIND_RANGE = (250.0, 750.0)  # km/s
COLOR = "#2e6fb7"
STREAM_COLOR = "#d1495b"


def series_figure(series: Sequence[WindSeries], found: Sequence[Sequence[EnsembleStream]], title: str) -> Figure:
    """Draw the speed at each place: the median, the central 50 and 90 %, and the arrivals of streams with theirs."""
    figure = Figure(figsize=(10, 1.2 + 2.9 * len(series)), layout="constrained")
    panels = figure.subplots(len(series), 1, squeeze=False)[:, 0]
    for axes, one, streams in zip(panels, series, found, strict=True):
        draw_series(axes, one, streams)
    panels[0].legend(fontsize=8, ncols=4, loc="upper right")
    figure.suptitle(title, fontsize=10)
    return figure


def draw_series(axes: Axes, series: WindSeries, streams: Sequence[EnsembleStream]) -> None:
    """Draw a series of one place."""
    dates, speed = _dates(series.track.times), series.speed
    if len(speed) > 1:
        for level, alpha in BANDS:
            low, high = np.quantile(speed, ((1 - level) / 2, (1 + level) / 2), axis=0)
            label = f"{100 * level:.0f} % of {len(speed)} realisations"
            axes.fill_between(dates, low, high, color=COLOR, alpha=alpha, lw=0, label=label)
    axes.plot(dates, np.median(speed, axis=0), color="black", lw=1.2, label="median" if len(speed) > 1 else "speed")
    for k, stream in enumerate(streams):
        early, arrival, late = _dates(np.array([stream.earliest, stream.arrival, stream.latest]))
        axes.axvspan(early, late, color=STREAM_COLOR, alpha=0.2, lw=0)
        axes.axvline(arrival, color=STREAM_COLOR, lw=1, label=None if k else "a stream arrives")
    axes.set(xlim=(dates[0], dates[-1]), ylim=(250, max(800, 1.1 * speed.max())))
    axes.set_ylabel(f"{series.track.place.replace('_', ' ')}\nspeed (km/s)")
    axes.grid(alpha=0.3)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def map_figure(wind: WindMap, tracks: Sequence[Track], title: str) -> Figure:
    """Draw the median of the speed in the plane, of several realisations their 90 % range too, and the places in it.

    The plane is seen from the north, with the Earth to the right; a place is where it is at the beginning of its track.
    """
    several = len(wind.speed) > 1
    figure = Figure(figsize=(13 if several else 7, 6.4), layout="constrained")
    low, median, high = np.quantile(wind.speed, (0.05, 0.5, 0.95), axis=0)
    panels = [(median, "speed (km/s)" if not several else "median speed (km/s)", "viridis", Normalize(*WIND_RANGE))]
    if several:
        panels.append((high - low, "range of 90 % of the realisations (km/s)", "magma", Normalize(0, 300)))
    angles = np.deg2rad(np.append(wind.longitudes, wind.longitudes[0] + 360))
    for k, (values, label, cmap, norm) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), k + 1, projection="polar")
        closed = np.concatenate([values, values[:, :1]], axis=1)
        radii = wind.radii / ASTRONOMICAL_UNIT
        drawn = axes.pcolormesh(angles, radii, closed, cmap=cmap, norm=norm, shading="gouraud", rasterized=True)
        axes.grid(alpha=0.3)
        axes.set(yticks=[0.5, 1.0], ylim=(0, radii[-1]))
        for there in tracks:
            where = np.deg2rad(there.longitude[0]), there.radius[0] / ASTRONOMICAL_UNIT
            axes.plot(*where, "o", color="white", mec="black", ms=7)
            axes.annotate(there.place.replace("_", " "), where, xytext=(6, 6), textcoords="offset points", fontsize=9)
        figure.colorbar(drawn, ax=axes, shrink=0.7, label=label, extend="both")
    figure.suptitle(title, fontsize=10)
    return figure


def _dates(seconds: np.ndarray) -> np.ndarray:
    return seconds.astype("datetime64[s]")
