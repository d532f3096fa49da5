"""Scores of magnetograms in gauss, pixel by pixel: sums that add up exactly over frames, and what follows from them."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

# The moments are those of these quantities and of the EUV channels behind them: b generated, t true.
ONE, B, T, ABS_B, ABS_T = range(5)
FIRST_EUV = 5

POLARITY_THRESHOLDS = (10.0, 50.0, 100.0)  # gauss of the true |B|, above which signs are compared
GREY_RANGE = 100.0  # gauss, white in the pictures of Kim et al. 2019, with whose PSNR and SSIM ours are compared
PPE_TOLERANCE = 0.1  # of the true field

Sums = Mapping[str, Float[np.ndarray, "..."]]
Score = Float[np.ndarray, "..."]


@jax.jit
def pixel_sums(
    generated: Float[Array, "n h w"],
    unsigned: Float[Array, "n h w"],
    true: Float[Array, "h w"],
    euv: Float[Array, "h w c"],
    masks: Bool[Array, "s h w"],
) -> dict[str, Float[Array, "n s ..."]]:
    """Sum over the pixels of each stratum what the scores need, for each of n magnetograms of one frame.

    Pixels outside a mask do not count, whatever their values. Scores are functions of sums, added in double precision,
    so that they do not depend on batches and devices, and those of any subset of frames follow from the same sums.

    The generated line-of-sight field is NaN for a baseline that has none; `unsigned` is its |B|, which a baseline may
    estimate better than by the modulus.
    """
    weights = masks.reshape(len(masks), -1).astype(jnp.float32)
    anywhere = masks.any(axis=0)
    t = jnp.where(anywhere, true, 0.0).ravel()
    channels = jnp.where(anywhere[..., None], euv, 0.0).reshape(true.size, euv.shape[-1]).T
    strong = jnp.stack([jnp.abs(t) >= threshold for threshold in POLARITY_THRESHOLDS]).astype(jnp.float32)

    def one(pair: tuple[Float[Array, "h w"], Float[Array, "h w"]]) -> dict[str, Float[Array, "s ..."]]:
        b, abs_b = (jnp.where(anywhere, field, 0.0).ravel() for field in pair)
        members = jnp.concatenate([jnp.stack([b, t, abs_b, jnp.abs(t)]), channels])
        error = b - t
        grey_error = jnp.clip(b, -GREY_RANGE, GREY_RANGE) - jnp.clip(t, -GREY_RANGE, GREY_RANGE)
        near = jnp.where(jnp.isnan(b), jnp.nan, jnp.abs(error) <= PPE_TOLERANCE * jnp.abs(t))
        rows = jnp.stack([error, jnp.abs(error), error**2, grey_error**2, (abs_b - jnp.abs(t)) ** 2, near])
        sums = over_strata(weights, rows)
        moments, offsets = centred_moments(members, weights)
        product = jnp.where(jnp.isnan(b), jnp.nan, jnp.sign(b) * jnp.sign(t))[None]
        return {
            "moments": moments,
            "moments_offsets": offsets,
            "error": sums[:, 0],
            "absolute_error": sums[:, 1],
            "squared_error": sums[:, 2],
            "squared_grey_error": sums[:, 3],
            "squared_unsigned_error": sums[:, 4],
            "near": sums[:, 5],
            "agreeing": over_strata(weights, strong * jnp.maximum(product, 0)),
            "opposing": over_strata(weights, strong * jnp.maximum(-product, 0)),
            "strong": over_strata(weights, strong),
        }

    return jax.lax.map(one, (generated, unsigned))


def over_strata(weights: Float[Array, "s pixels"], rows: Float[Array, "k pixels"]) -> Float[Array, "s k"]:
    """Return the sum of each row over the pixels of each stratum."""
    return jnp.matmul(weights, rows.T, precision=jax.lax.Precision.HIGHEST)


def centred_moments(
    members: Float[Array, "k pixels"], weights: Float[Array, "s pixels"]
) -> tuple[Float[Array, "s k+1 k+1"], Float[Array, " k+1"]]:
    """Return the second moments of (1, members less an offset) over each stratum, and the offsets.

    The offsets are about the means over the first stratum: moments about 0 of a nearly constant member would be nothing
    but round-off in single precision. `in_double` takes them back.
    """
    rest, offsets = centred(members, weights)
    rows = jnp.concatenate([jnp.ones_like(rest[:1]), rest])
    moments = jax.lax.map(lambda row: over_strata(weights, row[None] * rows), rows)
    return moments.transpose(1, 0, 2), jnp.concatenate([jnp.zeros(1), offsets])


def centred(
    members: Float[Array, "k pixels"], weights: Float[Array, "s pixels"]
) -> tuple[Float[Array, "k pixels"], Float[Array, " k"]]:
    """Return members less their means over the first stratum, 0 outside of all strata, and those means."""
    inside, count = weights.max(axis=0) > 0, jnp.maximum(weights[0].sum(), 1)
    means, rest = jnp.zeros(len(members)), members
    for _ in range(2):  # the mean of many pixels has round-off too, the second time of what is left
        means += over_strata(weights[:1], rest)[0] / count
        rest = jnp.where(inside[None], members - means[:, None], 0.0)
    return rest, means


def in_double(sums: Sums) -> dict[str, Float[np.ndarray, "..."]]:
    """Return sums in double precision, with moments about 0, so that those of several frames can be added."""
    result = {}
    for name, value in sums.items():
        if name.endswith("_offsets"):
            continue
        value = np.asarray(value, np.float64)
        if f"{name}_offsets" in sums:
            offsets = np.asarray(sums[f"{name}_offsets"], np.float64)
            offsets = offsets.reshape(*offsets.shape[:-1], *(1,) * (value.ndim - offsets.ndim - 1), offsets.shape[-1])
            first = value[..., :1, :] * offsets[..., :, None]
            value = value + first + np.swapaxes(first, -1, -2) + _outer(offsets) * value[..., :1, :1]
        result[name] = value
    return result


def _outer(x: Float[np.ndarray, "*any k"]) -> Float[np.ndarray, "*any k k"]:
    return x[..., :, None] * x[..., None, :]


def flux_sums(sums: Sums, gauss_to_maxwell: Float[np.ndarray, "frame"]) -> dict[str, Float[np.ndarray, "frame n ..."]]:
    """Return the sums of the fluxes of whole frames through the scored disk, along the line of sight.

    The moments are those of (1, total unsigned flux, true total unsigned flux, net flux, true net flux), in maxwell;
    errors are relative to the true total unsigned flux. The sums are of single frames, (frame, n, s, ...);
    `gauss_to_maxwell` is the area of a pixel in square centimetres.
    """
    disk = sums["moments"][:, :, 0]
    unsigned, true_unsigned, net, true_net = (
        disk[:, :, ONE, member] * gauss_to_maxwell[:, None] for member in (ABS_B, ABS_T, B, T)
    )
    members = np.stack([np.ones_like(net), unsigned, true_unsigned, net, true_net], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(true_unsigned > 0, (unsigned - true_unsigned) / true_unsigned, np.nan)
        net_error = np.where(true_unsigned > 0, np.abs(net - true_net) / true_unsigned, np.nan)
    return {
        "flux_moments": _outer(members),
        "flux_error": np.abs(relative),
        "flux_bias": relative,
        "net_flux_error": net_error,
    }


def covariance(moments: Float[np.ndarray, "*any k k"]) -> Float[np.ndarray, "*any k k"]:
    """Return the covariances of the members (the first one is the constant, with none); NaN for no pixels."""
    count = moments[..., :1, :1]
    mean = ratio(moments[..., 0, :], moments[..., :1, 0])
    return ratio(moments, count) - mean[..., :, None] * mean[..., None, :]


def correlation(moments: Float[np.ndarray, "*any k k"], i: int, j: int) -> Score:
    """Return Pearson's correlation of two members, -1 to 1; NaN where one of them is constant."""
    return partial_correlation(moments, i, j, ())


def partial_correlation(
    moments: Float[np.ndarray, "*any k k"], i: int, j: int, given: Sequence[int], least_left: float = 1e-6
) -> Score:
    """Return the correlation of two members that is left when both are fitted linearly by the given ones.

    It is the correlation in the partial covariance (Whittaker 1990, Graphical Models in Applied Multivariate
    Statistics, section 5.5): -1 to 1; NaN where a member is constant, or where the given ones leave less than
    `least_left` of its variance.
    """
    all_covariances = covariance(moments)
    members = [i, j, *given]
    c = all_covariances[..., members, :][..., :, members]
    scale = np.sqrt(np.maximum(np.diagonal(c, axis1=-2, axis2=-1), 0))
    # A constant leaves a variance of pure round-off; a field of gauss differs from pixel to pixel by more than 1e-5.
    mean_square = ratio(np.diagonal(moments, axis1=-2, axis2=-1)[..., members], moments[..., :1, 0])
    varies = scale**2 > 1e-11 * mean_square
    c = ratio(c, scale[..., :, None] * scale[..., None, :])
    usable = varies[..., 0] & varies[..., 1] & np.isfinite(c).all(axis=(-2, -1))
    inside = np.where(usable[..., None, None], c, np.eye(len(members)))
    # The partial covariance is Schur's complement; given members may be as good as collinear.
    a, across, d = inside[..., :2, :2], inside[..., :2, 2:], inside[..., 2:, 2:]
    left = a - across @ np.linalg.pinv(d, rcond=1e-9, hermitian=True) @ np.swapaxes(across, -1, -2) if given else a
    variance = left[..., 0, 0] * left[..., 1, 1]
    usable &= (left[..., 0, 0] > least_left) & (left[..., 1, 1] > least_left)
    value = left[..., 0, 1] / np.sqrt(np.where(usable, variance, 1.0))
    return np.where(usable, np.clip(value, -1.0, 1.0), np.nan)


def ratio(x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."]) -> Score:
    """Return x / y, NaN where y is 0."""
    x, y = np.broadcast_arrays(x, y)
    return np.divide(x, y, out=np.full(x.shape, np.nan), where=y != 0)


def pixels(sums: Sums) -> Score:
    """Return the number of pixels."""
    return sums["moments"][..., ONE, ONE]


def mean_square_error(sums: Sums) -> Score:
    """Return the mean square error in gauss squared."""
    return ratio(sums["squared_error"], pixels(sums))


def peak_signal_to_noise(sums: Sums) -> Score:
    """Return the PSNR in dB of grey pictures of -100 G (black) to 100 G (white), infinite for a perfect one."""
    with np.errstate(divide="ignore"):
        return 10 * np.log10((2 * GREY_RANGE) ** 2 / ratio(sums["squared_grey_error"], pixels(sums)))


def polarity_agreement(sums: Sums, threshold: float, which: str = "agreeing") -> Score:
    """Return the share of pixels with true |B| of at least a threshold, one of POLARITY_THRESHOLDS, of the right sign.

    0.5 by chance; `opposing` is the share of the wrong sign. A field of 0 is neither.
    """
    k = POLARITY_THRESHOLDS.index(threshold)
    return ratio(sums[which][..., k], sums["strong"][..., k])


def given_euv(sums: Sums, i: int, j: int) -> Score:
    """Return the partial correlation of two members given the EUV channels of the same pixel.

    This is the first reading of "cross-partial correlations".
    """
    return partial_correlation(sums["moments"], i, j, range(FIRST_EUV, sums["moments"].shape[-1]))
