"""The layers of the encoders, the decoder and the discriminator, on NHWC images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jaxtyping import Array, Float

from munit_jax.networks.convolution import Algorithm, convolve, convolve_upsampled, reflect_pad

# Modules declare the shapes of their parameters; `initialization` draws the values.
UNSET = nn.initializers.zeros

NORM_EPSILON = 1e-5
LEAKY_SLOPE = 0.2

Norm = Literal["none", "instance", "layer"]

# What the backward pass computes again instead of keeping it: nothing; all but the convolutions and the statistics of
# norms; the inside of every block; of every network; of every network and, while that is done, of every block.
Recompute = Literal["nothing", "activations", "blocks", "networks", "all"]
CONVOLUTION, STATISTICS = KEPT = ("convolution", "statistics")  # the names of what `activations` keeps


@dataclass(frozen=True)
class Arithmetic:
    """How a network is computed: the precision, the form of 3 x 3 convolutions, and what is computed twice."""

    dtype: Any = jnp.float32
    algorithm: Algorithm = "direct"
    recompute: Recompute = "nothing"


def block_class[M: nn.Module](module: type[M], recompute: Recompute) -> type[M]:
    """Return a module's class, or one that keeps its input alone for the backward pass, as `recompute` says."""
    return nn.remat(module) if recompute in ("blocks", "all") else module


def network_function[**P, R](apply: Callable[P, R], recompute: Recompute) -> Callable[P, R]:
    """Return the function of a network, or one that keeps less for the backward pass, as `recompute` says."""
    if recompute == "activations":
        return jax.checkpoint(apply, policy=jax.checkpoint_policies.save_only_these_names(*KEPT))
    return jax.checkpoint(apply) if recompute in ("networks", "all") else apply


def average_pool(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 c"]:
    """Average over 3 x 3 windows with stride 2; pixels outside the image are not counted."""
    padding: Any = ((1, 1), (1, 1))  # flax's annotation knows only names
    return nn.avg_pool(x, (3, 3), (2, 2), padding, count_include_pad=False)


def _centred(x: Float[Array, "b h w c"], axes: tuple[int, ...]) -> tuple[Float[Array, "b h w c"], Array]:
    """Return x without its mean over the axes, and its (biased) variance.

    In float32 at least: a mean over 512 x 512 bfloat16 values loses its digits. The variance does not
    depend on the mean to first order, so its gradient through the mean, a sum that is zero but for round-off, is left
    out.
    """
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = checkpoint_name(y.mean(axes, keepdims=True), STATISTICS)
    variance = jnp.square(y - jax.lax.stop_gradient(mean)).mean(axes, keepdims=True)
    return y - mean, checkpoint_name(variance, STATISTICS)


def instance_norm(x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """Bring every channel of every image to mean 0 and (biased) variance 1 over its pixels (Ulyanov et al. 2017)."""
    y, variance = _centred(x, (1, 2))
    return (y * jax.lax.rsqrt(variance + NORM_EPSILON)).astype(x.dtype)


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
    y, biased = _centred(x, (1, 2, 3))
    count = y[0].size
    variance = biased * (count / (count - 1))
    positive = variance > 0
    deviation = jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), 0.0)
    return (y / (deviation + NORM_EPSILON) * gamma[None, None, None] + beta[None, None, None]).astype(x.dtype)


class Convolution(nn.Module):
    """Reflect padding and a convolution with bias; with `upsample`, of the image doubled by repeating each pixel.

    With `bias_cancelled` a norm that subtracts each channel's mean follows. The bias is then a parameter, to exchange
    weights with the reference, but not added: its gradient is exactly 0 instead of round-off, which Adam would amplify
    to full steps.
    """

    features: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    upsample: bool = False
    bias_cancelled: bool = False
    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 features"]:
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", UNSET, shape)
        bias = self.param("bias", UNSET, (self.features,))
        dtype, algorithm = self.arithmetic.dtype, self.arithmetic.algorithm
        x = x.astype(dtype)
        if self.upsample:
            y = convolve_upsampled(x, kernel, algorithm)
        else:
            y = convolve(reflect_pad(x, self.padding), kernel.astype(dtype), self.stride, algorithm)
        y = checkpoint_name(y, CONVOLUTION)
        return y if self.bias_cancelled else y + bias[None, None, None].astype(dtype)


class LayerNorm(nn.Module):
    """`layer_norm` with its gain and offset per channel as parameters."""

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
        gamma = self.param("gamma", UNSET, (x.shape[-1],))
        beta = self.param("beta", UNSET, (x.shape[-1],))
        return layer_norm(x, gamma, beta)


class ConvolutionBlock(nn.Module):
    """Convolution, norm, ReLU."""

    features: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    upsample: bool = False
    norm: Norm = "none"
    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 features"]:
        x = Convolution(
            self.features,
            self.kernel_size,
            self.stride,
            self.padding,
            self.upsample,
            bias_cancelled=self.norm == "instance",
            arithmetic=self.arithmetic,
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

    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], adain: Float[Array, "b 2 2 c"] | None = None
    ) -> Float[Array, "b h w c"]:
        """Apply the block; `adain[:, i, 0]` are the shifts after convolution i, `adain[:, i, 1]` the scales."""
        y = x
        for i, name in enumerate(("first", "second")):
            y = Convolution(x.shape[-1], 3, 1, 1, bias_cancelled=True, arithmetic=self.arithmetic, name=name)(y)
            y = instance_norm(y) if adain is None else adaptive_instance_norm(y, adain[:, i, 0], adain[:, i, 1])
            if i == 0:
                y = nn.relu(y)
        return x + y
