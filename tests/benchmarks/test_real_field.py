"""The corona of real fields: a Sun put together from looks at it, its holes and its loops."""

import numpy as np
import pytest

from benchmarks.real_field import GRID, POLAR_FIELD, _holes, _lines, euv_image, looks, whole_sun
from munit_jax.sun.constants import DAY, SYNODIC_CARRINGTON_DAYS
from munit_jax.sun.disk import heliographic, heliographic_to_pixel, mu, sdoml_geometry

START = 1_430_000_000
SINE = np.sin(np.deg2rad(GRID.latitudes))[:, None]
DIPOLE = (POLAR_FIELD * np.sign(SINE) * SINE**8 * np.ones((1, 360))).astype(np.float32)


def bipole(apart: float, strength: float = 80.0) -> np.ndarray:
    """Two round spots on the equator, `apart` degrees from each other around longitude 180, in the dipole."""
    latitude, longitude = GRID.latitudes[:, None], GRID.longitudes[None]

    def spot(at: float) -> np.ndarray:
        return strength * np.exp(-((latitude**2 + (longitude - at) ** 2) / 2 / 3.0**2))

    return (DIPOLE + spot(180 - apart / 2) - spot(180 + apart / 2)).astype(np.float32)


def test_the_whole_sun_is_put_together_from_the_earths_looks():
    """B_r = 40 G sin(3 longitude) cos(latitude)^2, seen every two days of a rotation."""
    times = [START + 2 * k * DAY for k in range(14)]
    geometries = [sdoml_geometry(64, 0.0, -2 * k * 360 / SYNODIC_CARRINGTON_DAYS % 360) for k in range(14)]

    def field(latitude, longitude):
        return 40 * np.sin(np.deg2rad(3 * longitude)) * np.cos(np.deg2rad(latitude)) ** 2

    seen = [np.nan_to_num(field(*heliographic(geometry)) * mu(geometry)) for geometry in geometries]
    found = whole_sun(looks(times, geometries, seen), times[7])
    low = np.abs(GRID.latitudes) < 55
    expected = field(GRID.latitudes[:, None], GRID.longitudes[None])
    assert np.corrcoef(found[low].ravel(), expected[low].ravel())[0, 1] > 0.99
    assert found[low].std() == pytest.approx(expected[low].std(), rel=0.1)
    late = whole_sun(looks(times[:1], geometries[:1], seen[:1]), times[13])
    assert late[90].std() < 1, "a look of 26 days before does not count"


def test_the_poles_of_a_dipole_are_holes_and_its_equator_is_not():
    _, openness = _lines(DIPOLE, np.random.default_rng(0))
    holes = _holes(openness, DIPOLE)
    assert holes[:8].min() > 0.9
    assert holes[-8:].min() > 0.9
    assert holes[75:105].max() < 0.1


def test_loops_join_the_poles_of_a_bipole():
    """Between two spots it is brighter with the loops of both than above each spot alone."""
    geometry, rng = sdoml_geometry(64, 0.0, 180.0), np.random.default_rng(0)
    field = bipole(16)
    points, _ = _lines(field, rng)
    ends = points[-1][np.linalg.norm(points[-1], axis=-1) < 1.01]
    longitude = np.rad2deg(np.arctan2(ends[:, 1], ends[:, 0])) % 360
    assert len(ends) > 1000, "most lines are closed"
    assert (np.abs(longitude - 180) < 25).mean() > 0.9
    x, y, _ = heliographic_to_pixel(geometry, np.zeros(3), np.array([172.0, 180.0, 188.0]), 1.0)
    at = np.rint(y).astype(int), np.rint(x).astype(int)
    euv = euv_image(field, geometry, "0193", rng)
    quiet = np.median(euv[25:40, 5:60])
    assert (euv[at] > 3 * quiet).all()
    far = sdoml_geometry(64, 0.0, 0.0)
    assert euv_image(field, far, "0193", rng)[at].max() < 2 * quiet, "the Sun hides what is behind it"
