"""Decoders that are conditioned on planes: what they have beside the others, and what they do with it."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.networks import munit
from munit_jax.networks.conditioning import ContextEncoder, Modulation
from munit_jax.networks.munit import DOMAINS
from tests.architectures import SMALL
from tests.networks.test_munit import count

CONDITIONED = dataclasses.replace(SMALL, context_planes=3)
OWN = {"context", "modulation_in", "modulation_out", "modulation_0", "modulation_1"}  # of a conditioned decoder


@pytest.fixture(scope="module")
def generators():
    return munit.init_generators(CONDITIONED, 0)


@pytest.fixture(scope="module")
def euv():
    return jax.random.uniform(jax.random.key(1), (2, 32, 32, 2), minval=-1)


@pytest.fixture(scope="module")
def context():
    return jax.random.uniform(jax.random.key(2), (2, 32, 32, 3), minval=-1)


@pytest.fixture(scope="module")
def translate():
    """The translation of EUV images, compiled once for each architecture."""

    def of(architecture):
        return jax.jit(
            lambda generators, image, styles, context: munit.translate(
                architecture, generators, "euv", image, styles, context
            )
        )

    compiled = {architecture: of(architecture) for architecture in (SMALL, CONDITIONED)}
    return lambda architecture, *arguments: compiled[architecture](*arguments)


@pytest.fixture(scope="module")
def styles():
    return jax.random.normal(jax.random.key(5), (2, 3))


def shapes(tree) -> dict[str, tuple[int, ...]]:
    return {jax.tree_util.keystr(path): x.shape for path, x in jax.tree_util.tree_leaves_with_path(tree)}


def without_own(generators):
    """The parameters that a decoder has in any case."""
    return {
        domain: {**of_domain, "decoder": {k: v for k, v in of_domain["decoder"].items() if k not in OWN}}
        for domain, of_domain in generators.items()
    }


def test_only_the_decoders_have_parameters_for_planes(generators):
    plain = munit.init_generators(SMALL, 0)
    assert shapes(without_own(generators)) == shapes(plain)
    for domain in DOMAINS:
        assert set(generators[domain]["decoder"]) - set(plain[domain]["decoder"]) == OWN
    assert shapes(munit.init_discriminators(CONDITIONED, 0)) == shapes(munit.init_discriminators(SMALL, 0))


def test_parameters_for_planes_by_hand(generators):
    """Of 3 planes and width 4: features of 4, 8 and 16 channels; what is modulated has 16, 16, 8 and 4."""
    encoder = (25 * 3 * 4 + 4) + (16 * 4 * 8 + 8) + (16 * 8 * 16 + 16)
    modulations = 2 * (2 * (16 * 16 + 16)) + 2 * (8 * 8 + 8) + 2 * (4 * 4 + 4)
    for domain in DOMAINS:
        own = {name: part for name, part in generators[domain]["decoder"].items() if name in OWN}
        assert count(own["context"]) == encoder
        assert count(own) == encoder + modulations


def test_modulation_by_hand():
    """Of the context (1, 3): scales 0.5 and -2.5, shifts 1 and 6; the second feature comes out with the other sign."""
    parameters = {
        "scale": {"kernel": jnp.array([[0.5, 0.0], [0.0, -1.0]])[None, None], "bias": jnp.array([0.0, 0.5])},
        "shift": {"kernel": jnp.array([[1.0, 1.0], [0.0, 2.0]])[None, None], "bias": jnp.array([0.0, -1.0])},
    }
    x, context = jnp.array([2.0, -10.0]).reshape(1, 1, 1, 2), jnp.array([1.0, 3.0]).reshape(1, 1, 1, 2)
    y: Any = Modulation().apply({"params": parameters}, x, context)
    np.testing.assert_allclose(jnp.ravel(y), [2 * 1.5 + 1, -10 * -1.5 + 6], rtol=1e-6)


def test_modulation_is_of_each_pixel_by_itself():
    x, context = jnp.ones((1, 4, 4, 2)), jax.random.normal(jax.random.key(0), (1, 4, 4, 3))
    layer: Any = Modulation()
    kernel = jax.random.normal(jax.random.key(1), (1, 1, 3, 2))
    part = {"kernel": kernel, "bias": jnp.ones(2)}
    parameters = {"params": {"scale": part, "shift": part}}
    changed = layer.apply(parameters, x, context.at[0, 1, 2].add(1.0)) != layer.apply(parameters, x, context)
    np.testing.assert_array_equal(np.argwhere(changed.any(axis=-1)), [[0, 1, 2]])


def test_planes_become_features_of_every_resolution_that_the_decoder_passes_through(generators, context):
    parameters = {"params": generators["euv"]["decoder"]["context"]}
    features: Any = ContextEncoder(4, 2).apply(parameters, context)
    assert [x.shape for x in features] == [(2, 32, 32, 4), (2, 16, 16, 8), (2, 8, 8, 16)]


def test_a_modulation_of_nothing_leaves_the_plain_decoder(generators, euv, context, styles, translate):
    """With 0 for the kernels of scales and shifts the other weights make the image that they make without planes."""
    nothing = {
        domain: {
            **of_domain,
            "decoder": {
                name: jax.tree.map(jnp.zeros_like, part) if name.startswith("modulation") else part
                for name, part in of_domain["decoder"].items()
            },
        }
        for domain, of_domain in generators.items()
    }
    conditioned = translate(CONDITIONED, nothing, euv, styles, context)
    plain = translate(SMALL, without_own(generators), euv, styles, None)
    np.testing.assert_allclose(conditioned, plain, atol=1e-6)
    assert np.abs(translate(CONDITIONED, generators, euv, styles, context) - plain).max() > 1e-2


def test_a_context_changes_its_image_and_not_its_neighbours_in_the_batch(generators, euv, context, styles, translate):
    changed = translate(CONDITIONED, generators, euv, styles, context.at[1].multiply(-1.0))
    image = translate(CONDITIONED, generators, euv, styles, context)
    np.testing.assert_allclose(image[0], changed[0], atol=1e-6)
    assert np.abs(image[1] - changed[1]).max() > 1e-2


def test_several_styles_of_a_content_are_decoded_as_one_by_one(generators, euv, context):
    content = munit.encode_content(CONDITIONED, generators, "euv", euv)
    styles = jax.random.normal(jax.random.key(5), (3, len(euv), CONDITIONED.style_size))
    together = munit.decode(
        CONDITIONED, generators, "magnetogram", content, styles.reshape(-1, styles.shape[-1]), context
    )
    alone = [munit.decode(CONDITIONED, generators, "magnetogram", content, style, context) for style in styles]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)


def test_realisations_are_translations_with_the_image_s_context(generators, euv, context, styles, translate):
    expected = translate(
        CONDITIONED, generators, jnp.repeat(euv[:1], 2, axis=0), styles, jnp.repeat(context[:1], 2, axis=0)
    )
    for at_once in (1, 2):
        made = munit.realisations(CONDITIONED, generators, "euv", euv[:1], styles, at_once, context[:1])
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_an_image_plane_is_one_more_plane_of_context(euv, context, styles, translate):
    """The mean of the image's two channels: given as a plane of the context it makes the same image."""
    seeing = dataclasses.replace(SMALL, context_planes=2, image_plane=True)
    generators = munit.init_generators(seeing, 0)
    assert shapes(generators) == shapes(munit.init_generators(CONDITIONED, 0))
    given = jnp.concatenate([context[..., :2], (euv[..., :1] + euv[..., 1:]) / 2], axis=-1)
    expected = translate(CONDITIONED, generators, euv, styles, given)
    np.testing.assert_allclose(
        munit.translate(seeing, generators, "euv", euv, styles, context[..., :2]), expected, atol=1e-6
    )
    made = munit.realisations(seeing, generators, "euv", euv[:1], styles[:1], context=context[:1, ..., :2])
    np.testing.assert_allclose(made, expected[:1], atol=1e-5)


def test_an_image_plane_alone(euv, styles):
    seeing = dataclasses.replace(SMALL, image_plane=True)
    generators = munit.init_generators(seeing, 0)
    image = munit.translate(seeing, generators, "euv", euv, styles)
    brighter = munit.translate(seeing, generators, "euv", euv.at[1].add(0.5), styles)
    np.testing.assert_allclose(image[0], brighter[0], atol=1e-6)
    assert np.abs(image[1] - brighter[1]).max() > 1e-3


@pytest.mark.slow
def test_winograd_s_algorithm_and_bfloat16_make_much_the_same_images(generators, euv, context, styles, translate):
    plain = translate(CONDITIONED, generators, euv, styles, context)

    def other(**changes):
        architecture = dataclasses.replace(CONDITIONED, **changes)
        return munit.translate(architecture, generators, "euv", euv, styles, context)

    np.testing.assert_allclose(other(convolution="winograd"), plain, atol=1e-4)
    low = other(dtype="bfloat16")
    assert low.dtype == jnp.float32
    assert 0 < np.abs(low - plain).mean() < 0.1


@pytest.fixture(scope="module")
def gradient(generators, euv, context, styles):
    """The gradient with respect to the generators of something that the context has a part in."""

    def of(recompute):
        architecture = dataclasses.replace(CONDITIONED, recompute=recompute)

        def loss(generators):
            made = munit.translate(architecture, generators, "euv", euv, styles, context)
            return jnp.square(made).sum()

        return jax.jit(jax.grad(loss))(generators)

    return of, of("nothing")


def test_every_parameter_for_planes_learns(gradient):
    _, plain = gradient
    for path, x in jax.tree_util.tree_leaves_with_path(plain["magnetogram"]["decoder"]):
        if path[0].key in OWN:
            assert np.abs(x).max() > 0, jax.tree_util.keystr(path)


@pytest.mark.slow
@pytest.mark.parametrize("recompute", ["all", "activations"])
def test_what_is_computed_again_changes_nothing(gradient, recompute):
    of, plain = gradient
    for ours, theirs in zip(jax.tree.leaves(of(recompute)), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * max(np.abs(theirs).max(), 1e-6))


@pytest.mark.parametrize(
    ("architecture", "planes", "message"),
    [
        (CONDITIONED, None, "the decoders take a context of 3 planes, got 0"),
        (CONDITIONED, 2, "the decoders take a context of 3 planes, got 2"),
        (SMALL, 3, "the decoders take a context of 0 planes, got 3"),
    ],
)
def test_another_number_of_planes_is_refused(generators, euv, styles, architecture, planes, message):
    context = None if planes is None else jnp.zeros((2, 32, 32, planes))
    with pytest.raises(ValueError, match=message):
        munit.translate(architecture, generators, "euv", euv, styles, context)
    content = jnp.zeros((2, 8, 8, 16))
    with pytest.raises(ValueError, match=message):
        munit.decode(architecture, generators, "euv", content, styles, context)
