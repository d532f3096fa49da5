"""The source surface of a disk alone: linear, as the whole chain makes it, and differentiable."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.losses import source_surface_error
from munit_jax.pfss.boundary import boundary_maps, radial_views
from munit_jax.pfss.disk_corona import DiskCorona, disk_corona
from munit_jax.pfss.field import source_surface
from munit_jax.pfss.harmonics import Grid, make_transform
from munit_jax.sun.disk import mu, on_disk, sdoml_geometry

SIZE = 48
DISK = on_disk(sdoml_geometry(SIZE))


@pytest.fixture(scope="module")
def corona() -> DiskCorona:
    return disk_corona(SIZE)


def magnetograms(count: int = 2) -> np.ndarray:
    """Return bipoles on the disk along the line of sight."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    images = np.zeros((count, SIZE, SIZE))
    for image in images:
        for sign in (1, -1, 1, -1):
            middle = rng.uniform(16, 32, 2)
            image += sign * 100 * np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / 12)
    return np.where(DISK, images * np.nan_to_num(mu(sdoml_geometry(SIZE))), 0).astype(np.float32)


def test_it_is_linear(corona):
    one, two = jnp.asarray(magnetograms())
    together = corona.surface(jnp.stack([one, two, 2 * one - 3 * two]))
    np.testing.assert_allclose(together[2], 2 * together[0] - 3 * together[1], atol=1e-5)
    assert float(jnp.abs(together[0]).max()) > 1e-3


def test_north_for_south_with_the_other_sign_is_the_surface_turned_over(corona):
    """The physical flip of training: it changes both sides of the loss alike."""
    one = jnp.asarray(magnetograms(1))
    turned = corona.surface(-one[:, ::-1])
    np.testing.assert_allclose(turned, -corona.surface(one)[:, ::-1], atol=1e-5)


def test_it_is_what_the_whole_chain_makes_of_the_disk_on_a_finer_grid(corona):
    grid = Grid(180, 360)
    transform = make_transform(grid, 60)
    images = jnp.asarray(magnetograms())
    nothing = jnp.zeros((180, 360))
    boundaries, _ = boundary_maps(transform, *radial_views(grid, [sdoml_geometry(SIZE)], [images]), nothing)
    fine = np.asarray(jax.vmap(lambda b: source_surface(transform, b))(boundaries))
    coarse = np.asarray(corona.surface(images))
    rows = len(coarse[0])
    # Every coarse cell is compared with the fine value at its middle.
    row = (np.arange(rows) + 0.5) * 180 / rows - 0.5
    column = (np.arange(2 * rows) + 0.5) * 360 / (2 * rows) - 0.5
    sampled = fine[:, np.round(row).astype(int)][:, :, np.round(column).astype(int) % 360]
    assert np.corrcoef(sampled.ravel(), coarse.ravel())[0, 1] > 0.99
    assert np.abs(coarse).max() == pytest.approx(np.abs(sampled).max(), rel=0.1)


def test_the_loss_has_the_gradient_of_finite_differences(corona):
    true = jnp.asarray(magnetograms(1))
    made, weights = 0.5 * true, corona.transform.solid_angles
    target = corona.surface(true)

    def loss(magnetogram):
        return source_surface_error(corona.surface(magnetogram), target, weights)

    gradient = jax.grad(loss)(made)
    direction = jnp.asarray(magnetograms(3)[2:])
    step = 0.1
    difference = (loss(made + step * direction) - loss(made - step * direction)) / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(difference), rel=1e-3)


def test_grid_grows_with_the_image_within_limits():
    assert [disk_corona(size).transform.grid.rows for size in (16, 64, 256)] == [26, 26, 108]
