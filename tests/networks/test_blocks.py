"""The layers: what the norms set, how borders are treated, what constant images do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.networks import blocks


def draw(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def test_adaptive_instance_norm_sets_the_statistics_it_is_given():
    x = 5 + 3 * draw(2, 16, 16, 3)
    shift = jnp.array([[1.0, -2.0, 0.0], [4.0, 0.5, -1.0]])
    scale = jnp.array([[2.0, 0.5, 0.0], [-1.0, 3.0, 1.0]])
    y = blocks.adaptive_instance_norm(x, shift, scale)
    np.testing.assert_allclose(y.mean((1, 2)), shift, atol=1e-5)
    np.testing.assert_allclose(y.std((1, 2)), np.abs(scale), atol=1e-5)


def test_instance_norm_forgets_gain_and_offset_of_each_channel():
    x = draw(1, 8, 8, 2)
    gain, offset = jnp.array([2.0, 30.0])[None, None, None], jnp.array([-1.0, 7.0])[None, None, None]
    np.testing.assert_allclose(blocks.instance_norm(x * gain + offset), blocks.instance_norm(x), atol=2e-5)


def test_layer_norm_by_hand():
    # Values 1, 2, 3, 6: mean 3, unbiased variance (4 + 1 + 0 + 9) / 3.
    x = jnp.array([1.0, 2.0, 3.0, 6.0]).reshape(1, 2, 1, 2)
    y = blocks.layer_norm(x, jnp.array([1.0, 10.0]), jnp.array([0.0, 100.0]))
    deviation = np.sqrt(14 / 3)
    np.testing.assert_allclose(y.ravel(), [-2 / deviation, 100 - 10 / deviation, 0, 100 + 30 / deviation], rtol=1e-5)


@pytest.mark.parametrize("value", [0.0, -1.0, 0.37])
@pytest.mark.parametrize("norm", ["instance", "adain", "layer"])
def test_constant_images_give_finite_values_and_gradients(norm, value):
    """A crop of empty sky: a naive standard deviation has an infinite slope at 0, and training ends in NaN."""
    functions = {
        "instance": blocks.instance_norm,
        "adain": lambda x: blocks.adaptive_instance_norm(x, jnp.ones((1, 2)), jnp.ones((1, 2))),
        "layer": lambda x: blocks.layer_norm(x, jnp.ones(2), jnp.zeros(2)),
    }
    weight = draw(1, 4, 4, 2)
    x = jnp.full((1, 4, 4, 2), value)
    y, gradient = jax.jit(jax.value_and_grad(lambda x: (functions[norm](x) * weight).sum()))(x)
    assert np.isfinite(y)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("norm", ["instance", "layer"])
def test_the_gradient_of_a_norm_is_that_of_finite_differences(norm):
    """What is left out of it, by way of the mean in the variance, is zero."""
    with jax.enable_x64(True):
        x, weights, along = (jnp.asarray(a, jnp.float64) for a in np.random.default_rng(1).normal(size=(3, 2, 4, 4, 3)))
        gamma, beta = jnp.array([1.0, -2.0, 0.5]), jnp.zeros(3)

        @jax.jit
        def total(x):
            y = blocks.instance_norm(x) if norm == "instance" else blocks.layer_norm(x, gamma, beta)
            return jnp.sum(weights * y)

        step = 1e-5
        slope = (total(x + step * along) - total(x - step * along)) / (2 * step)
        np.testing.assert_allclose(jnp.sum(jax.jit(jax.grad(total))(x) * along), slope, rtol=1e-7)


def test_convolution_sees_mirrored_pixels_at_the_border():
    """A kernel that picks the left neighbour finds, at the left edge, the pixel to the right of it."""
    layer = blocks.Convolution(1, 3, padding=1)
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, 0].set(1.0)
    x = jnp.arange(12.0).reshape(1, 3, 4, 1)
    y = layer.apply({"params": {"kernel": kernel, "bias": jnp.array([0.5])}}, x)
    np.testing.assert_allclose(y[0, 1, :, 0], np.array([5, 4, 5, 6]) + 0.5)


def test_cancelled_bias_takes_no_part():
    layer = blocks.Convolution(2, 3, padding=1, bias_cancelled=True)
    x = draw(1, 6, 6, 1)
    params = layer.init(jax.random.key(1), x)["params"]
    moved = {**params, "bias": jnp.array([3.0, -4.0])}
    np.testing.assert_array_equal(layer.apply({"params": params}, x), layer.apply({"params": moved}, x))
    plain = blocks.Convolution(2, 3, padding=1)
    np.testing.assert_allclose(
        blocks.instance_norm(plain.apply({"params": moved}, x)),
        blocks.instance_norm(layer.apply({"params": moved}, x)),
        atol=1e-5,
    )


def test_average_pool_does_not_count_padding():
    x = jnp.ones((1, 6, 6, 1))
    np.testing.assert_allclose(blocks.average_pool(x), np.ones((1, 3, 3, 1)))
    # The corner window holds 4 real pixels: 0, 1, 6, 7.
    y = blocks.average_pool(jnp.arange(36.0).reshape(1, 6, 6, 1))
    assert y[0, 0, 0, 0] == pytest.approx(3.5)
