"""The multi-scale patch discriminator of a domain (Huang et al. 2018, appendix B.1; Wang et al. 2018)."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from munit_jax.model.blocks import LEAKY_SLOPE, Convolution, average_pool


class PatchDiscriminator(nn.Module):
    """One scale: strided convolutions without norm to a map of logits, one logit a patch."""

    width: int
    layers: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 1"]:
        x = image
        for i in range(self.layers):
            features = self.width * 2**i
            x = Convolution(features, 4, 2, 1, dtype=self.dtype, name=f"convolution_{i}")(x)
            x = nn.leaky_relu(x, LEAKY_SLOPE)
        x = Convolution(1, 1, dtype=self.dtype, name="logits")(x)
        return x.astype(jnp.promote_types(x.dtype, jnp.float32))


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators with weights of their own on the image at full, half, quarter ... resolution."""

    width: int
    scales: int
    layers: int = 4
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> tuple[Float[Array, "b _ _ 1"], ...]:
        logits = []
        for i in range(self.scales):
            if i > 0:
                image = average_pool(image)
            logits.append(PatchDiscriminator(self.width, self.layers, dtype=self.dtype, name=f"scale_{i}")(image))
        return tuple(logits)
