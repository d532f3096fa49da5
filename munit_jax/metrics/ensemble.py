"""Scores of an ensemble of realisations in gauss: whether their spread matches their error."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from munit_jax.metrics.disk import Sums, centred_moments, correlation, over_strata
from munit_jax.metrics.structure import bin_numbers

LEVELS = (0.5, 0.9)  # of the central intervals
SPREAD_EDGES = (0.0, *(0.25 * 2.0**k for k in range(12)), np.inf)  # gauss
SIGNED_ABOVE = 50.0  # gauss of the true |B|, above which signs are compared

# Edges in gauss of the histogram over true (rows) and generated fields (columns), the same for both signs.
JOINT_EDGES = 20.0 * np.sinh(np.linspace(-np.arcsinh(250.0), np.arcsinh(250.0), 51))
CALIBRATED = (0.8, 1.25)  # spread over error that passes for right


def pixel_crps(
    x: Float[Array, "n pixels"], t: Float[Array, " pixels"]
) -> tuple[Float[Array, " pixels"], Float[Array, " pixels"]]:
    """Return the CRPS of n realisations at each pixel, in their unit, and the fair one, without bias from a finite n.

    E|x - t| - E|x - x'| / 2 (Gneiting and Raftery 2007, J. Am. Stat. Assoc. 102, equation 20). A single realisation
    has its absolute error as both.
    """
    n = len(x)
    distance = jnp.abs(x - t[None]).mean(axis=0)
    weights = jnp.arange(n)[:, None] * 2.0 - n + 1
    half_spacing = (weights * jnp.sort(x, axis=0)).sum(axis=0)  # half of |x_i - x_j| over all pairs
    return distance - half_spacing / n**2, distance - half_spacing / max(n * (n - 1), 1)


@jax.jit
def ensemble_sums(
    realisations: Float[Array, "n h w"], true: Float[Array, "h w"], masks: Bool[Array, "s h w"]
) -> dict[str, Float[Array, "..."]]:
    """Sum over one frame what the scores of an ensemble of at least 2 need, by stratum or over the first alone."""
    n, disk = len(realisations), masks[0]
    flat = masks.reshape(len(masks), -1).astype(jnp.float32)
    anywhere = masks.any(axis=0)
    t = jnp.where(anywhere, true, 0.0).ravel()
    x = jnp.where(anywhere[None], realisations, 0.0).reshape(n, -1)
    variance = x.var(axis=0, ddof=1)
    squared_error = (x.mean(axis=0) - t) ** 2

    crps, fair_crps = pixel_crps(x, t)
    inside = [(low <= t) & (t <= high) for low, high in (_interval(x, level) for level in LEVELS)]
    sums = over_strata(flat, jnp.stack([jnp.ones_like(t), crps, fair_crps, variance, squared_error, *inside]))
    strong = disk.ravel() & (jnp.abs(t) >= SIGNED_ABOVE)
    positive = (0.5 * (1 + jnp.sign(x))).mean(axis=0)
    pairs, pairs_offsets = centred_moments(x, flat[:1])
    unsigned_pairs, unsigned_pairs_offsets = centred_moments(jnp.abs(x), flat[:1])
    return {
        "pixels": sums[:, 0],
        "crps": sums[:, 1],
        "fair_crps": sums[:, 2],
        "variance": sums[:, 3],
        "squared_error": sums[:, 4],
        "inside": sums[:, 5:],
        "ranks": _ranks(x, t, flat[0]),
        "reliability": _by_spread(variance, squared_error, flat[0]),
        "pairs": pairs[0],
        "pairs_offsets": pairs_offsets,
        "unsigned_pairs": unsigned_pairs[0],
        "unsigned_pairs_offsets": unsigned_pairs_offsets,
        "majority": jnp.where(strong, jnp.maximum(positive, 1 - positive), 0.0).sum(),
        "strong": strong.sum().astype(jnp.float32),
        "joint": _joint(x, t, flat[0]),
    }


def _interval(x: Float[Array, "n pixels"], level: float) -> Float[Array, "2 pixels"]:
    """Return the ends of the central interval by Weibull's plotting positions k / (n + 1), at most the extremes."""
    n = len(x)
    places = np.array([1 - level, 1 + level]) / 2 * (n + 1) - 1
    return jnp.quantile(x, jnp.asarray(np.clip(places / (n - 1), 0, 1), x.dtype), axis=0)


def expected_coverage(n: int, level: float) -> float:
    """Return the share of truths inside the interval of n realisations if they are drawn from the same distribution."""
    return min(level, (n - 1) / (n + 1))


def _ranks(x: Float[Array, "n pixels"], t: Float[Array, " pixels"], weights: Float[Array, " pixels"]) -> Array:
    """Return how often the truth has each rank among the realisations; one that equals some shares out."""
    below, equal = (x < t[None]).sum(axis=0), (x == t[None]).sum(axis=0)
    share = weights / (equal + 1)
    return jnp.stack([jnp.where((below <= r) & (r <= below + equal), share, 0.0).sum() for r in range(len(x) + 1)])


def _by_spread(
    variance: Float[Array, " pixels"], squared_error: Float[Array, " pixels"], weights: Float[Array, " pixels"]
) -> Float[Array, "bins 3"]:
    number = jnp.searchsorted(jnp.asarray(SPREAD_EDGES[1:-1], jnp.float32), jnp.sqrt(variance))
    rows = jnp.stack([weights, weights * variance, weights * squared_error], axis=-1)
    return jnp.zeros((len(SPREAD_EDGES) - 1, 3)).at[number].add(rows)


def _joint(x: Float[Array, "n pixels"], t: Float[Array, " pixels"], weights: Float[Array, " pixels"]) -> Array:
    bins = len(JOINT_EDGES) - 1
    index = (bin_numbers(t, JOINT_EDGES) * bins)[None] + bin_numbers(x, JOINT_EDGES)
    return jnp.zeros(bins**2).at[index].add(jnp.broadcast_to(weights[None], index.shape)).reshape(bins, bins)


def pair_correlation(pairs: Float[np.ndarray, "k k"]) -> float:
    """Return the mean correlation of two different realisations; NaN where one is constant."""
    n = len(pairs) - 1
    values = [correlation(pairs, i, j) for i in range(1, n + 1) for j in range(i + 1, n + 1)]
    return float(np.mean(values))


def polarity_by_style(
    right: Float[np.ndarray, "frame n"], wrong: Float[np.ndarray, "frame n"]
) -> dict[str, float | None]:
    """Return the effect of the style on the signs, from the shares of right and wrong ones by frame and realisation.

    Realisation k has the same style in all frames, so the shares can be split into what goes with the style, what goes
    with the frame, and the rest (two-way analysis of variance without replication).

    right: mean share; 0.5 by chance.
    of_variance_by_style, by_frame, rest: parts of the variance. Styles without effect still have 1 / frames of it.
    best_of_realisations: mean over the frames of the share of the best one, chosen by the truth.
    either_sign: mean share if each realisation could be turned to its better sign as a whole.
    """
    known = np.isfinite(right).all(axis=1)
    right, wrong = right[known], wrong[known]
    if not len(right):
        return dict.fromkeys(
            ("right", "of_variance_by_style", "by_frame", "rest", "best_of_realisations", "either_sign")
        )
    total = right.var()
    style, frame = right.mean(axis=0).var(), right.mean(axis=1).var()
    parts = [part / total if total > 0 else None for part in (style, frame, total - style - frame)]
    return {
        "right": float(right.mean()),
        **dict(zip(("of_variance_by_style", "by_frame", "rest"), parts, strict=True)),
        "best_of_realisations": float(right.max(axis=1).mean()),
        "either_sign": float(np.maximum(right, wrong).mean()),
    }


def ensemble_scores(
    sums: Sums, right: Float[np.ndarray, "frame n"], wrong: Float[np.ndarray, "frame n"], own_style: float
) -> dict[str, Any]:
    """Return the scores of the ensemble over the scored disk, from `ensemble_sums` added up over frames.

    `right` and `wrong` are those of `polarity_by_style`, above SIGNED_ABOVE; `own_style` the share of right signs with
    the style of the true magnetogram, NaN for a run without style encoders.
    """
    n = len(sums["ranks"]) - 1
    pixels, variance, error = sums["pixels"][0], sums["variance"][0], sums["squared_error"][0]
    # The mean of n realisations is itself off by 1/n of the variance.
    spread, error_of_mean = np.sqrt((n + 1) / n * variance / pixels), np.sqrt(error / pixels)
    counts, variances, errors = sums["reliability"].T
    filled = counts > 0
    coverage = {
        f"{100 * level:.0f}": {"value": inside / pixels, "expected": expected_coverage(n, level)}
        for level, inside in zip(LEVELS, sums["inside"][0], strict=True)
    }
    result = {
        "realisations": n,
        "crps": sums["crps"][0] / pixels,
        "fair_crps": sums["fair_crps"][0] / pixels,
        "spread": spread,
        "error_of_mean": error_of_mean,
        "spread_over_error": spread / error_of_mean if error_of_mean else None,
        "coverage": coverage,
        "rank_histogram": sums["ranks"] / sums["ranks"].sum(),
        "reliability": {
            "share_of_pixels": counts[filled] / pixels,
            "spread": np.sqrt((n + 1) / n * variances[filled] / counts[filled]),
            "error": np.sqrt(errors[filled] / counts[filled]),
        },
        "diversity": {
            "pair_correlation": pair_correlation(sums["pairs"]),
            "abs_pair_correlation": pair_correlation(sums["unsigned_pairs"]),
        },
        "polarity": {
            "above_gauss": SIGNED_ABOVE,
            **polarity_by_style(right, wrong),
            "own_style": own_style,
            "majority": sums["majority"] / sums["strong"] if sums["strong"] else None,
        },
    }
    return {**result, "verdict": verdict(result)}


def verdict(result: Mapping[str, Any]) -> list[str]:
    """Return sentences on calibration and polarity."""
    n, coverage, polarity = result["realisations"], result["coverage"]["90"], result["polarity"]
    calibration = result["spread_over_error"]
    inside = (
        f"the 90 % interval of the {n} realisations holds {100 * coverage['value']:.0f} % of the true pixels, where "
        f"{100 * coverage['expected']:.0f} % would be right"
    )
    figures = (
        f"the realisations differ by {result['spread']:.1f} G, their mean is wrong by "
        f"{result['error_of_mean']:.1f} G; {inside}."
    )
    if calibration is None:
        sentences = [f"No error: {inside}."]
    elif calibration < CALIBRATED[0]:
        sentences = [f"Overconfident: {figures} Do not take their spread for the error."]
    elif calibration > CALIBRATED[1]:
        sentences = [f"Underconfident: {figures}"]
    else:
        sentences = [f"The spread of the realisations is about their error; {inside}."]
    if polarity["right"] is not None:
        own = ""
        if math.isfinite(polarity["own_style"]):
            own = f"; with the (unavailable) style of the true magnetogram {100 * polarity['own_style']:.0f} %"
        sentences.append(
            f"Signs (|B| >= {polarity['above_gauss']:.0f} G): {100 * polarity['right']:.0f} % right, 50 % by "
            f"chance{own}. {100 * polarity['majority']:.0f} % of the realisations agree on the sign of a pixel."
        )
    return sentences
