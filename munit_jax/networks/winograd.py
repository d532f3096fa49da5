"""3 x 3 convolutions by minimal filtering (Winograd; Lavin and Gray 2016, arXiv 1509.09308): F(4 x 4, 3 x 3)."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import optimization_barrier as barrier
from jaxtyping import Array, Float

OUT, IN = 4, 6  # pixels of an output and of an input tile along a side

# The transforms for the points 0, 1, -1, 2, -2 and infinity.
INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
OUTPUT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
KERNEL_2D = np.kron(KERNEL, KERNEL)


@jax.custom_vjp
@jax.jit  # here and below: traced once for all layers of one shape
def winograd(x: Float[Array, "b h w c"], kernel: Float[Array, "3 3 c o"]) -> Float[Array, "b h2 w2 o"]:
    """Return the 3 x 3 convolution of an image that is padded already, as `convolve` with stride 1.

    Tiles of 6 x 6 pixels and the kernel are transformed so that 36 products give the 4 x 4 pixels of an output tile,
    not 144. On CPUs that is at least twice as fast; GPU libraries choose such algorithms themselves. Round-off is some
    ten times that of the plain sums, 1e-5 of the largest value in float32. The backward pass transforms the image
    again: its tiles overlap, so keeping them would take 2.25 times its memory. The compiler would fuse the layer before
    into the transform and compute it for every number of every tile; the barriers keep them apart.
    """
    height, width = x.shape[1] - 2, x.shape[2] - 2
    tiles = _transform_input(_whole_tiles(barrier(x), 2))
    products = jnp.einsum("ktc,kco->kto", _as_matrices(tiles), _transform_kernel(kernel))
    return barrier(_transform_output(products.reshape(*tiles.shape[:-1], -1))[:, :height, :width])


def _forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return winograd(x, kernel), (x, kernel)


@jax.jit
def _backward(saved: tuple[Array, Array], y: Array) -> tuple[Array, Array]:
    """The same steps transposed, in the opposite order; `y` is the cotangent."""
    (x, kernel), y = saved, barrier(y)
    image = _whole_tiles(barrier(x), 2)
    tiles = _transform_input(image)
    products = jax.ShapeDtypeStruct((*tiles.shape[:-1], y.shape[-1]), y.dtype)
    (spread,) = jax.linear_transpose(_transform_output, products)(_whole_tiles(y, 0))
    kernels = jnp.einsum("ktc,kto->kco", _as_matrices(tiles), _as_matrices(spread))
    images = jnp.einsum("kto,kco->ktc", _as_matrices(spread), _transform_kernel(kernel))
    (image_cotangent,) = jax.linear_transpose(_transform_input, image)(images.reshape(tiles.shape))
    (kernel_cotangent,) = jax.linear_transpose(_transform_kernel, kernel)(kernels)
    return barrier(image_cotangent[:, : x.shape[1], : x.shape[2]]), kernel_cotangent


winograd.defvjp(_forward, _backward)


def _whole_tiles(x: Float[Array, "b h w c"], border: int) -> Float[Array, "b h2 w2 c"]:
    """Add zeros in the south and west until height and width, without the border, are multiples of the tiles'."""
    more = [-(n - border) % OUT for n in x.shape[1:3]]
    return jnp.pad(x, ((0, 0), (0, more[0]), (0, more[1]), (0, 0))) if any(more) else x


def _as_matrices(tiles: Float[Array, "6 6 b ty tx c"]) -> Float[Array, "36 t c"]:
    return tiles.reshape(IN**2, -1, tiles.shape[-1])


def _transform_kernel(kernel: Float[Array, "3 3 c o"]) -> Float[Array, "36 c o"]:
    matrix = jnp.asarray(KERNEL_2D, kernel.dtype)
    return (matrix @ kernel.reshape(9, -1)).reshape(IN**2, *kernel.shape[2:])


def _transform_input(x: Float[Array, "b h w c"]) -> Float[Array, "6 6 b ty tx c"]:
    """Cut tiles of 6 pixels every 4 pixels, and transform them, columns first."""
    for axis in (2, 1):
        end = x.ndim - 4  # each transform puts an axis of 6 in front
        last = x.shape[end + axis] - IN + 1
        parts = [jax.lax.slice_in_dim(x, i, i + last, OUT, end + axis) for i in range(IN)]
        x = jnp.stack(_combine(INPUT, parts))
    return x


def _transform_output(products: Float[Array, "6 6 b ty tx o"]) -> Float[Array, "b h w o"]:
    rows = jnp.stack(_combine(OUTPUT, list(products)), 3)  # (6, b, ty, 4, tx, o)
    pixels = jnp.stack(_combine(OUTPUT, list(rows)), 4)  # (b, ty, 4, tx, 4, o)
    b, ty, _, tx, _, o = pixels.shape
    return pixels.reshape(b, OUT * ty, OUT * tx, o)


def _combine(matrix: np.ndarray, parts: Sequence[Array]) -> list[Array]:
    """Return for each row of the matrix the sum of the parts with its numbers, zeros left out."""
    return [sum(float(c) * part for c, part in zip(row, parts, strict=True) if c) for row in matrix]  # pyright: ignore[reportReturnType]
