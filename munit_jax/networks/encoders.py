"""The two encoders of a domain: image to content code, image to style code (Huang et al. 2018, appendix B.1)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from munit_jax.networks.blocks import Arithmetic, Convolution, ConvolutionBlock, ResidualBlock, block_class


class ContentEncoder(nn.Module):
    """Image to content code: its structures and their places. Instance norm removes contrast and brightness."""

    width: int
    downsamplings: int
    residual_blocks: int
    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 k"]:
        block = block_class(ConvolutionBlock, self.arithmetic.recompute)
        x = block(self.width, 7, padding=3, norm="instance", arithmetic=self.arithmetic, name="stem")(image)
        for i in range(self.downsamplings):
            features = self.width * 2 ** (i + 1)
            x = block(features, 4, 2, 1, norm="instance", arithmetic=self.arithmetic, name=f"down_{i}")(x)
        residual_block = block_class(ResidualBlock, self.arithmetic.recompute)
        for i in range(self.residual_blocks):
            x = residual_block(self.arithmetic, name=f"residual_{i}")(x)
        return x


class StyleEncoder(nn.Module):
    """Image to style code: its overall appearance. Without norms, which would remove it."""

    width: int
    style_size: int
    downsamplings: int = 4
    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b s"]:
        block = block_class(ConvolutionBlock, self.arithmetic.recompute)
        x = block(self.width, 7, padding=3, arithmetic=self.arithmetic, name="stem")(image)
        for i in range(self.downsamplings):
            features = self.width * 2 ** min(i + 1, 2)
            x = block(features, 4, 2, 1, arithmetic=self.arithmetic, name=f"down_{i}")(x)
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32)).mean((1, 2), keepdims=True)
        return Convolution(self.style_size, 1, arithmetic=Arithmetic(x.dtype), name="code")(x)[:, 0, 0, :]
