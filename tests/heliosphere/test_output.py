"""Tables and pictures of a wind that did not need HUXt to be made."""

import numpy as np
import pytest
from astropy.table import Table

from munit_jax.heliosphere.figures import map_figure, series_figure
from munit_jax.heliosphere.output import series_table, streams_table
from munit_jax.heliosphere.propagation import Track, WindMap, WindSeries
from munit_jax.heliosphere.streams import ensemble_streams
from tests.heliosphere.test_streams import wave
from tests.heliosphere.winds import TIME

TIMES = TIME + 3600 * np.arange(24 * 27)
THERE = Track("stereo_a", TIMES, np.full(648, 207.0), np.full(648, -90.0), np.full(648, 3.0))


def series(realisations: int) -> WindSeries:
    return WindSeries(THERE, np.stack([wave((10 + 0.1 * k, 600)) for k in range(realisations)]))


def test_the_table_has_quantiles_and_every_realisation(tmp_path):
    table = series_table(series(5))
    table.write(tmp_path / "a.fits")
    read = Table.read(tmp_path / "a.fits")
    assert read.colnames[:4] == ["time", "radius", "longitude_heeq", "latitude"]
    assert read["time"][0] == "2012-11-20T12:00:00.000"
    each = np.stack([read[f"r{k:03d}"] for k in range(5)])
    np.testing.assert_allclose(each, series(5).speed, atol=0.005)
    np.testing.assert_allclose(read["median"], np.median(each, axis=0), atol=0.011)
    assert str(read["p95"].unit) == "km / s"
    assert "r000" not in series_table(series(1)).colnames


def test_the_streams_of_places():
    both = [series(5), series(1)]
    table = streams_table(both, [ensemble_streams(TIMES, one.speed) for one in both])
    assert list(table["place"]) == ["stereo_a", "stereo_a"]
    arrivals = np.array(table["arrival"], "datetime64[s]")
    middle = np.array(["2012-11-29T16:48", "2012-11-29T12:00"], "datetime64[s]")
    assert (np.abs(arrivals - middle) <= np.timedelta64(10, "m")).all()
    assert table["earliest"][0] < table["arrival"][0] < table["latest"][0]
    assert len(streams_table([series(1)], [[]])) == 0


@pytest.mark.parametrize("realisations", [1, 5])
def test_the_picture_shows_median_bands_and_streams(realisations):
    one = series(realisations)
    figure = series_figure([one], [ensemble_streams(TIMES, one.speed)], "title")
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    bands = ["90 % of 5 realisations", "50 % of 5 realisations"] if realisations > 1 else []
    assert labels == [*bands, "median" if bands else "speed", "a stream arrives"]


def test_the_map_has_places_where_they_are():
    radii, longitudes = np.linspace(21.5, 240, 20), np.arange(2.5, 360, 5)
    wind = WindMap(radii, longitudes, np.full((3, 20, 72), 400.0))
    figure = map_figure(wind, [THERE], "title")
    polar = [axes for axes in figure.axes if axes.name == "polar"]
    assert len(polar) == 2
    for axes in polar:
        (place,) = axes.lines
        assert place.get_xdata()[0] == pytest.approx(-np.pi / 2)
        assert place.get_ydata()[0] == pytest.approx(207 / 215.03, abs=1e-4)
