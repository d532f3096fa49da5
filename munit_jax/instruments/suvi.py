"""SUVI on GOES-16 to 19: level 1b and the composites of level 2, radiances."""

import math

from astropy.io import fits

from munit_jax.instruments.checks import SATURATED_SHARE, Camera
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.euv_imagers import channel_like, like_aia
from munit_jax.instruments.headers import Header, number, text
from munit_jax.instruments.interface import Observation, Preparation, Prepared, Telescope
from munit_jax.instruments.units import scale_of
from munit_jax.sun.constants import SOLAR_RADIUS

# 195: half maximum from 191.1 to 197.3 angstrom, 89 % of it at 193.5.
CHANNELS = {171: "0171", 195: "0193", 304: "0304"}
RADIANCE = "W m-2 sr-1"
CAMERA = Camera(RADIANCE, saturated=math.inf, lowest=-10.0, highest=5000.0)  # the disk has 0.5; SAT_PIX counts


def series_of(header: Header) -> str | None:
    """Return the channel of AIA that an image of SUVI is like; FrameError for an eclipse or an empty composite."""
    if not text(header, "INSTRUME").startswith("GOES-R Series Solar Ultraviolet Imager"):
        return None
    if number(header, "ECLIPSE"):
        raise FrameError(
            "quality", f"ECLIPSE = {text(header, 'ECLIPSE')}: the Earth or the Moon is in front of the Sun"
        )
    if text(header, "EMPTY") == "True":
        raise FrameError("quality", "EMPTY = T: a composite without images")
    return channel_like(header, "SUVI", CHANNELS)


def common(header: fits.Header) -> fits.Header:
    """Return the header without RSUN, which level 1b has in pixels: DSUN_OBS says how large the Sun is."""
    header = header.copy()
    for key in ("RSUN", "SOLAR_B0"):  # which has the wrong sign; HGLT_OBS is right
        header.remove(key, ignore_missing=True)
    header["RSUN_REF"] = SOLAR_RADIUS
    return header


def calibrate(seen: Observation, how: Preparation) -> Prepared:
    """Bring to AIA's brightness; a radiance has been divided by the exposure."""
    scale_of(text(seen.header, "BUNIT"), "BUNIT", RADIANCE)
    saturated = (number(seen.header, "SAT_PIX") or 0) / seen.image.size
    if saturated > SATURATED_SHARE:
        raise FrameError("saturated", f"SAT_PIX: {saturated:.1%} of the image is overexposed")
    return like_aia(seen, how, seconds=1.0)


SUVI = Telescope("SUVI", series_of, calibrate, common, camera=CAMERA)
