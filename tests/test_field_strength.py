"""The strength of the field from the brightness: features, the fit, and what it does to realisations."""

import numpy as np
import pytest

from munit_jax.field_strength import FieldStrength, feature_count, features, fit_field_strength
from munit_jax.sun.disk import mu, on_disk, sdoml_geometry

SIZE = 64
INSIDE = on_disk(sdoml_geometry(SIZE), 0.9)
COUNT = 17  # of features of one channel, with mu


def image(seed: int, channels: int = 1) -> np.ndarray:
    """Return a disk of random brightness in DN/s."""
    return np.random.default_rng(seed).gamma(2, 100, (SIZE, SIZE, channels)).astype(np.float32)


def flat(value: float) -> FieldStrength:
    """Return a regression that says the same |B| everywhere, applied wholly."""
    return FieldStrength(value**0.5, (0.0,) * COUNT, exponent=1.0)


def test_a_uniform_disk_has_no_features_but_mu():
    of_uniform = np.asarray(features(np.full((SIZE, SIZE, 1), 150.0)))
    assert of_uniform.shape == (SIZE, SIZE, COUNT)
    np.testing.assert_allclose(of_uniform[..., 0], np.nan_to_num(mu(sdoml_geometry(SIZE))), atol=1e-6)
    np.testing.assert_allclose(of_uniform[..., 1:], 0, atol=1e-6)


def test_features_of_a_bright_and_of_a_dark_pixel_by_hand():
    euv = np.full((SIZE, SIZE, 1), 100.0)
    euv[32, 32], euv[20, 20] = 100 * np.e, 1.0
    of_pixels = np.asarray(features(euv))
    assert of_pixels[32, 32, 1] == pytest.approx(1, rel=1e-4)
    assert of_pixels[20, 20, 1] == pytest.approx(np.log(0.1), rel=1e-4), "darker than a tenth of the median is noise"
    # The middle of a Gaussian of 0.7 pixels has 1 / (sum of exp(-k^2 / 2 / 0.7^2))^2 of a pixel's contrast.
    share = 1 / np.exp(-0.5 * (np.arange(-9, 10) / 0.7) ** 2).sum() ** 2
    assert of_pixels[32, 32, 2] == pytest.approx(share, rel=1e-3)
    assert of_pixels[32, 32, 6] == pytest.approx(share**2, rel=1e-3)
    assert of_pixels[20, 20, 10] == pytest.approx(-np.log(0.1) * share, rel=1e-3)


def test_features_do_not_depend_on_the_exposure_and_are_of_every_channel():
    euv = image(0, channels=2)
    both = np.asarray(features(euv))
    assert both.shape[-1] == 2 * COUNT - 1 == feature_count(2)
    np.testing.assert_allclose(features(3 * euv), both, atol=1e-4)
    np.testing.assert_allclose(features(euv[..., 1:])[..., 1:], both[..., COUNT:], atol=1e-5)


def test_a_linear_law_is_found():
    """sqrt(|B|) = 4 + 2 times the smoothed contrast, up to the penalty."""
    pairs = []
    for seed in range(4):
        euv = image(seed)
        root = 4 + 2 * np.asarray(features(euv))[..., 3]
        pairs.append((euv, np.random.default_rng(seed).choice([-1, 1], root.shape) * root**2))
    fitted = fit_field_strength(pairs[:3], exponent=0.5)
    made = np.asarray(fitted.of(pairs[3][0]))[INSIDE]
    true = np.abs(pairs[3][1])[INSIDE]
    assert np.corrcoef(made, true)[0, 1] > 0.995
    assert np.mean(made) == pytest.approx(np.mean(true), rel=0.02)
    with pytest.raises(ValueError, match="no pairs"):
        fit_field_strength([], exponent=0.5)


def test_pairs_are_fitted_in_any_order_and_outside_the_disk_does_not_count():
    pairs = [(image(seed), image(seed + 10)[..., 0]) for seed in range(3)]
    one = fit_field_strength(pairs, exponent=0.5)
    edged = [(euv, np.where(INSIDE, field, 1e6)) for euv, field in reversed(pairs)]
    other = fit_field_strength(edged, exponent=0.5)
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-6, atol=1e-9)


def test_a_realisation_that_agrees_stays_as_it_is():
    field = np.full((1, SIZE, SIZE, 1), -7.0)
    np.testing.assert_allclose(flat(40.0).applied(field, image(0)), field, rtol=1e-5)


@pytest.mark.parametrize(("exponent", "ratio"), [(0.0, 4.0), (0.5, 2.0), (1.0, 1.0)])
def test_two_halves_of_unlike_strength_by_hand(exponent, ratio):
    """East 5 G, west 20 G, and the same brightness: half of the ratio's logarithm is left at 0.5, nothing at 1."""
    field = np.full((1, SIZE, SIZE, 1), 5.0)
    field[:, :, SIZE // 2 :] = -20
    strength = FieldStrength(3.0, (0.0,) * COUNT, exponent)
    made = np.asarray(strength.applied(field, image(0)))[0, ..., 0]
    east, west = made[32, 22], made[32, 42]  # ten pixels from the border, which is smoothed over one
    assert east > 0 > west
    assert west / -east == pytest.approx(ratio, rel=1e-4)
    if exponent == 1:
        assert east == pytest.approx(np.abs(field[0, ..., 0][INSIDE]).mean(), rel=1e-3), "the network says how much"


def test_realisations_do_not_depend_on_each_other_nor_the_sky_on_the_disk():
    made = np.random.default_rng(0).normal(0, 10, (3, SIZE, SIZE, 1)).astype(np.float32)
    strength = FieldStrength(2.0, tuple(np.linspace(-0.3, 0.3, COUNT)), exponent=0.5)
    together = np.asarray(strength.applied(made, image(0)))
    np.testing.assert_allclose(strength.applied(made[1:2], image(0))[0], together[1], rtol=1e-5)
    disk = on_disk(sdoml_geometry(SIZE))
    np.testing.assert_array_equal(together[:, ~disk], made[:, ~disk])
    np.testing.assert_array_equal(np.sign(together), np.sign(made))
    assert not np.allclose(together[:, disk], made[:, disk], rtol=0.1)
