"""EUVI on STEREO A and B, level 0 and level 1."""

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.aia import wavelength
from munit_jax.instruments.calibration import gain, nearest_reference
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import Header, exposure, required, text, time_of
from munit_jax.instruments.interface import Observation, Preparation, Prepared, Telescope
from munit_jax.instruments.registration import register

# The same lines of iron and helium as AIA's (195 and 193: Fe XII). 284 (Fe XV) has no channel of AIA like it.
CHANNELS = {171: "0171", 195: "0193", 304: "0304"}

# The darkest pixels of an image: within this share of BIASMEAN it is level 0, below it of 0 the bias is off. Those of
# real level-0 images are 0.5 and 0.3 % under BIASMEAN.
BIAS_TOLERANCE = 0.1
DARKEST = 1.0  # per cent of the pixels


def series_of(header: Header) -> str | None:
    """Return the channel of AIA that an image of EUVI is like."""
    if text(header, "DETECTOR").upper() != "EUVI":
        return None
    channel = wavelength(header)
    if channel not in CHANNELS:
        known = ", ".join(map(str, CHANNELS))
        raise FrameError("instrument", f"EUVI {channel}: of EUVI's channels {known} have one of AIA like it")
    return CHANNELS[channel]


def calibrate(seen: Observation, how: Preparation) -> Prepared:
    """Subtract the bias, divide by the exposure, register, and bring to AIA's quartiles by one factor."""
    seconds = exposure(seen.header)
    bias = bias_of(seen.header, seen.image)
    counts = seen.image - np.float32(bias)
    if bias:
        counts[seen.image == 0] = np.nan  # lost: the bias keeps every pixel far above 0
    image = register(counts, seen.disk, how.geometry) / np.float32(seconds)
    reference = nearest_reference(seen.series, time_of(seen.header), how.references)
    factor = gain(image, reference)
    return Prepared(
        np.maximum(image * np.float32(factor), 0),
        (
            ("MJBIAS", bias, "[DN] bias that was subtracted"),
            ("MJEXPT", seconds, "[s] exposure that the image was divided by"),
            ("MJGAIN", factor, "factor to the quartiles of AIA's disk"),
            ("MJREFR", reference.name, "whose quartiles"),
        ),
    )


def bias_of(header: Header, image: Float[np.ndarray, "y x"]) -> float:
    """Return the DN of the camera's bias in an image: BIASMEAN at level 0, 0 where it has been subtracted.

    The darkest pixels decide, in the corners that see no Sun; pixels of exactly 0 are lost blocks and do not count
    where others are there. FrameError where they are neither at BIASMEAN nor at 0 (divided or summed on board).
    """
    bias = required(header, "BIASMEAN", "its zero level cannot be known")
    taken = image[np.isfinite(image) & (image != 0)]
    darkest = float(np.percentile(taken if len(taken) else image, DARKEST))
    if abs(darkest - bias) <= BIAS_TOLERANCE * bias:
        return bias
    if abs(darkest) <= BIAS_TOLERANCE * bias:
        return 0.0
    raise FrameError("unreadable", f"its darkest pixels are at {darkest:g}, neither at BIASMEAN = {bias:g} nor at 0")


# SECCHI's headers have no flags in QUALITY.
EUVI = Telescope("EUVI", series_of, calibrate, harmless=0xFFFFFFFF, at_earth=False)
