"""The dipole between the surface and the source surface, whose lines are known: r^2 B_r sin^2(theta) is constant."""

import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.pfss.field import radial_factor
from munit_jax.pfss.fieldlines import course, neutral_line, trace
from munit_jax.pfss.harmonics import Grid, analysis, make_transform
from munit_jax.pfss.interpolation import cartesian, field_at, latitude_longitude, map_at
from munit_jax.pfss.model import cell_points, corona_grid

RSS = 2.5
OPEN_BELOW = 49.684  # degrees of colatitude: asin(sqrt(rss^2 B_r(rss) / B_r(1)))


def strength(r):
    return float(radial_factor(jnp.ones(1), r, RSS)[0])


@pytest.fixture(scope="module")
def dipole():
    transform = make_transform(Grid(), 10)
    boundary = jnp.asarray(np.sin(np.deg2rad(transform.grid.latitudes))[:, None] * np.ones(360), jnp.float32)
    return transform, corona_grid(transform, analysis(transform, boundary))


def test_the_boundary_of_open_field(dipole):
    colatitude = np.arange(49.0, 50.4, 0.005)
    seeds = cartesian(jnp.asarray(90 - colatitude), jnp.full(len(colatitude), 77.7)).astype(jnp.float32)
    ends = trace(dipole[1], seeds, jnp.ones(len(seeds), jnp.float32))
    assert (ends.inner | ends.outer).all()
    assert np.rad2deg(np.arcsin(np.sqrt(RSS**2 * strength(RSS)))) == pytest.approx(OPEN_BELOW, abs=1e-3)
    assert colatitude[np.asarray(ends.outer)].max() == pytest.approx(OPEN_BELOW, abs=0.03)
    assert colatitude[np.asarray(ends.inner)].min() == pytest.approx(OPEN_BELOW, abs=0.03)


def test_footpoints_of_lines_from_the_source_surface(dipole):
    transform, volume = dipole
    points = cell_points(transform, RSS)[::45]  # every row, in eight columns
    ends = trace(volume, points, -jnp.sign(points[:, 2]))
    assert ends.inner.all()
    latitude, longitude = (np.asarray(x) for x in latitude_longitude(points))
    sine = np.cos(np.deg2rad(latitude)) * np.sqrt(RSS**2 * strength(RSS))
    expected = np.sign(latitude) * np.rad2deg(np.arccos(sine))
    found, around = (np.asarray(x) for x in latitude_longitude(ends.points))
    assert np.abs(found - expected).mean() <= 0.02
    assert np.abs((around - longitude + 180) % 360 - 180).max() <= 0.02


def test_closed_lines_end_at_the_mirrored_latitude(dipole):
    seeds = cartesian(jnp.array([5.0, 20.0, 35.0]), jnp.array([0.2, 120.0, 359.9])).astype(jnp.float32)
    ends = trace(dipole[1], seeds, jnp.ones(3, jnp.float32))
    assert ends.inner.all()
    latitude, longitude = latitude_longitude(ends.points)
    np.testing.assert_allclose(latitude, [-5, -20, -35], atol=0.05)
    np.testing.assert_allclose(longitude, [0.2, 120.0, 359.9], atol=0.01)


def test_chunks_do_not_matter(dipole):
    seeds = cartesian(jnp.linspace(-80.0, 80.0, 50), jnp.linspace(0.0, 350.0, 50)).astype(jnp.float32)
    along = jnp.sign(seeds[:, 2])
    one = trace(dipole[1], seeds, along)
    many = trace(dipole[1], seeds, along, chunk=16)
    np.testing.assert_allclose(one.points, many.points, atol=1e-6)
    assert (one.outer == many.outer).all()


def test_the_course_ends_where_the_trace_does(dipole):
    seeds = cartesian(jnp.array([80.0, 20.0]), jnp.array([10.0, 200.0])).astype(jnp.float32)
    along = jnp.ones(2, jnp.float32)
    points = course(dipole[1], seeds, along)
    assert np.linalg.norm(points[-1], axis=-1) == pytest.approx([RSS, 1.0], abs=1e-5)
    np.testing.assert_allclose(points[-1], trace(dipole[1], seeds, along).points, atol=2e-3)
    assert (np.linalg.norm(points, axis=-1) >= 1 - 1e-6).all()


def test_the_field_between_the_cells_and_at_the_poles(dipole):
    points = jnp.array([[0.0, 0.0, 1.5], [1e-4, 0.0, -2.0], [0.9, -0.9, 0.7], [1.2, 1e-6, 0.3]], jnp.float32)
    b = np.asarray(field_at(dipole[1], points))
    radius = np.linalg.norm(points, axis=1)
    radial = (b * np.asarray(points)).sum(axis=1) / radius
    expected = [strength(float(r)) * z / r for r, z in zip(radius, np.asarray(points)[:, 2], strict=True)]
    np.testing.assert_allclose(radial, expected, rtol=2e-3)


def test_a_map_between_its_cells():
    grid = Grid(18, 36)
    values = jnp.asarray(grid.latitudes[:, None] + np.cos(np.deg2rad(grid.longitudes))[None], jnp.float32)
    at = map_at(grid, values, jnp.array([0.0, 45.0]), jnp.array([0.0, 185.0]))
    np.testing.assert_allclose(at, [np.cos(np.deg2rad(5)), 45 + np.cos(np.deg2rad(185))], atol=1e-5)


def test_the_neutral_line_of_a_tilted_dipole_goes_around():
    grid = Grid(90, 180)
    latitude, longitude = np.deg2rad(grid.latitudes)[:, None], np.deg2rad(grid.longitudes)[None]
    tilt = np.deg2rad(20)
    lines = neutral_line(grid, np.sin(latitude) * np.cos(tilt) + np.cos(latitude) * np.cos(longitude) * np.sin(tilt))
    points = np.concatenate(lines)
    expected = np.rad2deg(np.arctan(-np.tan(tilt) * np.cos(np.deg2rad(points[:, 1]))))
    np.testing.assert_allclose(points[:, 0], expected, atol=0.02)
    assert np.ptp(points[:, 1]) == pytest.approx(360)
