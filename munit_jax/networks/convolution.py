"""Convolutions of NHWC images, and that of an upsampled image without making it."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from munit_jax.networks.winograd import winograd

# Phase p of the doubled image, tap of the 3 on the small image, taps of the 5 that fall on its pixel.
PHASES = np.array(
    [
        [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]],
        [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 1]],
    ],
    np.float32,
)


def reflect_pad(x: Float[Array, "b h w c"], padding: int) -> Float[Array, "b h2 w2 c"]:
    """Pad height and width by mirroring about the edge pixel, which is not repeated."""
    if padding == 0:
        return x
    if min(x.shape[1:3]) <= padding:
        raise ValueError(
            f"reflect padding by {padding} needs more than {padding} pixels a side, got {x.shape[1]} x {x.shape[2]}: "
            "use larger images, fewer downsamplings or fewer discriminator scales"
        )
    return jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), mode="reflect")


# How 3 x 3 convolutions are computed: as sums, or by minimal filtering.
Algorithm = Literal["direct", "winograd"]


def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "kh kw c o"], stride: int = 1, algorithm: Algorithm = "direct"
) -> Float[Array, "b h2 w2 o"]:
    """Return the convolution (correlation, as networks have it) of an image that is padded already.

    `winograd` is for kernels of 3 x 3 with stride 1; others are direct in any case.
    """
    if algorithm == "winograd" and stride == 1 and kernel.shape[:2] == (3, 3):
        return winograd(x, kernel)
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def convolve_upsampled(
    x: Float[Array, "b h w c"], kernel: Float[Array, "5 5 c o"], algorithm: Algorithm = "direct"
) -> Float[Array, "b h2 w2 o"]:
    """Return the 5 x 5 convolution of the image doubled by repeating each pixel and reflect-padded by 2.

    The doubled image is never made. On each of its four phases (even and odd rows and columns) the 5 taps fall on 3
    pixels of the small image: four 3 x 3 convolutions give the same sums with 36 products a small pixel, not 100.
    They repeat the edge pixels, which equals reflection but for the outermost tap of the outermost pixel: it falls on
    the next pixel, which four convolutions of single lines correct. Exact up to round-off.
    """
    b, h, w, c = x.shape
    if min(h, w) < 2:
        raise ValueError(f"upsampling needs at least 2 pixels a side, got {h} x {w}: use larger images")
    phases = jnp.asarray(PHASES, kernel.dtype)
    small = jnp.einsum("pak,qbl,klio->abipqo", phases, phases, kernel).astype(x.dtype)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    y = convolve(padded, small.reshape(3, 3, c, -1), algorithm=algorithm)
    y = y.reshape(b, h, w, 2, 2, -1).transpose(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, -1)
    kernel = kernel.astype(x.dtype)
    top = _convolve_line(x[:, 1] - x[:, 0], kernel[0], "reflect")
    bottom = _convolve_line(x[:, -2] - x[:, -1], kernel[4], "reflect")
    left = _convolve_line(x[:, :, 1] - x[:, :, 0], kernel[:, 0], "edge")
    right = _convolve_line(x[:, :, -2] - x[:, :, -1], kernel[:, 4], "edge")
    rows = _first_and_last(top[:, None], bottom[:, None], 2 * h, axis=1)
    columns = _first_and_last(left[:, :, None], right[:, :, None], 2 * w, axis=2)
    return y + rows + columns


def _convolve_line(line: Float[Array, "b n c"], kernel: Float[Array, "5 c o"], padding: str) -> Float[Array, "b n2 o"]:
    """The convolution of a line of pixels, doubled and padded."""
    doubled = jnp.pad(jnp.repeat(line, 2, axis=1), ((0, 0), (2, 2), (0, 0)), mode=padding)
    return jax.lax.conv_general_dilated(doubled, kernel, (1,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))


def _first_and_last(first: Array, last: Array, length: int, axis: int) -> Array:
    """Two lines, of extent 1 along the axis, as the outermost of an image of zeros."""
    between = list(first.shape)
    between[axis] = length - 2
    return jnp.concatenate([first, jnp.zeros(between, first.dtype), last], axis)
