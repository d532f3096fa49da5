"""Scores of generated magnetograms on the disk: sums that add up exactly over frames, and what follows from them."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

# What is summed over the pixels: b the generated and t the true line-of-sight field in gauss.
SUMS = ("n", "b", "t", "bb", "tt", "bt", "abs_b", "abs_t", "abs_bt", "pixels", "variance")


@jax.jit
def pixel_sums(
    generated: Float[Array, "*n h w"], true: Float[Array, "h w"], mask: Bool[Array, "h w"]
) -> dict[str, Float[Array, ""]]:
    """Sum what the scores need over the masked pixels of one frame and all its realisations; fields in gauss.

    Pixels outside the mask do not count, whatever they hold.
    """
    b = jnp.where(mask, generated, 0.0)
    t = jnp.broadcast_to(jnp.where(mask, true, 0.0), b.shape)
    abs_b, abs_t = jnp.abs(b), jnp.abs(t)
    return {
        "n": mask.sum() * jnp.ones(b.shape[:-2]).sum(),
        "b": b.sum(),
        "t": t.sum(),
        "bb": (b * b).sum(),
        "tt": (t * t).sum(),
        "bt": (b * t).sum(),
        "abs_b": abs_b.sum(),
        "abs_t": abs_t.sum(),
        "abs_bt": (abs_b * abs_t).sum(),
        "pixels": mask.sum(),
        "variance": b.reshape(-1, *t.shape[-2:]).var(axis=0).sum(),
    }


def add_sums(total: Mapping[str, float] | None, more: Mapping[str, Float[Array, ""]]) -> dict[str, float]:
    """Add the sums of another frame, in double precision."""
    return {name: (total[name] if total else 0.0) + float(more[name]) for name in SUMS}


def scores(sums: Mapping[str, float]) -> dict[str, float | None]:
    """Return the scores over everything that was summed.

    rmse: root mean square error in gauss.
    correlation: Pearson's correlation of the signed field, -1 to 1; None where one side is constant.
    abs_correlation: the same of |B|: right places and strengths, whatever the polarity.
    rms: root mean square of the generated field in gauss.
    spread: standard deviation among a frame's realisations in gauss (root mean square over the pixels); 0 where they
        are all equal.
    """
    n = sums["n"]
    mean_square = (sums["bb"] - 2 * sums["bt"] + sums["tt"]) / n
    return {
        "rmse": float(np.sqrt(max(mean_square, 0.0))),
        "correlation": _correlation(n, sums["b"], sums["t"], sums["bb"], sums["tt"], sums["bt"]),
        "abs_correlation": _correlation(n, sums["abs_b"], sums["abs_t"], sums["bb"], sums["tt"], sums["abs_bt"]),
        "rms": float(np.sqrt(sums["bb"] / n)),
        "spread": float(np.sqrt(sums["variance"] / sums["pixels"])),
    }


def _correlation(n: float, x: float, y: float, xx: float, yy: float, xy: float) -> float | None:
    variance_x, variance_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
    # A constant leaves a variance of pure round-off.
    if variance_x <= 1e-12 * max(xx / n, 1e-30) or variance_y <= 1e-12 * max(yy / n, 1e-30):
        return None
    return float((xy / n - x / n * y / n) / np.sqrt(variance_x * variance_y))
