"""SWAP on PROBA2, level 1."""

from munit_jax.instruments.checks import Camera
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.euv_imagers import channel_like, like_aia
from munit_jax.instruments.headers import Header, text
from munit_jax.instruments.interface import Observation, Preparation, Prepared, Telescope

# Raftery et al. 2013 (Solar Physics 286, 111): SWAP, EIT, EUVI and AIA respond alike to plasma of any temperature.
CHANNELS = {174: "0171"}
CAMERA = Camera(saturated=4000.0)  # 12 bits


def series_of(header: Header) -> str | None:
    """Return the channel of AIA that an image of SWAP is like; FrameError for level 0, whose dark is not subtracted."""
    if text(header, "INSTRUME") != "SWAP":
        return None
    if (level := text(header, "LEVEL")) not in ("1", "1.0", "L1"):
        raise FrameError("instrument", f"SWAP, LEVEL = '{level}': expected level 1, north up and the dark subtracted")
    return channel_like(header, "SWAP", CHANNELS)


def calibrate(seen: Observation, how: Preparation) -> Prepared:
    """Bring to AIA's brightness; level 1 has the dark subtracted and is clipped at 0."""
    return like_aia(seen, how)


SWAP = Telescope("SWAP", series_of, calibrate, camera=CAMERA)
