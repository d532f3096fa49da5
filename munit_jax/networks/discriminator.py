"""The multi-scale patch discriminator of a domain (Huang et al. 2018, appendix B.1; Wang et al. 2018)."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from munit_jax.networks.blocks import LEAKY_SLOPE, Arithmetic, Convolution, average_pool

# 2**6 power iterations. Random kernels, whose largest singular values lie close together, are the worst case: at the
# networks' sizes their value is at most 0.6 % too low.
SQUARINGS = 6


class PatchDiscriminator(nn.Module):
    """One scale: strided convolutions without norm to a map of logits, one logit a patch."""

    width: int
    layers: int
    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 1"]:
        x = image
        for i in range(self.layers):
            features = self.width * 2**i
            x = Convolution(features, 4, 2, 1, arithmetic=self.arithmetic, name=f"convolution_{i}")(x)
            x = nn.leaky_relu(x, LEAKY_SLOPE)
        x = Convolution(1, 1, arithmetic=self.arithmetic, name="logits")(x)
        return x.astype(jnp.promote_types(x.dtype, jnp.float32))


class MultiScaleDiscriminator(nn.Module):
    """Patch discriminators with weights of their own on the image at full, half, quarter ... resolution."""

    width: int
    scales: int
    layers: int = 4
    arithmetic: Arithmetic = Arithmetic()

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> tuple[Float[Array, "b _ _ 1"], ...]:
        logits = []
        for i in range(self.scales):
            if i > 0:
                image = average_pool(image)
            logits.append(PatchDiscriminator(self.width, self.layers, self.arithmetic, name=f"scale_{i}")(image))
        return tuple(logits)


def spectrally_normalized(params: Any) -> Any:
    """Return a tree of parameters in which every kernel is divided by its largest singular value (Miyato et al. 2018).

    A kernel (height, width, in, out) is taken as the matrix (height * width * in, out), section 3.1 of the paper: no
    convolution stretches a patch by more than 1. Biases and kernels of zeros are left as they are.
    """

    def normalized(path: tuple[Any, ...], leaf: Array) -> Array:
        if path[-1].key != "kernel":
            return leaf
        value = largest_singular_value(leaf.reshape(-1, leaf.shape[-1]))
        return leaf / jnp.where(value > 0, value, 1.0)

    return jax.tree_util.tree_map_with_path(normalized, params)


def largest_singular_value(matrix: Float[Array, "n m"]) -> Float[Array, ""]:
    """Return u^T W v with the singular vectors u and v of a matrix W after a fixed number of power iterations.

    Its gradient is u v^T, with u and v constant (Miyato et al. 2018, eq. 10). The paper does one iteration a step, from
    the vectors of the last step; here each call starts without state. Squaring W^T W repeatedly takes all
    iterations in a few products of matrices.
    """
    # The weights of a bfloat16 network are float32, and are multiplied in float32 on every device.
    with jax.default_matmul_precision("highest"):
        matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
        fixed = jax.lax.stop_gradient(matrix)
        power = _unit(fixed.T @ fixed)
        for _ in range(SQUARINGS):
            power = _unit(power @ power)
        # Its columns are the iterated unit vectors; the largest entry of the diagonal belongs to the one that started
        # closest to v, and so not perpendicular to it.
        v = _unit(power[:, jnp.argmax(jnp.diagonal(power))])
        u = _unit(fixed @ v)
        return u @ matrix @ v


def _unit(x: Float[Array, "..."]) -> Float[Array, "..."]:
    norm = jnp.linalg.norm(x)
    return x / jnp.where(norm > 0, norm, 1.0)
