"""The closed loop on known truth: views from three places, put together, against the whole Sun."""

from datetime import UTC, datetime

import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.metrics.corona import SCORES
from munit_jax.pfss.harmonics import mean_over_sphere
from munit_jax.report import far_side
from munit_jax.report.far_side import (
    COLUMNS,
    SyntheticSun,
    assembled,
    boundaries,
    far_side_json,
    measure_far_side,
    true_boundary,
    with_last_rotation,
)
from munit_jax.report.kept import Kept
from munit_jax.report.settings import CoronaSettings
from munit_jax.sun.disk import heliographic, mu, on_disk
from tfds_sdoml.synthetic_sun.observation import observe, sample_map

pytestmark = pytest.mark.optimized

TIME = int(datetime(2012, 11, 20, tzinfo=UTC).timestamp())
SUN = SyntheticSun(0, 64, ("0193",))
SETTINGS = CoronaSettings(samples=2, rows=18, lmax=8)
TRANSFORM = SETTINGS.transform


@pytest.fixture(scope="module")
def views():
    return [observe(SUN.seed, TIME, SUN.size, SUN.channels, west) for west in far_side.VANTAGES]


@pytest.fixture(scope="module")
def perfect(views):
    """A translation that knows the true magnetogram of an EUV image; the mean of its three realisations is it too."""
    by_image = {view.euv.tobytes(): view.magnetogram[..., 0] for view in views}

    def translate(euv, geometry, time, past, gap_days):
        true = by_image[euv.tobytes()]
        return np.stack([true, -true, 3 * true])

    return translate


def test_another_vantage_point_sees_the_same_sun_from_there(views):
    earth, ahead, behind = views
    assert ahead.geometry.l0 == pytest.approx((earth.geometry.l0 + 120) % 360)
    assert behind.geometry.l0 == pytest.approx((earth.geometry.l0 - 120) % 360)
    assert ahead.geometry.b0 == earth.geometry.b0
    np.testing.assert_array_equal(ahead.surface_field, earth.surface_field)
    assert not np.array_equal(ahead.magnetogram[:8], earth.magnetogram[:8]), "the noise is another one"
    disk = on_disk(ahead.geometry, 0.9)
    latitude, longitude = heliographic(ahead.geometry)
    truth = sample_map(ahead.surface_field[None], latitude[disk], longitude[disk])[0] * mu(ahead.geometry)[disk]
    assert np.corrcoef(truth, ahead.magnetogram[disk, 0])[0, 1] > 0.85


def test_from_the_earth_nothing_has_changed(views):
    plain = observe(SUN.seed, TIME, SUN.size, SUN.channels)
    np.testing.assert_array_equal(plain.euv, views[0].euv)
    np.testing.assert_array_equal(plain.magnetogram, views[0].magnetogram)


def test_true_boundary_is_the_sphere_on_the_grid(views):
    whole = true_boundary(TRANSFORM, views[0].surface_field)
    made = np.asarray(whole)
    blocks = views[0].surface_field.reshape(18, 10, 36, 10).mean(axis=(1, 3))
    assert np.corrcoef(made.ravel(), blocks.ravel())[0, 1] > 0.99
    assert float(mean_over_sphere(TRANSFORM, whole)) == pytest.approx(0, abs=1e-4)


def test_three_views_put_together_are_the_sun(views):
    geometries = [view.geometry for view in views]
    magnetograms = [view.magnetogram[None, ..., 0] for view in views]
    (made,) = np.asarray(assembled(TRANSFORM, geometries, magnetograms))
    true = np.asarray(true_boundary(TRANSFORM, views[0].surface_field))
    assert np.corrcoef(made.ravel(), true.ravel())[0, 1] > 0.9
    (one,) = np.asarray(assembled(TRANSFORM, geometries[:1], magnetograms[:1]))
    assert np.corrcoef(one.ravel(), true.ravel())[0, 1] < 0.8, "one view does not show the far side"


def test_a_perfect_translation_gives_the_true_views(perfect):
    made = boundaries(TRANSFORM, SUN, TIME, perfect, 2)
    np.testing.assert_allclose(made["model"][0], made["true_views"][0], atol=1e-4)
    np.testing.assert_allclose(made["front_true"][0], made["true_views"][0], atol=1e-4)
    np.testing.assert_allclose(made["model"][1], -made["true_views"][0], atol=1e-4)
    assert len(made["model"]) == 2
    for mean_of_all_three in ("model_mean", "front_true_mean"):
        np.testing.assert_allclose(made[mean_of_all_three], made["true_views"], atol=1e-4)
    assert made["rotation"].shape == made["true"].shape == (1, 18, 36)
    together = with_last_rotation(TRANSFORM, made["true_views"][0], made["rotation"][0])
    np.testing.assert_allclose(made["with_rotation"][0], together, atol=1e-4)


def test_the_poles_are_those_of_the_last_rotation_and_the_belts_half_of_each():
    belts = np.abs(TRANSFORM.grid.latitudes)[:, None] <= 45
    north, east = np.sign(TRANSFORM.grid.latitudes)[:, None], np.sign(180 - TRANSFORM.grid.longitudes)
    # Neither has a monopole: one changes its sign at the equator, the other between east and west.
    together = with_last_rotation(TRANSFORM, jnp.asarray(3.0 * north * np.ones(36)), jnp.asarray(5.0 * north * east))
    np.testing.assert_allclose(together, np.where(belts, north * (3 + 5 * east) / 2, 5 * north * east), atol=1e-5)
    # What the seam leaves of a net flux is taken off: here 2 G over all the sphere but the polar caps.
    one_sided = with_last_rotation(TRANSFORM, jnp.full((18, 36), 4.0), jnp.zeros((18, 36)))
    assert float(mean_over_sphere(TRANSFORM, one_sided)) == pytest.approx(0, abs=1e-5)
    assert float(one_sided[9, 0] - one_sided[0, 0]) == pytest.approx(2, abs=1e-5)


def test_each_view_is_translated_as_seen_from_its_own_place(views, perfect):
    asked = []

    def noted(euv, geometry, time, past, gap_days):
        asked.append((geometry, time))
        return perfect(euv, geometry, time, past, gap_days)

    boundaries(TRANSFORM, SUN, TIME, noted, 2)
    assert asked == [(view.geometry, TIME) for view in views]


@pytest.mark.slow
def test_the_corona_of_true_views_is_near_the_true_one_and_the_wrong_sign_is_seen(perfect, tmp_path):
    measured = measure_far_side(SUN, [TIME], perfect, SETTINGS, Kept(tmp_path, {}))
    result = far_side_json(measured)
    assert set(result) == {*SCORES, "dates", "self_check", "self_checks_passed"}
    assert all(set(result[name]) == set(COLUMNS) for name in SCORES)
    assert result["open_flux_error"]["true_views"] < 0.25
    assert result["neutral_line_distance"]["true_views"] < 8
    assert result["surface_correlation"]["true_views"] > 0.9
    wrong = measured["scores"]["model"][0, 1, list(SCORES).index("surface_correlation")]
    assert wrong == pytest.approx(-result["surface_correlation"]["true_views"], abs=1e-3)
