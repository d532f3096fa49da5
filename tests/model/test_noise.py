"""Noise that a style code fixes: what it is, and where decoders have it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.model import munit
from munit_jax.model.noise import key_of_style, noise_planes
from munit_jax.objectives import Objective, generate
from tests.model.test_munit import TINY, count

NOISY = dataclasses.replace(TINY, noise=True)
STYLES = jax.random.normal(jax.random.key(5), (2, 3))


@pytest.fixture(scope="module")
def generators():
    return munit.init_generators(NOISY, 0)


@pytest.fixture(scope="module")
def content():
    return jax.random.normal(jax.random.key(1), (2, 8, 8, 16))


@pytest.fixture(scope="module")
def decode(generators):
    """The decoder of magnetograms, compiled once."""
    apply = jax.jit(lambda *inputs: munit.decode(NOISY, generators, "magnetogram", *inputs))
    return lambda content, styles, noise=None: apply(content, styles, None, noise)


def test_planes_are_standard_normal_at_every_resolution():
    planes = noise_planes(STYLES, (128, 64), 3)
    assert [plane.shape for plane in planes] == [(2, 128, 64, 1), (2, 64, 32, 1), (2, 32, 16, 1)]
    for plane in planes:
        several = plane[..., 0].reshape(2, -1)
        within = 4 / np.sqrt(several.shape[1])  # four standard deviations of a mean
        np.testing.assert_allclose(several.mean(axis=1), 0, atol=within)
        np.testing.assert_allclose(several.std(axis=1), 1, atol=within)
        assert abs(np.corrcoef(several)[0, 1]) < within


def test_a_style_fixes_its_noise_whatever_it_is_drawn_beside():
    together, alone = noise_planes(STYLES, (16, 16), 2), noise_planes(STYLES[1:], (16, 16), 2)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_array_equal(a[1:], b)


def test_styles_that_differ_in_one_bit_have_other_noise():
    style = np.asarray(STYLES[0], np.float32)
    other = style.copy()
    other[-1] = np.nextafter(style[-1], np.float32(9))
    keys = [jax.random.key_data(key_of_style(jnp.asarray(x))) for x in (style, other)]
    assert (keys[0] != keys[1]).any()


def test_parameters_by_hand(generators):
    """One more input of three convolutions, to 8, 4 and the image's channels; a weight and a bias of 16 channels."""
    plain = munit.init_generators(TINY, 0)
    for domain, channels in (("euv", 2), ("magnetogram", 1)):
        more = count(generators[domain]) - count(plain[domain])
        assert more == 25 * 8 + 25 * 4 + 49 * channels + 2 * 16


def test_realisations_differ_by_noise_where_the_content_is_one(content, decode):
    flat = jnp.ones_like(content)
    quiet, noisy = decode(flat, STYLES, jnp.zeros(2)), decode(flat, STYLES)
    inside = slice(8, -8)  # away from the mirrored rim
    assert np.ptp(quiet[0, inside, inside]) < 1e-3 * np.ptp(noisy[0, inside, inside])


def test_strength_is_of_each_image(content, decode):
    mixed = decode(content, STYLES, jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(mixed[:1], decode(content, STYLES, jnp.zeros(2))[:1], atol=1e-6)
    np.testing.assert_allclose(mixed[1:], decode(content, STYLES)[1:], atol=1e-6)


@pytest.mark.parametrize("recompute", ["nothing", "blocks"])
def test_training_reconstructs_without_noise_and_translates_with_it(generators, recompute):
    a = dataclasses.replace(NOISY, recompute=recompute)
    images = {
        "euv": jax.random.uniform(jax.random.key(2), (2, 32, 32, 2), minval=-1),
        "magnetogram": jax.random.uniform(jax.random.key(3), (2, 32, 32, 1), minval=-1),
    }
    styles = {"euv": STYLES, "magnetogram": -STYLES}
    made = jax.jit(lambda generators: generate(a, Objective(cycle_weight=1.0), generators, images, styles))(generators)

    def decoded(content, style, strength):
        return munit.decode(NOISY, generators, "magnetogram", content, style, None, jnp.full(2, strength))

    content, style = made.content, made.style["magnetogram"]
    expected = {
        "reconstruction": decoded(content["magnetogram"], style, 0.0),
        "translation": decoded(content["euv"], -STYLES, 1.0),
        "cycle": decoded(made.recovered_content["magnetogram"], style, 0.0),
    }
    for name, image in expected.items():
        np.testing.assert_allclose(getattr(made, name)["magnetogram"], image, atol=1e-5, err_msg=name)
