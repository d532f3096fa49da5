"""Layers that the encoders, the decoder and the discriminator are built of.

Images are NHWC throughout. Convolutions run in `dtype`; statistics of the norms are taken in float32 at least, since a
mean over 512 x 512 bfloat16 values loses the very digits it is after.
"""

from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Modules declare the shapes of their parameters; `initialization` draws the values.
UNSET = nn.initializers.zeros

NORM_EPSILON = 1e-5
LEAKY_SLOPE = 0.2

Norm = Literal["none", "instance", "layer"]


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


def upsample_nearest(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Double height and width by repeating each pixel."""
    b, h, w, c = x.shape
    return jnp.broadcast_to(x[:, :, None, :, None, :], (b, h, 2, w, 2, c)).reshape(b, 2 * h, 2 * w, c)


def average_pool(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Average over 3 x 3 windows with stride 2; pixels outside the image are not counted."""
    padding: Any = ((1, 1), (1, 1))  # flax's annotation knows only names
    return nn.avg_pool(x, (3, 3), (2, 2), padding, count_include_pad=False)


def _statistics_dtype(dtype: Any) -> Any:
    return jnp.promote_types(dtype, jnp.float32)


def instance_norm(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Bring every channel of every image to mean 0 and (biased) variance 1 over its pixels (Ulyanov et al. 2017)."""
    y = x.astype(_statistics_dtype(x.dtype))
    mean = y.mean((1, 2), keepdims=True)
    variance = jnp.square(y - mean).mean((1, 2), keepdims=True)
    return ((y - mean) * jax.lax.rsqrt(variance + NORM_EPSILON)).astype(x.dtype)


def adaptive_instance_norm(
    x: Float[Array, "b h w c"], shift: Float[Array, "b c"], scale: Float[Array, "b c"]
) -> Float[Array, "b h w c"]:
    """Give every channel the mean `shift` and the standard deviation |`scale`| (AdaIN, Huang and Belongie 2017, eq. 8).

    The scale is used as it comes, not as 1 + scale.
    """
    return instance_norm(x) * scale[:, None, None, :].astype(x.dtype) + shift[:, None, None, :].astype(x.dtype)


def layer_norm(
    x: Float[Array, "b h w c"], gamma: Float[Array, " c"], beta: Float[Array, " c"]
) -> Float[Array, "b h w c"]:
    """Normalise each image over all its pixels and channels: gamma (x - mean) / (std + eps) + beta, std unbiased.

    The square root has an infinite slope at 0: a constant image, as a crop of empty sky gives, would turn the
    gradient into NaN. There the standard deviation is taken as the constant 0 instead.
    """
    y = x.astype(_statistics_dtype(x.dtype))
    mean = y.mean((1, 2, 3), keepdims=True)
    count = y[0].size
    variance = jnp.square(y - mean).sum((1, 2, 3), keepdims=True) / (count - 1)
    positive = variance > 0
    deviation = jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), 0.0)
    return ((y - mean) / (deviation + NORM_EPSILON) * gamma[None, None, None] + beta[None, None, None]).astype(x.dtype)


class Convolution(nn.Module):
    """Reflect padding and a convolution with bias.

    With `bias_cancelled` a norm that subtracts each channel's mean follows. The bias then stays a parameter, so that
    weights can be exchanged with the reference, but is left out of the sum: its gradient is exactly 0 instead of
    round-off, which Adam would blow up to full steps.
    """

    features: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    bias_cancelled: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 features"]:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", UNSET, shape)
        bias = self.param("bias", UNSET, (self.features,))
        y = jax.lax.conv_general_dilated(
            reflect_pad(x.astype(self.dtype), self.padding),
            kernel.astype(self.dtype),
            (self.stride, self.stride),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return y if self.bias_cancelled else y + bias[None, None, None].astype(self.dtype)


class LayerNorm(nn.Module):
    """`layer_norm` with its gain and offset per channel as parameters."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        gamma = self.param("gamma", UNSET, (x.shape[-1],))
        beta = self.param("beta", UNSET, (x.shape[-1],))
        return layer_norm(x, gamma, beta)


class ConvolutionBlock(nn.Module):
    """Reflect padding, convolution, norm, ReLU."""

    features: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    norm: Norm = "none"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 features"]:
        x = Convolution(
            self.features,
            self.kernel_size,
            self.stride,
            self.padding,
            bias_cancelled=self.norm == "instance",
            dtype=self.dtype,
            name="convolution",
        )(x)
        if self.norm == "instance":
            x = instance_norm(x)
        elif self.norm == "layer":
            x = LayerNorm(name="norm")(x)
        return nn.relu(x)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions added to the input, the second without activation.

    The norm is instance norm, or AdaIN where the shifts and scales of the two convolutions are given.
    """

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], adain: Float[Array, "b 2 2 c"] | None = None
    ) -> Float[Array, "b h w c"]:
        """Apply the block; `adain[:, i, 0]` are the shifts after convolution i, `adain[:, i, 1]` the scales."""
        y = x
        for i, name in enumerate(("first", "second")):
            y = Convolution(x.shape[-1], 3, padding=1, bias_cancelled=True, dtype=self.dtype, name=name)(y)
            y = instance_norm(y) if adain is None else adaptive_instance_norm(y, adain[:, i, 0], adain[:, i, 1])
            if i == 0:
                y = nn.relu(y)
        return x + y
