"""Crops and flips, and what the flips do to the laws that the Sun's field obeys."""

from datetime import UTC, datetime

import numpy as np
import pytest

from munit_jax.data.augment import Distortion, flip_images, random_crop, random_distortion, random_flip, random_reversal
from munit_jax.errors import ConfigError
from munit_jax.sun.disk import heliographic, heliographic_to_pixel, sdoml_geometry
from tfds_sdoml.synthetic_sun.observation import observe

IMAGE = np.arange(30.0).reshape(5, 6, 1)


def test_crop_takes_the_same_window_of_both_domains():
    rng = np.random.default_rng(0)
    windows = set()
    for _ in range(50):
        crop = random_crop({"euv": IMAGE, "magnetogram": -IMAGE}, 4, rng)
        assert crop["euv"].shape == (4, 4, 1)
        np.testing.assert_array_equal(crop["euv"], -crop["magnetogram"])
        windows.add(crop["euv"][0, 0, 0])
    assert windows == {0, 1, 2, 6, 7, 8}, "every window is drawn"
    np.testing.assert_array_equal(random_crop({"euv": IMAGE}, 0, rng)["euv"], IMAGE)
    with pytest.raises(ConfigError, match=r"data.crop=7 is larger than the images \(5 x 6\)"):
        random_crop({"euv": IMAGE}, 7, rng)


def test_physical_flip_mirrors_north_south_and_changes_the_field_s_sign():
    flipped = flip_images({"euv": IMAGE, "magnetogram": IMAGE})
    np.testing.assert_array_equal(flipped["euv"], IMAGE[::-1])
    np.testing.assert_array_equal(flipped["magnetogram"], -IMAGE[::-1])
    twice = flip_images(flipped)
    np.testing.assert_array_equal(twice["magnetogram"], IMAGE)


def test_random_flip_is_drawn_half_the_time():
    rng = np.random.default_rng(0)
    changed = [(random_flip({"euv": IMAGE}, rng)["euv"] != IMAGE).any() for _ in range(400)]
    assert np.mean(changed) == pytest.approx(0.5, abs=0.08)


PLANES = np.stack([np.arange(30.0).reshape(5, 6) + 100 * k for k in range(3)], axis=-1)
SIGNS = {"magnetogram": -1, "context": np.array([-1.0, 1.0, 1.0])}  # of the planes the first goes with the field
EXAMPLE = {"euv": IMAGE, "magnetogram": IMAGE + 50, "context": PLANES}


def test_planes_of_the_field_change_their_sign_with_it():
    physical = flip_images(EXAMPLE, SIGNS)
    np.testing.assert_array_equal(physical["euv"], IMAGE[::-1])
    np.testing.assert_array_equal(physical["magnetogram"], -(IMAGE + 50)[::-1])
    np.testing.assert_array_equal(physical["context"][..., 0], -PLANES[::-1, :, 0])
    np.testing.assert_array_equal(physical["context"][..., 1:], PLANES[::-1, :, 1:])


def test_a_random_flip_is_the_flip_with_its_signs_or_nothing():
    rng = np.random.default_rng(0)
    flipped = flip_images(EXAMPLE, SIGNS)
    seen = set()
    for _ in range(20):
        drawn = random_flip(EXAMPLE, rng, SIGNS)
        changed = bool((drawn["euv"] != IMAGE).any())
        for name, image in (flipped if changed else EXAMPLE).items():
            np.testing.assert_array_equal(drawn[name], image)
        seen.add(changed)
    assert seen == {True, False}


def test_a_random_reversal_turns_the_field_and_what_goes_with_it_half_the_time():
    rng = np.random.default_rng(0)
    turned = []
    for _ in range(400):
        drawn = random_reversal(EXAMPLE, rng, SIGNS)
        sign = np.sign(drawn["magnetogram"][0, 0, 0])
        np.testing.assert_array_equal(drawn["euv"], IMAGE)
        np.testing.assert_array_equal(drawn["magnetogram"], sign * (IMAGE + 50))
        np.testing.assert_array_equal(drawn["context"], PLANES * [sign, 1, 1])
        turned.append(sign < 0)
    assert np.mean(turned) == pytest.approx(0.5, abs=0.08)


def test_a_reversal_without_signs_is_of_the_magnetogram_alone():
    rng = np.random.default_rng(1)
    drawn = [random_reversal(EXAMPLE, rng) for _ in range(20)]
    assert {float(example["magnetogram"][0, 0, 0]) for example in drawn} == {-50.0, 50.0}
    for example in drawn:
        np.testing.assert_array_equal(example["context"], PLANES)


SIZE = 256
NORTH = np.arange(SIZE) - (SIZE - 1) / 2  # of each row, pixels from the equator; row 0 is south
BIPOLES = [(22.0, -1.0), (12.0, -1.0), (-8.0, 1.0), (-25.0, 1.0)]  # latitude, and cycle 24's leading sign there


def bipole(latitude: float, leading_sign: float) -> np.ndarray:
    """A magnetogram of one active region seen from above the equator, tilted by Joy's law, west to the right."""
    geometry = sdoml_geometry(SIZE, 0.0, 0.0, 215.0)
    image = np.zeros((SIZE, SIZE, 1))
    tilt = np.deg2rad(0.5 * latitude)
    for side, sign in ((1, leading_sign), (-1, -leading_sign)):
        lat, lon = latitude - side * 5 * np.sin(tilt), side * 5 * np.cos(tilt)
        x, y, _ = heliographic_to_pixel(geometry, np.array([lat]), np.array([lon]))
        image[round(y[0]), round(x[0])] = sign
    return image


def laws(magnetogram: np.ndarray) -> tuple[bool, bool]:
    """Whether the one region obeys this cycle's Hale's law, and Joy's: the leading polarity nearer to the equator."""
    (row, column), (other_row, other_column) = np.argwhere(magnetogram[..., 0])
    if column < other_column:
        row, column, other_row = other_row, other_column, row
    hale = magnetogram[row, column, 0] == -np.sign(NORTH[row])
    joy = abs(NORTH[row]) < abs(NORTH[other_row])
    return bool(hale), bool(joy)


@pytest.mark.parametrize(("latitude", "sign"), BIPOLES)
def test_only_the_physical_flip_keeps_hale_and_joy(latitude, sign):
    sun = bipole(latitude, sign)
    assert laws(sun) == (True, True)
    assert laws(flip_images({"magnetogram": sun})["magnetogram"]) == (True, True)
    assert laws(sun[:, ::-1]) == (False, False), "east-west"
    assert laws(-sun[:, ::-1]) == (True, False), "east-west with the sign changed"
    assert laws(sun[::-1]) == (False, True), "north-south without the sign changed"
    assert laws(sun[::-1, ::-1]) == (True, False), "a rotation by 180 degrees"


def test_physical_flip_of_the_synthetic_sun_keeps_its_polar_caps():
    """Before the reversal of cycle 24 the northern cap is negative: so it is on the mirrored Sun."""
    frame = observe(0, int(datetime(2011, 3, 1, tzinfo=UTC).timestamp()), 64, ("0193",))
    latitude, _ = heliographic(sdoml_geometry(64, 0.0, 0.0, frame.geometry.distance))
    for magnetogram in (frame.magnetogram, flip_images({"magnetogram": frame.magnetogram})["magnetogram"]):
        assert magnetogram[latitude > 60].mean() < -0.2
        assert magnetogram[latitude < -60].mean() > 0.2


SPOT = np.zeros((33, 33, 1), np.float32)
SPOT[16, 26] = 100.0  # ten pixels from the middle


def test_no_distortion_draws_nothing():
    rng, other = np.random.default_rng(0), np.random.default_rng(0)
    np.testing.assert_array_equal(random_distortion(EXAMPLE, Distortion(), rng)["euv"], IMAGE)
    assert rng.random() == other.random(), "other random changes of a run stay as they are"


def places(**by: float) -> np.ndarray:
    """Where the spot of two images goes, by its centre of mass from the middle: (draws, row and column)."""
    rng, found = np.random.default_rng(1), []
    for _ in range(300):
        drawn = random_distortion({"euv": SPOT, "magnetogram": -SPOT}, Distortion(**by), rng)
        np.testing.assert_array_equal(drawn["euv"], -drawn["magnetogram"])
        image = drawn["euv"][..., 0]
        found.append([(image * axis).sum() / image.sum() - 16 for axis in np.mgrid[:33, :33]])
    return np.array(found)


def test_a_turn_is_about_the_middle():
    place = places(turn=5.0)
    np.testing.assert_allclose(np.hypot(*place.T), 10, atol=0.3)
    assert np.rad2deg(np.arctan2(*place.T)).std() == pytest.approx(5, rel=0.15)


def test_a_zoom_is_about_the_middle():
    place = places(zoom=0.1)
    np.testing.assert_allclose(place[:, 0], 0, atol=1e-5)
    assert np.log(place[:, 1] / 10).std() == pytest.approx(0.1, rel=0.15)


def test_a_shift_is_a_part_of_the_image():
    assert places(shift=0.05).std(axis=0) == pytest.approx([33 * 0.05] * 2, rel=0.15)


def test_gain_and_gamma_change_the_brightness_alone():
    rng, bright = np.random.default_rng(2), np.array([50.0, 200.0]).repeat(50).reshape(10, 10, 1)
    example = {"euv": bright, "magnetogram": bright}
    drawn = [random_distortion(example, Distortion(gain=0.2, gamma=0.1), rng) for _ in range(400)]
    for one in drawn:
        np.testing.assert_array_equal(one["magnetogram"], bright)
    low, high = np.log([[d["euv"].min(), d["euv"].max()] for d in drawn]).T
    assert ((low + high) / 2 - np.log(100)).std() == pytest.approx(0.2, rel=0.15)
    assert np.log((high - low) / np.log(4)).std() == pytest.approx(0.1, rel=0.15)


def test_noise_is_of_each_pixel():
    flat = np.full((64, 64, 1), 100.0)
    noisy = random_distortion({"euv": flat}, Distortion(noise=0.05), np.random.default_rng(3))["euv"]
    assert np.log(noisy).std() == pytest.approx(0.05, rel=0.1)
    assert np.log(noisy).mean() == pytest.approx(np.log(100), abs=0.01)
