import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.pfss.boundary import without_monopole
from munit_jax.pfss.harmonics import Grid, make_transform, mean_over_sphere
from munit_jax.pfss.model import ModelSettings, model_corona, wind_at_sheet_end
from munit_jax.pfss.remesh import grid_cells, remesh
from munit_jax.pfss.synoptic_maps import read_synoptic
from tfds_sdoml.synthetic_sun.field import radial_field


@pytest.fixture(
    scope="module",
    params=[(60, 20), pytest.param((180, 60), marks=(pytest.mark.slow, pytest.mark.optimized))],
    ids=["3deg", "1deg"],
)
def transform(request):
    rows, lmax = request.param
    return make_transform(Grid(rows, 2 * rows), lmax)


@pytest.fixture(scope="module")
def cell(transform):
    """The height of a cell in degrees."""
    return 180 / transform.grid.rows


@pytest.fixture(scope="module")
def whole():
    """The grid that the commands have by default."""
    return make_transform(Grid(), 60)


@pytest.fixture(scope="module")
def dipole(transform):
    boundary = 3 * np.sin(np.deg2rad(transform.grid.latitudes))[:, None] * np.ones(transform.grid.columns)
    return model_corona(transform, jnp.asarray(boundary, jnp.float32))


def test_open_area_of_the_dipole(dipole, cell):
    row = np.sin(np.deg2rad(49.68)) * np.deg2rad(cell)  # the area of a row of cells at the boundary, in hemispheres
    assert dipole.open_area_fraction == pytest.approx(0.35300, abs=max(1e-3, row / 2))
    assert abs(float(dipole.self_check)) <= 0.01 * cell


def test_polarity_of_the_dipole(dipole, transform):
    polarity, latitude = np.asarray(dipole.polarity), transform.grid.latitudes
    assert (polarity[latitude > 41] == 1).all()  # down to 49 degrees of colatitude
    assert (polarity[latitude < -41] == -1).all()
    assert (polarity[np.abs(latitude) < 39] == 0).all()


def test_wind_of_the_dipole(dipole, transform, cell):
    speed, expansion = np.asarray(dipole.speed), np.asarray(dipole.expansion)
    middle = transform.grid.rows // 2
    assert np.isfinite(speed).all()
    assert speed[-1].min() > 700
    assert speed[middle].max() < (320 if cell == 1 else 500)  # half a cell from the current sheet
    np.testing.assert_allclose(speed, speed[::-1], atol=3)
    top = np.sin(np.deg2rad(transform.grid.latitudes[-1]))
    pole = 1 / (2.5**2 * float(dipole.source_surface[-1, 0] / 3 / top))
    assert expansion[-1].mean() == pytest.approx(pole, rel=5e-3)


def test_the_current_sheet_keeps_the_flux_and_the_sign(dipole, transform):
    speed, radial = wind_at_sheet_end(transform, dipole)
    flux = mean_over_sphere(transform, jnp.abs(radial)) * 21.5**2
    assert flux == pytest.approx(float(mean_over_sphere(transform, jnp.abs(dipole.source_surface))) * 2.5**2, rel=2e-3)
    north = transform.grid.latitudes > 69
    assert (np.asarray(radial)[north] > 0).all()
    assert (np.asarray(radial)[north[::-1]] < 0).all()
    strength = np.abs(np.asarray(radial))
    assert strength[transform.grid.latitudes > 1].min() > 0.5 * strength.max()  # not the dipole's sin(latitude)
    assert (speed[-1] > 700).all()


@pytest.mark.slow
@pytest.mark.optimized
@pytest.mark.parametrize("date", ["2012-12-11", "2013-11-20", "2013-12-11"])
def test_the_self_check_holds_where_little_field_is_open(date, whole):
    """The synthetic Sun near its maximum: down to 1 % of it is open, in threads finer than the cells.

    It does not hold on every day: on 2013-12-31, with 0.8 %, it is off by 1.5 %.
    """
    boundary = jnp.asarray(radial_field(0, int(np.datetime64(date, "s").astype(np.int64)), 180))
    corona = model_corona(whole, without_monopole(whole, boundary)[0])
    assert 0.005 < float(corona.open_area_fraction) < 0.1
    assert abs(float(corona.self_check)) <= 0.01


@pytest.mark.slow
@pytest.mark.optimized
def test_a_real_map_passes_the_self_check(shared, whole):
    frame = read_synoptic(shared / "data" / "synoptic" / "hmi_mrdailysynframe_20181106.fits")
    boundary = jnp.asarray(remesh(frame.field, frame.cells, grid_cells(whole.grid))[0], jnp.float32)
    corona = model_corona(whole, without_monopole(whole, boundary)[0])
    assert abs(float(corona.self_check)) <= 0.01
    assert 1.5e22 < corona.open_flux < 3.5e22
    assert 0.05 < corona.open_area_fraction < 0.2
    assert not np.isnan(corona.expansion).any()


@pytest.mark.slow
@pytest.mark.optimized
def test_an_ensemble_is_compiled_once():
    transform = make_transform(Grid(18, 36), 8)
    boundaries = np.random.default_rng(0).normal(size=(3, 18, 36))
    boundaries = jnp.asarray(boundaries - boundaries.mean(axis=(1, 2), keepdims=True), jnp.float32)
    settings = ModelSettings(rss=2.0, seed_radius=1.05)
    before = model_corona._cache_size()
    for boundary in boundaries:
        model_corona(transform, boundary, settings)
    assert model_corona._cache_size() == before + 1


@pytest.mark.parametrize(("rss", "seed_radius"), [(2.5, 0.9), (2.5, 2.5), (0.5, 1.0)])
def test_seeds_outside_of_the_model(rss, seed_radius):
    with pytest.raises(ValueError, match=f"below the source surface's, got {seed_radius} and {rss}"):
        ModelSettings(rss, seed_radius)


def test_a_source_surface_beyond_all_fields_is_refused_before():
    with pytest.raises(ValueError, match=r"rss = 1e\+09: expected a source surface below 100 solar radii"):
        ModelSettings(rss=1e9)
