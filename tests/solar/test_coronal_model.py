import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.coronal.maps import read_synoptic
from munit_jax.solar.coronal_model import ModelSettings, model_corona, model_coronae, wind_at_sheet_end
from munit_jax.solar.harmonics import Grid, make_transform, mean_over_sphere
from munit_jax.solar.remesh import grid_cells, remesh
from munit_jax.solar.synoptic import without_monopole
from tfds_sdoml.synthetic_field import radial_field


@pytest.fixture(scope="module")
def transform():
    return make_transform(Grid(), 60)


@pytest.fixture(scope="module")
def dipole(transform):
    boundary = 3 * np.sin(np.deg2rad(transform.grid.latitudes))[:, None] * np.ones(360)
    return model_corona(transform, jnp.asarray(boundary, jnp.float32))


def test_open_area_of_the_dipole(dipole):
    assert dipole.open_area_fraction == pytest.approx(0.35300, abs=1e-3)
    assert abs(float(dipole.self_check)) <= 0.01


def test_polarity_of_the_dipole(dipole, transform):
    polarity = np.asarray(dipole.polarity)
    assert (polarity[-49:] == 1).all()  # down to 49 degrees of colatitude
    assert (polarity[:49] == -1).all()
    assert (polarity[51:-51] == 0).all()
    assert (np.asarray(dipole.end_latitude)[70] > 0).all()  # closed, from the south to the north


def test_wind_of_the_dipole(dipole):
    speed, expansion = np.asarray(dipole.speed), np.asarray(dipole.expansion)
    assert np.isfinite(speed).all()
    assert speed[-1].min() > 700
    assert speed[90].max() < 320
    np.testing.assert_allclose(speed, speed[::-1], atol=3)
    pole = 1 / (2.5**2 * float(dipole.source_surface[-1, 0] / 3 / np.sin(np.deg2rad(89.5))))
    assert expansion[-1].mean() == pytest.approx(pole, rel=5e-3)


def test_the_current_sheet_keeps_the_flux_and_the_sign(dipole, transform):
    speed, radial = wind_at_sheet_end(transform, dipole)
    flux = mean_over_sphere(transform, jnp.abs(radial)) * 21.5**2
    assert flux == pytest.approx(float(mean_over_sphere(transform, jnp.abs(dipole.source_surface))) * 2.5**2, rel=2e-3)
    assert (np.sign(np.asarray(radial))[[20, -20]] == [[-1], [1]]).all()
    strength = np.abs(np.asarray(radial))
    assert strength[91:].min() > 0.5 * strength.max()  # evened out: far from the dipole's sin(latitude)
    assert (speed[-1] > 700).all()


@pytest.mark.parametrize("date", ["2012-12-11", "2013-11-20", "2013-12-11"])
def test_the_self_check_holds_where_little_field_is_open(date, transform):
    """The synthetic Sun near its maximum: down to 1 % of it is open, in threads finer than the cells.

    It does not hold on every day: on 2013-12-31, with 0.8 %, it is off by 1.5 %.
    """
    boundary = jnp.asarray(radial_field(0, int(np.datetime64(date, "s").astype(np.int64)), 180))
    corona = model_corona(transform, without_monopole(transform, boundary)[0])
    assert 0.005 < float(corona.open_area_fraction) < 0.1
    assert abs(float(corona.self_check)) <= 0.01


def test_a_real_map_passes_the_self_check(shared, transform):
    whole = read_synoptic(shared / "data" / "synoptic" / "hmi_mrdailysynframe_20181106.fits")
    boundary = jnp.asarray(remesh(whole.field, whole.cells, grid_cells(transform.grid))[0], jnp.float32)
    corona = model_corona(transform, without_monopole(transform, boundary)[0])
    assert abs(float(corona.self_check)) <= 0.01
    assert 1.5e22 < corona.open_flux < 3.5e22
    assert 0.05 < corona.open_area_fraction < 0.2
    assert not np.isnan(corona.expansion).any()


def test_an_ensemble_is_its_members_and_compiled_once():
    transform = make_transform(Grid(24, 48), 8)
    boundaries = np.random.default_rng(0).normal(size=(3, 24, 48))
    boundaries = jnp.asarray(boundaries - boundaries.mean(axis=(1, 2), keepdims=True), jnp.float32)
    settings = ModelSettings(rss=2.0, seed_radius=1.05)
    many = model_coronae(transform, boundaries, settings)
    before = model_corona._cache_size()
    for k, boundary in enumerate(boundaries):
        one = model_corona(transform, boundary, settings)
        for name, values in zip(many._fields, many, strict=True):
            np.testing.assert_allclose(values[k], getattr(one, name), rtol=1e-4, atol=1e-4, err_msg=name)
    assert model_corona._cache_size() == before + 1


@pytest.mark.parametrize(("rss", "seed_radius"), [(2.5, 0.9), (2.5, 2.5), (0.5, 1.0)])
def test_seeds_outside_of_the_model(rss, seed_radius):
    with pytest.raises(ValueError, match=f"below the source surface's, got {seed_radius} and {rss}"):
        ModelSettings(rss, seed_radius)
