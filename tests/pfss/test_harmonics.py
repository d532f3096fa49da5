import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import sph_legendre_p_all

from munit_jax.pfss.harmonics import (
    Grid,
    analysis,
    make_transform,
    mean_over_sphere,
    power,
    synthesis,
)
from tfds_sdoml.synthetic_sun.field import TRUTH_COLUMNS, TRUTH_ROWS, map_latitudes


def random_coefficients(lmax, seed=0):
    generator = np.random.default_rng(seed)
    a = generator.normal(size=(lmax + 1, lmax + 1)) + 1j * generator.normal(size=(lmax + 1, lmax + 1))
    a[0] = a[0].real
    return np.triu(a)


def test_weights_add_up_to_the_sphere_and_integrate_exactly():
    grid = Grid(18, 36)
    assert grid.solid_angles.sum() * 36 == pytest.approx(4 * np.pi, rel=1e-14)
    sine = np.sin(np.deg2rad(grid.latitudes))
    assert (grid.solid_angles * sine**16).sum() * 36 == pytest.approx(4 * np.pi / 17, rel=1e-13)


def test_the_synthetic_sun_is_on_the_same_grid():
    grid = Grid(TRUTH_ROWS, TRUTH_COLUMNS)
    np.testing.assert_array_equal(grid.latitudes, map_latitudes(TRUTH_ROWS))
    np.testing.assert_array_equal(grid.longitudes, np.arange(360) + 0.5)


def test_round_trip_in_double_precision():
    with jax.enable_x64(True):
        transform = make_transform(Grid(), 89, np.float64)
        a = random_coefficients(89)
        np.testing.assert_allclose(analysis(transform, synthesis(transform, jnp.asarray(a))), a, atol=2e-13)


def test_transform_agrees_with_ducc0():
    ducc0 = pytest.importorskip("ducc0", reason="ducc0 is in the group `reference`")
    with jax.enable_x64(True):
        transform = make_transform(Grid(), 89, np.float64)
        a = random_coefficients(89)
        ours = np.asarray(synthesis(transform, jnp.asarray(a)))
    packed = np.concatenate([row[m:] for m, row in enumerate(a)])[None]
    theirs = ducc0.sht.synthesis_2d(alm=packed, spin=0, lmax=89, geometry="F1", ntheta=180, nphi=360, phi0=np.pi / 360)[
        0, ::-1
    ]
    assert np.abs(ours - theirs).max() <= 1e-12 * np.abs(theirs).max()


def test_single_precision_agrees_with_double():
    grid = Grid(42, 48)
    a = random_coefficients(20)
    single = synthesis(make_transform(grid, 20), jnp.asarray(a, jnp.complex64))
    with jax.enable_x64(True):
        double = synthesis(make_transform(grid, 20, np.float64), jnp.asarray(a))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, double, atol=2e-6 * np.abs(double).max())


def test_hand_values():
    transform = make_transform(Grid(12, 24), 4)
    sine = np.sin(np.deg2rad(transform.grid.latitudes))[:, None] * np.ones(24)
    a = np.array(analysis(transform, jnp.asarray(sine, jnp.float32)))
    assert a[0, 1] == pytest.approx(np.sqrt(4 * np.pi / 3), rel=1e-6)  # Y_10 = sqrt(3 / 4 pi) cos(theta)
    a[0, 1] = 0
    assert np.abs(a).max() < 1e-6
    # x = cos(latitude) cos(longitude) = -sqrt(8 pi / 3) Re Y_11, and a real field has half of it at order 1
    x = np.sqrt(1 - sine**2) * np.cos(np.deg2rad(transform.grid.longitudes))
    assert analysis(transform, jnp.asarray(x, jnp.float32))[1, 1] == pytest.approx(-np.sqrt(2 * np.pi / 3), rel=1e-6)


def test_slope_is_the_derivative():
    grid, lmax, step = Grid(26, 52), 12, 1e-6
    theta = np.deg2rad(90 - grid.latitudes)
    after, before = (sph_legendre_p_all(lmax, lmax, theta + by)[0][:, : lmax + 1] for by in (step, -step))
    with jax.enable_x64(True):
        transform = make_transform(grid, lmax, np.float64)
    np.testing.assert_allclose(transform.slope, ((after - before) / (2 * step)).swapaxes(0, 1), atol=1e-7)


def test_powers_add_up_to_the_mean_square():
    with jax.enable_x64(True):
        transform = make_transform(Grid(24, 48), 10, np.float64)
        a = jnp.asarray(random_coefficients(10))
        field = synthesis(transform, a)
        assert power(a, a).sum() == pytest.approx(float(mean_over_sphere(transform, field**2)), rel=1e-12)


def test_leading_axes_are_an_ensemble():
    transform = make_transform(Grid(12, 24), 5)
    maps = jnp.asarray(np.random.default_rng(1).normal(size=(2, 3, 12, 24)), jnp.float32)
    many = synthesis(transform, analysis(transform, maps))
    one = synthesis(transform, analysis(transform, maps[1, 2]))
    np.testing.assert_allclose(many[1, 2], one, atol=1e-6)


@pytest.mark.parametrize("lmax", [0, 6, 12, 30])
def test_a_degree_that_the_grid_does_not_resolve(lmax):
    with pytest.raises(ValueError, match=f"lmax = {lmax} on 12 x 24 cells: expected 1 to 5, half of the rows less one"):
        make_transform(Grid(12, 24), lmax)


def test_a_grid_that_does_not_fit_into_memory_is_refused_before():
    with pytest.raises(
        ValueError, match=r"1000000 rows with lmax = 9 take about 200010 GB of memory and the machine has"
    ):
        make_transform(Grid(1_000_000, 2_000_000), 9)


@pytest.mark.parametrize(("rows", "lmax"), [(12, 5), (13, 6), (36, 17), (37, 18)])
def test_the_round_trip_is_exact_up_to_the_largest_degree(rows, lmax):
    """Of even and odd numbers of rows; a degree more would not be."""
    with jax.enable_x64(True):
        a = random_coefficients(lmax)
        transform = make_transform(Grid(rows, 2 * rows), lmax, np.float64)
        np.testing.assert_allclose(analysis(transform, synthesis(transform, jnp.asarray(a))), a, atol=2e-14)
    with pytest.raises(ValueError, match=f"expected 1 to {lmax}"):
        make_transform(Grid(rows, 2 * rows), lmax + 1)


def test_a_grid_of_nothing():
    with pytest.raises(ValueError, match="2 rows and columns or more, got 1 x 360"):
        Grid(1, 360)
