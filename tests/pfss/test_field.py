import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import sph_harm_y
from threadpoolctl import threadpool_limits

from munit_jax.pfss.boundary import without_monopole
from munit_jax.pfss.field import (
    energy_density,
    field,
    open_flux,
    radial_factor,
    radial_field,
    source_surface,
)
from munit_jax.pfss.harmonics import Grid, analysis, make_transform, mean_over_sphere
from munit_jax.pfss.remesh import cea_cells, grid_cells, remesh
from munit_jax.pfss.synoptic_maps import read_synoptic
from munit_jax.sun.constants import SOLAR_RADIUS_CM

RSS = 2.5
RADII = np.array([1.0, 1.3, 2.0, 2.5])


def analytic(grid, lmax):
    """A boundary of random multipoles and its field, each written out with scipy's harmonics."""
    generator = np.random.default_rng(0)
    theta, phi = np.deg2rad(90 - grid.latitudes)[:, None], np.deg2rad(grid.longitudes)[None]
    boundary, b = 0.0, np.zeros((3, len(RADII), grid.rows, grid.columns))
    for degree in range(1, lmax + 1):
        for m in range(degree + 1):
            a = generator.normal() + 1j * generator.normal()
            y, slope = sph_harm_y(degree, m, theta, phi, diff_n=1)
            boundary = boundary + (a * y).real
            norm = degree + 1 + degree * RSS ** -(2 * degree + 1.0)
            for k, r in enumerate(RADII):
                up, down = (r / RSS) ** (2 * degree + 1), r ** -(degree + 2.0) / norm
                b[0, k] += (a * y).real * down * (degree + 1 + degree * up)
                b[1, k] -= (a * slope[..., 0]).real * down * (1 - up)
                b[2, k] -= (a * slope[..., 1]).real / np.sin(theta) * down * (1 - up)
    return boundary, b


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-11)])
def test_analytic_multipoles(dtype, tolerance):
    grid = Grid(90, 180)
    boundary, expected = analytic(grid, 10)
    with jax.enable_x64(dtype is np.float64):
        transform = make_transform(grid, 10, dtype)
        ours = field(transform, analysis(transform, jnp.asarray(boundary, dtype)), jnp.asarray(RADII, dtype))
    assert ours.dtype == dtype
    for component in range(3):
        for shell in range(len(RADII)):
            error = np.abs(np.asarray(ours[component, shell], np.float64) - expected[component, shell]).max()
            assert error <= tolerance * np.abs(expected[:, shell]).max()


def test_dipole_by_hand():
    transform = make_transform(Grid(), 5)
    dipole = jnp.asarray(3.0 * np.sin(np.deg2rad(transform.grid.latitudes))[:, None] * np.ones(360), jnp.float32)
    surface = source_surface(transform, dipole)
    factor = 2.5**-3 * 3 / (2 + 2.5**-3)  # r^-3 (l + 1 + l) / (l + 1 + l Rss^-3)
    np.testing.assert_allclose(surface, factor * dipole, atol=1e-6)
    flux = 3.0 * factor * 2 * np.pi * (2.5 * SOLAR_RADIUS_CM) ** 2  # the integral of |cos| is 2 pi
    assert open_flux(transform, surface) == pytest.approx(flux, rel=2e-4)


def test_radial_at_the_boundary_is_the_boundary_and_at_the_source_surface_nothing_else():
    transform = make_transform(Grid(30, 60), 8)
    coefficients = analysis(transform, jnp.asarray(np.random.default_rng(0).normal(size=(30, 60)), jnp.float32))
    shells = field(transform, coefficients, jnp.array([1.0, RSS], jnp.float32))
    np.testing.assert_allclose(shells[0, 0], radial_field(transform, coefficients, 1.0), atol=1e-6)
    np.testing.assert_allclose(shells[1:, 1], 0, atol=1e-7)
    assert np.abs(shells[1:, 0]).max() > 0.1


def test_high_degrees_do_not_overflow():
    factor = radial_factor(jnp.arange(180, dtype=jnp.float32), 1.0, 21.5)
    np.testing.assert_allclose(factor, 1, rtol=1e-6)


def test_gradient_of_the_open_flux():
    generator = np.random.default_rng(2)
    with jax.enable_x64(True):
        transform = make_transform(Grid(20, 40), 9, np.float64)
        boundary, direction = (jnp.asarray(generator.normal(size=(20, 40))) for _ in range(2))

        def flux(b):
            return open_flux(transform, source_surface(transform, b)) / 1e22

        slope = (jax.grad(flux)(boundary) * direction).sum()
        step = 1e-6
        difference = (flux(boundary + step * direction) - flux(boundary - step * direction)) / (2 * step)
        assert slope == pytest.approx(float(difference), rel=1e-6)


def test_energy_is_what_the_field_has():
    with jax.enable_x64(True):
        transform = make_transform(Grid(24, 48), 8, np.float64)
        coefficients = analysis(transform, jnp.asarray(np.random.default_rng(0).normal(size=(24, 48))))
        b = field(transform, coefficients, jnp.array([1.4]))[:, 0]
        squared = mean_over_sphere(transform, (b**2).sum(axis=0))
        assert energy_density(transform, coefficients, 1.4) == pytest.approx(float(squared) / (8 * np.pi), rel=1e-12)


def test_vmap_is_a_loop():
    transform = make_transform(Grid(20, 40), 9)
    maps = jnp.asarray(np.random.default_rng(2).normal(size=(3, 20, 40)), jnp.float32)
    many = jax.vmap(source_surface, (None, 0))(transform, maps)
    np.testing.assert_allclose(many, [source_surface(transform, one) for one in maps], atol=1e-6)


@pytest.mark.parametrize("name", ["gong_20190310.fits", "hmi_mrdailysynframe_20181106.fits"])
def test_real_maps_agree_with_sunkit_magex(shared, name):
    pytest.importorskip("sunkit_magex", reason="sunkit-magex is in the group `reference`")
    whole = read_synoptic(shared / "data" / "synoptic" / name)
    cells, shells = cea_cells(180, 360), 36
    equal_area = remesh(whole.field, whole.cells, cells)[0]
    with warnings.catch_warnings(), threadpool_limits(1):  # its many small products stall on more threads
        warnings.simplefilter("ignore")
        import sunpy.map
        from sunkit_magex import pfss
        from sunkit_magex.pfss.utils import carr_cea_wcs_header

        source = sunpy.map.Map(equal_area - equal_area.mean(), carr_cea_wcs_header("2019-03-10", (360, 180)))
        theirs = np.asarray(pfss.pfss(pfss.Input(source, shells, RSS)).source_surface_br.data)
    # Its outer condition acts half a shell below: compare there, and carry the flux to the source surface.
    effective = RSS * np.exp(-np.log(RSS) / shells / 2)
    transform = make_transform(Grid(), 60)
    boundary = jnp.asarray(remesh(equal_area, cells, grid_cells(Grid())), jnp.float32)
    surface = source_surface(transform, without_monopole(transform, boundary)[0], effective) * (effective / RSS) ** 2
    middles = np.rad2deg(np.arcsin((np.arange(180) + 0.5) / 90 - 1))
    ours = np.stack([np.interp(middles, Grid().latitudes, column) for column in np.asarray(surface).T], axis=1)
    assert np.linalg.norm(ours - theirs) <= 2e-3 * np.linalg.norm(theirs)
    assert np.abs(ours).mean() == pytest.approx(np.abs(theirs).mean(), rel=1e-3)
