import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.pfss.harmonics import Grid
from munit_jax.pfss.wind import WSA, boundary_distance, expansion_factor, wsa_speed


def test_speeds_by_hand():
    wsa2 = WSA["swig-wsa2"]
    speeds = wsa_speed(wsa2, jnp.array([0.0, 511.0, 0.0]), jnp.array([50.0, 50.0, 0.0]))
    assert speeds == pytest.approx([285 + 625, 285 + 625 / 4, 285 + 625 * 0.2**3])  # 512^(2/9) = 4
    wsa = WSA["swig-wsa"]
    speeds = wsa_speed(wsa, jnp.array([0.0, 7.0]), jnp.array([50.0, 4.0]))
    assert speeds == pytest.approx([800.0, 250 + 680 / 2 * (1 - 0.8 / np.e)])  # capped; (d / w)^b = 1


def test_expansion_by_hand():
    assert expansion_factor(jnp.array([12.5]), jnp.array([0.5]), 2.5) == pytest.approx([4.0])
    assert jnp.isfinite(expansion_factor(jnp.array([12.5]), jnp.array([0.0]), 2.5) / 1e38).all()


def test_distance_agrees_with_all_pairs():
    grid = Grid(24, 48)
    is_open = np.random.default_rng(0).random((24, 48)) < 0.9
    is_open[5] = True  # a row with nothing closed
    distance = np.asarray(boundary_distance(grid, jnp.asarray(is_open)))
    latitude, longitude = np.meshgrid(np.deg2rad(grid.latitudes), np.deg2rad(grid.longitudes), indexing="ij")
    axes = [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    points = np.stack(axes, -1)
    cosine = np.einsum("ijk,nk->ijn", points, points[~is_open]).max(axis=-1)
    expected = np.maximum(np.rad2deg(np.arccos(np.minimum(cosine, 1))) - 3.75, 0)
    np.testing.assert_allclose(distance, np.where(is_open, expected, 0), atol=1e-3)


def test_distance_from_the_pole_of_a_round_hole():
    grid = Grid()
    is_open = jnp.asarray((grid.latitudes > 60)[:, None] & np.ones(360, bool))
    distance = np.asarray(boundary_distance(grid, is_open))
    np.testing.assert_allclose(distance[-1], 29.5, atol=1e-3)
    np.testing.assert_allclose(distance[150], 0.5, atol=1e-3)
    assert distance[:150].max() == 0


@pytest.mark.parametrize(("is_open", "expected"), [(True, 180 - 7.5 / 2), (False, 0.0)])
def test_all_open_or_all_closed(is_open, expected):
    assert boundary_distance(Grid(24, 48), jnp.full((24, 48), is_open)) == pytest.approx(np.full((24, 48), expected))
