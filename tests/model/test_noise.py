"""The noise that styles bring: its distribution, what it does to features, decoders with it beside those without."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.model import munit
from munit_jax.model.munit import DOMAINS
from munit_jax.model.noise import Noise, style_noise
from tests.model.test_munit import TINY

NOISY = dataclasses.replace(TINY, style_noise=True)
PLACES = {"noise_out", "noise_0", "noise_1"}  # of a decoder


@pytest.fixture(scope="module")
def styles():
    return jax.random.normal(jax.random.key(0), (4000, 8))


@pytest.fixture(scope="module")
def noise(styles):
    return np.asarray(style_noise(styles, 6, 10))


def test_every_pixel_is_normal_for_styles_of_the_prior(noise):
    np.testing.assert_allclose(noise.mean(0), 0, atol=0.06)
    np.testing.assert_allclose(noise.std(0), 1, atol=0.05)
    inside = (abs(noise) < 1).mean(0)
    np.testing.assert_allclose(inside, 0.683, atol=0.03)


def test_pixels_go_their_own_ways(noise):
    """Directions at random in 8 dimensions have cosines of 0 on average, of 1 / 8 in the square, near and far alike."""
    correlations = np.corrcoef(noise.reshape(len(noise), -1).T)
    others = correlations[~np.eye(60, dtype=bool)]
    assert abs(others.mean()) < 0.02
    assert (others**2).mean() == pytest.approx(1 / 8, rel=0.15)
    neighbours = np.diagonal(correlations, offset=1)
    assert abs(neighbours.mean()) < 0.15
    assert (neighbours**2).mean() == pytest.approx(1 / 8, rel=0.4)


def test_it_is_the_style_s_alone(styles, noise):
    np.testing.assert_allclose(style_noise(styles[2:3], 6, 10)[0], noise[2], atol=1e-6)
    np.testing.assert_allclose(style_noise(-2 * styles[:1], 6, 10)[0], -2 * noise[0], atol=1e-5)
    assert not np.asarray(style_noise(jnp.zeros((1, 8)), 6, 10)).any(), "the mean style has none"


def test_by_hand_it_scales_and_shifts_every_feature(styles):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 10, 3)), jnp.float32)
    scale, shift = jnp.array([0.5, 0.0, -2.0]), jnp.array([0.0, 3.0, 1.0])
    made = Noise().apply({"params": {"noise_scale": scale, "noise_shift": shift}}, x, styles[:2])
    n = np.asarray(style_noise(styles[:2], 6, 10))[..., None]
    x, scale, shift = map(np.asarray, (x, scale, shift))
    np.testing.assert_allclose(made, x + scale * n * x + shift * n, atol=1e-5)


def test_a_decoder_has_it_beside_all_else_and_begins_without():
    plain, noisy = (munit.init_generators(a, 0) for a in (TINY, NOISY))
    for domain in DOMAINS:
        decoder = dict(noisy[domain]["decoder"])
        assert set(decoder) - set(plain[domain]["decoder"]) == PLACES
        strengths = jax.tree.leaves([decoder.pop(place) for place in PLACES])
        assert all(not x.any() for x in strengths)
        rest = {**noisy[domain], "decoder": decoder}
        assert all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), rest, plain[domain])))


def test_the_strength_of_the_noise_is_learnt_and_changes_single_pixels():
    generators, style = munit.init_generators(NOISY, 0), jax.random.normal(jax.random.key(1), (1, TINY.style_size))
    content = jax.random.normal(jax.random.key(2), (1, 8, 8, TINY.width * TINY.size_divisor))

    @jax.jit
    def image(strength, style):
        decoder = {**generators["magnetogram"]["decoder"]}
        decoder |= {place: jax.tree.map(lambda x: x + strength, decoder[place]) for place in PLACES}
        return munit.decode(NOISY, {"magnetogram": {"decoder": decoder}}, "magnetogram", content, style)[0, ..., 0]

    without, with_noise = (np.asarray(image(strength, style)) for strength in (0.0, 0.3))
    difference = with_noise - without
    assert difference.std() > 1e-3
    neighbours = np.corrcoef(difference[:, 1:].ravel(), difference[:, :-1].ravel())[0, 1]
    assert neighbours < 0.9
    gradient = jax.grad(lambda strength: jnp.square(image(strength, style)).mean())(0.0)
    assert abs(float(gradient)) > 1e-6
    mean_style = jnp.zeros_like(style)
    np.testing.assert_allclose(image(0.3, mean_style), image(0.0, mean_style), atol=1e-6)
