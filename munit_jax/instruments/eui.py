"""EUI on Solar Orbiter, the full-Sun imager FSI: level 1 and level 2."""

import math

from munit_jax.instruments.checks import Camera
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.euv_imagers import channel_like, darkest, like_aia
from munit_jax.instruments.headers import Header, text
from munit_jax.instruments.interface import Observation, Preparation, Prepared, Telescope

CHANNELS = {174: "0171", 304: "0304"}  # the lines of Fe IX, X and He II
# By their names (the EUI Data Manual): the disk behind an occulter, and exposures 50 times shorter.
OTHER_IMAGES = ("occulter", "image-short")
# 15 bits, 4 x 4 pixels of which are summed on board; from where two gains that are combined saturate is not known.
CAMERA = Camera(saturated=math.inf, highest=16 * 32767.0)


def series_of(header: Header) -> str | None:
    """Return the channel of AIA that an image of FSI is like; FrameError for HRI and for FSI without the whole disk."""
    if text(header, "OBSRVTRY") != "Solar Orbiter" or not text(header, "INSTRUME").startswith("EUI"):
        return None
    detector = text(header, "DETECTOR")
    if not detector.startswith("FSI"):
        raise FrameError("instrument", f"EUI {detector}: it sees a patch, not the whole disk; give images of FSI")
    for kind in OTHER_IMAGES:
        if kind in text(header, "FILENAME"):
            raise FrameError(
                "instrument", f"EUI FSI, {kind} by its FILENAME: give one of eui-fsi174-image or fsi304-image"
            )
    if (kind := text(header, "IMGTYPE") or "solar image") != "solar image":
        raise FrameError("instrument", f"EUI FSI, IMGTYPE = '{kind}': expected 'solar image'")
    if text(header, "COMPLETE") == "I":
        raise FrameError("missing blocks", "COMPLETE = 'I': not all of the image was received")
    return channel_like(header, "FSI", CHANNELS)


def calibrate(seen: Observation, how: Preparation) -> Prepared:
    """Bring to AIA's brightness; level 1 is raw, and its darkest pixels, far off the limb, are its zero level."""
    return like_aia(seen, how, darkest(seen.image) if text(seen.header, "LEVEL") == "L1" else 0.0)


EUI = Telescope("EUI FSI", series_of, calibrate, camera=CAMERA)
