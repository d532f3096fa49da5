"""The strength of the field that the brightness of a disk suggests, and realisations brought nearer to it.

Networks that learn from a handful of pairs place polarities better than brightness alone does, and |B| worse: a ridge
regression of few coefficients does not memorise the pairs (docs/experiments/2026-11-28_strength.md).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from munit_jax.data.datasets import Frames, Watch, spaced
from munit_jax.sun.disk import mu, on_disk, sdoml_geometry

FITTED_RADIUS = 0.9  # solar radii: beyond, the line of sight hides the field
SCALES = (0.7, 1.5, 3.0, 6.0)  # standard deviations of Gaussians, pixels of an image of 64
OWN_SCALE = 1.0  # the same, of a realisation's |B|, for its expected value
DARKEST = 0.1  # of the disk's median: darker pixels are noise
PENALTY = 0.01  # of the ridge regression, for features of unit variance
WEAKEST = 0.3  # gauss: the noise of a pixel
STRENGTH = "strength.json"  # in a run's folder: the coefficients of its FieldStrength
MOST_FRAMES = 1000  # spread over the training split


@dataclass(frozen=True)
class FieldStrength:
    """sqrt(|B|), B in gauss, as offset + the sum of weights times the `features` of the brightness.

    `exponent` says how far realisations are brought to it: 0 not at all, 1 wholly.
    """

    offset: float
    weights: tuple[float, ...]
    exponent: float

    @property
    def coefficients(self) -> dict[str, Any]:
        """What the fit gave, for a file; the exponent is the config's."""
        return {"offset": self.offset, "weights": list(self.weights)}

    def of(self, euv: Float[Any, "h w c"]) -> Float[Array, "h w"]:
        """Return |B| in gauss of a disk in SDOML's geometry; images in DN/s."""
        root = self.offset + features(euv) @ jnp.asarray(self.weights, jnp.float32)
        return jnp.square(jnp.maximum(root, 0.0))

    def applied(self, made: Float[Any, "n h w 1"], euv: Float[Any, "h w c"]) -> Float[Array, "n h w 1"]:
        """Return realisations (gauss) times (|B| of the regression / their own)^exponent, with the sign they have.

        Their own is smoothed: it stands for the expected one, as the regression's does. That of the regression is
        scaled to the mean |B| of the realisation inside 0.9 radii, so the brightness says where the field is strong
        and the networks how strong. Nothing changes off the disk.
        """
        size = euv.shape[0]
        geometry = sdoml_geometry(size)
        inside, disk = on_disk(geometry, FITTED_RADIUS), on_disk(geometry)[..., None]
        suggested, smooth = self.of(euv), _gaussian(OWN_SCALE, size)

        def one(field: Float[Array, "h w 1"]) -> Float[Array, "h w 1"]:
            own = jnp.abs(field[..., 0])
            scale = own[inside].mean() / jnp.maximum(suggested[inside].mean(), WEAKEST)
            factor = (scale * suggested / jnp.maximum(smooth @ own @ smooth.T, WEAKEST)) ** self.exponent
            return jnp.where(disk, field * factor[..., None], field)

        return jax.vmap(one)(made)


def feature_count(channels: int) -> int:
    """Return the number of `features` of images with so many channels."""
    return 1 + channels * (4 + 3 * len(SCALES))


@jax.jit
def features(euv: Float[Any, "h w c"]) -> Float[Array, "h w f"]:
    """Return what sqrt(|B|) is a linear function of, in SDOML's geometry: of each channel and of mu.

    Of a channel, the logarithm of the brightness over its median on the disk, smoothed over four scales, the squares of
    its bright and the amounts of its dark parts, and three products.
    """
    size = euv.shape[0]
    geometry = sdoml_geometry(size)
    inside, disk = on_disk(geometry, FITTED_RADIUS), on_disk(geometry, 0.98)
    vertical = jnp.asarray(np.nan_to_num(mu(geometry)), jnp.float32)
    gaussians = [_gaussian(scale, size) for scale in SCALES]
    shares = [jnp.maximum(g @ disk.astype(np.float32) @ g.T, 0.2) for g in gaussians]
    columns = [vertical]
    for channel in jnp.moveaxis(jnp.asarray(euv, jnp.float32), -1, 0):
        ratio = channel / jnp.maximum(jnp.median(channel[inside]), 1e-3)
        contrast = jnp.where(disk, jnp.log(jnp.maximum(ratio, DARKEST)), 0.0)
        smooth = [g @ contrast @ g.T / share for g, share in zip(gaussians, shares, strict=True)]
        columns += [contrast, *smooth]
        columns += [jnp.maximum(x, 0) ** 2 for x in smooth] + [jnp.maximum(-x, 0) for x in smooth]
        columns += [vertical * smooth[0], contrast * smooth[2], smooth[0] * smooth[3]]
    return jnp.stack(columns, axis=-1)


def _gaussian(scale: float, size: int) -> Float[Array, "size size"]:
    """Return the matrix that smooths a line of pixels: a Gaussian, its scale in pixels of an image of 64."""
    distance = jnp.arange(size)[:, None] - jnp.arange(size)[None]
    kernel = jnp.exp(-0.5 * (distance / (scale * size / 64)) ** 2)
    return kernel / kernel.sum(axis=1, keepdims=True)


def fit_field_strength(
    pairs: Iterable[tuple[Float[np.ndarray, "h w c"], Float[np.ndarray, "h w"]]], exponent: float
) -> FieldStrength:
    """Return the ridge regression on pairs of images (DN/s) and fields (gauss), inside 0.9 solar radii.

    ValueError if there are none.
    """
    count, total, moments = 0, np.zeros(()), np.zeros(())
    for euv, field in pairs:
        inside = on_disk(sdoml_geometry(len(field)), FITTED_RADIUS)
        x = np.asarray(features(euv), np.float64)[inside]
        x = np.column_stack([x, np.sqrt(np.abs(field[inside]))])
        count, total, moments = count + len(x), total + x.sum(axis=0), moments + x.T @ x
    if not count:
        raise ValueError("no pairs to fit the strength of the field to")
    mean = total / count
    covariance = moments / count - np.outer(mean, mean)
    deviation = np.sqrt(np.maximum(np.diag(covariance)[:-1], 1e-12))
    correlations = covariance[:-1, :-1] / np.outer(deviation, deviation)
    standard = np.linalg.solve(correlations + PENALTY * np.eye(len(deviation)), covariance[:-1, -1] / deviation)
    weights = standard / deviation
    return FieldStrength(float(mean[-1] - mean[:-1] @ weights), tuple(weights.tolist()), exponent)


def field_strength_of(frames: Frames, exponent: float, watch: Watch = iter) -> FieldStrength | None:
    """Return the regression of a training split, MOST_FRAMES of it at most; None where the exponent is 0."""
    if not exponent:
        return None
    numbers = watch(spaced(len(frames), MOST_FRAMES))
    return fit_field_strength(
        ((f["euv"], f["magnetogram"][..., 0]) for f in map(frames.__getitem__, numbers)), exponent
    )
