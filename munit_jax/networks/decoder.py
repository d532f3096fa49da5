"""The decoder of a domain: content code and style code to image (Huang et al. 2018, appendix B.1)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from munit_jax.networks.blocks import UNSET, Arithmetic, Convolution, ConvolutionBlock, ResidualBlock, block_class
from munit_jax.networks.conditioning import ContextEncoder, Modulation


class StyleMLP(nn.Module):
    """Style code to the shifts and scales of every AdaIN layer."""

    width: int
    residual_blocks: int
    channels: int

    @nn.compact
    def __call__(self, style: Float[Array, "b s"]) -> Float[Array, "b blocks 2 2 c"]:
        """Return for each residual block and each of its two convolutions the shifts (0) and the scales (1)."""
        x = style
        for i in range(2):
            x = nn.relu(nn.Dense(self.width, kernel_init=UNSET, name=f"hidden_{i}")(x))
        outputs = self.residual_blocks * 2 * 2 * self.channels
        x = nn.Dense(outputs, kernel_init=UNSET, name="adain")(x)
        return x.reshape(-1, self.residual_blocks, 2, 2, self.channels)


class Decoder(nn.Module):
    """Content code and style code to an image in [-1, 1].

    The style sets the statistics of the features in the residual blocks; the upsampling uses layer norm, since instance
    norm would remove them. A context modulates the features before and after the residual
    blocks and after each upsampling.
    """

    channels: int
    upsamplings: int
    residual_blocks: int
    mlp_width: int
    context_width: int
    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(
        self,
        content: Float[Array, "b h w k"],
        style: Float[Array, "nb s"],
        context: Float[Array, "b h2 w2 planes"] | None = None,
    ) -> Float[Array, "nb h2 w2 c"]:
        """Decode each content with n styles, all contents with their first style first."""
        arithmetic, recompute = self.arithmetic, self.arithmetic.recompute
        features, planes = content.shape[-1], None
        if context is not None:
            planes = ContextEncoder(self.context_width, self.upsamplings, arithmetic, name="context")(context)

        modulation = block_class(Modulation, recompute)

        def modulated(x: Array, level: int, name: str) -> Array:
            return x if planes is None else modulation(arithmetic, name=name)(x, planes[level])

        adain = StyleMLP(self.mlp_width, self.residual_blocks, features, name="mlp")(style)
        x = modulated(content, -1, "modulation_in")
        x = jnp.tile(x, (style.shape[0] // content.shape[0], 1, 1, 1))
        residual_block = block_class(ResidualBlock, recompute)
        for i in range(self.residual_blocks):
            x = residual_block(arithmetic, name=f"residual_{i}")(x, adain[:, i])
        x = modulated(x, -1, "modulation_out")
        block = block_class(ConvolutionBlock, recompute)
        for i in range(self.upsamplings):
            features //= 2
            x = block(features, 5, upsample=True, norm="layer", arithmetic=arithmetic, name=f"up_{i}")(x)
            x = modulated(x, -2 - i, f"modulation_{i}")
        x = Convolution(self.channels, 7, padding=3, arithmetic=arithmetic, name="image")(x)
        return jnp.tanh(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
