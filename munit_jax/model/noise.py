"""Fine structure that neither the content code nor the few numbers of a style code can hold, such as the network.

A decoder without noise must make a texture out of its own upsampling or of the image's, and makes rows (Karras et al.
2019, section 3.2, give noise to each layer of a generator for that reason).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


def key_of_style(style: Float[Array, " s"]) -> PRNGKeyArray:
    """Return the random key that a style code stands for, so that a content and a style code still make one image.

    Styles that differ in any bit have keys that are independent.
    """
    key = jax.random.key(0)
    for number in jax.lax.bitcast_convert_type(style.astype(jnp.float32), jnp.uint32):
        key = jax.random.fold_in(key, number)
    return key


def noise_planes(style: Float[Array, "b s"], size: tuple[int, int], levels: int) -> list[Float[Array, "b _ _ 1"]]:
    """Return planes of standard normal numbers, one a pixel, at `size` and at each half of it; the finest first."""

    def planes(style: Float[Array, " s"]) -> list[Float[Array, "_ _ 1"]]:
        keys = jax.random.split(key_of_style(style), levels)
        return [jax.random.normal(keys[i], (size[0] // 2**i, size[1] // 2**i, 1)) for i in range(levels)]

    return jax.vmap(planes)(style)
