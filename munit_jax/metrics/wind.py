"""Scores of series of the wind's speed at one place against the true one."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from munit_jax.heliosphere.streams import nearest, streams
from munit_jax.metrics.corona import Score
from munit_jax.metrics.ensemble import pixel_crps

WIND_SCORES: Mapping[str, Score] = {
    "speed_rmse": Score("km/s", 0, "root mean square error of the speed"),
    "speed_bias": Score("km/s", 0, "its mean error"),
    "speed_correlation": Score("", 1, "its correlation over the series"),
    "speed_crps": Score("km/s", 0, "CRPS of all realisations together; of a single one the mean absolute error"),
    "streams_found": Score("", 1, "share of the true streams with one that arrives within two days"),
    "streams_false": Score("", 0, "share of the streams without a true one within two days"),
    "arrival_error": Score("h", 0, "mean absolute error of the arrival of those found"),
}


def wind_scores(
    times: Int[np.ndarray, " t"], speed: Float[np.ndarray, "n t"], true: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "n score"]:
    """Return WIND_SCORES of realisations, in km/s; the CRPS is the same for all. NaN where a score is not defined."""
    crps = float(pixel_crps(jnp.asarray(speed), jnp.asarray(true))[0].mean())
    return np.array([[*_scores(times, one, true, crps)] for one in speed])


def _scores(
    times: Int[np.ndarray, " t"], speed: Float[np.ndarray, " t"], true: Float[np.ndarray, " t"], crps: float
) -> tuple[float, ...]:
    if not np.isfinite(speed).all():
        return (np.nan,) * len(WIND_SCORES)
    error = speed - true
    varies = speed.std() > 0 and true.std() > 0
    correlation = np.corrcoef(speed, true)[0, 1] if varies else np.nan
    ours, theirs = streams(times, speed), streams(times, true)
    found = [(stream, nearest(stream, ours)) for stream in theirs]
    late = [abs(other.arrival - stream.arrival) / 3600 for stream, other in found if other is not None]
    false = [nearest(stream, theirs) is None for stream in ours]
    return (
        float(np.sqrt((error**2).mean())),
        float(error.mean()),
        float(correlation),
        crps,
        len(late) / len(theirs) if theirs else np.nan,
        float(np.mean(false)) if ours else np.nan,
        float(np.mean(late)) if late else np.nan,
    )
