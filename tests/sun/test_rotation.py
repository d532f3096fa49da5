"""Differential rotation, and magnetograms turned along with it."""

import numpy as np
import pytest

from munit_jax.sun.disk import heliographic_to_pixel, mu, on_disk, sdoml_geometry
from munit_jax.sun.rotation import CARRINGTON_RATE, rotated, rotation_rate

SIZE = 256


def view(l0: float):
    return sdoml_geometry(SIZE, 3.0, l0)


def region(geometry, latitude: float, longitude: float) -> np.ndarray:
    """Return a radial field of 500 G around a place, seen along the line of sight."""
    x, y, visible = heliographic_to_pixel(geometry, np.array([latitude]), np.array([longitude]))
    assert visible.all()
    rows, columns = np.mgrid[:SIZE, :SIZE]
    spot = 500 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 4.0**2))
    return np.where(on_disk(geometry), spot * np.nan_to_num(mu(geometry)), 0).astype(np.float32)


def middle(field: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return np.array([(field * columns).sum(), (field * rows).sum()]) / field.sum()


def test_rate_at_the_equator_and_at_60_degrees():
    by_hand = 0.0864 * 180 / np.pi  # microradian a second to degrees a day
    assert rotation_rate(np.zeros(1)) == pytest.approx(2.902 * by_hand - CARRINGTON_RATE)
    assert rotation_rate(np.array([60.0])) == pytest.approx(
        (2.902 - 0.464 * 0.75 - 0.328 * 0.75**2) * by_hand - CARRINGTON_RATE
    )


def test_no_time_changes_nothing_inside():
    field = region(view(100.0), 15.0, 110.0)
    same = rotated(field, view(100.0), view(100.0), 0.0)[0]
    inside = on_disk(view(100.0), 0.97)
    np.testing.assert_allclose(same[inside], field[inside], atol=1e-3)


@pytest.mark.parametrize("latitude", [-40.0, 0.0, 20.0])
def test_a_region_goes_where_the_sun_carries_it(latitude):
    """Two days on: the observer sees another central meridian, and the region has drifted in Carrington longitude."""
    then, now = view(100.0), view(73.6)
    longitude = 90.0
    moved, _ = rotated(region(then, latitude, longitude), then, now, 2.0)
    expected = region(now, latitude, longitude + 2 * float(rotation_rate(np.array([latitude]))[0]))
    np.testing.assert_allclose(middle(moved), middle(expected), atol=0.7)
    assert moved.max() == pytest.approx(expected.max(), rel=0.05)


def test_there_and_back_again():
    then, now = view(100.0), view(87.0)
    field = region(then, 20.0, 95.0)
    back, _ = rotated(rotated(field, then, now, 1.0)[0], now, then, -1.0)
    assert np.abs(back - field).max() < 0.05 * field.max()


def test_what_was_hidden_is_empty():
    then, now = view(100.0), view(60.0)
    moved, _ = rotated(np.where(on_disk(then), 100, 0).astype(np.float32), then, now, 3.0)
    x, y, _ = heliographic_to_pixel(now, np.zeros(1), np.array([-25.0 + 360]))
    assert moved[int(y[0]), int(x[0])] == 0, "the east limb of now was behind the Sun"
    assert not np.isnan(moved).any()
    assert moved[SIZE // 2, SIZE // 2] > 50
