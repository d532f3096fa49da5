"""The two encoders of a domain: image to content code, image to style code (Huang et al. 2018, appendix B.1)."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from munit_jax.networks.blocks import Convolution, ConvolutionBlock, Recompute, ResidualBlock, block_class
from munit_jax.networks.convolution import Algorithm


class ContentEncoder(nn.Module):
    """Image to content code: where things are. Instance norm removes the image's own contrast and brightness."""

    width: int
    downsamplings: int
    residual_blocks: int
    dtype: Any = jnp.float32
    algorithm: Algorithm = "direct"
    recompute: Recompute = "nothing"

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 k"]:
        block = block_class(ConvolutionBlock, self.recompute)
        x = block(self.width, 7, padding=3, norm="instance", dtype=self.dtype, name="stem")(image)
        for i in range(self.downsamplings):
            features = self.width * 2 ** (i + 1)
            x = block(features, 4, 2, 1, norm="instance", dtype=self.dtype, name=f"down_{i}")(x)
        residual_block = block_class(ResidualBlock, self.recompute)
        for i in range(self.residual_blocks):
            x = residual_block(dtype=self.dtype, algorithm=self.algorithm, name=f"residual_{i}")(x)
        return x


class StyleEncoder(nn.Module):
    """Image to style code: how it looks on the whole. Without norms, which would remove just that."""

    width: int
    style_size: int
    downsamplings: int = 4
    dtype: Any = jnp.float32
    recompute: Recompute = "nothing"

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b s"]:
        block = block_class(ConvolutionBlock, self.recompute)
        x = block(self.width, 7, padding=3, dtype=self.dtype, name="stem")(image)
        for i in range(self.downsamplings):
            features = self.width * 2 ** min(i + 1, 2)
            x = block(features, 4, 2, 1, dtype=self.dtype, name=f"down_{i}")(x)
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32)).mean((1, 2), keepdims=True)
        return Convolution(self.style_size, 1, name="code", dtype=x.dtype)(x)[:, 0, 0, :]
