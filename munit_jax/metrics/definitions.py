"""Every score of magnetograms on the disk by its name: unit, ideal, meaning, and its values out of the sums."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from munit_jax.metrics import disk, structure
from munit_jax.metrics.disk import ABS_B, ABS_T, POLARITY_THRESHOLDS, B, Score, Sums, T, correlation, ratio
from munit_jax.metrics.strata import STRATA
from munit_jax.metrics.structure import BANDS

# What a score is taken over: each of the strata, the whole disk only, or bands of wavelengths.
PARTS = {"strata": STRATA, "disk": ("disk",), "bands": BANDS}


@dataclass(frozen=True)
class Metric:
    """What a score is."""

    unit: str  # empty for a pure number
    ideal: float  # of a perfect magnetogram
    over: str  # key of `PARTS`
    meaning: str


METRICS: dict[str, Metric] = {
    "mse": Metric("G^2", 0, "strata", "mean square error"),
    "rmse": Metric("G", 0, "strata", "root mean square error"),
    "mae": Metric("G", 0, "strata", "mean absolute error"),
    "crps": Metric("G", 0, "strata", "continuous ranked probability score; the mean absolute error of a single field"),
    "bias": Metric("G", 0, "strata", "mean error"),
    "correlation": Metric("", 1, "strata", "Pearson's correlation of the signed field"),
    "abs_correlation": Metric("", 1, "strata", "the same of |B|"),
    "abs_rmse": Metric("G", 0, "strata", "root mean square error of |B|"),
    "correlation_binned": Metric("", 1, "disk", "correlation of means over 8 x 8 pixels"),
    "abs_correlation_binned": Metric("", 1, "disk", "the same of |B|"),
    "unsigned_field_ratio": Metric("", 1, "strata", "mean |B| over the true mean |B|"),
    "unsigned_flux_error": Metric(
        "", 0, "disk", "relative error of a frame's total unsigned flux, mean absolute value"
    ),
    "unsigned_flux_bias": Metric("", 0, "disk", "the same with its sign"),
    "unsigned_flux_correlation": Metric("", 1, "disk", "correlation over the frames of the total unsigned flux"),
    "net_flux_error": Metric(
        "", 0, "disk", "error of the net flux over the true total unsigned flux, mean absolute value"
    ),
    "net_flux_correlation": Metric("", 1, "disk", "correlation over the frames of the net flux"),
    "ppe10": Metric("", 1, "strata", "share of the pixels within 10 % of the true field"),
    **{
        f"polarity_{threshold:.0f}": Metric(
            "", 1, "strata", f"share of right signs where the true |B| >= {threshold:.0f} G"
        )
        for threshold in POLARITY_THRESHOLDS
    },
    "ssim": Metric("", 1, "disk", "structural similarity of grey pictures of +-100 G, windows on the disk"),
    "psnr": Metric("dB", np.inf, "strata", "peak signal to noise of grey pictures of +-100 G"),
    "partial_correlation_euv": Metric("", 1, "strata", "cross-partial correlation (a): given the EUV pixel"),
    "abs_partial_correlation_euv": Metric("", 1, "strata", "the same of |B|"),
    "partial_correlation_neighbours": Metric(
        "", 1, "disk", "cross-partial correlation (b): given the 8 neighbours of each"
    ),
    "abs_partial_correlation_neighbours": Metric("", 1, "disk", "the same of |B|"),
    "cross_correlation_peak": Metric("", 1, "disk", "cross-correlation (b): its largest value within 8 pixels"),
    "cross_correlation_shift": Metric("px", 0, "disk", "cross-correlation (b): how far off that is"),
    "abs_cross_correlation_peak": Metric("", 1, "disk", "the same of |B|"),
    "abs_cross_correlation_shift": Metric("px", 0, "disk", "the same of |B|"),
    "power_ratio": Metric("", 1, "bands", "power over the true power at the wavelengths"),
    "coherence": Metric("", 1, "bands", "correlation of the signed fields at the wavelengths"),
    "histogram_distance": Metric("G", 0, "disk", "Wasserstein's distance of the distributions of the field"),
}


def scores(sums: Sums) -> dict[str, Float[np.ndarray, "*any parts"]]:
    """Return every metric for each of its parts; NaN where it is not defined: no pixels, a constant field, no sign.

    The sums are those of `disk.pixel_sums`, `disk.flux_sums` and `structure.structure_sums`, and `crps`, that of all
    realisations together; added up, in double precision.
    """
    moments, flux = sums["moments"], sums["flux_moments"]
    frames = flux[..., 0, 0]
    mse = disk.mean_square_error(sums)
    peak, shift = structure.peak(structure.cross_correlation(sums))
    abs_peak, abs_shift = structure.peak(structure.cross_correlation(sums, "unsigned_shifted"))
    by_name: dict[str, Score] = {
        "mse": mse,
        "rmse": np.sqrt(mse),
        "mae": ratio(sums["absolute_error"], disk.pixels(sums)),
        "crps": ratio(sums["crps"], disk.pixels(sums)),
        "bias": ratio(sums["error"], disk.pixels(sums)),
        "correlation": correlation(moments, B, T),
        "abs_correlation": correlation(moments, ABS_B, ABS_T),
        "abs_rmse": np.sqrt(ratio(sums["squared_unsigned_error"], disk.pixels(sums))),
        "correlation_binned": correlation(sums["binned"], 1, 2),
        "abs_correlation_binned": correlation(sums["binned"], 3, 4),
        "unsigned_field_ratio": ratio(moments[..., 0, ABS_B], moments[..., 0, ABS_T]),
        "unsigned_flux_error": ratio(sums["flux_error"], frames),
        "unsigned_flux_bias": ratio(sums["flux_bias"], frames),
        "unsigned_flux_correlation": correlation(flux, 1, 2),
        "net_flux_error": ratio(sums["net_flux_error"], frames),
        "net_flux_correlation": correlation(flux, 3, 4),
        "ppe10": ratio(sums["near"], disk.pixels(sums)),
        **{f"polarity_{t:.0f}": disk.polarity_agreement(sums, t) for t in POLARITY_THRESHOLDS},
        "ssim": structure.similarity(sums),
        "psnr": disk.peak_signal_to_noise(sums),
        "partial_correlation_euv": disk.given_euv(sums, B, T),
        "abs_partial_correlation_euv": disk.given_euv(sums, ABS_B, ABS_T),
        "partial_correlation_neighbours": structure.neighbour_partial_correlation(sums),
        "abs_partial_correlation_neighbours": structure.neighbour_partial_correlation(sums, "unsigned_patches"),
        "cross_correlation_peak": peak,
        "cross_correlation_shift": shift,
        "abs_cross_correlation_peak": abs_peak,
        "abs_cross_correlation_shift": abs_shift,
        "power_ratio": structure.power_ratio(sums),
        "coherence": structure.coherence(sums),
        "histogram_distance": structure.histogram_distance(sums),
    }
    return {name: value if METRICS[name].over != "disk" else value[..., None] for name, value in by_name.items()}
