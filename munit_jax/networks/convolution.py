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


# How convolutions are computed: as sums, or by minimal filtering.
Algorithm = Literal["direct", "winograd"]

# By width of the kernel: pixels along a side of the blocks on which it has 3 x 3 taps.
BLOCKS = {5: 2, 7: 4}


def convolve(
    x: Float[Array, "b h w c"], kernel: Float[Array, "k k c o"], stride: int = 1, algorithm: Algorithm = "direct"
) -> Float[Array, "b h2 w2 o"]:
    """Return the convolution (correlation, as networks have it) of an image that is padded already.

    `winograd` is for kernels of 3, 5 and 7 pixels with stride 1; others are direct in any case.
    """
    if algorithm == "winograd" and stride == 1:
        if kernel.shape[0] == 3:
            return winograd(x, kernel)
        if n := BLOCKS.get(kernel.shape[0]):
            return _convolve_blocks(x, kernel, n)
    return jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _convolve_blocks(x: Float[Array, "b h w c"], kernel: Float[Array, "k k c o"], n: int) -> Float[Array, "b h2 w2 o"]:
    """Return the convolution with a kernel of 2 n + 1 pixels at most as one of 3 x 3 taps on blocks of n x n pixels.

    The channels of a block are those of its pixels. So layers of few channels, which CPUs do slowly, become layers of
    many. Pixel a of a block of the output meets pixel b of the block that is d blocks on through the tap
    i = n d + b - a.
    """
    k, c, o = kernel.shape[1:]
    height, width = (size - k + 1 for size in x.shape[1:3])
    a, d, b, i = np.ogrid[:n, :3, :n, :k]
    taps = jnp.asarray(i == n * d + b - a, kernel.dtype)
    of_blocks = jnp.einsum("adbi,peqj,ijco->debqcapo", taps, taps, kernel).reshape(3, 3, n * n * c, n * n * o)
    whole = [(0, n * (-(-size // n) + 2) - (size + k - 1)) for size in (height, width)]
    y = winograd(_to_blocks(jnp.pad(x, ((0, 0), *whole, (0, 0))), n), of_blocks)
    return _to_pixels(y, n)[:, :height, :width]


def _to_blocks(x: Float[Array, "b h w c"], n: int) -> Float[Array, "b h2 w2 c2"]:
    """Make the pixels of blocks of n x n channels of one pixel."""
    b, h, w, c = x.shape
    return x.reshape(b, h // n, n, w // n, n, c).transpose(0, 1, 3, 2, 4, 5).reshape(b, h // n, w // n, n * n * c)


def _to_pixels(x: Float[Array, "b h w c"], n: int) -> Float[Array, "b h2 w2 c2"]:
    """Undo `_to_blocks`."""
    b, h, w, _ = x.shape
    return x.reshape(b, h, w, n, n, -1).transpose(0, 1, 3, 2, 4, 5).reshape(b, h * n, w * n, -1)


def convolve_upsampled(
    x: Float[Array, "b h w c"], kernel: Float[Array, "5 5 c o"], algorithm: Algorithm = "direct"
) -> Float[Array, "b h2 w2 o"]:
    """Return the 5 x 5 convolution of the image doubled by repeating each pixel and reflect-padded by 2.

    The doubled image is never made. On each of its four phases (even and odd rows and columns) the 5 taps fall on 3
    pixels of the small image: four 3 x 3 convolutions give the same sums with 36 products a small pixel, not 100.
    They repeat the edge pixels, which equals reflection but for the outermost tap of the outermost pixel: it falls on
    the next pixel, which four convolutions of single lines correct. Exact up to round-off.
    """
    _, h, w, c = x.shape
    if min(h, w) < 2:
        raise ValueError(f"upsampling needs at least 2 pixels a side, got {h} x {w}: use larger images")
    phases = jnp.asarray(PHASES, kernel.dtype)
    small = jnp.einsum("pak,qbl,klio->abipqo", phases, phases, kernel).astype(x.dtype)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    y = convolve(padded, small.reshape(3, 3, c, -1), algorithm=algorithm)
    y = _to_pixels(y, 2)
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
