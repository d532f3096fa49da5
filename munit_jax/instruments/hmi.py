"""HMI on SDO: magnetograms of the line of sight (M_720s, M_45s)."""

import numpy as np

from munit_jax.instruments.checks import without_markers
from munit_jax.instruments.errors import FrameError
from munit_jax.instruments.headers import Header, gauss_in, text
from munit_jax.instruments.interface import Observation, Preparation, Prepared, Telescope
from munit_jax.instruments.registration import register
from munit_jax.instruments.units import gauss_per
from munit_jax.sun.disk import on_disk

# Bits of QUALITY that do not matter for one image (http://jsoc.stanford.edu/doc/data/hmi/Quality_Bits/QUALITY.txt):
# lists of cosmic-ray hits could not be read (QUAL_NOCOSMICRAY), which does not show in a mean over 12 minutes; fewer
# filtergrams than usual were averaged (QUAL_LOWINTERPNUM), which is noise.
NO_COSMIC_RAYS, FEWER_AVERAGED = 0x400, 0x10000


def series_of(header: Header) -> str | None:
    """Return `bz` for a magnetogram of HMI, by CONTENT or the unit of a field; None for others and synoptic maps."""
    if "HMI" not in f"{text(header, 'TELESCOP')} {text(header, 'INSTRUME')}".upper():
        return None
    if text(header, "CTYPE1").startswith("CRLN"):
        return None
    content = text(header, "CONTENT").upper()
    if content == "MAGNETOGRAM":
        return "bz"
    try:
        gauss_per(text(header, "BUNIT"))
    except FrameError:
        return None
    return None if content else "bz"


def calibrate(seen: Observation, how: Preparation) -> Prepared:
    """Bring the field to gauss and register it; 0 off the disk, as in SDOML.

    It is a mean over pixels, where SDOML took the nearest one, which is noise.
    """
    gauss = without_markers(seen.image * np.float32(gauss_in(seen.header)))
    return Prepared(np.where(on_disk(how.geometry), register(gauss, seen.disk, how.geometry), np.float32(0)))


HMI = Telescope("HMI", series_of, calibrate, harmless=NO_COSMIC_RAYS | FEWER_AVERAGED)
