"""Planes of context: what they are at a pixel, and that augmentation gives those of the Sun that it makes."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from munit_jax.data.augment import flip_images
from munit_jax.data.context import check_planes, context_of, context_signs
from munit_jax.errors import ConfigError
from munit_jax.sun.cycle import MINIMA
from munit_jax.sun.disk import DiskGeometry, heliographic_to_pixel, mu, on_disk, sdoml_geometry

PLANES = ("hale_latitude", "mu", "cycle_phase")
CYCLE_24 = (MINIMA[3] + MINIMA[4]) / 2  # half way
CYCLE_25 = datetime(2023, 6, 1, tzinfo=UTC).timestamp()
FAR = DiskGeometry(101, 40.0, (50.0, 50.0), distance=1e7)  # so far away that rays are parallel


def context(geometry: DiskGeometry, time: float = CYCLE_24, names: tuple[str, ...] = PLANES) -> np.ndarray:
    planes = context_of(names, geometry, time)
    assert planes is not None
    return planes


def plane(name: str, geometry: DiskGeometry, time: float = CYCLE_24) -> np.ndarray:
    return context(geometry, time, (name,))[..., 0]


def test_hale_latitude_by_hand():
    """The sine of the latitude, which is y in solar radii for B0 = 0, and its negative in the odd cycles."""
    sine = plane("hale_latitude", FAR)
    for row, column, y in ((50, 50, 0), (70, 50, 20), (30, 50, -20), (70, 80, 20), (50, 89, 0), (89, 50, 39)):
        assert sine[row, column] == pytest.approx(y / 40, abs=1e-6)
    np.testing.assert_array_equal(plane("hale_latitude", FAR, CYCLE_25), -sine)


def test_hale_latitude_of_a_sun_that_is_tilted():
    """In the centre stands B0, 30 degrees further north 30 degrees more."""
    sine = plane("hale_latitude", replace(FAR, b0=7.0))
    assert sine[50, 50] == pytest.approx(np.sin(np.deg2rad(7)), abs=1e-6)
    assert sine[70, 50] == pytest.approx(np.sin(np.deg2rad(37)), abs=1e-6)
    assert sine[30, 50] == pytest.approx(np.sin(np.deg2rad(-23)), abs=1e-6)


def test_hale_latitude_follows_the_parallels_of_a_near_observer():
    """Points of one latitude, found on the image the other way, have one value: its sine."""
    geometry = DiskGeometry(401, 180.0, (190.0, 205.0), b0=-6.0, l0=70.0, distance=60.0)
    sine = plane("hale_latitude", geometry)
    for latitude in (-40.0, 0.0, 15.0):
        x, y, visible = heliographic_to_pixel(geometry, np.full(9, latitude), np.linspace(30, 110, 9))
        assert visible.all()
        found = sine[y.round().astype(int), x.round().astype(int)]
        np.testing.assert_allclose(found, np.sin(np.deg2rad(latitude)), atol=1 / 180)


def test_mu_by_hand():
    """sqrt(1 - r^2): 1 in the centre, 0.8 at 0.6 radii, 0.22 in the last pixel of a row."""
    cosine = plane("mu", FAR)
    for row, column, expected in ((50, 50, 1), (50, 74, 0.8), (26, 50, 0.8), (50, 89, np.sqrt(1 - (39 / 40) ** 2))):
        assert cosine[row, column] == pytest.approx(expected, abs=1e-5)
    np.testing.assert_array_equal(plane("mu", FAR, CYCLE_25), cosine)


def test_cycle_phase_is_one_value_on_the_disk():
    disk = on_disk(FAR)
    phase = plane("cycle_phase", FAR)
    np.testing.assert_allclose(phase[disk], 0.5)
    assert (plane("cycle_phase", FAR, MINIMA[4])[disk] == 0).all()


@pytest.mark.parametrize("geometry", [FAR, sdoml_geometry(64, -5.0), DiskGeometry(48, 20.0, (21.3, 26.8), b0=7.0)])
def test_off_the_disk_all_are_0_and_the_limb_is_finite(geometry):
    planes = context(geometry)
    assert planes.shape == (geometry.size, geometry.size, 3)
    assert planes.dtype == np.float32
    assert np.isfinite(planes).all()
    disk = on_disk(geometry)
    assert (planes[~disk] == 0).all()
    assert (planes[disk][:, 1:] > 0).all()
    np.testing.assert_allclose(planes[disk][:, 1], mu(geometry)[disk], rtol=1e-6)


def test_planes_come_in_the_order_asked():
    planes, turned = (context(FAR, names=names) for names in (PLANES, PLANES[::-1]))
    np.testing.assert_array_equal(planes, turned[..., ::-1])
    np.testing.assert_array_equal(context_signs(PLANES), [-1, 1, 1])
    np.testing.assert_array_equal(context_signs(PLANES[::-1]), [1, 1, -1])


@pytest.mark.parametrize(
    "geometry", [sdoml_geometry(64, 5.0, 120.0, 216.0), DiskGeometry(48, 20.0, (21.3, 26.8), b0=-7.0, distance=80.0)]
)
def test_the_flip_of_augmentation_gives_the_context_of_the_mirrored_sun(geometry):
    """Seen in a mirror at the equator, the observer's latitude changes its sign, and north stands below."""
    x, y = geometry.centre
    mirrored = replace(geometry, b0=-geometry.b0, centre=(x, geometry.size - 1 - y))
    planes, expected = context(geometry), context(mirrored)
    flipped = flip_images({"context": planes}, {"context": context_signs(PLANES)})["context"]
    np.testing.assert_allclose(flipped, expected, atol=1e-6)
    assert np.abs(planes - expected).max() > 0.1, "it is another view"


def test_the_reversal_of_augmentation_gives_the_context_of_the_next_cycle():
    """At the same phase of the next cycle hale_latitude alone is another, and only by its sign."""
    geometry = sdoml_geometry(64, 5.0)
    later = MINIMA[4] + 5.5 * 365.25 * 86400  # half way too
    now, then = context(geometry), context(geometry, later)
    np.testing.assert_allclose(now * context_signs(PLANES), then, atol=1e-6)
    assert np.abs(now[..., 0]).max() > 0.9


def test_without_planes_there_is_no_context_and_no_cycle_is_asked_for():
    assert context_of((), FAR, 0.0) is None
    assert context_signs(()).shape == (0,)
    assert context(FAR, 0.0, ("mu",)).shape == (101, 101, 1)


def test_a_time_whose_cycle_is_not_known():
    for name in ("hale_latitude", "cycle_phase"):
        with pytest.raises(ValueError, match=r"^1970-01-01: the cycles are known from 1976-03-01 to"):
            context_of((name,), FAR, 0.0)


def test_planes_that_cannot_be():
    check_planes(())
    check_planes(PLANES)
    with pytest.raises(
        ConfigError, match=r"^data.context has no plane hue, l0: choose of hale_latitude, mu, cycle_phase"
    ):
        check_planes(("l0", "mu", "hue"))
    with pytest.raises(ConfigError, match=r"^data.context=\('mu', 'cycle_phase', 'mu'\) has a plane twice$"):
        check_planes(("mu", "cycle_phase", "mu"))
