"""What a decoder is told beside its codes: planes that say where on the Sun each pixel lies, or what was seen there.

A convolution looks at a patch and cannot know the hemisphere, so not Hale's law either. The planes reach the decoders
alone: a content encoder that has them can match codes without looking at the image.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from munit_jax.networks.blocks import Convolution
from munit_jax.networks.convolution import Algorithm

Context = Float[Array, "b h w planes"]


class ContextEncoder(nn.Module):
    """Planes to features at every resolution that a decoder passes through, the finest first."""

    width: int
    downsamplings: int
    dtype: Any = jnp.float32
    algorithm: Algorithm = "direct"

    @nn.compact
    def __call__(self, context: Context) -> list[Float[Array, "b _ _ _"]]:
        options: dict[str, Any] = {"dtype": self.dtype, "algorithm": self.algorithm}
        features = [nn.relu(Convolution(self.width, 5, padding=2, **options, name="planes")(context))]
        for i in range(self.downsamplings):
            x = Convolution(self.width * 2 ** (i + 1), 4, 2, 1, **options, name=f"down_{i}")(features[-1])
            features.append(nn.relu(x))
        return features


class Modulation(nn.Module):
    """x (1 + scale) + shift, both linear in the context's features at each pixel (Park et al. 2019, eq. 1).

    Unlike a plane that is added to the input, the scale can turn the sign of a feature: what leads is positive in one
    hemisphere and negative in the other.
    """

    dtype: Any = jnp.float32
    algorithm: Algorithm = "direct"

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], context: Float[Array, "b h w k"]) -> Float[Array, "b h w c"]:
        scale, shift = (
            Convolution(x.shape[-1], 1, dtype=self.dtype, algorithm=self.algorithm, name=name)(context)
            for name in ("scale", "shift")
        )
        return x * (1 + scale) + shift
