"""Common code of the EUV imagers other than AIA: the channel that is like AIA's, and one factor to its brightness."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from munit_jax.instruments.aia import wavelength
from munit_jax.instruments.calibration import gain, nearest_reference
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import Header, exposure, time_of
from munit_jax.instruments.interface import Observation, Preparation, Prepared
from munit_jax.instruments.registration import register

DARKEST = 1.0  # per cent of the pixels: those of the corners, which see no Sun


def channel_like(header: Header, name: str, channels: Mapping[int, str]) -> str:
    """Return the channel of AIA that an image of an imager, by its name, is like; FrameError where there is none."""
    channel = wavelength(header)
    if channel not in channels:
        known = ", ".join(map(str, channels))
        raise FrameError("instrument", f"{name} {channel}: of {name}'s channels {known} have one of AIA like it")
    return channels[channel]


def darkest(image: Float[np.ndarray, "y x"]) -> float:
    """Return the level of the darkest pixels, without those of exactly 0 (lost blocks) if there are others."""
    taken = image[np.isfinite(image) & (image != 0)]
    return float(np.percentile(taken if len(taken) else image, DARKEST))


def like_aia(
    seen: Observation,
    how: Preparation,
    zero: float = 0.0,
    lost: Bool[np.ndarray, "y x"] | None = None,
    seconds: float | None = None,
) -> Prepared:
    """Subtract the zero level, divide by the exposure, register, and bring to AIA's quartiles by one factor.

    The factor covers the unit, the filter, the gain and the loss of sensitivity. Surface brightness does not change
    with distance.

    Args:
        zero: the value of a pixel without light, in the unit of the file.
        lost: pixels that are missing; None for those that are NaN.
        seconds: of the exposure; None for what the header says.
    """
    seconds = exposure(seen.header) if seconds is None else seconds
    values = seen.image - np.float32(zero)
    if lost is not None:
        values[lost] = np.nan
    image = register(values, seen.disk, how.geometry) / np.float32(seconds)
    reference = nearest_reference(seen.series, time_of(seen.header), how.references)
    factor = gain(image, reference)
    return Prepared(
        np.maximum(image * np.float32(factor), 0),
        (
            ("MJLIKE", f"AIA {int(seen.series)}", "the channel that it is taken for"),
            ("MJBIAS", zero, "zero level that was subtracted, in its unit"),
            ("MJEXPT", seconds, "[s] exposure that the image was divided by"),
            ("MJGAIN", factor, "factor to the quartiles of AIA's disk"),
            ("MJREFR", reference.name, "whose quartiles"),
        ),
    )
