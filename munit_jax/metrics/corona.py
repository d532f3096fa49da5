"""Scores of a corona against the true one: open flux, source surface, neutral line, open field, footpoints, wind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from astropy.coordinates import angular_separation
from jaxtyping import Complex, Float
from scipy.spatial import KDTree

from munit_jax.metrics.disk import ratio
from munit_jax.pfss.field import ENERGY_RADII, energy_density
from munit_jax.pfss.fieldlines import neutral_line
from munit_jax.pfss.harmonics import Grid, Transform, analysis, power
from munit_jax.pfss.interpolation import cartesian
from munit_jax.pfss.model import SELF_CHECK_LIMIT, ModelSettings, model_corona

DEGREE_BANDS = ((1, 3), (4, 9), (10, 29), (30, 60))
FAR = 10.0  # degrees, of footpoints
POINTS_APART = 0.5  # degrees along a neutral line
FURTHEST = 95.0  # per cent: of the distances between neutral lines


@dataclass(frozen=True)
class Score:
    """A score of a corona: its unit, its value for the true corona, and its meaning."""

    unit: str
    ideal: float
    meaning: str


SCORES: dict[str, Score] = {
    "open_flux_ratio": Score("", 1, "unsigned flux through the source surface over the true one"),
    "open_flux_error": Score("", 0, "absolute value of its relative error"),
    "surface_correlation": Score("", 1, "correlation of B_r at the source surface"),
    "surface_error": Score("", 0, "relative error of B_r at the source surface (L2)"),
    "opposite_polarity": Score("", 0, "share of the source surface with the wrong sign"),
    "neutral_line_distance": Score("deg", 0, "mean distance of the neutral lines, both ways"),
    "neutral_line_hausdorff95": Score("deg", 0, "95 % of their points are nearer than this"),
    "open_area_ratio": Score("", 1, "open area over the true one"),
    "open_jaccard": Score("", 1, "open area in both over that in either"),
    "signed_jaccard": Score("", 1, "the same where the polarity is right too"),
    **{
        f"energy_ratio_r{r:g}": Score("", 1, f"magnetic energy density at {r:g} solar radii over the true one")
        for r in ENERGY_RADII
    },
    **{f"power_ratio_l{a}_{b}": Score("", 1, f"power of the boundary, degrees {a} to {b}") for a, b in DEGREE_BANDS},
    **{f"coherence_l{a}_{b}": Score("", 1, f"correlation of boundaries, degrees {a} to {b}") for a, b in DEGREE_BANDS},
    "footpoint_shift": Score("deg", 0, "median distance of the footpoints of lines from the source surface"),
    "footpoints_far": Score("", 0, "share of the lines whose footpoints are more than 10 degrees off"),
    "expansion_error": Score("", 0, "median of |d ln f| of the expansion factor"),
    "wind_rmse": Score("km/s", 0, "root mean square error of the wind's speed"),
    "wind_bias": Score("km/s", 0, "its mean error"),
    "wind_correlation": Score("", 1, "its correlation"),
}


class CoronaOf(NamedTuple):
    """The `Corona` of a boundary in numpy, its coefficients, and mean energy densities (erg / cm^3) at ENERGY_RADII."""

    maps: Any  # whose annotations are those of JAX's arrays
    coefficients: Complex[np.ndarray, "m l"]
    energies: Float[np.ndarray, " radius"]


def corona_of(transform: Transform, boundary: Float[Any, "lat lon"], settings: ModelSettings) -> CoronaOf:
    """Return the corona of a boundary in gauss without monopole, on the host.

    One without any field is not modelled: its lines would never end. It has no open field, footpoints and wind.
    """
    field = jnp.asarray(boundary, transform.solid_angles.dtype)
    coefficients = analysis(transform, field)
    energies = jnp.stack([energy_density(transform, coefficients, r, settings.rss) for r in ENERGY_RADII])
    energies = jnp.where(np.array(ENERGY_RADII) <= settings.rss, energies, jnp.nan)
    if jnp.any(field != 0):
        maps = jax.device_get(model_corona(transform, field, settings))
    else:
        shapes = jax.eval_shape(lambda: model_corona(transform, field, settings))
        nothing = np.full((transform.grid.rows, transform.grid.columns), np.nan, field.dtype)
        maps = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
        maps = maps._replace(foot_latitude=nothing, foot_longitude=nothing, expansion=nothing, speed=nothing)
    return CoronaOf(maps, *jax.device_get((coefficients, energies)))


def corona_scores(transform: Transform, other: CoronaOf, true: CoronaOf) -> dict[str, float]:
    """Return SCORES of a corona against the true one, means by area; NaN where one is not defined.

    Source: Badman et al. 2022 (arXiv 2201.11818), Asvestari et al. 2019 (1907.03337) and 2024 (2311.04024), Caplan et
    al. 2021 (2102.05618) and Reiss et al. 2019 (1905.04353).
    """
    a, b, grid = other.maps, true.maps, transform.grid
    area = np.broadcast_to(grid.solid_angles[:, None], (grid.rows, grid.columns))
    lines = neutral_distances(grid, a.source_surface, b.source_surface)
    open_a, open_b = a.polarity != 0, b.polarity != 0
    either = area[open_a | open_b].sum()
    same = area[open_a & (a.polarity == b.polarity)].sum()
    feet = a.foot_longitude, a.foot_latitude, b.foot_longitude, b.foot_latitude
    shift = np.rad2deg(angular_separation(*(np.deg2rad(x.astype(np.float64)) for x in feet)))
    followed = np.isfinite(shift)
    speed = np.isfinite(a.speed) & np.isfinite(b.speed)
    wind = (a.speed - b.speed)[speed]
    scores = {
        "open_flux_ratio": ratio(a.open_flux, b.open_flux),
        "open_flux_error": np.abs(ratio(a.open_flux, b.open_flux) - 1),
        "surface_correlation": weighted_correlation(area, a.source_surface, b.source_surface),
        "surface_error": np.sqrt(
            ratio((area * (a.source_surface - b.source_surface) ** 2).sum(), (area * b.source_surface**2).sum())
        ),
        "opposite_polarity": area[a.source_surface * b.source_surface < 0].sum() / area.sum(),
        "neutral_line_distance": lines.mean() if lines.size else np.nan,
        "neutral_line_hausdorff95": np.percentile(lines, FURTHEST) if lines.size else np.nan,
        "open_area_ratio": ratio(a.open_area_fraction, b.open_area_fraction),
        "open_jaccard": ratio(area[open_a & open_b].sum(), either),
        "signed_jaccard": ratio(same, either),
        "footpoint_shift": weighted_median(shift[followed], area[followed]),
        "footpoints_far": ratio(area[followed][shift[followed] > FAR].sum(), area[followed].sum()),
        "expansion_error": weighted_median(np.abs(np.log(a.expansion / b.expansion))[followed], area[followed]),
        "wind_rmse": np.sqrt(ratio((area[speed] * wind**2).sum(), area[speed].sum())),
        "wind_bias": ratio((area[speed] * wind).sum(), area[speed].sum()),
        "wind_correlation": weighted_correlation(area[speed], a.speed[speed], b.speed[speed]),
    }
    scores |= {f"energy_ratio_r{r:g}": ratio(other.energies[k], true.energies[k]) for k, r in enumerate(ENERGY_RADII)}
    scores |= spectral_scores(other, true)
    return {name: float(scores[name]) for name in SCORES}


def score_array(transform: Transform, coronae: Iterable[CoronaOf], true: CoronaOf) -> Float[np.ndarray, "n score"]:
    """Return `corona_scores` of several coronae, in the order of SCORES."""
    return np.array([list(corona_scores(transform, one, true).values()) for one in coronae])


def score_medians(
    scores: Mapping[str, Float[np.ndarray, "frame _ score"]], columns: Iterable[str], names: Iterable[str] = SCORES
) -> dict[str, dict[str, float]]:
    """Return {score: {column: median over frames and realisations}} of the arrays of columns; see `score_array`."""
    return {name: {column: median(scores[column][..., k]) for column in columns} for k, name in enumerate(names)}


def spectral_scores(other: CoronaOf, true: CoronaOf) -> dict[str, Float[np.ndarray, ""]]:
    """Return power ratio and coherence of two boundaries in bands of degrees; NaN for degrees beyond the highest."""
    a, b = jnp.asarray(other.coefficients), jnp.asarray(true.coefficients)
    ours, theirs, cross = (np.asarray(power(*pair)) for pair in ((a, a), (b, b), (a, b)))
    scores = {}
    for low, high in DEGREE_BANDS:
        band = slice(low, high + 1)
        aa, bb, ab = (values[band].sum() for values in (ours, theirs, cross))
        scores[f"power_ratio_l{low}_{high}"] = ratio(aa, bb)
        scores[f"coherence_l{low}_{high}"] = ratio(ab, np.sqrt(aa * bb))
    return scores


def neutral_distances(
    grid: Grid, field: Float[np.ndarray, "lat lon"], other: Float[np.ndarray, "lat lon"]
) -> Float[np.ndarray, " point"]:
    """Return the distance in degrees of every point of each neutral line to the other one; empty where one has none."""
    points, others = (np.asarray(cartesian(*jnp.asarray(_evenly(neutral_line(grid, x))).T)) for x in (field, other))
    if not len(points) or not len(others):
        return np.empty(0)
    chords = np.concatenate([KDTree(b).query(a)[0] for a, b in ((points, others), (others, points))])
    return np.rad2deg(2 * np.arcsin(np.minimum(chords / 2, 1)))


def _evenly(lines: Sequence[Float[np.ndarray, "point 2"]]) -> Float[np.ndarray, "even 2"]:
    """Return points POINTS_APART along lines of (latitude, longitude) in degrees: each part counts by its length."""
    even = []
    for line in lines:
        steps = np.diff(line, axis=0)
        length = np.hypot(steps[:, 0], steps[:, 1] * np.cos(np.deg2rad(line[:-1, 0])))
        along = np.concatenate([[0], np.cumsum(length)])
        places = np.arange(POINTS_APART / 2, along[-1], POINTS_APART)
        even.append(np.stack([np.interp(places, along, line[:, k]) for k in range(2)], axis=-1))
    return np.concatenate(even) if even else np.empty((0, 2))


def weighted_correlation(
    weights: Float[np.ndarray, "*any"], a: Float[np.ndarray, "*any"], b: Float[np.ndarray, "*any"]
) -> float:
    """Return Pearson's correlation with weights; NaN where one is constant."""
    if not weights.size:
        return float("nan")
    a, b = (x - np.average(x, weights=weights) for x in (a, b))
    scale = np.sqrt((weights * a**2).sum() * (weights * b**2).sum())
    return float((weights * a * b).sum() / scale) if scale > 0 else float("nan")


def weighted_median(values: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> float:
    """Return the value that half of the weight is below; NaN for none."""
    if not values.size:
        return float("nan")
    return float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))


def median(values: Float[np.ndarray, "..."]) -> float:
    """Return the median of what is known of a score; NaN for nothing."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def self_checks(coronae: Iterable[CoronaOf]) -> Float[np.ndarray, " n"]:
    """Return the self-checks of several models; NaN for those without any open flux."""
    return np.array([one.maps.self_check if one.maps.open_flux > 0 else np.nan for one in coronae], np.float64)


def check_summary(checks: Float[np.ndarray, "..."]) -> dict[str, float]:
    """Return the self-check that is the farthest from 0, and the share of the models that pass (1 %)."""
    known = checks[np.isfinite(checks)]
    return {
        "self_check": float(known[np.abs(known).argmax()]) if known.size else float("nan"),
        "self_checks_passed": float((np.abs(known) <= SELF_CHECK_LIMIT).mean()) if known.size else float("nan"),
    }
