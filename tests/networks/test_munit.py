"""The networks as a whole: sizes, initial weights, shapes, and bad input."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.networks import munit
from munit_jax.networks.initialization import parameter_stream
from munit_jax.networks.munit import DOMAINS, Architecture
from tests.architectures import SMALL


def count(tree) -> int:
    return sum(x.size for x in jax.tree.leaves(tree))


@pytest.fixture(scope="module")
def generators():
    return munit.init_generators(SMALL, 0)


@pytest.fixture(scope="module")
def euv():
    return jax.random.uniform(jax.random.key(1), (2, 32, 32, 2), minval=-1)


@pytest.mark.parametrize(
    ("channels", "content", "style", "decoder", "generator", "discriminator", "total"),
    [
        (1, 5_379_584, 2_758_664, 5_748_353, 15_007_369, 8_265_027, 46_544_792),
        (3, 5_385_856, 2_764_936, 5_754_627, 15_026_187, 8_271_171, 46_594_716),
    ],
)
def test_parameter_counts_are_the_reference_s(channels, content, style, decoder, generator, discriminator, total):
    architecture = Architecture(euv_channels=channels, magnetogram_channels=channels)
    generators, discriminators = munit.init_generators(architecture, 0), munit.init_discriminators(architecture, 0)
    for domain in DOMAINS:
        part = generators[domain]
        mlp = count(part["decoder"]["mlp"])
        assert (count(part["content"]), count(part["style"]), mlp) == (content, style, 1_120_768)
        assert count(part["decoder"]) - mlp == decoder
        assert count(part) == generator
        assert count(discriminators[domain]) == discriminator
        assert count(discriminators[domain]["scale_0"]) * 3 == discriminator
    assert count(generators) + count(discriminators) == total


def test_initialisation_has_the_reference_s_spread():
    architecture = Architecture(width=16, discriminator_width=16)
    generators = munit.init_generators(architecture, 0)
    kernel = generators["euv"]["content"]["residual_0"]["first"]["kernel"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * kernel.shape[2])), rel=0.02)
    gamma = generators["euv"]["decoder"]["up_0"]["norm"]["gamma"]
    assert 0 <= gamma.min() < 0.2 < 0.8 < gamma.max() <= 1
    discriminators = munit.init_discriminators(architecture, 0)
    assert discriminators["euv"]["scale_0"]["convolution_3"]["kernel"].std() == pytest.approx(0.02, rel=0.02)
    biases = [x for path, x in jax.tree_util.tree_leaves_with_path(generators) if "bias" in jax.tree_util.keystr(path)]
    assert biases
    assert all((b == 0).all() for b in biases)


def by_path(tree) -> dict[str, np.ndarray]:
    return {jax.tree_util.keystr(path): np.asarray(x) for path, x in jax.tree_util.tree_leaves_with_path(tree)}


def test_one_more_residual_block_leaves_all_other_weights():
    """But for the layer whose width grows with the blocks."""
    small, large = (
        by_path(munit.init_generators(dataclasses.replace(SMALL, residual_blocks=blocks), 0)) for blocks in (1, 2)
    )
    assert set(small) < set(large)
    assert set(large) - set(small) == {path for path in large if "residual_1" in path}
    grown = {path for path in small if small[path].shape != large[path].shape}
    assert grown == {path for path in small if "adain" in path}
    for path in set(small) - grown:
        np.testing.assert_array_equal(small[path], large[path], err_msg=path)


def test_no_two_parameters_share_a_random_stream():
    """Nor do two seeds or the two sides; a stream is the same each time."""
    architecture = Architecture()
    paths = {
        (side, "/".join(key.key for key in path))
        for side, tree in (
            ("generators", munit.generator_shapes(architecture)),
            ("discriminators", jax.eval_shape(lambda: munit.init_discriminators(architecture, 0))),
        )
        for path, _ in jax.tree_util.tree_leaves_with_path(tree)
    }
    paths |= {(other, path) for side, path in paths for other in ("generators", "discriminators")}

    def first(seed, side, path):
        return tuple(parameter_stream(seed, side, path).integers(0, 2**63, 2).tolist())

    drawn = {(seed, *place): first(seed, *place) for seed in (0, 1, 2) for place in paths}
    assert len(set(drawn.values())) == len(drawn) == 3 * len(paths)
    assert all(first(*place) == values for place, values in list(drawn.items())[:20])


def test_shapes(generators, euv):
    content = munit.encode_content(SMALL, generators, "euv", euv)
    style = munit.encode_style(SMALL, generators, "euv", euv)
    assert content.shape == (2, 8, 8, 16)
    assert style.shape == (2, 3)
    magnetogram = munit.decode(SMALL, generators, "magnetogram", content, style)
    assert magnetogram.shape == (2, 32, 32, 1)
    assert np.abs(magnetogram).max() <= 1
    discriminators = munit.init_discriminators(SMALL, 0)
    logits = munit.discriminate(SMALL, discriminators, "magnetogram", magnetogram)
    assert [x.shape for x in logits] == [(2, 2, 2, 1), (2, 1, 1, 1)]


def test_realisations_are_translations_of_one_image(generators, euv):
    styles = jax.random.normal(jax.random.key(5), (3, 3))
    expected = [munit.translate(SMALL, generators, "euv", euv[:1], style[None])[0] for style in styles]
    for at_once in (1, 2, 3):
        made = munit.realisations(SMALL, generators, "euv", euv[:1], styles, at_once)
        np.testing.assert_allclose(made, np.stack(expected), atol=1e-5)


def test_winograd_s_algorithm_makes_the_same_images(generators, euv):
    fast = dataclasses.replace(SMALL, convolution="winograd")
    styles = jax.random.normal(jax.random.key(5), (2, 3))
    plain = munit.realisations(SMALL, generators, "euv", euv[:1], styles)
    np.testing.assert_allclose(munit.realisations(fast, generators, "euv", euv[:1], styles), plain, atol=1e-4)


@pytest.fixture(scope="module")
def gradient(generators, euv):
    """The gradient of something that both encoders and the decoder have a part in, and how it is lowered."""

    def of(architecture):
        def loss(generators):
            content = munit.encode_content(architecture, generators, "euv", euv)
            style = munit.encode_style(architecture, generators, "magnetogram", euv[..., :1])
            return jnp.square(munit.decode(architecture, generators, "magnetogram", content, style)).sum()

        lowered = jax.jit(jax.grad(loss)).lower(generators)
        return lowered.compile()(generators), lowered.as_text()

    plain, text = of(SMALL)
    assert "optimization_barrier" not in text
    return of, plain


@pytest.mark.slow
@pytest.mark.parametrize("recompute", ["activations", "blocks", "networks", "all"])
def test_what_is_computed_again_changes_nothing(gradient, recompute):
    of, plain = gradient
    again, text = of(dataclasses.replace(SMALL, recompute=recompute))
    assert "optimization_barrier" in text  # the backward pass does begin again
    for ours, theirs in zip(jax.tree.leaves(again), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_style_changes_the_image_and_not_its_neighbours_in_the_batch(generators, euv):
    content = munit.encode_content(SMALL, generators, "euv", euv)
    one, other = munit.draw_style(SMALL, jax.random.key(5), 2), munit.draw_style(SMALL, jax.random.key(6), 2)
    mixed = jnp.stack([one[0], other[1]])
    image = munit.decode(SMALL, generators, "euv", content, one)
    changed = munit.decode(SMALL, generators, "euv", content, mixed)
    np.testing.assert_allclose(image[0], changed[0], atol=1e-6)
    assert np.abs(image[1] - changed[1]).max() > 1e-3


@pytest.mark.parametrize("value", [0.0, pytest.param(-1.0, marks=pytest.mark.slow)])
def test_constant_images_give_finite_values_and_gradients(generators, value):
    image = jnp.full((1, 32, 32, 2), value)

    @jax.jit
    @jax.value_and_grad
    def loss(params):
        style = munit.draw_style(SMALL, jax.random.key(0), 1)
        translated = munit.translate(SMALL, params, "euv", image, style)
        back = munit.translate(
            SMALL, params, "magnetogram", translated, munit.encode_style(SMALL, params, "euv", image)
        )
        return jnp.abs(back - image).mean() + translated.mean()

    total, gradient = loss(generators)
    assert np.isfinite(total)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


def test_bfloat16_compute_keeps_float32_weights_and_outputs(generators, euv):
    half = dataclasses.replace(SMALL, dtype="bfloat16")
    style = munit.draw_style(SMALL, jax.random.key(0), 2)
    full, low = (munit.translate(a, generators, "euv", euv, style) for a in (SMALL, half))
    assert low.dtype == jnp.float32
    assert 0 < np.abs(full - low).mean() < 0.05
    assert all(x.dtype == jnp.float32 for x in jax.tree.leaves(munit.init_generators(half, 0)))


def test_bad_images(generators):
    with pytest.raises(
        ValueError, match=r"euv images must have shape \(batch, height, width, 2\), got \(1, 32, 32, 1\)"
    ):
        munit.encode_content(SMALL, generators, "euv", jnp.zeros((1, 32, 32, 1)))
    with pytest.raises(ValueError, match=r"must be multiples of 4 \(2 downsamplings\), got 32 x 30"):
        munit.encode_style(SMALL, generators, "euv", jnp.zeros((1, 32, 30, 2)))


def test_smallest_size_is_the_smallest_that_works():
    discriminators = munit.init_discriminators(SMALL, 0)
    size = SMALL.smallest_size
    assert size == 32
    munit.discriminate(SMALL, discriminators, "euv", jnp.zeros((1, size, size, 2)))
    with pytest.raises(ValueError, match="reflect padding"):
        munit.discriminate(SMALL, discriminators, "euv", jnp.zeros((1, size // 2, size // 2, 2)))
