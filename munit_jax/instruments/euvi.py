"""EUVI on STEREO A and B, level 0 and level 1."""

import numpy as np
from jaxtyping import Float

from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.euv_imagers import channel_like, darkest, like_aia
from munit_jax.instruments.headers import Header, required, text
from munit_jax.instruments.interface import Observation, Preparation, Prepared, Telescope

# The same lines of iron and helium as AIA's (195 and 193: Fe XII). 284 (Fe XV) has no channel of AIA like it.
CHANNELS = {171: "0171", 195: "0193", 304: "0304"}

# The darkest pixels of an image: within this share of BIASMEAN it is level 0, near 0 the bias is subtracted. Those of
# real level-0 images are 0.5 and 0.3 % under BIASMEAN.
BIAS_TOLERANCE = 0.1


def series_of(header: Header) -> str | None:
    """Return the channel of AIA that an image of EUVI is like."""
    if text(header, "DETECTOR").upper() != "EUVI":
        return None
    return channel_like(header, "EUVI", CHANNELS)


def calibrate(seen: Observation, how: Preparation) -> Prepared:
    """Subtract the bias and bring to AIA's brightness."""
    bias = bias_of(seen.header, seen.image)
    return like_aia(seen, how, bias, seen.image == 0 if bias else None)  # the bias keeps every pixel far above 0


def bias_of(header: Header, image: Float[np.ndarray, "y x"]) -> float:
    """Return the DN of the camera's bias in an image: BIASMEAN at level 0, 0 where it has been subtracted.

    The darkest pixels decide. FrameError where they are neither at BIASMEAN nor at 0 (divided or summed on board).
    """
    bias = required(header, "BIASMEAN", "its zero level cannot be known")
    level = darkest(image)
    if abs(level - bias) <= BIAS_TOLERANCE * bias:
        return bias
    if abs(level) <= BIAS_TOLERANCE * bias:
        return 0.0
    raise FrameError("unreadable", f"its darkest pixels are at {level:g}, neither at BIASMEAN = {bias:g} nor at 0")


# SECCHI's headers have no flags in QUALITY.
EUVI = Telescope("EUVI", series_of, calibrate, harmless=0xFFFFFFFF)
