"""Padding, and the convolution of an upsampled image that is never made."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.networks.convolution import convolve, convolve_upsampled, reflect_pad


def test_reflect_pad_mirrors_about_the_edge_pixel():
    x = jnp.arange(3.0).reshape(1, 1, 3, 1) + jnp.zeros((1, 3, 1, 1))
    np.testing.assert_array_equal(reflect_pad(x, 2)[0, 0, :, 0], [2, 1, 0, 1, 2, 1, 0])
    with pytest.raises(ValueError, match=r"padding by 3 needs more than 3 pixels a side, got 3 x 3"):
        reflect_pad(x, 3)


def as_written(x, kernel):
    """Nearest upsampling, reflect padding, 5 x 5 convolution."""
    return convolve(reflect_pad(jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2), 2), kernel)


@pytest.mark.parametrize("shape", [(1, 2, 2, 1), (2, 2, 5, 3), (1, 6, 4, 2)])
def test_upsampled_convolution_is_exact(shape):
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        x, kernel = jnp.asarray(rng.normal(size=shape)), jnp.asarray(rng.normal(size=(5, 5, shape[-1], 2)))
        batch, height, width, _ = shape
        cotangent = jnp.asarray(rng.normal(size=(batch, 2 * height, 2 * width, 2)))

        @jax.jit
        def values_and_gradients():
            made = (jax.vjp(function, x, kernel) for function in (convolve_upsampled, as_written))
            return [(y, *pull_back(cotangent)) for y, pull_back in made]

        for ours, theirs in zip(*values_and_gradients(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_upsampled_convolution_by_hand():
    """A kernel that takes the second pixel to the left: 1 1 2 2 3 3 seen from there, mirrored at the edge."""
    kernel = jnp.zeros((5, 5, 1, 1)).at[2, 0].set(1.0)
    x = jnp.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]).reshape(1, 2, 3, 1)
    y = convolve_upsampled(x, kernel)
    np.testing.assert_array_equal(y[0, :, :, 0], [[2.0, 1.0, 1.0, 1.0, 2.0, 2.0]] * 4)


def test_upsampling_needs_two_pixels():
    with pytest.raises(ValueError, match=r"at least 2 pixels a side, got 1 x 4"):
        convolve_upsampled(jnp.zeros((1, 1, 4, 1)), jnp.zeros((5, 5, 1, 1)))
