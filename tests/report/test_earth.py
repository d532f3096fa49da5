"""The closed loop to the Earth, with a wind that only turns with the Sun in place of HUXt's."""

import numpy as np
import pytest

from munit_jax.heliosphere.propagation import Track, WindSeries
from munit_jax.heliosphere.streams import streams
from munit_jax.metrics.corona import corona_of
from munit_jax.metrics.wind import WIND_SCORES, wind_scores
from munit_jax.pfss.harmonics import Grid, make_transform
from munit_jax.pfss.model import ModelSettings
from munit_jax.report import earth
from munit_jax.report.earth import earth_figure, earth_findings, earth_json, wind_at_earth
from munit_jax.report.far_side import CALLED, COLUMNS
from tests.heliosphere.winds import TIME
from tests.pfss.suns import radial

pytestmark = pytest.mark.optimized

TRANSFORM = make_transform(Grid(18, 36), 8)
TIMES = TIME + 3600 * np.arange(24 * 27 + 1)


@pytest.fixture(scope="module")
def coronae():
    latitude, longitude = np.meshgrid(TRANSFORM.grid.latitudes, TRANSFORM.grid.longitudes, indexing="ij")
    field = radial(latitude, longitude)
    boundaries = {"true": [field], "model": [field, -field, np.roll(field, 9, axis=1)], "rotation": [0 * field]}
    return {name: [corona_of(TRANSFORM, one, ModelSettings()) for one in of] for name, of in boundaries.items()}


@pytest.fixture
def turning(monkeypatch):
    """The wind at the Earth is that of the meridian below it, at once."""

    def wind(boundary, there):
        columns = np.round(np.arange(len(TIMES)) * 36 / (24 * 27.2753)).astype(int) % 36
        return WindSeries(there, boundary.speed_along(0.0)[:, ::-1][:, columns])

    still = np.zeros(len(TIMES))
    monkeypatch.setattr(earth, "track", lambda place, time: Track(place, TIMES, still + 215, still, still))
    monkeypatch.setattr(earth, "wind_at", wind)


def test_every_column_has_its_wind_and_one_without_field_none(coronae, turning):
    made = wind_at_earth(TRANSFORM, coronae, 2.5, TIME)
    assert {name: values.shape for name, values in made.items()} == {
        "times": (649,),
        "true": (1, 649),
        "model": (3, 649),
        "rotation": (1, 649),
    }
    np.testing.assert_allclose(made["model"][0], made["true"][0])
    # The speed does not know the sign. Lines of cells at the edge of a hole may fall to its other side.
    assert np.median(np.abs(made["model"][1] - made["true"][0])) < 1
    assert np.abs(made["model"][2] - made["true"][0]).max() > 50, "turned by a quarter"
    assert np.isnan(made["rotation"]).all()


def test_scores_sentence_and_picture(coronae, turning):
    one = wind_at_earth(TRANSFORM, coronae, 2.5, TIME)
    one = dict.fromkeys(COLUMNS, one["model"][:1]) | one
    measured = {name: np.stack([values, values]) for name, values in one.items()}
    result = earth_json(measured, COLUMNS)
    assert set(result) == {*WIND_SCORES, "dates", "true_streams"}
    assert result["dates"] == 2
    assert set(result["speed_rmse"]) == set(COLUMNS)
    assert result["speed_rmse"]["true_views"] == 0
    assert result["speed_correlation"]["true_views"] == pytest.approx(1)
    assert np.isnan(result["speed_rmse"]["rotation"])
    assert result["speed_crps"]["model"] > 0
    assert result["true_streams"] == 2 * len(streams(TIMES, one["true"][0])) > 0
    each = wind_scores(TIMES, one["model"], one["true"][0])[:, list(WIND_SCORES).index("streams_false")]
    assert result["streams_false"]["model"] == pytest.approx(np.mean(each))
    (sentence,) = earth_findings(result, CALLED)
    assert "three true views 0" in sentence
    assert "the last rotation from the Earth -" in sentence
    (axes,) = earth_figure(one).axes
    labels = {text.get_text() for text in axes.get_legend().get_texts()}
    assert labels == {"generated, 3 realisations", "rotation", "zero far side", "front true mean", "true"}
