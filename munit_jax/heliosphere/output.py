"""Files of the wind at the Earth: tables of the speed, streams and pictures."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.time import Time

from munit_jax.files import whole
from munit_jax.heliosphere.boundary import InnerBoundary
from munit_jax.heliosphere.figures import map_figure, series_figure
from munit_jax.heliosphere.propagation import Track, WindSeries, track, wind_at, wind_map
from munit_jax.heliosphere.streams import EnsembleStream, ensemble_streams

DPI = 110
QUANTILES = {"p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}

logger = logging.getLogger(__name__)


def write_wind(folder: Path, boundary: InnerBoundary, tracks: Sequence[Track], *, figures: bool, title: str) -> None:
    """Follow the wind of a boundary to places and write its tables and pictures into a folder.

    `wind_PLACE.csv` and `.fits` have the speed every hour, `streams.csv` the streams of all places.
    """
    series = [wind_at(boundary, there) for there in tracks]
    found = [ensemble_streams(one.track.times, one.speed) for one in series]
    for one in series:
        table = series_table(one)
        for ending, form in (("csv", "ascii.csv"), ("fits", "fits")):
            with whole(folder / f"wind_{one.track.place}.{ending}") as partial:
                table.write(partial, format=form, overwrite=True)
    with whole(folder / "streams.csv") as partial:
        streams_table(series, found).write(partial, format="ascii.csv", overwrite=True)
    if figures:
        series_figure(series, found, title).savefig(folder / "wind.png", dpi=DPI)
        earth = track("earth", boundary.time)
        plane = wind_map(boundary, float(earth.latitude[0]))
        others = [there for there in tracks if there.place != "earth"]
        map_figure(plane, [earth, *others], title).savefig(folder / "ecliptic.png", dpi=DPI)
    for one, streams in zip(series, found, strict=True):
        about = "; ".join(_sentence(stream) for stream in streams) or "none"
        place = one.track.place.replace("_", " ")
        logger.info("%s, 27 days, realisations: %d; streams: %s", place, len(one.speed), about)


def series_table(series: WindSeries) -> Table:
    """Return the speed (km/s) at a place: time (UTC), where it is, quantiles, and of several realisations each."""
    there = series.track
    table = Table(
        {
            "time": Time(there.times, format="unix").isot,
            "radius": there.radius.round(3) * u.solRad,
            "longitude_heeq": there.longitude.round(3) * u.deg,
            "latitude": there.latitude.round(3) * u.deg,
        }
    )
    for name, q in QUANTILES.items():
        table[name] = np.quantile(series.speed, q, axis=0).round(2) * u.km / u.s
    if len(series.speed) > 1:
        for k, speed in enumerate(series.speed):
            table[f"r{k:03d}"] = speed.round(2) * u.km / u.s
    table.meta = {"PLACE": there.place, "CONTENT": "SPEED OF THE SOLAR WIND (HUXT)"}
    return table


def streams_table(series: Sequence[WindSeries], found: Sequence[Sequence[EnsembleStream]]) -> Table:
    """Return the streams: place, arrival with the central 90 % of the realisations, peak (km/s) and share."""
    rows = [(one.track.place, stream) for one, streams in zip(series, found, strict=True) for stream in streams]
    table = Table({"place": np.array([place for place, _ in rows], dtype=str)})
    for name in ("arrival", "earliest", "latest"):
        table[name] = np.array([_isot(getattr(stream, name)) for _, stream in rows], dtype=str)
    table["peak_km_s"] = np.array([round(stream.peak, 1) for _, stream in rows], dtype=float)
    table["share"] = np.array([round(stream.share, 3) for _, stream in rows], dtype=float)
    return table


def _sentence(stream: EnsembleStream) -> str:
    width = (stream.latest - stream.earliest) / 3600
    spread = f", in {100 * stream.share:.0f} %, 90 % of them within {width:.0f} h" if width else ""
    return f"{_isot(stream.arrival)[:13]}h to {stream.peak:.0f} km/s{spread}"


def _isot(seconds: float) -> str:
    return str(np.datetime64(round(seconds), "s"))
