"""Minimal filtering gives the same convolutions and gradients as the sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.networks.convolution import convolve, convolve_upsampled
from munit_jax.networks.winograd import INPUT, KERNEL, OUTPUT, winograd


def draw(*shapes, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]


def assert_equal_sums(function, x, kernel, tolerance):
    """The convolution is that of the sums, and its gradients are to ten times the tolerance."""
    y, pull_back = jax.vjp(function, x, kernel)
    expected, pull_back_sums = jax.vjp(convolve, x, kernel)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance)
    (cotangent,) = draw(y.shape)
    for ours, theirs in zip(pull_back(cotangent), pull_back_sums(cotangent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=10 * tolerance)


def test_the_transforms_are_an_identity():
    """In one dimension: OUTPUT (KERNEL g * INPUT d) is the correlation of 6 values with 3 taps, for any of them."""
    for k in range(3):
        for i in range(6):
            products = (KERNEL @ np.eye(3)[k]) * (INPUT @ np.eye(6)[i])
            expected = [float(i == position + k) for position in range(4)]
            np.testing.assert_allclose(OUTPUT @ products, expected, atol=1e-12)


# Whole tiles; a row and a column too many; fewer pixels than a tile.
@pytest.mark.parametrize("shape", [(2, 10, 14, 3), (1, 7, 11, 2), (3, 3, 4, 1)])
def test_it_is_exact_in_float64(shape):
    with jax.enable_x64(True):
        x, kernel = draw(shape, (3, 3, shape[-1], 5))
        assert_equal_sums(winograd, x, kernel, 1e-12)


def test_round_off_in_float32():
    x, kernel = draw((1, 18, 18, 64), (3, 3, 64, 64), dtype=np.float32)
    expected = convolve(x, kernel)
    error = np.abs(winograd(x, kernel) - expected).max() / np.abs(expected).max()
    assert error < 3e-5


# Whole blocks; rows and columns too many.
@pytest.mark.parametrize("size", [5, 7])
@pytest.mark.parametrize(("height", "width"), [(14, 18), (9, 12)])
def test_wider_kernels_on_blocks_are_exact_in_float64(size, height, width):
    with jax.enable_x64(True):
        x, kernel = draw((2, height, width, 2), (size, size, 2, 3))
        assert_equal_sums(lambda *arguments: convolve(*arguments, algorithm="winograd"), x, kernel, 1e-11)


def test_other_kernels_and_strides_are_direct():
    with jax.enable_x64(True):
        for size, stride in ((3, 1), (3, 2), (5, 2), (4, 1), (1, 1)):
            x, kernel = draw((1, 9, 9, 2), (size, size, 2, 2))
            np.testing.assert_allclose(
                convolve(x, kernel, stride, "winograd"), convolve(x, kernel, stride), rtol=0, atol=1e-12
            )
        x, kernel = draw((1, 5, 6, 2), (5, 5, 2, 3))
        np.testing.assert_allclose(
            convolve_upsampled(x, kernel, "winograd"), convolve_upsampled(x, kernel), rtol=0, atol=1e-12
        )
