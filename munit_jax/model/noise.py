"""Noise that a style brings with it: a number for each pixel, for what differs from one place on the Sun to the next.

A style code sets the statistics of whole feature maps, so what it changes it changes alike all over the disk. But a
field has errors of its own at every place, and a magnetogram noise in every pixel.
"""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from munit_jax.model.blocks import UNSET


def style_noise(style: Float[Array, "b s"], height: int, width: int) -> Float[Array, "b {height} {width}"]:
    """Return the noise of style codes, a number for each pixel that is N(0, 1) for styles of the prior.

    It is the style along a direction that each pixel has for itself: the same for the same style, none for the mean
    style, and independent between pixels whose directions are at right angles.
    """
    direction = np.random.default_rng((height, width)).standard_normal((height, width, style.shape[-1]))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return jnp.einsum("hws,bs->bhw", direction.astype(style.dtype), style)


class Noise(nn.Module):
    """x (1 + a n) + b n, n the noise of the style, a and b for each feature (b alone: Karras et al. 2019, section 3.2).

    Both begin at 0. The first makes the noise a matter of what is seen there.
    """

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], style: Float[Array, "b s"]) -> Float[Array, "b h w c"]:
        noise = style_noise(style, *x.shape[1:3])[..., None].astype(x.dtype)
        scale, shift = (
            self.param(name, UNSET, (x.shape[-1],)).astype(x.dtype).reshape(1, 1, 1, -1)
            for name in ("noise_scale", "noise_shift")
        )
        return x * (1 + scale * noise) + shift * noise
