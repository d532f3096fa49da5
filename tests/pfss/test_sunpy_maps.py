"""A dipole in SunPy's maps and coordinates: where things are is known."""

import jax.numpy as jnp
import numpy as np
import pytest
from astropy import units as u

from munit_jax.pfss.harmonics import Grid, make_transform
from munit_jax.pfss.model import ModelSettings, model_corona

pytest.importorskip("sunpy.map", reason="sunpy comes with the extra solar")

pytestmark = pytest.mark.slow

DATE = "2012-11-20T12:00:00"
TRANSFORM = make_transform(Grid(36, 72), 9)


@pytest.fixture(scope="module")
def dipole():
    return jnp.asarray(3 * np.sin(np.deg2rad(TRANSFORM.grid.latitudes))[:, None] * np.ones(72), jnp.float32)


@pytest.fixture(scope="module")
def corona(dipole):
    return model_corona(TRANSFORM, dipole)


def test_maps_are_where_the_cells_are(corona):
    from munit_jax.pfss.sunpy_maps import corona_maps

    maps = corona_maps(corona, TRANSFORM.grid, DATE)
    assert set(maps) == {"source_surface", "open_field", "wind_speed", "expansion_factor"}
    surface = maps["source_surface"]
    np.testing.assert_array_equal(surface.data, corona.source_surface)
    assert surface.unit == u.G
    cell = surface.pixel_to_world(3 * u.pix, 30 * u.pix)
    assert cell.lon.deg == pytest.approx(TRANSFORM.grid.longitudes[3])
    assert cell.lat.deg == pytest.approx(TRANSFORM.grid.latitudes[30])
    # The map's observer is the Earth: SunPy's own is there too.
    from sunpy.coordinates import get_earth

    assert surface.observer_coordinate.separation_3d(get_earth(DATE)).to_value(u.R_sun) < 0.05


def test_footpoints_of_the_poles_are_near_the_poles(corona):
    from munit_jax.pfss.sunpy_maps import footpoints

    feet = footpoints(corona, DATE)
    assert feet.shape == (36, 72)
    np.testing.assert_allclose(feet.lat.deg, corona.foot_latitude, atol=1e-5)
    assert feet[-1].lat.deg.min() > 85
    assert feet[18].lat.deg.min() > 90 - 49.684, "open field of a dipole ends there"


def test_lines_of_a_dipole(dipole):
    """An axial dipole's lines stay in their meridian; those from the north pole's cap end at the source surface."""
    from munit_jax.pfss.sunpy_maps import cell_coordinates, field_lines

    seeds = cell_coordinates(TRANSFORM.grid, 1.0, DATE)[[20, 34], 10]
    closed, opened = field_lines(TRANSFORM, dipole, ModelSettings(rss=2.0), seeds)
    for line in (closed, opened):
        np.testing.assert_allclose(line.lon.deg, TRANSFORM.grid.longitudes[10], atol=0.05)
    assert closed.lat.deg[[0, -1]] == pytest.approx([12.5, -12.5], abs=0.3)
    assert closed.radius[[0, -1]].to_value(u.R_sun) == pytest.approx([1, 1], abs=1e-3)
    assert opened.radius[[0, -1]].to_value(u.R_sun) == pytest.approx([1, 2], abs=1e-3)


def test_a_line_through_a_point_of_the_corona_has_both_ends(dipole):
    from munit_jax.pfss.sunpy_maps import cell_coordinates, field_lines

    (line,) = field_lines(TRANSFORM, dipole, ModelSettings(), cell_coordinates(TRANSFORM.grid, 1.5, DATE)[18:19, 0])
    assert line.lat.deg[0] == pytest.approx(-line.lat.deg[-1], abs=3)
    assert line.radius.max().to_value(u.R_sun) == pytest.approx(1.5, abs=0.01)


def test_seeds_beyond_the_source_surface_are_refused(dipole):
    from munit_jax.pfss.sunpy_maps import cell_coordinates, field_lines

    seeds = cell_coordinates(TRANSFORM.grid, 3.0, DATE)[0, :1]
    with pytest.raises(ValueError, match=r"seeds at 3.000 to 3.000 solar radii: expected 1 to 2.5"):
        field_lines(TRANSFORM, dipole, ModelSettings(), seeds)
