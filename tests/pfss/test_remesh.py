import numpy as np
import pytest

from munit_jax.pfss.harmonics import Grid
from munit_jax.pfss.remesh import Cells, car_cells, cea_cells, grid_cells, node_cells, overlap, remesh


def flux(field, cells):
    areas = np.diff(cells.sines)[:, None] * np.deg2rad(np.diff(cells.longitudes))
    return (field * areas).sum()


def test_overlap_by_hand():
    parts = overlap(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5, 2.0]))
    np.testing.assert_allclose(parts, [[1, 0], [1 / 3, 2 / 3]])


@pytest.mark.parametrize("source", [cea_cells(40, 90, left=333.3), car_cells(25, 64, left=-120.0)])
def test_flux_is_kept_exactly(source):
    field = np.random.default_rng(0).normal(size=source.shape)
    target = grid_cells(Grid(30, 60))
    there = remesh(field, source, target)
    assert flux(there, target) == pytest.approx(flux(field, source), rel=1e-12)
    assert remesh(np.ones(source.shape), source, target) == pytest.approx(1.0)


def test_longitudes_stay_where_they_are():
    source, target = cea_cells(18, 36, left=330.0), cea_cells(18, 36)
    field = np.zeros((18, 36))
    field[4, 1] = 7.0  # from 340 to 350 degrees
    assert remesh(field, source, target)[4, 34] == pytest.approx(7.0)


def test_there_and_back():
    grid = grid_cells(Grid(20, 40))
    fine = grid_cells(Grid(60, 120))
    field = np.random.default_rng(0).normal(size=(2, 20, 40))
    np.testing.assert_allclose(remesh(remesh(field, grid, fine), fine, grid), field, atol=1e-12)


def test_nodes_have_half_cells_at_the_poles():
    cells = node_cells(np.array([-90.0, -30.0, 30.0, 90.0]), np.arange(0.0, 360.0, 10.0))
    np.testing.assert_allclose(np.rad2deg(np.arcsin(cells.sines)), [-90, -60, 0, 60, 90])
    assert cells.longitudes[[0, 1]].tolist() == [-5, 5]


def test_cells_that_do_not_cover_the_sphere():
    with pytest.raises(ValueError, match=r"cells must cover the sphere once: .* got -1 to 0\.5"):
        Cells(np.array([-1.0, 0.5]), np.array([0.0, 360.0]))


def test_a_field_of_another_shape():
    with pytest.raises(ValueError, match=r"the field has \(3, 4\) cells, expected \(18, 36\)"):
        remesh(np.zeros((3, 4)), cea_cells(18, 36), cea_cells(18, 36))
