"""Condition a decoder on planes of context, such as the place on the Sun of each pixel."""

import flax.linen as nn
from jaxtyping import Array, Float

from munit_jax.networks.blocks import Arithmetic, Convolution

Context = Float[Array, "b h w planes"]


class ContextEncoder(nn.Module):
    """Planes to features at every resolution that a decoder passes through, the finest first.

    Only the decoders are conditioned: a content encoder with the planes could match codes without the image.
    """

    width: int
    downsamplings: int
    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(self, context: Context) -> list[Float[Array, "b _ _ _"]]:
        planes = Convolution(self.width, 5, padding=2, arithmetic=self.arithmetic, name="planes")(context)
        features = [nn.relu(planes)]
        for i in range(self.downsamplings):
            width = self.width * 2 ** (i + 1)
            x = Convolution(width, 4, 2, 1, arithmetic=self.arithmetic, name=f"down_{i}")(features[-1])
            features.append(nn.relu(x))
        return features


class Modulation(nn.Module):
    """x (1 + scale) + shift, both linear in the context's features at each pixel (Park et al. 2019, eq. 1).

    Unlike a plane that is added to the input, the scale can reverse the sign of a feature: the leading polarity is
    positive in one hemisphere and negative in the other.
    """

    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(self, x: Float[Array, "nb h w c"], context: Float[Array, "b h w k"]) -> Float[Array, "nb h w c"]:
        """Modulate n features of each image: all features of the first style come first, then those of the next."""
        scale, shift = (
            Convolution(x.shape[-1], 1, arithmetic=self.arithmetic, name=name)(context) for name in ("scale", "shift")
        )
        return (x.reshape(-1, *scale.shape) * (1 + scale)[None] + shift[None]).reshape(x.shape)
