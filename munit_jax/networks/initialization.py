"""The networks' initial weights (Huang et al. 2018, section 5.1), drawn by numpy."""

import hashlib
import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

Side = Literal["generators", "discriminators"]

DISCRIMINATOR_DEVIATION = 0.02


def draw_parameters(shapes: Any, side: Side, seed: int, dtype: str = "float32") -> Any:
    """Return a tree of arrays of `dtype`, drawn in float32, for a tree of shapes (leaves with `.shape`).

    By numpy: JAX's draws take longer to compile than all other code before the first step.
    Kernels of generators are Kaiming normal, N(0, 2 / fan in) for ReLU; those of discriminators N(0, 0.02^2). Layer
    norm's gamma is U(0, 1); biases and beta are 0. Each parameter has a random stream of its own, see
    `parameter_stream`: a layer more or less does not change the others.
    """

    def values(path: tuple[Any, ...], leaf: Any) -> np.ndarray:
        names, shape = [key.key for key in path], leaf.shape
        if names[-1] in ("bias", "beta"):
            return np.zeros(shape, np.float32)
        stream = parameter_stream(seed, side, "/".join(names))
        if names[-1] == "gamma":
            return stream.random(shape, np.float32)
        fan_in = math.prod(shape[:-1])
        deviation = DISCRIMINATOR_DEVIATION if side == "discriminators" else math.sqrt(2 / fan_in)
        return stream.standard_normal(shape, np.float32) * np.float32(deviation)

    return jax.tree_util.tree_map_with_path(lambda path, leaf: jnp.asarray(values(path, leaf), dtype), shapes)


def parameter_stream(seed: int, side: Side, path: str) -> np.random.Generator:
    """Return the random stream of a parameter; `path` is its place in the tree, such as `euv/content/stem/...`."""
    digest = hashlib.sha256(f"{side}/{path}".encode()).digest()
    return np.random.default_rng((seed, int.from_bytes(digest)))
