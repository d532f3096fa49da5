import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from munit_jax.sun.disk import (
    DiskGeometry,
    heliographic,
    heliographic_to_pixel,
    mu,
    on_disk,
    radius_from_centre,
    sdoml_geometry,
)

VERY_FAR = 1e6  # solar radii: the rays are parallel


def geometry(**kwargs):
    return DiskGeometry(**({"size": 101, "solar_radius": 40.0, "centre": (50.0, 50.0)} | kwargs))


@given(
    b0=st.floats(-7.25, 7.25),
    l0=st.floats(0, 359.9),
    distance=st.floats(2, 1000),
    x=st.floats(20, 80),
    y=st.floats(20, 80),
)
def test_pixel_to_heliographic_and_back(b0, l0, distance, x, y):
    there = geometry(b0=b0, l0=l0, distance=distance, centre=(x, y))
    latitude, longitude = heliographic(there)
    inside = np.isfinite(latitude)
    rows, columns = np.nonzero(inside)
    back_x, back_y, visible = heliographic_to_pixel(there, latitude[inside], longitude[inside])
    inner = radius_from_centre(there)[inside] < 0.999  # the limb itself is a matter of rounding
    np.testing.assert_allclose(back_x[inner], columns[inner], atol=1e-6)
    np.testing.assert_allclose(back_y[inner], rows[inner], atol=1e-6)
    assert visible[inner].all()


def test_centre_of_disk():
    there = geometry(b0=-6.0, l0=123.0)
    latitude, longitude = heliographic(there)
    assert latitude[50, 50] == pytest.approx(-6.0)
    assert longitude[50, 50] == pytest.approx(123.0)
    assert mu(there)[50, 50] == pytest.approx(1.0)


def test_limb_is_where_mu_vanishes():
    there = geometry(distance=3.0)
    assert radius_from_centre(there)[50, 90] == pytest.approx(1.0)
    assert mu(there)[50, 90] == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(mu(there)[50, 91])
    assert np.isnan(heliographic(there)[0][0, 0])


def test_hand_values_for_parallel_rays():
    there = geometry(distance=VERY_FAR)
    latitude, longitude = heliographic(there)
    assert longitude[50, 70] == pytest.approx(30.0, abs=1e-3)  # x = 0.5: west is ahead in Carrington longitude
    assert longitude[50, 30] == pytest.approx(330.0, abs=1e-3)
    assert latitude[70, 50] == pytest.approx(30.0, abs=1e-3)  # rows grow to the north
    assert mu(there)[50, 70] == pytest.approx(np.sqrt(0.75), abs=1e-5)


def test_finite_distance_agrees_with_a_ray_that_meets_the_sphere():
    there = geometry(distance=4.0)
    elongation = np.arctan(radius_from_centre(there)[50, 80] * np.tan(np.arcsin(1 / 4.0)))
    direction = np.array([-np.cos(elongation), np.sin(elongation)])
    observer = np.array([4.0, 0.0])
    along = observer @ direction
    reach = -along - np.sqrt(along**2 - (observer @ observer - 1))
    towards, west = observer + reach * direction
    assert heliographic(there)[1][50, 80] == pytest.approx(np.rad2deg(np.arctan2(west, towards)))
    assert mu(there)[50, 80] == pytest.approx(-direction @ np.array([towards, west]))


def test_b0_shows_a_pole():
    assert heliographic_to_pixel(geometry(b0=7.0), np.array([90.0]), np.array([0.0]))[2]
    assert not heliographic_to_pixel(geometry(b0=-7.0), np.array([90.0]), np.array([0.0]))[2]
    x, y, _ = heliographic_to_pixel(geometry(b0=7.0, distance=VERY_FAR), np.array([90.0]), np.array([0.0]))
    assert x[0] == pytest.approx(50.0)
    assert y[0] == pytest.approx(50 + 40 * np.cos(np.deg2rad(7.0)), abs=1e-3)


def test_the_far_side_is_hidden_but_not_the_corona_beside_it():
    there = geometry(l0=10.0)
    _, _, visible = heliographic_to_pixel(there, np.zeros(3), np.array([10.0, 190.0, 130.0]), np.array([1.2, 1.2, 1.3]))
    assert visible.tolist() == [True, False, True]  # 1.3 sin(120 deg) = 1.13: off the limb


def test_on_disk_limit():
    there = sdoml_geometry(512)
    assert there.solar_radius == pytest.approx(203.3)
    assert there.centre == (255.5, 255.5)
    assert on_disk(there).sum() == pytest.approx(np.pi * 203.3**2, rel=1e-3)
    assert on_disk(there, 200 / 203.3).sum() == pytest.approx(np.pi * 200**2, rel=1e-3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"size": 0}, "must be positive"), ({"solar_radius": -1.0}, "must be positive"), ({"distance": 0.9}, "outside")],
)
def test_impossible_geometry(wrong, message):
    with pytest.raises(ValueError, match=message):
        geometry(**wrong)
